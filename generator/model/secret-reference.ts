import type { Path, SecretReference } from "./topology.ts";
import { isBlock, kindOf } from "./block.ts";
import type { Report } from "../diagnostics/report.ts";

const WAYS =
  "{key: NAME}, {env: NAME}, {file: path}, {k8s: namespace/secret#key}, {external: store/key} or {generate: 32}";
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const KUBERNETES = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})#([A-Za-z0-9._-]{1,253})$/;
const EXTERNAL = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,252})\/(\S{1,512})$/;
const SHORTEST = 16;
const LONGEST = 128;

function external(value: unknown): SecretReference | null {
  if (isBlock(value)) {
    const { store, key } = value;
    if (typeof store !== "string" || typeof key !== "string" || Object.keys(value).length !== 2) return null;
    return { from: "external", store, key };
  }
  const match = typeof value === "string" ? EXTERNAL.exec(value) : null;
  return match === null ? null : { from: "external", store: match[1] ?? "", key: match[2] ?? "" };
}

function generated(value: unknown): SecretReference | null {
  const length = isBlock(value) && Object.keys(value).length === 1 ? value["length"] : value;
  const fits =
    typeof length === "number" && Number.isInteger(length) && length >= SHORTEST && length <= LONGEST;
  return fits ? { from: "generate", length } : null;
}

function reference(way: string, value: unknown): SecretReference | null {
  const text = typeof value === "string" ? value : "";
  switch (way) {
    case "key":
      return VARIABLE.test(text) ? { from: "key", name: text } : null;
    case "env":
      return VARIABLE.test(text) ? { from: "env", name: text } : null;
    case "file":
      return text === "" ? null : { from: "file", path: text };
    case "k8s": {
      const match = KUBERNETES.exec(text);
      if (match === null) return null;
      return { from: "k8s", namespace: match[1] ?? "", secret: match[2] ?? "", key: match[3] ?? "" };
    }
    case "external":
      return external(value);
    case "generate":
      return generated(value);
    default:
      return null;
  }
}

/**
 * What was written for a secret. A value in place of a reference is E-SECRET-PLAINTEXT and is not repeated
 * in the message; `implied` is the name that applies when nothing is written.
 */
export function secretReference(
  written: unknown,
  implied: string,
  path: Path,
  report: Report,
): SecretReference {
  const conventional: SecretReference = { from: "implied", name: implied };
  if (written === undefined || written === null) return conventional;
  if (!isBlock(written)) {
    const kind = kindOf(written);
    report(
      "E-SECRET-PLAINTEXT",
      `a secret value may not be written here (found ${kind}): leave the key out to use ${implied}, or write ${WAYS}; then rotate the secret`,
      path,
    );
    return conventional;
  }
  const [way, ...others] = Object.keys(written);
  const parsed = way === undefined || others.length > 0 ? null : reference(way, written[way]);
  if (parsed === null) report("E-SHAPE", `not a reference to a secret: write ${WAYS}`, path);
  return parsed ?? conventional;
}
