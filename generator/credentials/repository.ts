import { dirname, resolve, sep } from "node:path";
import type { FileSystem } from "../tree/disk.ts";

/** The folder that is under version control, as far as can be seen from a folder in it. */
export function repositoryOf(fs: FileSystem, folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (fs.existsSync(`${at}/.git`)) return at;
    if (at === dirname(at)) return undefined;
  }
}

/** Whether a file of plain secrets would be committed with the next `git add`. */
export function isCommitted(repository: string | undefined, path: string): boolean {
  return repository !== undefined && resolve(path).startsWith(repository + sep);
}
