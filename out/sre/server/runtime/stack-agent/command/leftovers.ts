import { readFile, readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Set in every child to a value of its own, and so in everything that the child starts. */
export const MARK = "TOPOGATE_RUN";

const PAUSE_MS = 3;
/** On a busy machine it takes a moment until a process that was ended is gone. */
const GONE_MS = 5_000;
/** A process of somebody else may have no environment at all, and is not waited for. */
const DECIDED_MS = 60;

type Verdict = "marked" | "other" | "undecided";

/** A process that is just becoming another program has no environment for a moment; nor has a dead one, or the kernel's. */
async function isBecoming(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state !== "Z" && state !== "X" && parent !== "0" && parent !== "2";
}

async function verdictOn(pid: string, mark: string): Promise<Verdict> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1");
    if (environment === "") return (await isBecoming(pid)) ? "undecided" : "other";
    return environment.includes(`${MARK}=${mark}`) ? "marked" : "other";
  } catch {
    // Ended by now, or another user's.
    return "other";
  }
}

async function processes(): Promise<readonly string[]> {
  try {
    return (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function end(pid: string): void {
  try {
    process.kill(Number(pid), "SIGKILL");
  } catch {
    // Ended between the look and the signal.
  }
}

/** One look: ends what it finds, and says whether there may be more. */
async function killOnce(mark: string): Promise<Verdict> {
  const pids = await processes();
  const verdicts = await Promise.all(pids.map(async (pid) => await verdictOn(pid, mark)));
  pids.filter((_, at) => verdicts[at] === "marked").forEach(end);
  return (["marked", "undecided"] as const).find((verdict) => verdicts.includes(verdict)) ?? "other";
}

/**
 * Ends what left its process group, found by the mark in its environment, and resolves when it is gone. Looks
 * again until nothing is found, because a process may start another between two looks. Where there is no /proc,
 * the group is all there is.
 */
export async function killMarked(mark: string): Promise<void> {
  const started = performance.now();
  for (;;) {
    const verdict = await killOnce(mark);
    const limit = { marked: GONE_MS, undecided: DECIDED_MS, other: 0 }[verdict];
    if (performance.now() - started >= limit) return;
    await sleep(PAUSE_MS);
  }
}
