import { basename, dirname, extname, join } from "node:path";
import type { FileSystem } from "../tree/disk.ts";
import { maxBytes } from "./text.ts";

export interface StackFile {
  readonly path: string;
  /**
   * As diagnostics and headers name it: `stacks/shop.yaml`. It does not depend on the folder the command runs
   * in, or two people would generate different headers.
   */
  readonly name: string;
  /** The stack's name according to the file. */
  readonly stack: string;
  readonly bytes: Uint8Array;
}

/** A stack file that cannot be read at all; its message names the file and what to do. */
export class StackFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = "StackFileError";
  }
}

function nameOf(path: string): string {
  const folder = basename(dirname(path));
  return folder === "stacks" ? `stacks/${basename(path)}` : basename(path);
}

/** Reads a regular file within the size limit; links, folders and devices are refused before they are opened. */
export function readStackFile(fs: FileSystem, path: string): StackFile {
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new StackFileError(path, "no such file");
  if (!status.isFile())
    throw new StackFileError(path, "is no regular file: symbolic links and devices are not read");
  if (status.size > maxBytes) throw new StackFileError(path, "is larger than 16 MiB: split the stack");
  return { path, name: nameOf(path), stack: basename(path, extname(path)), bytes: fs.readFileSync(path) };
}

/** The bytes of another stack's file, or nothing when there is none. */
export function readNeighbour(fs: FileSystem, path: string): Uint8Array | undefined {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
    ? readStackFile(fs, path).bytes
    : undefined;
}

const MOST_DOCUMENT_BYTES = 512 * 1024;

/**
 * A file below `folder` that a drawing names, or why it is not read. Nothing outside of the folder is, whatever
 * the name or a link on the way says: a drawing may come from somebody who cannot read this machine.
 */
export function readDocument(
  fs: FileSystem,
  folder: string,
  file: string,
): Uint8Array | { readonly problem: string } {
  const steps = file.split("/").filter((step) => step !== "." && step !== "");
  if (file.startsWith("/") || /[\\:\0]/.test(file) || steps.includes("..") || steps.length === 0)
    return { problem: "must be a path below the folder of the stack file" };
  let path = folder;
  for (const [at, step] of steps.entries()) {
    path = join(path, step);
    const status = fs.lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined) return { problem: "does not exist beside the stack file" };
    const isLast = at === steps.length - 1;
    if (isLast ? !status.isFile() : !status.isDirectory())
      return { problem: isLast ? "is no regular file" : "leads through a link or a file" };
    if (isLast && status.size > MOST_DOCUMENT_BYTES)
      return { problem: `is larger than ${MOST_DOCUMENT_BYTES} bytes` };
  }
  return fs.readFileSync(path);
}
