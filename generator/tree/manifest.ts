import { digestOf, isSafePath, maySeal } from "./file-tree.ts";
import type { FileKind, FileTree } from "./file-tree.ts";

export const MANIFEST = ".generated.json";
/** What a run that is under way intends; it outlives a killed run and tells the next one which bytes are ours. */
export const JOURNAL = ".generated.next.json";
export const LOCK = ".generated.lock";
/** Temporary files of a run; only ever names that this pattern matches are cleaned up. */
export const TEMPORARY = /^\.generated\.[0-9]+\.[0-9]+\.tmp$/;

export interface ManifestEntry {
  readonly kind: FileKind;
  readonly from: string;
  /** Of the file's bytes; a sealed file has none. */
  readonly sha256?: string;
}

/** The record of one output: what was generated, from which drawing, by which generator. */
export interface Manifest {
  readonly version: 1;
  /** Version of the generator; nothing else in the output names it, so an upgrade shows only real changes. */
  readonly generator: string;
  readonly stack: string;
  readonly environment: string | null;
  /** Digest of the normalised drawing. */
  readonly drawing: string;
  readonly files: Readonly<Record<string, ManifestEntry>>;
}

export type Provenance = Omit<Manifest, "version" | "files">;

/** A manifest or journal that this generator did not write, or that somebody altered. */
export class ManifestError extends Error {
  constructor(file: string, problem: string) {
    super(`${file} ${problem}; restore it from git, or delete it and run generate --force`);
    this.name = "ManifestError";
  }
}

export function manifestOf(tree: FileTree, provenance: Provenance): Manifest {
  const paths = [...tree.keys()].sort();
  const files: Record<string, ManifestEntry> = {};
  for (const path of paths) {
    const file = tree.get(path);
    if (file === undefined) continue;
    const { kind, from } = file;
    files[path] = kind === "sealed" ? { kind, from } : { kind, from, sha256: digestOf(file) };
  }
  return { version: 1, ...provenance, files };
}

/** One file a line, so that a diff of the manifest reads like a list of what changed. */
export function manifestText(manifest: Manifest): string {
  const { files, ...head } = manifest;
  const rows = Object.entries(files).map(
    ([path, entry]) => `    ${JSON.stringify(path)}: ${JSON.stringify(entry)}`,
  );
  const lines = Object.entries(head).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`,
  );
  return `{\n${lines.join("\n")}\n  "files": {\n${rows.join(",\n")}\n  }\n}\n`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseRecord(file: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ManifestError(file, "is not JSON");
  }
  if (!isRecord(value)) throw new ManifestError(file, "is not a manifest");
  return value;
}

const HASH = /^[0-9a-f]{64}$/;

/** A file without a hash is ours by its name alone, so only the places of sealed files can be listed that way. */
function isEntry(path: string, { kind, sha256 }: Record<string, unknown>): boolean {
  if (kind === "sealed") return sha256 === undefined && maySeal(path);
  return typeof sha256 === "string" && HASH.test(sha256);
}

/** Reads a manifest as untrusted input: unknown versions, unsafe paths and malformed hashes are refused. */
export function parseManifest(file: string, text: string): Manifest {
  const value = parseRecord(file, text);
  if (value["version"] !== 1)
    throw new ManifestError(file, "has a version that this generator does not know");
  if (!isRecord(value["files"])) throw new ManifestError(file, "has no list of files");
  for (const [path, entry] of Object.entries(value["files"])) {
    if (!isSafePath(path))
      throw new ManifestError(file, `names a path outside its folder: ${JSON.stringify(path)}`);
    if (!isRecord(entry) || !isEntry(path, entry))
      throw new ManifestError(file, `has no hash for ${JSON.stringify(path)}`);
  }
  return value as unknown as Manifest;
}

/** Path to every hash that a run which did not finish may have left there. */
export type Journal = ReadonlyMap<string, ReadonlySet<string>>;

export function journalText(journal: Journal): string {
  const rows = [...journal]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, hashes]) => [path, [...hashes].sort()]);
  return `${JSON.stringify({ version: 1, files: Object.fromEntries(rows) })}\n`;
}

export function parseJournal(file: string, text: string): Journal {
  const value = parseRecord(file, text);
  if (value["version"] !== 1 || !isRecord(value["files"])) throw new ManifestError(file, "is not a journal");
  const journal = new Map<string, ReadonlySet<string>>();
  for (const [path, hashes] of Object.entries(value["files"])) {
    const valid =
      Array.isArray(hashes) && hashes.every((hash) => typeof hash === "string" && HASH.test(hash));
    if (!isSafePath(path) || !valid)
      throw new ManifestError(file, `has an entry that is not ours: ${JSON.stringify(path)}`);
    journal.set(path, new Set(hashes as string[]));
  }
  return journal;
}
