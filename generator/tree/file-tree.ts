import { hash } from "node:crypto";

/**
 * How a file came to be: `copied` byte for byte, `specialized` from a tool module, `rendered` by a template,
 * `data` serialised from facts, or `sealed`: encrypted values and what follows from them.
 */
export type FileKind = "copied" | "specialized" | "rendered" | "data" | "sealed";

export interface GeneratedFile {
  readonly kind: FileKind;
  /** What it was made from, for the manifest: a path in this project or the name of a hook. */
  readonly from: string;
  readonly text: string;
}

/** A whole output in memory: path relative to the output folder, with `/`, to its file. */
export type FileTree = ReadonlyMap<string, GeneratedFile>;

export function sha256(bytes: string | Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/**
 * The only places for sealed files. Two first runs seal to different bytes, and a person may edit them with
 * sops, so their bytes are not on record: the sealing step has verified whatever stands there.
 */
export function maySeal(path: string): boolean {
  return /\.sops\.(?:env|yaml)$|(?:^|\/)credentials-checksum\.yaml$/.test(path);
}

/** Where a path of a tree stands on disk. The parts are known to be clean, so nothing is left to normalise. */
export function placeOf(root: string, path: string): string {
  return path === "" ? root : `${root}/${path}`;
}

const digests = new WeakMap<GeneratedFile, string>();

/** A file whose digest the build has worked out. */
export function withDigest(file: GeneratedFile, digest: string): GeneratedFile {
  digests.set(file, digest);
  return file;
}

const sizes = new WeakMap<GeneratedFile, number>();

export function bytesOf(file: GeneratedFile): number {
  const bytes = sizes.get(file) ?? Buffer.byteLength(file.text);
  sizes.set(file, bytes);
  return bytes;
}

/** The digest of a file's text, worked out once: plan, journal and manifest all ask for it. */
export function digestOf(file: GeneratedFile): string {
  const digest = digests.get(file) ?? sha256(file.text);
  digests.set(file, digest);
  return digest;
}

/**
 * Refuses what could leave the output folder or differ between file systems: absolute paths, `..`, empty or
 * dot segments, backslashes and control characters. Manifests are read with it too, for they are untrusted.
 */
export function isSafePath(path: string): boolean {
  return (
    path.length > 0 &&
    path.length <= 400 &&
    !/[\u0000-\u001f\u007f\\:]/.test(path) &&
    path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")
  );
}

/** Two paths that a case-insensitive file system would merge; `undefined` when there are none. */
export function caseCollision(paths: Iterable<string>): readonly [string, string] | undefined {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const folded = path.toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined && other !== path) return [other, path];
    seen.set(folded, path);
  }
  return undefined;
}
