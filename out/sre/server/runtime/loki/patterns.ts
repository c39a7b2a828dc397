import { timeText } from "#runtime/loki/lines";
import type { Line } from "#runtime/loki/lines";

const MAX_TEMPLATE = 300;

/** What differs between lines that say the same: the order matters, the widest first. */
const VARIABLE = new RegExp(
  [
    /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?/,
    /\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b/,
    /\b(?=[0-9a-fA-F]{0,63}\d)[0-9a-fA-F]{8,64}\b/,
    /\d+(?:\.\d+)*/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

export interface Pattern {
  /** The line with `<*>` for times, identifiers and numbers. */
  readonly pattern: string;
  readonly count: number;
  readonly first: string;
  readonly last: string;
}

/** Lines that differ only in times, identifiers and numbers, most frequent first. */
export function patternsOf(lines: readonly Line[]): readonly Pattern[] {
  const groups = new Map<string, bigint[]>();
  for (const { line, at } of lines) {
    const pattern = line.replace(VARIABLE, "<*>").slice(0, MAX_TEMPLATE);
    const times = groups.get(pattern) ?? [];
    times.push(at);
    groups.set(pattern, times);
  }
  const earliest = (times: readonly bigint[]): bigint => times.reduce((a, b) => (a < b ? a : b));
  const latest = (times: readonly bigint[]): bigint => times.reduce((a, b) => (a > b ? a : b));
  return [...groups]
    .map(([pattern, times]) => ({
      pattern,
      count: times.length,
      first: timeText(earliest(times)),
      last: timeText(latest(times)),
    }))
    .sort((a, b) => b.count - a.count || (a.pattern < b.pattern ? -1 : 1));
}
