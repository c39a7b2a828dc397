import { withLinkedAbort } from "#runtime/call/linked-abort";

/** The calls that are being worked on, so that a shutdown can wait for them. */
export interface InFlight {
  /** The call counts until `answered` resolves: its result is of no use before the caller has it. */
  run<T>(signal: AbortSignal, answered: Promise<void>, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Resolves to true when nothing is left, to false when that took longer than `ms`. */
  emptyWithin(ms: number): Promise<boolean>;
  abortAll(): void;
}

export function createInFlight(): InFlight {
  const running = new Set<AbortController>();
  let onEmpty: () => void = () => undefined;
  const leave = (controller: AbortController): void => {
    running.delete(controller);
    if (running.size === 0) onEmpty();
  };
  return {
    run: async (signal, answered, work) =>
      await withLinkedAbort(signal, async (controller) => {
        running.add(controller);
        try {
          return await work(controller.signal);
        } finally {
          void answered.then(() => leave(controller));
        }
      }),
    emptyWithin: async (ms) => {
      if (running.size === 0) return true;
      return await new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), ms);
        onEmpty = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
    },
    abortAll: () => running.forEach((controller) => controller.abort()),
  };
}
