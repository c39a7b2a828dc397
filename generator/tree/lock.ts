import { join } from "node:path";
import type { FileSystem } from "./disk.ts";
import { LOCK } from "./manifest.ts";

/** Another run holds the output folder and did not finish within the time that we wait. */
export class LockedError extends Error {
  constructor(root: string, pid: number) {
    super(`${root} is being written by another run (process ${pid}): wait for it, then generate again`);
    this.name = "LockedError";
  }
}

const WAIT_MS = 10_000;
const POLL_MS = 50;

/** Whether a process with this id runs on this machine. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function tryLock(fs: FileSystem, path: string): boolean {
  try {
    const handle = fs.openSync(path, "wx", 0o644);
    fs.writeFileSync(handle, `${process.pid}\n`);
    fs.closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

function holderOf(fs: FileSystem, path: string): number | undefined {
  try {
    const pid = Number.parseInt(fs.readFileSync(path, "utf8"), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Replaces the lock of a process that is gone. Several waiters may try at once; each renames its own claim
 * into place and looks again after a pause, so only the last one goes on.
 */
function takeOver(fs: FileSystem, root: string, path: string): boolean {
  const claim = join(root, `.generated.${process.pid}.0.tmp`);
  fs.writeFileSync(claim, `${process.pid}\n`, { mode: 0o644 });
  fs.renameSync(claim, path);
  sleep(POLL_MS);
  return holderOf(fs, path) === process.pid;
}

function acquire(fs: FileSystem, root: string, path: string): void {
  if (tryLock(fs, path)) return;
  const deadline = performance.now() + WAIT_MS;
  while (!tryLock(fs, path)) {
    const holder = holderOf(fs, path);
    const late = performance.now() > deadline;
    const abandoned = holder === undefined ? late : holder !== process.pid && !isAlive(holder);
    if (abandoned && takeOver(fs, root, path)) return;
    if (late && !abandoned) throw new LockedError(root, holder ?? 0);
    sleep(POLL_MS);
  }
}

/**
 * Runs `body` while no other process writes to the folder. The lock of a process that is gone is taken over;
 * a lock without a readable owner only after the full wait, since its owner may just be starting.
 */
export function withLock<T>(fs: FileSystem, root: string, body: () => T): T {
  fs.mkdirSync(root, { recursive: true, mode: 0o755 });
  const path = join(root, LOCK);
  acquire(fs, root, path);
  try {
    return body();
  } finally {
    fs.unlinkSync(path);
  }
}
