import { dirname } from "node:path";
import { writeNew } from "./disk.ts";
import type { FileSystem } from "./disk.ts";
import { digestOf, placeOf } from "./file-tree.ts";
import { JOURNAL, MANIFEST, journalText, manifestText } from "./manifest.ts";
import type { Journal } from "./manifest.ts";
import type { Plan } from "./plan.ts";

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

/** Everything that may be found at a path from now on, should this run be killed at any instant. */
function journalOf(plan: Plan): Journal {
  const journal = new Map<string, Set<string>>();
  const add = (path: string, hash: string | undefined): void => {
    if (hash === undefined) return;
    const hashes = journal.get(path) ?? new Set<string>();
    journal.set(path, hashes.add(hash));
  };
  for (const [path, hashes] of plan.journal) for (const hash of hashes) add(path, hash);
  for (const change of plan.changes) {
    add(change.path, plan.previous?.files[change.path]?.sha256);
    const file = plan.tree.get(change.path);
    if (file !== undefined) add(change.path, digestOf(file));
  }
  journal.delete(MANIFEST);
  return journal;
}

/** Replaces a file in one step: a reader, or the next run after a kill, sees the old bytes or the new ones. */
function writeFile(fs: FileSystem, root: string, path: string, text: string, number: number): void {
  const target = placeOf(root, path);
  const temporary = placeOf(dirname(target), `.generated.${process.pid}.${number}.tmp`);
  writeNew(fs, temporary, text, FILE_MODE);
  fs.renameSync(temporary, target);
}

function makeFolders(fs: FileSystem, root: string, path: string, made: Set<string>): void {
  const folder = dirname(path);
  if (folder === "." || made.has(folder)) return;
  makeFolders(fs, root, folder, made);
  const full = placeOf(root, folder);
  if (!fs.existsSync(full)) fs.mkdirSync(full, { mode: FOLDER_MODE });
  made.add(folder);
}

function removeEmptyFolders(fs: FileSystem, root: string, path: string): void {
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    const full = placeOf(root, folder);
    if (!fs.existsSync(full)) continue;
    if (fs.readdirSync(full).length > 0) return;
    fs.rmdirSync(full);
  }
}

/**
 * Writes the plan to disk; the caller holds the lock and has decided about conflicts.
 *
 * The journal goes first and the manifest last, so a run that is killed in between leaves enough knowledge
 * for the next one to finish the work without taking a half-written tree for somebody's edits.
 */
export function apply(fs: FileSystem, plan: Plan): void {
  const { root } = plan;
  let number = 0;
  const made = new Set<string>();
  for (const leftover of plan.leftovers) if (leftover !== JOURNAL) fs.unlinkSync(placeOf(root, leftover));
  if (plan.changes.length > 0) writeFile(fs, root, JOURNAL, journalText(journalOf(plan)), number++);
  for (const change of plan.changes) {
    if (change.path === MANIFEST) continue;
    if (change.kind === "delete") {
      fs.unlinkSync(placeOf(root, change.path));
      removeEmptyFolders(fs, root, change.path);
      continue;
    }
    makeFolders(fs, root, change.path, made);
    writeFile(fs, root, change.path, plan.tree.get(change.path)?.text ?? "", number++);
  }
  const own = plan.changes.find((change) => change.path === MANIFEST);
  if (own?.kind === "delete") fs.unlinkSync(placeOf(root, MANIFEST));
  else if (own !== undefined && plan.manifest !== null)
    writeFile(fs, root, MANIFEST, manifestText(plan.manifest), number++);
  if (fs.existsSync(placeOf(root, JOURNAL))) fs.unlinkSync(placeOf(root, JOURNAL));
}
