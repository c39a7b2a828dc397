import { createPrivateKey, hash, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { BUNDLE_TYPE, firstDifference, keyIdOf, openBundle, preAuthEncoding } from "#runtime/bundle";
import type { BundleStatement } from "#runtime/bundle";
import { MANIFEST, parseManifest } from "../tree/manifest.ts";
import { readPublicKey } from "./audit.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface BundleOptions {
  readonly out: string;
  readonly key?: string;
  readonly pub?: string;
  readonly bundle?: string;
  readonly revision?: string;
}

/** What decides what AI may do: the code of the server, and what it is held to. */
export const SIGNED = /^(?:server|agent|governance)\//;

export function statementOf(folder: string, revision?: number): BundleStatement {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) throw new UsageError(`no output in ${folder}: run topogate generate`);
  const { stack, environment, files } = parseManifest(path, readFileSync(path, "utf8"));
  const names = Object.keys(files)
    .filter((name) => SIGNED.test(name))
    .sort();
  const digests = names.map((name) => [name, hash("sha256", readFileSync(join(folder, name)), "hex")]);
  const counted = revision === undefined ? {} : { revision };
  return { version: 1, stack, environment, ...counted, files: Object.fromEntries(digests) };
}

function privateKey(path: string | undefined): KeyObject {
  if (path === undefined) throw new UsageError("--key names the private key in PEM that signs");
  try {
    return createPrivateKey(readFileSync(path));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new UsageError(`${path} is no private key in PEM (${code})`);
  }
}

/** Beside the output, not in it: the folder holds what follows from the drawing and nothing else. */
function bundlePath(folder: string, suffix: string): string {
  return `${folder}.bundle${suffix}`;
}

function revisionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError("--revision must be a whole number that grows with each release");
}

/** An Ed25519 key gives one DSSE envelope, a P-256 key a file and the signature that cosign makes of it. */
export async function runBundleSign(stack: string, options: BundleOptions): Promise<number> {
  const folder = resolve(options.out, stack);
  const key = privateKey(options.key);
  const payload = Buffer.from(
    `${JSON.stringify(statementOf(folder, revisionOf(options.revision)), null, 2)}\n`,
  );
  if (key.asymmetricKeyType === "ed25519") {
    const sig = sign(null, preAuthEncoding(BUNDLE_TYPE, payload), key).toString("base64");
    const signatures = [{ keyid: keyIdOf(key), sig }];
    const envelope = { payloadType: BUNDLE_TYPE, payload: payload.toString("base64"), signatures };
    const path = bundlePath(folder, ".dsse.json");
    writeFileSync(path, `${JSON.stringify(envelope)}\n`);
    process.stdout.write(`${path}\n`);
    return ExitCode.ok;
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new UsageError("--key must be Ed25519, or ECDSA over P-256 as cosign has it");
  const path = bundlePath(folder, ".json");
  writeFileSync(path, payload);
  writeFileSync(`${path}.sig`, `${sign("sha256", payload, key).toString("base64")}\n`);
  process.stdout.write(`${path}\n${path}.sig\n`);
  return ExitCode.ok;
}

export function findBundle(folder: string, named: string | undefined): string {
  if (named !== undefined) return named;
  const found = [".dsse.json", ".json"].map((suffix) => bundlePath(folder, suffix)).find(existsSync);
  if (found === undefined) throw new UsageError(`no bundle beside ${folder}: run topogate bundle sign`);
  return found;
}

/** Exit 1 when the bundle is not signed with the key, or the output is not what was signed. */
export async function runBundleVerify(stack: string, options: BundleOptions): Promise<number> {
  const folder = resolve(options.out, stack);
  if (options.pub === undefined) throw new UsageError("--pub names the public key in PEM");
  const path = findBundle(folder, options.bundle);
  const opened = openBundle(path, readPublicKey(options.pub));
  const fail = (problem: string): number => {
    process.stdout.write(`${problem}\n`);
    return ExitCode.findings;
  };
  if ("problem" in opened) return fail(`${path} ${opened.problem}`);
  const difference = firstDifference(opened.statement, folder, () => true);
  if (difference !== undefined) return fail(`${stack}: ${difference}`);
  const unsigned = Object.keys(statementOf(folder).files).find(
    (name) => !Object.hasOwn(opened.statement.files, name),
  );
  if (unsigned !== undefined) return fail(`${stack}: ${unsigned} is not in the bundle`);
  const count = Object.keys(opened.statement.files).length;
  process.stdout.write(`${stack}: ${count} files as signed\n`);
  return ExitCode.ok;
}
