import { ToolFault } from "#runtime/fault";

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const DURATION = /^(?:\d{1,9}(?:ms|[smhdw]))+$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Seconds of a duration such as `1h30m`, or `undefined` when it is none. */
export function secondsOf(duration: string): number | undefined {
  if (!DURATION.test(duration)) return undefined;
  const parts = duration.matchAll(/(\d+)(ms|[smhdw])/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ""] ?? 0), 0);
}

/** Unix seconds of `2026-01-31T12:00:00Z`, `1767225600`, `now` or `now-1h30m`; `now` is in milliseconds. */
export function timeOf(text: string, name: string, now: number = Date.now()): number {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text);
  if (text === "now") return now / 1000;
  const [, sign, duration] = /^now([+-])(\w+)$/.exec(text) ?? [];
  const seconds = duration === undefined ? undefined : secondsOf(duration);
  if (seconds !== undefined) return now / 1000 + (sign === "-" ? -seconds : seconds);
  const milliseconds = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(milliseconds)) return milliseconds / 1000;
  throw new ToolFault("invalid_argument", `${name} is not a time`, {
    hint: "use RFC 3339, unix seconds, now or now-1h (units s m h d w)",
  });
}
