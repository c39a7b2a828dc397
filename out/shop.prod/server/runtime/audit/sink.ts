import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { StartError } from "#runtime/start-error";

/** The last record that is known to stand somewhere. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Where lines go. */
export interface Sink {
  /** What the chain goes on from; missing at its beginning. */
  readonly head: Head | undefined;
  /** Half a line that an interrupted write left at the end; taken away, so its record says that it was there. */
  readonly torn: { readonly bytes: number; readonly sha256: string } | undefined;
  /** Returns when the line stands, and on the disk if it must be durable; throws when it does not. */
  append(line: string, durable: boolean): void;
  /** Makes all lines so far durable, or throws. */
  sync(): void;
  /** Remembers the anchor beside the file, so that a tail that is cut off is missed. */
  keepAnchor(line: string): void;
  isFull(): boolean;
  /** Puts the file aside and begins a new one; `seq` is of the last record. */
  rotate(seq: number): void;
  close(): void;
}

/** Far longer than any record: the arguments in one are at most 4 KiB. */
const TAIL_BYTES = 1024 * 1024;
const DIGITS = 12;

export function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "unknown error";
  return "code" in cause ? String(cause.code) : cause.message;
}

function openFile(path: string): number {
  try {
    return openSync(path, "a+", 0o600);
  } catch (cause) {
    throw new StartError(
      `MCP_AUDIT_FILE cannot be opened for appending (${codeOf(cause)}): name a file in a writable folder`,
    );
  }
}

/** Files of one chain that were full, the oldest first: `audit.jsonl.000000001000` ends with record 1000. */
export function rotatedFiles(path: string): readonly string[] {
  const [folder, name] = [dirname(path), basename(path)];
  return readdirSync(folder)
    .filter((other) => other.startsWith(`${name}.`) && /^\d{12}$/.test(other.slice(name.length + 1)))
    .sort()
    .map((other) => join(folder, other));
}

function headIn(line: string, path: string): Head {
  try {
    const { payload } = JSON.parse(line) as { payload: Head };
    const { seq, hash: digest } = payload;
    if (Number.isSafeInteger(seq) && /^[0-9a-f]{64}$/.test(digest)) return { seq, hash: digest };
  } catch {
    // Not a record, as said below.
  }
  throw new StartError(
    `MCP_AUDIT_FILE: the last line of ${basename(path)} is no audit record; move the file aside, and find out who wrote it`,
  );
}

interface Tail {
  readonly head: Head | undefined;
  readonly torn: Buffer;
}

function tailOf(file: number, size: number, path: string): Tail {
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
  readSync(file, bytes, 0, bytes.length, size - bytes.length);
  const end = bytes.lastIndexOf("\n");
  const torn = bytes.subarray(end + 1);
  if (end < 0) {
    if (size <= TAIL_BYTES) return { head: undefined, torn };
    throw new StartError("MCP_AUDIT_FILE is not a file of audit records; name another one");
  }
  const start = bytes.lastIndexOf("\n", end - 1) + 1;
  return { head: headIn(bytes.toString("utf8", end === 0 ? 0 : start, end), path), torn };
}

function headOfRotated(path: string): Head | undefined {
  const newest = rotatedFiles(path).at(-1);
  if (newest === undefined) return undefined;
  const file = openSync(newest, "r");
  try {
    return tailOf(file, fstatSync(file).size, newest).head;
  } finally {
    closeSync(file);
  }
}

function demandAnchor(path: string, head: Head | undefined): void {
  if (!existsSync(path)) return;
  const anchored = headIn(readFileSync(path, "utf8").trim(), path);
  if (anchored.seq <= (head?.seq ?? 0)) return;
  throw new StartError(
    `MCP_AUDIT_FILE ends with record ${head?.seq ?? 0}, but its last anchor is record ${anchored.seq}: records are missing; keep both files for whoever looks into it, and name a new file`,
  );
}

/** Makes what happened to names in the folder last. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** A device or a pipe: nothing to read back, and nothing that could be full. */
function deviceSink(file: number): Sink {
  return {
    head: undefined,
    torn: undefined,
    append: (line) => void writeSync(file, line),
    sync: () => undefined,
    keepAnchor: () => undefined,
    isFull: () => false,
    rotate: () => undefined,
    close: () => closeSync(file),
  };
}

/**
 * A file that only ever grows, by this process alone: when somebody else cuts it, adds to it or removes it,
 * nothing more is written, so that writes stop instead of going on without evidence.
 */
export function fileSink(path: string, maxBytes: number): Sink {
  let file = openFile(path);
  const found = fstatSync(file);
  if (!found.isFile()) return deviceSink(file);
  const { head = headOfRotated(path), torn } = tailOf(file, found.size, path);
  const anchorPath = `${path}.anchor`;
  demandAnchor(anchorPath, head);
  let size = found.size - torn.length;
  if (torn.length > 0) ftruncateSync(file, size);

  const demandUntouched = (): void => {
    const { nlink, size: now } = fstatSync(file);
    if (nlink === 0) throw new Error("the audit file was removed");
    if (now !== size) throw new Error("the audit file was changed by somebody else");
  };
  const writeAll = (bytes: Buffer): void => {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(file, bytes, written);
    } catch (cause) {
      // Half a line would spoil the next one.
      if (written > 0) ftruncateSync(file, size);
      throw cause;
    }
    size += bytes.length;
  };
  return {
    head,
    torn: torn.length === 0 ? undefined : { bytes: torn.length, sha256: hash("sha256", torn, "hex") },
    append: (line, durable) => {
      demandUntouched();
      writeAll(Buffer.from(line));
      if (durable) fsyncSync(file);
    },
    sync: () => fsyncSync(file),
    keepAnchor: (line) => {
      const next = `${anchorPath}.next`;
      writeFileSync(next, line, { mode: 0o600, flush: true });
      renameSync(next, anchorPath);
    },
    isFull: () => size >= maxBytes,
    rotate: (seq) => {
      demandUntouched();
      fsyncSync(file);
      renameSync(path, `${path}.${String(seq).padStart(DIGITS, "0")}`);
      const full = file;
      file = openFile(path);
      size = 0;
      closeSync(full);
      syncFolder(path);
    },
    close: () => closeSync(file),
  };
}

/**
 * A stream of the process. It is durable as soon as whoever collects it has it; a stream that broke throws, and
 * each process begins a chain of its own.
 */
export function streamSink(stream: NodeJS.WriteStream): Sink {
  let broken: Error | undefined;
  const onError = (error: Error): void => void (broken = error);
  stream.on("error", onError);
  return {
    head: undefined,
    torn: undefined,
    append: (line) => {
      if (broken !== undefined) throw broken;
      stream.write(line);
    },
    sync: () => undefined,
    keepAnchor: () => undefined,
    isFull: () => false,
    rotate: () => undefined,
    close: () => void stream.removeListener("error", onError),
  };
}
