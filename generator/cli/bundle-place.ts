import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Files } from "../bundle/archive.ts";
import { BundleError } from "../bundle/bundle-error.ts";

/** Every file below a folder; what is no file stands for itself, so that it is missed by nobody. */
function filesBelow(folder: string, prefix = ""): readonly string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(folder, path) : [path];
  });
}

/** What stands where a bundle is to go: nothing, or files by path. A link in its place is refused. */
export function standing(to: string): Files {
  const found = lstatSync(to, { throwIfNoEntry: false });
  if (found === undefined) return new Map();
  if (!found.isDirectory()) throw new BundleError(`${to} is no folder; name another place`);
  return new Map(
    filesBelow(to).map((path) => {
      const place = join(to, path);
      if (!lstatSync(place).isFile())
        throw new BundleError(
          `${place} is no file, and no bundle placed it: take it away, or name another folder`,
        );
      return [path, readFileSync(place)];
    }),
  );
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Writes all files beside the place and puts them there at once: whoever looks sees what was there before, or all of
 * what is new. A process that dies between two renames leaves the old folder beside it, under `.<name>.old-`.
 */
export function placeFolder(to: string, files: Files): void {
  const parent = dirname(to);
  mkdirSync(parent, { recursive: true });
  const fresh = mkdtempSync(join(parent, `.${basename(to)}.new-`));
  try {
    for (const [path, bytes] of files) {
      const place = join(fresh, path);
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, bytes, { flag: "wx", mode: 0o644, flush: true });
    }
    // A temporary folder is its owner's alone; the server may be somebody else.
    chmodSync(fresh, 0o755);
    const before = lstatSync(to, { throwIfNoEntry: false });
    if (before === undefined) renameSync(fresh, to);
    else {
      const old = mkdtempSync(join(parent, `.${basename(to)}.old-`));
      renameSync(to, old);
      try {
        renameSync(fresh, to);
      } catch (cause) {
        renameSync(old, to);
        throw cause;
      }
      rmSync(old, { recursive: true });
    }
    syncFolder(parent);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
