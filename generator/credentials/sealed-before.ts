import { basename, dirname } from "node:path";
import { openSealed, readSealedNames } from "../seal/open.ts";
import { SealError } from "../seal/seal-error.ts";
import type { SealedFormat } from "../seal/seal.ts";
import type { FileSystem } from "../tree/disk.ts";
import { placeOf } from "../tree/file-tree.ts";
import { JOURNAL, parseJournal } from "../tree/manifest.ts";

export const SECRET_FILE = "k8s/secret.sops.yaml";

/**
 * The sealed files of an output: the same entries twice, for shells and for the cluster. Files are replaced in
 * the order of their paths, so a run that is killed in between leaves the newer values in the first.
 */
export const SEALED_FILES: readonly { readonly path: string; readonly format: SealedFormat }[] = [
  { path: "credentials/cloud.sops.env", format: "dotenv" },
  { path: SECRET_FILE, format: "secret" },
];

/** Where a file of an output stands, as people write it: `out/shop/k8s/secret.sops.yaml`. */
export function shownPath(root: string, path: string): string {
  return `${basename(dirname(root))}/${basename(root)}/${path}`;
}

/** What the sealed files of an output hold before a run. */
export interface SealedBefore {
  /** By path; `undefined` for a file that does not exist. */
  readonly texts: ReadonlyMap<string, string | undefined>;
  readonly names: ReadonlySet<string>;
  /** By path. */
  readonly recipients: ReadonlyMap<string, readonly string[]>;
  /** Empty when no private key fits. */
  readonly values: ReadonlyMap<string, string>;
  /** Those that fit; empty when none does. */
  readonly identities: readonly string[];
}

interface SealedText {
  readonly path: string;
  readonly text: string;
  readonly format: SealedFormat;
}

/** An entry of the Secret alone, made from another one. */
const isVariable = (name: string): boolean => name === name.toUpperCase();

type Values = ReadonlyMap<string, string>;

async function open(file: SealedText, identities: readonly string[]): Promise<Values | undefined> {
  if (identities.length === 0) return undefined;
  try {
    const { entries } = await openSealed(file.path, file.text, file.format, identities);
    return new Map(entries.map(({ name, value }) => [name, value]));
  } catch (error) {
    // Somebody's key for other projects is the same as no key at all.
    if (error instanceof SealError && error.reason === "no-identity") return undefined;
    throw error;
  }
}

/** All of the files, or nothing when one of them stays closed. */
async function openAll(
  files: readonly SealedText[],
  identities: readonly string[],
): Promise<readonly Values[] | undefined> {
  const opened: Values[] = [];
  for (const file of files) {
    const values = await open(file, identities);
    if (values === undefined) return undefined;
    opened.push(values);
  }
  return opened;
}

/** Whether a run was killed that was about to replace one of the files. */
function wasInterrupted(fs: FileSystem, root: string): boolean {
  const path = placeOf(root, JOURNAL);
  if (!fs.existsSync(path)) return false;
  const journal = parseJournal(path, fs.readFileSync(path, "utf8"));
  return SEALED_FILES.some((file) => journal.has(file.path));
}

function refuseInterrupted(file: SealedText): never {
  const problem =
    "a run was killed while it sealed, and only the private key can tell what it had finished: give it, or run secrets reseal with every value at hand";
  throw new SealError(file.path, "no-identity", problem);
}

/** A name in one file only, or with two values, is somebody's half-finished edit. */
function refuseDifference(files: readonly SealedText[], held: readonly Values[]): void {
  const [first, second] = held;
  if (first === undefined || second === undefined) return;
  const names = [...new Set([...first.keys(), ...second.keys()])].filter(isVariable).sort();
  const other = names.find((name) => first.get(name) !== second.get(name));
  if (other === undefined) return;
  const [one, two] = files.map(({ path }) => path);
  const problem = `${two ?? ""} differs in ${other}: make the same edit in both, or delete the one that is out of date`;
  throw new SealError(one ?? "", "files-differ", problem, [other]);
}

/**
 * Reads what is sealed already; with a private key that fits, both files are opened and must agree, unless a
 * run was killed between the two: then the first has the values that count. `reseal` needs none of them.
 */
export async function readSealedBefore(
  fs: FileSystem,
  root: string,
  identities: readonly string[],
  reseal: boolean,
): Promise<SealedBefore> {
  const texts = new Map<string, string | undefined>();
  for (const { path } of SEALED_FILES) {
    const place = placeOf(root, path);
    texts.set(path, fs.existsSync(place) ? fs.readFileSync(place, "utf8") : undefined);
  }
  const files = SEALED_FILES.flatMap(({ path, format }): SealedText[] => {
    const text = texts.get(path);
    return text === undefined ? [] : [{ path: shownPath(root, path), text, format }];
  });
  const closed = files.map(({ path, text, format }) => readSealedNames(path, text, format));
  const opened = await openAll(files, identities);
  const [first] = files;
  if (!wasInterrupted(fs, root))
    refuseDifference(files, opened ?? closed.map(({ names }) => new Map(names.map((name) => [name, ""]))));
  else if (opened === undefined && !reseal && first !== undefined) refuseInterrupted(first);
  return {
    texts,
    names: new Set(closed.flatMap(({ names }) => names).filter(isVariable)),
    recipients: new Map(files.map(({ path }, index) => [path, closed[index]?.recipients ?? []])),
    values: opened?.[0] ?? new Map(),
    identities: opened === undefined ? [] : identities,
  };
}
