import { CommandRefused } from "./refused.ts";

/** How many processes may run at once, and how many may wait for a place. */
export interface Slots {
  /** Runs `work` when there is a place, in the order of asking. A full queue and an abort are refusals. */
  use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** Rejects when the signal aborts before a place is free. */
async function waitIn(queue: (() => void)[], signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const enter = (): void => {
      signal.removeEventListener("abort", leave);
      resolve();
    };
    const leave = (): void => {
      queue.splice(queue.indexOf(enter), 1);
      reject(new CommandRefused("busy", "no place became free in time"));
    };
    signal.addEventListener("abort", leave, { once: true });
    queue.push(enter);
  });
}

export function createSlots(parallel: number, waiting: number): Slots {
  const queue: (() => void)[] = [];
  let running = 0;
  const enter = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) throw new CommandRefused("busy", "there was no time left to start");
    if (running < parallel) {
      running += 1;
      return;
    }
    if (queue.length >= waiting) {
      const hint = "call again in a few seconds";
      throw new CommandRefused("busy", `${parallel} commands run and ${waiting} wait`, hint);
    }
    await waitIn(queue, signal);
  };
  /** Hands the place to the next in the queue, or gives it up. */
  const leave = (): void => {
    const next = queue.shift();
    if (next === undefined) running -= 1;
    else next();
  };
  return {
    use: async (signal, work) => {
      await enter(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
