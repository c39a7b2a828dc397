import { lstatSync, readFileSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LIMITS, readArchive } from "../bundle/archive.ts";
import type { Files } from "../bundle/archive.ts";
import { BundleError } from "../bundle/bundle-error.ts";
import { FILES, LAYOUT, readLayout, SIGNED_NAMES } from "../bundle/oci-layout.ts";
import { UsageError } from "./terminal.ts";

/** A bundle as it arrived; nothing in it counts yet. */
export interface Arrived {
  /** By the names that `bundle sign` gives: the statement, with its signature in it or beside it. */
  readonly signed: Files;
  /** A file that the statement speaks of; `undefined` when it did not arrive. */
  readonly read: (path: string) => Buffer | undefined;
}

/** A regular file below a folder, reached through no link; `undefined` when there is none. */
function readBelow(folder: string, path: string): Buffer | undefined {
  let place = folder;
  for (const segment of path.split("/")) {
    place = join(place, segment);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) throw new BundleError(`${place} is a link, and a bundle has none`);
    if (found.isFile() && found.size > LIMITS.bytes)
      throw new BundleError(`${place} is larger than ${LIMITS.bytes} bytes`);
    if (!found.isFile() && !found.isDirectory()) throw new BundleError(`${place} is neither file nor folder`);
  }
  return statSync(place).isFile() ? readFileSync(place) : undefined;
}

/** As `bundle sign` leaves it, beside the folder, or as `bundle pull` does, in it. */
function signedNear(folder: string): Files {
  const signed = new Map<string, Buffer>();
  for (const name of SIGNED_NAMES) {
    const bytes = readBelow(folder, name) ?? readBelow(dirname(folder), `${basename(folder)}.${name}`);
    if (bytes !== undefined) signed.set(name, bytes);
  }
  return signed;
}

async function fromFolder(folder: string): Promise<Arrived> {
  const read = (path: string): Buffer | undefined => readBelow(folder, path);
  if (readdirSync(folder).includes(LAYOUT)) {
    const { signed, files } = await readLayout(read);
    return { signed, read: (path) => files.get(path) };
  }
  // What `oras pull` leaves: the parts of the bundle by their titles.
  const archive = readBelow(folder, FILES);
  if (archive === undefined) return { signed: signedNear(folder), read };
  const files = await readArchive(archive, join(folder, FILES));
  return { signed: signedNear(folder), read: (path) => files.get(path) };
}

async function fromArchive(path: string): Promise<Arrived> {
  if (statSync(path).size > LIMITS.bytes)
    throw new BundleError(`${path} is larger than ${LIMITS.bytes} bytes`);
  const all = await readArchive(readFileSync(path), path);
  const read = (name: string): Buffer | undefined => all.get(name);
  if (all.has(LAYOUT)) {
    const { signed, files } = await readLayout(read);
    return { signed, read: (name) => files.get(name) };
  }
  const signed = SIGNED_NAMES.flatMap((name) => {
    const bytes = all.get(name);
    return bytes === undefined ? [] : [[name, bytes] as const];
  });
  return { signed: new Map(signed), read };
}

/** A folder, what `oras pull` makes of a bundle, an OCI image-layout, or an archive of a folder or layout. */
export async function openSource(from: string): Promise<Arrived> {
  if (/^[a-z][a-z+.-]*:\/\//i.test(from) || from.startsWith("oci:"))
    throw new UsageError(
      `--from ${from}: nothing is fetched over the network; copy it here first, for example with oras copy --to-oci-layout`,
    );
  const found = statSync(from, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`--from ${from}: there is no such file or folder`);
  if (found.isDirectory()) return await fromFolder(from);
  if (found.isFile()) return await fromArchive(from);
  throw new UsageError(`--from ${from} is neither file nor folder`);
}
