import { readFile, readdir } from "node:fs/promises";

/** Set in every child to a value of its own, and so in everything that the child starts. */
export const MARK = "TOPOGATE_RUN";

async function isMarked(pid: string, mark: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/environ`, "latin1")).includes(`${MARK}=${mark}`);
  } catch {
    // Ended by now, or another user's.
    return false;
  }
}

async function processes(): Promise<readonly string[]> {
  try {
    return (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/**
 * Ends what left its process group, found by the mark in its environment. Looks again until nothing is found,
 * because a process may start another between two looks. Where there is no /proc, the group is all there is.
 */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const pids = await processes();
    const found = (
      await Promise.all(pids.map(async (pid) => ((await isMarked(pid, mark)) ? [pid] : [])))
    ).flat();
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // Ended between the look and the signal.
      }
    }
  }
}
