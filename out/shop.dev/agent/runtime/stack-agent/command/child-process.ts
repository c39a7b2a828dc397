import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm, unlink, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killMarked, MARK } from "./leftovers.ts";
import { createCollector } from "./collector.ts";
import type { Collected } from "./collector.ts";

/** Absolute paths of programs of the system that hold a child down, where they are there. */
export interface Wardens {
  readonly prlimit: string | undefined;
  readonly setpriv: string | undefined;
}

export interface ChildSpec {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string | null;
  readonly timeoutMs: number;
  readonly wardens: Wardens;
}

export interface ChildResult {
  /** 128 and the signal's number for a process that was ended; 124 when its time was over. */
  readonly exitCode: number;
  readonly stdout: Collected;
  readonly stderr: Collected;
  readonly timedOut: boolean;
}

const TIMED_OUT = 124;
const KILLED = 137;
const GRACE_MS = 300;
const CLOSE_MS = 500;
const GIGABYTE = 1024 ** 3;

/** Limits that the kernel keeps, where prlimit is there to set them. */
function limits(timeoutMs: number): readonly string[] {
  const seconds = Math.ceil(timeoutMs / 1000) + 1;
  return [
    "--core=0",
    `--cpu=${seconds}`,
    "--fsize=8388608",
    "--nofile=256",
    "--nproc=4096",
    `--as=${4 * GIGABYTE}`,
    "--",
  ];
}

/** The program behind what keeps it within limits, without new rights, and ends it when this process ends. */
function commandLine({ file, args, wardens, timeoutMs }: ChildSpec): readonly [string, readonly string[]] {
  const { prlimit, setpriv } = wardens;
  const line = [
    ...(setpriv === undefined ? [] : [setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--"]),
    ...(prlimit === undefined ? [] : [prlimit, ...limits(timeoutMs)]),
    file,
    ...args,
  ];
  return [line[0] ?? file, line.slice(1)];
}

/** Signals the whole process group; that it is gone already, or consists of the dead, is what one hopes for. */
function signalGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

async function exitOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? KILLED));
  });
}

/** Resolves when all output has arrived, or when something else holds the pipes open. */
async function closed(child: ChildProcess, closing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([closing, new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_MS)))]);
  clearTimeout(timer);
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** Ends the group, politely first, and counts why. */
function endingOf(
  child: ChildProcess,
  timeoutMs: number,
  signal: AbortSignal,
): { timedOut: () => boolean; stop(): void; end(): void } {
  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (killer !== undefined) return;
    signalGroup(child, "SIGTERM");
    killer = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, timeoutMs);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  return {
    timedOut: () => timedOut,
    end,
    stop: () => {
      clearTimeout(timer);
      clearTimeout(killer);
      signal.removeEventListener("abort", end);
    },
  };
}

/** A file that has no name any more: nobody finds it, and nothing is left when it is closed. */
async function inputFile(folder: string, input: string): Promise<FileHandle> {
  const path = join(folder, "input");
  await writeFile(path, input, { mode: 0o600, flag: "wx" });
  const file = await open(path, "r");
  await unlink(path);
  return file;
}

async function runIn(
  folder: string,
  spec: ChildSpec,
  stdin: FileHandle | undefined,
  signal: AbortSignal,
): Promise<ChildResult> {
  const mark = `${process.pid}-${randomBytes(16).toString("hex")}`;
  const [file, args] = commandLine(spec);
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...spec.environment, HOME: folder, TMPDIR: folder, [MARK]: mark },
    shell: false,
    detached: true,
    windowsHide: true,
    stdio: [stdin === undefined ? "ignore" : stdin.fd, "pipe", "pipe"],
  });
  const ending = endingOf(child, spec.timeoutMs, signal);
  const collector = createCollector(ending.end);
  child.stdout?.on("data", (chunk: Buffer) => collector.add("stdout", chunk));
  child.stderr?.on("data", (chunk: Buffer) => collector.add("stderr", chunk));
  const closing = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const exitCode = await exitOf(child);
    signalGroup(child, "SIGKILL");
    await closed(child, closing);
    const timedOut = ending.timedOut();
    return {
      exitCode: timedOut ? TIMED_OUT : exitCode,
      stdout: collector.result("stdout"),
      stderr: collector.result("stderr"),
      timedOut,
    };
  } finally {
    ending.stop();
    await killMarked(mark);
  }
}

/**
 * Runs one program without a shell, in an empty folder of its own, as the leader of a process group that is
 * gone when this resolves, whatever it started. Rejects when the program cannot be started at all.
 */
export async function runChild(spec: ChildSpec, signal: AbortSignal): Promise<ChildResult> {
  const folder = await mkdtemp(join(tmpdir(), "run-"));
  let stdin: FileHandle | undefined;
  try {
    stdin = spec.input === null ? undefined : await inputFile(folder, spec.input);
    return await runIn(folder, spec, stdin, signal);
  } finally {
    await stdin?.close();
    await rm(folder, { recursive: true, force: true });
  }
}
