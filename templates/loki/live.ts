/** What the live suite writes into Loki, past every tool and account. */

export const TENANT = "team-a";
export const OTHER_TENANT = "team-b";
/** Lines of one stream, more than Loki gives at once. */
export const FLOOD = 60_000;
/** Streams with a line each. */
export const STREAMS = 6000;
/** Lines that are too wide for a page. */
export const WIDE = 60;
export const WIDE_CHARACTERS = 200_000;

type Entry = readonly [at: string, line: string];

interface Stream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: readonly Entry[];
}

/** Nanoseconds: `index` milliseconds after `seconds` ago. */
function moment(start: number, seconds: number, index: number): string {
  return `${BigInt(start - seconds * 1000 + index)}000000`;
}

async function push(port: number, tenant: string, streams: readonly Stream[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-scope-orgid": tenant },
    body: JSON.stringify({ streams }),
  });
  if (!response.ok) throw new Error(`Loki took no lines: ${response.status} ${await response.text()}`);
}

const lines = (count: number, at: (index: number) => string, text: (index: number) => string): Entry[] =>
  Array.from({ length: count }, (_, index) => [at(index), text(index)] as const);

/** A shop's logs of the last ten minutes, a secret of another tenant, and three floods. */
export async function writeLogs(port: number, now: number): Promise<void> {
  const app = (name: string, level: string): Record<string, string> => ({
    app: name,
    level,
    namespace: "shop",
  });
  await push(port, TENANT, [
    {
      stream: app("api", "info"),
      values: lines(
        300,
        (index) => moment(now, 600, index * 1000),
        (index) => `GET /orders/${index} 200 in ${index % 7}ms`,
      ),
    },
    {
      stream: app("api", "error"),
      values: lines(
        40,
        (index) => moment(now, 500, index * 1000),
        (index) => `order ${index}: payment refused, request ${"0123456789ab".padStart(12, "f")}${index}`,
      ),
    },
    {
      stream: app("web", "info"),
      // Ten lines at each instant.
      values: lines(
        200,
        (index) => moment(now, 400, Math.floor(index / 10) * 1000),
        (index) => `page ${index} <script>alert("grüße")</script>`,
      ),
    },
  ]);
  await push(port, OTHER_TENANT, [
    { stream: app("vault", "info"), values: [[moment(now, 60, 0), "the secret of team-b"]] },
  ]);
  for (let from = 0; from < FLOOD; from += 10_000) {
    const values = lines(
      10_000,
      (index) => moment(now, 300, from + index),
      (index) => `flood ${from + index} of many lines`,
    );
    await push(port, TENANT, [{ stream: { app: "flood" }, values }]);
  }
  const many = Array.from({ length: STREAMS }, (_, index) => ({
    stream: {
      app: "streams",
      pod: `pod-${String(index).padStart(6, "0")}`,
      note: "a label that is not short",
    },
    values: lines(
      1,
      () => moment(now, 200, index),
      () => `line ${index}`,
    ),
  }));
  for (let from = 0; from < STREAMS; from += 1000) await push(port, TENANT, many.slice(from, from + 1000));
  for (let index = 0; index < WIDE; index += 1) {
    const wide = lines(
      1,
      () => moment(now, 100, index),
      () => "w".repeat(WIDE_CHARACTERS),
    );
    await push(port, TENANT, [{ stream: { app: "wide" }, values: wide }]);
  }
}
