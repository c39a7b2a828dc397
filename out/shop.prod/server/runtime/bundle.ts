import { createPublicKey, hash, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "#runtime/start-error";

/** What was signed: the files of one output, each with its digest. */
export interface BundleStatement {
  readonly version: 1;
  readonly stack: string;
  readonly environment: string | null;
  /** Grows with what is released, where whoever signs counts; what is older is then not put in the place of it. */
  readonly revision?: number;
  /** SHA-256 in hex by path in the output. */
  readonly files: Readonly<Record<string, string>>;
}

export const BUNDLE_TYPE = "application/vnd.topogate.bundle+json";

/** What a DSSE signature is made over. */
export function preAuthEncoding(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

export function keyIdOf(key: KeyObject): string {
  return `sha256:${hash("sha256", createPublicKey(key).export({ type: "spki", format: "der" }), "hex")}`;
}

/** Ed25519, or ECDSA over P-256 as `cosign sign-blob` makes it. */
function isSignedBy(key: KeyObject, signed: Buffer, signature: string): boolean {
  const bytes = Buffer.from(signature, "base64");
  if (key.asymmetricKeyType === "ed25519") return verify(null, signed, key, bytes);
  return key.asymmetricKeyType === "ec" && verify("sha256", signed, key, bytes);
}

function isStatement(value: unknown): value is BundleStatement {
  if (typeof value !== "object" || value === null) return false;
  const { version, stack, revision, files } = value as Partial<BundleStatement>;
  if (revision !== undefined && !(Number.isSafeInteger(revision) && revision >= 0)) return false;
  return version === 1 && typeof stack === "string" && typeof files === "object" && files !== null;
}

interface Envelope {
  readonly payloadType?: unknown;
  readonly payload?: unknown;
  readonly signatures?: readonly { readonly sig?: unknown }[];
}

/** The signed bytes of a DSSE envelope, or of a plain file with its signature beside it; `undefined` when not signed. */
function signedPayload(bytes: Buffer, signatureBeside: () => string, key: KeyObject): Buffer | undefined {
  const { payloadType, payload, signatures } = JSON.parse(bytes.toString()) as Envelope;
  if (payloadType === undefined) {
    return isSignedBy(key, bytes, signatureBeside().trim()) ? bytes : undefined;
  }
  if (payloadType !== BUNDLE_TYPE || typeof payload !== "string" || !Array.isArray(signatures))
    return undefined;
  const body = Buffer.from(payload, "base64");
  const signed = preAuthEncoding(BUNDLE_TYPE, body);
  const counts = signatures.some(({ sig }) => typeof sig === "string" && isSignedBy(key, signed, sig));
  return counts ? body : undefined;
}

type Opened = { readonly statement: BundleStatement } | { readonly problem: string };

/** The statement of a bundle on disk, or why it does not count. */
export function openBundle(path: string, key: KeyObject): Opened {
  return openSigned(
    () => readFileSync(path),
    () => readFileSync(`${path}.sig`, "utf8"),
    key,
  );
}

/** The same for bytes that came otherwise; a DSSE envelope needs no signature beside it. */
export function openSigned(bytes: () => Buffer, signatureBeside: () => string, key: KeyObject): Opened {
  try {
    const payload = signedPayload(bytes(), signatureBeside, key);
    if (payload === undefined) return { problem: "is not signed with this key" };
    const statement: unknown = JSON.parse(payload.toString());
    return isStatement(statement) ? { statement } : { problem: "is no bundle of version 1" };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "no JSON";
    return { problem: `cannot be read (${code})` };
  }
}

/** The first file of `root` that is not as it was signed. */
export function firstDifference(
  { files }: BundleStatement,
  root: string,
  isWanted: (path: string) => boolean,
): string | undefined {
  for (const [path, digest] of Object.entries(files)) {
    if (!isWanted(path)) continue;
    const place = join(root, path);
    if (!existsSync(place)) return `${path} is missing`;
    if (hash("sha256", readFileSync(place), "hex") !== digest) return `${path} is not what was signed`;
  }
  return undefined;
}

/** What a pod has of an output: the code, and the rules and policy that it is held to. */
const MOUNTED =
  /^(?:server\/(?!Dockerfile$|package-lock\.json$|tsconfig\.json$).+|governance\/(?:policy\.json|rules\/.+))$/;

/**
 * With `MCP_BUNDLE_KEY_FILE` the server starts only when `MCP_BUNDLE_FILE` is signed with that key, is of this stack,
 * and its files are those beside `server`. Throws a StartError that names the first difference.
 */
export function demandBundle(
  server: string,
  drawn: { readonly stack: string; readonly environment: string | null },
  environment: Readonly<Record<string, string | undefined>>,
): void {
  const [keyFile, file] = [environment["MCP_BUNDLE_KEY_FILE"], environment["MCP_BUNDLE_FILE"]];
  if (keyFile === undefined || keyFile === "") return;
  let key: KeyObject;
  try {
    key = createPublicKey(readFileSync(keyFile));
  } catch {
    throw new StartError("MCP_BUNDLE_KEY_FILE is no public key in PEM");
  }
  if (file === undefined || file === "")
    throw new StartError("MCP_BUNDLE_FILE is not set, and MCP_BUNDLE_KEY_FILE demands a signed bundle");
  const opened = openBundle(file, key);
  if ("problem" in opened) throw new StartError(`MCP_BUNDLE_FILE ${opened.problem}: sign this output again`);
  const { statement } = opened;
  if (statement.stack !== drawn.stack || statement.environment !== drawn.environment)
    throw new StartError("MCP_BUNDLE_FILE was signed for another stack or environment");
  const isWanted = (path: string): boolean => MOUNTED.test(path);
  for (const needed of ["server/main.ts", "server/registry.ts", "server/surface.lock.json"])
    if (!Object.hasOwn(statement.files, needed))
      throw new StartError(`MCP_BUNDLE_FILE does not speak of ${needed}: sign this output again`);
  const difference = firstDifference(statement, join(server, ".."), isWanted);
  if (difference !== undefined)
    throw new StartError(
      `the signed bundle does not hold: ${difference}; sign this output again, or restore it`,
    );
}
