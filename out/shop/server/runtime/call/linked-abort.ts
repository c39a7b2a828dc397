/**
 * Runs `work` with a controller of its own that also aborts with `source`. The tie is undone afterwards, so
 * that a source which lives as long as the server does not collect listeners.
 */
export async function withLinkedAbort<T>(
  source: AbortSignal,
  work: (controller: AbortController) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  source.addEventListener("abort", abort, { once: true });
  if (source.aborted) abort();
  try {
    return await work(controller);
  } finally {
    source.removeEventListener("abort", abort);
  }
}
