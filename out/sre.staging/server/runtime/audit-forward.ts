import { readFile } from "node:fs/promises";
import type { AuditSettings } from "#runtime/audit-settings";

/** A copy of every record for somebody else. It never holds up a call, and counts what it could not deliver. */
export interface Forwarder {
  send(line: string): void;
  counts(): { readonly sent: number; readonly lost: number };
  /** Delivers what waits, for a moment; what is left then is lost and counted. */
  close(): Promise<void>;
}

const MOST_WAITING = 10_000;
const ATTEMPTS = 3;
const ATTEMPT_MS = 5_000;
const PAUSE_MS = 250;
const FLUSH_MS = 1_000;
const COMPLAIN_MS = 60_000;

type Target = NonNullable<AuditSettings["forward"]>;

async function deliver({ url, keyFile }: Target, line: string): Promise<boolean> {
  try {
    // Read each time: a key that is replaced is used from the next record on.
    const key = keyFile === undefined ? {} : { "x-api-key": (await readFile(keyFile, "utf8")).trim() };
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...key },
      body: line,
      redirect: "error",
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}

export function createForwarder(target: Target): Forwarder {
  const waiting: string[] = [];
  let sent = 0;
  let lost = 0;
  let complained = -COMPLAIN_MS;
  let isClosed = false;
  let working: Promise<void> | undefined;

  const lose = (count: number): void => {
    lost += count;
    if (performance.now() - complained < COMPLAIN_MS) return;
    complained = performance.now();
    process.stderr.write(`audit: ${lost} records could not be forwarded so far\n`);
  };
  const deliverNext = async (line: string): Promise<void> => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (await deliver(target, line)) return void (sent += 1);
      if (isClosed) break;
      await pause(PAUSE_MS * attempt);
    }
    lose(1);
  };
  const work = async (): Promise<void> => {
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) await deliverNext(line);
    working = undefined;
  };
  return {
    send: (line) => {
      if (isClosed || waiting.length >= MOST_WAITING) return lose(1);
      waiting.push(line.trimEnd());
      working ??= work();
    },
    counts: () => ({ sent, lost }),
    close: async () => {
      const flushed = working;
      isClosed = true;
      if (flushed !== undefined) await Promise.race([flushed, pause(FLUSH_MS)]);
      const left = waiting.splice(0).length;
      if (left > 0) lose(left);
    },
  };
}
