/** Sends what happens here to somebody else. It never holds up a request, and counts what it could not deliver. */
export interface Forwarder {
  send(body: string): void;
  counts(): ForwardCounts;
  /** Delivers what waits, for a moment; what is left then is lost and counted. */
  close(): Promise<void>;
}
export interface ForwardCounts {
  readonly sent: number;
  readonly lost: number;
}

export interface ForwardTarget {
  readonly url: URL;
  /** Asked for each attempt: a key that is replaced is used from the next one on. What it throws fails the attempt. */
  headersFor(body: string): Promise<Readonly<Record<string, string>>>;
  /** Of whom, and what: `audit: 3 records could not be forwarded so far`. */
  complaint(lost: number): string;
  readonly attempts: number;
  readonly mostWaiting: number;
}

const ATTEMPT_MS = 5_000;
const PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
const FLUSH_MS = 1_000;
const COMPLAIN_MS = 60_000;

async function deliver(target: ForwardTarget, body: string): Promise<boolean> {
  try {
    const answer = await fetch(target.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(await target.headersFor(body)) },
      body,
      redirect: "error",
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function pause(ms: number, until?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      clearTimeout(timer);
      until?.removeEventListener("abort", go);
      resolve();
    };
    const timer = setTimeout(go, ms).unref();
    until?.addEventListener("abort", go, { once: true });
  });
}

export function createForwarder(target: ForwardTarget): Forwarder {
  const waiting: string[] = [];
  let sent = 0;
  let lost = 0;
  let complained = -COMPLAIN_MS;
  const closing = new AbortController();
  /** What is being delivered, until it was, was lost, or was given up. */
  let inHand: string | undefined;
  let working: Promise<void> | undefined;

  const lose = (count: number): void => {
    lost += count;
    if (performance.now() - complained < COMPLAIN_MS) return;
    complained = performance.now();
    process.stderr.write(`${target.complaint(lost)}\n`);
  };
  const deliverNext = async (body: string): Promise<void> => {
    inHand = body;
    for (let attempt = 1; attempt <= target.attempts && inHand !== undefined; attempt += 1) {
      if (await deliver(target, body)) {
        sent += 1;
        inHand = undefined;
      } else if (closing.signal.aborted) break;
      else if (attempt < target.attempts)
        await pause(Math.min(PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS), closing.signal);
    }
    if (inHand !== undefined) lose(1);
    inHand = undefined;
  };
  const work = async (): Promise<void> => {
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) await deliverNext(body);
    working = undefined;
  };
  return {
    send: (body) => {
      if (closing.signal.aborted || waiting.length >= target.mostWaiting) return lose(1);
      waiting.push(body);
      working ??= work();
    },
    counts: () => ({ sent, lost }),
    close: async () => {
      const flushed = working;
      closing.abort();
      if (flushed !== undefined) await Promise.race([flushed, pause(FLUSH_MS)]);
      const left = waiting.splice(0).length + (inHand === undefined ? 0 : 1);
      inHand = undefined;
      if (left > 0) lose(left);
    },
  };
}
