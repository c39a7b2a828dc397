import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { isBlock } from "../model/block.ts";
import type { Block } from "../model/block.ts";
import type { Path, Topology } from "../model/topology.ts";
import type { ReadDocument } from "./documents.ts";
import { readSource } from "./source.ts";

/** Members of a JSON Web Key that only its owner may know. */
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
const PATH: Path = ["access", "oauth", "keys", "file"];

function isKey(value: unknown): value is Block {
  return isBlock(value) && typeof value["kty"] === "string";
}

/** The key set that the drawing names: public keys only, since it is committed and mounted for everybody to read. */
export async function readIssuerKeys(
  { access: { oauth } }: Topology,
  read: ReadDocument,
  report: Report,
): Promise<Topology["issuerKeys"]> {
  if (oauth?.keys.from !== "file") return [];
  const { file } = oauth.keys;
  const bytes = read(file);
  if ("problem" in bytes) {
    report("E-REF", `${quoted(file)} ${bytes.problem}`, PATH);
    return [];
  }
  const source = await readSource(file, bytes);
  const set = source.ok ? source.source.value : undefined;
  const keys: readonly unknown[] = isBlock(set) && Array.isArray(set["keys"]) ? set["keys"] : [];
  if (keys.length === 0 || !keys.every(isKey)) {
    report("E-SHAPE", `${quoted(file)} is no key set: {"keys": [{"kty": ...}]} is wanted`, PATH);
    return [];
  }
  if (keys.some((key) => key["kty"] === "oct" || PRIVATE.some((member) => Object.hasOwn(key, member)))) {
    const message = `${quoted(file)} holds a private key: keep public ones alone in it, and let the issuer make a new pair`;
    report("E-SECRET-PLAINTEXT", message, PATH);
    return [];
  }
  return keys;
}
