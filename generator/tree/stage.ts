import { dirname } from "node:path";
import { writeNew } from "./disk.ts";
import type { FileSystem } from "./disk.ts";
import { placeOf } from "./file-tree.ts";
import { isAlive } from "./lock.ts";
import { MANIFEST, manifestText, TEMPORARY } from "./manifest.ts";
import type { Plan } from "./plan.ts";

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

function removeAll(fs: FileSystem, folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = placeOf(folder, entry.name);
    if (entry.isDirectory()) removeAll(fs, path);
    else fs.unlinkSync(path);
  }
  fs.rmdirSync(folder);
}

/** Stages of runs that were killed: their names say which process made them, and that process is gone. */
function removeAbandoned(fs: FileSystem, parent: string): void {
  for (const entry of fs.readdirSync(parent, { withFileTypes: true })) {
    if (!entry.isDirectory() || !TEMPORARY.test(entry.name)) continue;
    const pid = Number(entry.name.split(".")[2]);
    if (!isAlive(pid)) removeAll(fs, placeOf(parent, entry.name));
  }
}

function fill(fs: FileSystem, stage: string, plan: Plan): void {
  const made = new Set(["."]);
  const makeFolder = (folder: string): void => {
    if (made.has(folder)) return;
    makeFolder(dirname(folder));
    fs.mkdirSync(placeOf(stage, folder), { mode: FOLDER_MODE });
    made.add(folder);
  };
  for (const [path, file] of plan.tree) {
    makeFolder(dirname(path));
    writeNew(fs, placeOf(stage, path), file.text, FILE_MODE);
  }
  if (plan.manifest !== null) {
    writeNew(fs, placeOf(stage, MANIFEST), manifestText(plan.manifest), FILE_MODE);
  }
}

/**
 * Writes an output that does not exist yet beside its place and moves it there in one step, so that it is
 * whole or absent at every instant. Returns false, having left nothing, when another run was faster.
 */
export function placeWhole(fs: FileSystem, plan: Plan): boolean {
  const parent = dirname(plan.root);
  fs.mkdirSync(parent, { recursive: true, mode: FOLDER_MODE });
  removeAbandoned(fs, parent);
  const stage = placeOf(parent, `.generated.${process.pid}.0.tmp`);
  fs.mkdirSync(stage, { mode: FOLDER_MODE });
  fill(fs, stage, plan);
  try {
    fs.renameSync(stage, plan.root);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    removeAll(fs, stage);
    return false;
  }
}
