import type * as nodeFs from "node:fs";
import { placeOf } from "./file-tree.ts";
import { TEMPORARY } from "./manifest.ts";

/** The part of `node:fs` that the tree uses; tests pass a file system in memory. */
export type FileSystem = Pick<
  typeof nodeFs,
  | "closeSync"
  | "existsSync"
  | "lstatSync"
  | "mkdirSync"
  | "openSync"
  | "readFileSync"
  | "readdirSync"
  | "renameSync"
  | "rmdirSync"
  | "unlinkSync"
  | "writeFileSync"
  | "writeSync"
>;

/** Makes a file that must not exist; faster than `writeFileSync`, which copies the text first. */
export function writeNew(fs: FileSystem, path: string, text: string, mode: number): void {
  const file = fs.openSync(path, "wx", mode);
  try {
    const written = fs.writeSync(file, text);
    // A disk that is nearly full takes a part, and names its fault when it is asked to take the rest.
    const bytes = Buffer.byteLength(text);
    for (let done = written; done < bytes;) done += fs.writeSync(file, Buffer.from(text), done);
  } finally {
    fs.closeSync(file);
  }
}

/** Something on disk that the generator must not write through or replace. */
export class UnsafePathError extends Error {
  constructor(path: string, problem: string) {
    super(`${path} ${problem}`);
    this.name = "UnsafePathError";
  }
}

/** What stands in an output folder: files by relative path, temporary files of killed runs apart. */
export interface DiskState {
  readonly files: ReadonlySet<string>;
  readonly links: ReadonlySet<string>;
  readonly temporary: readonly string[];
}

function walk(
  fs: FileSystem,
  root: string,
  folder: string,
  found: { files: Set<string>; links: Set<string>; temporary: string[] },
): void {
  for (const entry of fs.readdirSync(placeOf(root, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    // What npm puts into an emitted folder is neither generated nor somebody's work.
    if (entry.isDirectory()) {
      if (entry.name !== "node_modules") walk(fs, root, path, found);
    } else if (entry.isFile()) {
      if (TEMPORARY.test(entry.name)) found.temporary.push(path);
      else found.files.add(path);
    } else found.links.add(path);
  }
}

/** Lists the folder; an absent one is empty, one that is a link or a file is refused. */
export function readDisk(fs: FileSystem, root: string): DiskState {
  const found = { files: new Set<string>(), links: new Set<string>(), temporary: [] as string[] };
  const status = fs.lstatSync(root, { throwIfNoEntry: false });
  if (status === undefined) return found;
  if (status.isSymbolicLink())
    throw new UnsafePathError(root, "is a symbolic link: the generator writes through none");
  if (!status.isDirectory()) throw new UnsafePathError(root, "is not a folder");
  walk(fs, root, "", found);
  return found;
}
