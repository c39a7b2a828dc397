import { withLinkedAbort } from "#runtime/call/linked-abort";

/** Calls in flight that a later message may cancel. */
export interface Cancellations {
  /** Runs `work` with a signal that aborts with `signal`, or when `cancel` is called with the same key. */
  during<T>(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  cancel(key: string): void;
}

export function createCancellations(): Cancellations {
  const inFlight = new Map<string, Set<AbortController>>();
  return {
    during: async (key, signal, work) =>
      await withLinkedAbort(signal, async (controller) => {
        const same = inFlight.get(key) ?? new Set();
        inFlight.set(key, same.add(controller));
        try {
          return await work(controller.signal);
        } finally {
          same.delete(controller);
          if (same.size === 0) inFlight.delete(key);
        }
      }),
    cancel: (key) => {
      const [only, another] = inFlight.get(key) ?? [];
      // Two calls with one key: nobody can tell which of them is meant, so both run to their end.
      if (another === undefined) only?.abort();
    },
  };
}
