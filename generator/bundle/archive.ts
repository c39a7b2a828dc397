import { gunzipSync } from "node:zlib";
import type * as TarStream from "tar-stream";
import { caseCollision, isSafePath } from "../tree/file-tree.ts";
import { BundleError } from "./bundle-error.ts";

/** Files by path, with `/`. */
export type Files = ReadonlyMap<string, Buffer>;

/** Far more than any output has; a bundle that needs more is none. */
export const LIMITS = { bytes: 64 * 1024 * 1024, entries: 10_000 } as const;

/** A library in a file of its own, since no other command needs it. */
const loadTar = async (): Promise<typeof TarStream> => await import("tar-stream");

function inflated(bytes: Buffer, name: string): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LIMITS.bytes });
  } catch (cause) {
    const isBomb = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    throw new BundleError(
      isBomb
        ? `${name} inflates to more than ${LIMITS.bytes} bytes`
        : `${name} is damaged: it does not inflate`,
    );
  }
}

/** The path as it would be placed; what archives begin with when they were made of `.` is no part of it. */
function pathOf({ name: path, type }: TarStream.Headers, name: string): string {
  if (type !== "file" && type !== "directory")
    throw new BundleError(
      `${name} has an entry that is neither file nor folder (${type}): ${JSON.stringify(path)}`,
    );
  const clean = path.replace(/^\.\//, "").replace(/\/$/, "");
  if (type === "directory" && (clean === "" || clean === ".")) return "";
  if (!isSafePath(clean))
    throw new BundleError(`${name} has an entry that leaves its folder: ${JSON.stringify(path)}`);
  return clean;
}

/** Two names for one place, or a file that another one needs as its folder. */
function demandDistinct(paths: ReadonlySet<string>, name: string): void {
  const collision = caseCollision([...paths].map((path) => path.normalize("NFC")));
  if (collision !== undefined)
    throw new BundleError(`${name} has two entries for one place: ${collision.join(", ")}`);
  for (const path of paths)
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1))
      if (paths.has(path.slice(0, at)))
        throw new BundleError(`${name} has an entry within a file: ${JSON.stringify(path)}`);
}

/**
 * Every file of a tar archive, gzipped or not, in memory: nothing of it touches the disk. Refuses links, devices, paths
 * that leave the folder, two entries for one place, and more than an output can have.
 */
export async function readArchive(archive: Buffer, name: string): Promise<Files> {
  if (archive.length > LIMITS.bytes) throw new BundleError(`${name} is larger than ${LIMITS.bytes} bytes`);
  const bytes = inflated(archive, name);
  const { extract } = await loadTar();
  const reader = extract();
  const files = new Map<string, Buffer>();
  let entries = 0;
  reader.end(bytes);
  try {
    for await (const entry of reader) {
      entries += 1;
      if (entries > LIMITS.entries) throw new BundleError(`${name} has more than ${LIMITS.entries} entries`);
      const path = pathOf(entry.header, name);
      if (entry.header.type === "file" && (entry.header.size ?? 0) > bytes.length)
        throw new BundleError(`${name} ends within ${JSON.stringify(path)}`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      if (entry.header.type === "directory") continue;
      if (files.has(path)) throw new BundleError(`${name} has two entries for one place: ${path}`);
      files.set(path, Buffer.concat(chunks));
    }
  } catch (cause) {
    if (cause instanceof BundleError) throw cause;
    throw new BundleError(
      `${name} is no whole tar archive (${cause instanceof Error ? cause.message : "damaged"})`,
    );
  }
  demandDistinct(new Set(files.keys()), name);
  return files;
}

/** The same files give the same bytes: sorted, without times or owners. */
export async function writeArchive(files: Files): Promise<Buffer> {
  const { pack } = await loadTar();
  const writer = pack();
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    writer.entry({ name: path, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, content);
  writer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of writer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
