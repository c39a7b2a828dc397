import { ToolFault } from "#runtime/fault";
import type { Connection } from "#runtime/postgresql/statement";

export interface Limits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** How long after the server's own time limit the client gives up: the server's error says more. */
const GRACE_MS = 500;
export const MAX_RECEIVED_BYTES = 4 * 1024 * 1024;

export function cancelled(): ToolFault {
  return new ToolFault("cancelled", "the call was cancelled");
}

interface Stopper {
  readonly failed: Promise<never>;
  fail(error: Error): void;
}

/** A promise that only ever fails, for racing against work. */
export function stopper(): Stopper {
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  return { failed, fail };
}

/** Fails as soon as the caller gives up, time runs out, the connection breaks or too much has arrived. */
export function watch(connection: Connection, { signal, timeoutMs }: Limits): Stopper & { end(): void } {
  const { failed, fail } = stopper();
  const { stream } = connection.connection;
  let received = 0;
  const count = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= MAX_RECEIVED_BYTES) return;
    fail(
      new ToolFault("too_large", `the answer is larger than ${MAX_RECEIVED_BYTES / 1024 / 1024} MiB`, {
        hint: "select fewer rows or columns, or shorten long ones with left(column, 2000)",
      }),
    );
    stream.destroy();
  };
  const abort = (): void => fail(cancelled());
  const late = (): void =>
    fail(
      new ToolFault("timeout", `the call took longer than ${timeoutMs} ms and was cancelled`, {
        hint: "narrow the statement",
      }),
    );
  const timer = setTimeout(late, timeoutMs + GRACE_MS);
  stream.prependListener("data", count);
  connection.on("error", fail);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const end = (): void => {
    clearTimeout(timer);
    stream.removeListener("data", count);
    connection.removeListener("error", fail);
    signal.removeEventListener("abort", abort);
  };
  return { failed, fail, end };
}
