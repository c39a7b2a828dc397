import type { FileSystem } from "./disk.ts";
import { readDisk, UnsafePathError } from "./disk.ts";
import { bytesOf, caseCollision, placeOf, sha256 } from "./file-tree.ts";
import type { FileTree, GeneratedFile } from "./file-tree.ts";
import {
  JOURNAL,
  LOCK,
  MANIFEST,
  manifestOf,
  manifestText,
  parseJournal,
  parseManifest,
} from "./manifest.ts";
import type { Journal, Manifest, Provenance } from "./manifest.ts";

export interface Change {
  readonly path: string;
  readonly kind: "create" | "update" | "delete";
}

/** Why a file may not be touched without `--force`: somebody edited it, or it was never generated. */
export interface Conflict {
  readonly path: string;
  readonly reason: "edited" | "foreign";
}

/** What the disk needs to become the tree. Nothing has been written yet. */
export interface Plan {
  readonly root: string;
  readonly tree: FileTree;
  /** Sorted by path. */
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
  /** Files that nobody generated. They survive, are never imported or packed, and make `--check` fail. */
  readonly unmanaged: readonly string[];
  readonly unchanged: number;
  readonly previous: Manifest | undefined;
  /** `null` when the whole output is to go, because its stack or environment is no longer drawn. */
  readonly manifest: Manifest | null;
  readonly journal: Journal;
  /** Left over by killed runs: temporary files and a journal. */
  readonly leftovers: readonly string[];
}

export function isUpToDate(plan: Plan): boolean {
  return plan.changes.length === 0 && plan.conflicts.length === 0 && plan.leftovers.length === 0;
}

const OWN = new Set([MANIFEST, JOURNAL, LOCK]);

function textOf(fs: FileSystem, root: string, name: string, files: ReadonlySet<string>): string | undefined {
  return files.has(name) ? fs.readFileSync(placeOf(root, name), "utf8") : undefined;
}

let scratch = Buffer.alloc(1 << 16);

/** In one piece of memory for all files: a large output would leave megabytes of copies behind. */
function holds(bytes: Uint8Array, file: GeneratedFile): boolean {
  const size = bytesOf(file);
  if (bytes.length !== size) return false;
  if (scratch.length < size) scratch = Buffer.alloc(size);
  scratch.write(file.text);
  return scratch.subarray(0, size).equals(bytes);
}

/** A file or folder of the tree must never lie behind, or in place of, a symbolic link. */
function refuseLinks(
  root: string,
  tree: FileTree,
  previous: Manifest | undefined,
  links: ReadonlySet<string>,
): void {
  if (links.size === 0) return;
  const wanted = new Set([...tree.keys(), ...Object.keys(previous?.files ?? {}), ...OWN]);
  const folders = new Set<string>();
  for (const path of wanted) {
    const segments = path.split("/");
    for (let end = 1; end < segments.length; end++) folders.add(segments.slice(0, end).join("/"));
  }
  for (const link of [...links].sort()) {
    if (wanted.has(link) || folders.has(link)) {
      throw new UnsafePathError(
        placeOf(root, link),
        "is a symbolic link or no regular file: remove it, then generate again",
      );
    }
  }
}

/**
 * Compares the tree with the disk.
 *
 * A file is ours when its bytes are what the manifest, or the journal of a run that was killed, says; only
 * such a file is updated or deleted. So a hand-made file survives, a hand-edited one is a conflict, and a
 * killed run is finished by the next one.
 */
export function plan(fs: FileSystem, root: string, tree: FileTree, provenance: Provenance | null): Plan {
  const disk = readDisk(fs, root);
  const manifestBefore = textOf(fs, root, MANIFEST, disk.files);
  const previous =
    manifestBefore === undefined ? undefined : parseManifest(placeOf(root, MANIFEST), manifestBefore);
  const journalBefore = textOf(fs, root, JOURNAL, disk.files);
  const journal: Journal =
    journalBefore === undefined ? new Map() : parseJournal(placeOf(root, JOURNAL), journalBefore);
  refuseLinks(root, tree, previous, disk.links);

  const changes: Change[] = [];
  const conflicts: Conflict[] = [];
  const unmanaged: string[] = [...disk.links];
  let unchanged = 0;
  const isOurs = (path: string, bytes: Uint8Array): boolean => {
    if (tree.get(path)?.kind === "sealed" || previous?.files[path]?.kind === "sealed") return true;
    const hash = sha256(bytes);
    return previous?.files[path]?.sha256 === hash || journal.get(path)?.has(hash) === true;
  };
  const wasOurs = (path: string): boolean =>
    (previous !== undefined && Object.hasOwn(previous.files, path)) || journal.has(path);

  for (const [path, file] of tree) {
    if (!disk.files.has(path)) {
      changes.push({ path, kind: "create" });
      continue;
    }
    const bytes = fs.readFileSync(placeOf(root, path));
    if (holds(bytes, file)) unchanged++;
    else {
      if (!isOurs(path, bytes)) conflicts.push({ path, reason: wasOurs(path) ? "edited" : "foreign" });
      changes.push({ path, kind: "update" });
    }
  }
  for (const path of disk.files) {
    if (tree.has(path) || OWN.has(path)) continue;
    if (!wasOurs(path)) unmanaged.push(path);
    else {
      if (!isOurs(path, fs.readFileSync(placeOf(root, path)))) conflicts.push({ path, reason: "edited" });
      changes.push({ path, kind: "delete" });
    }
  }
  const manifest = provenance === null ? null : manifestOf(tree, provenance);
  const manifestAfter = manifest === null ? undefined : manifestText(manifest);
  if (manifestBefore !== manifestAfter) {
    const kind = manifestBefore === undefined ? "create" : manifestAfter === undefined ? "delete" : "update";
    changes.push({ path: MANIFEST, kind });
  }
  const collision = caseCollision([...tree.keys(), ...disk.files]);
  if (collision !== undefined) {
    throw new UnsafePathError(
      placeOf(root, collision[1]),
      `differs from ${collision[0]} only in case: rename one of them`,
    );
  }
  const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
  return {
    root,
    tree,
    changes: changes.sort(byPath),
    conflicts: conflicts.sort(byPath),
    unmanaged: unmanaged.sort(),
    unchanged,
    previous,
    manifest,
    journal,
    leftovers: [...disk.temporary, ...(journalBefore === undefined ? [] : [JOURNAL])],
  };
}
