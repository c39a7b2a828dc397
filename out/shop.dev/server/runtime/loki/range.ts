import { ToolFault } from "#runtime/fault";
import { bytesOf } from "#runtime/loki/api";
import type { Loki } from "#runtime/loki/api";
import type { Reach } from "#runtime/loki/logql";
import { timeOf } from "#runtime/time";

/** Nanoseconds since 1970, as Loki counts: `from` is part of the range, `to` is not. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

export const MAX_RANGE_H = 24;
const NS = 1_000_000_000n;
const MAX_RANGE_NS = BigInt(MAX_RANGE_H * 3600) * NS;
const GIB = 1024 ** 3;

export const nanosecondsOf = (seconds: number): bigint => BigInt(Math.round(seconds * 1000)) * 1_000_000n;
export const secondsOf = ({ from, to }: Range): number => Number((to - from) / 1_000_000n) / 1000;

function requireShort({ from, to }: Range): void {
  if (from > to) throw new ToolFault("invalid_argument", "start is after end");
  if (to - from <= MAX_RANGE_NS) return;
  throw new ToolFault("invalid_argument", `a call reads at most ${MAX_RANGE_H} hours of logs`, {
    hint: "narrow start and end, or the range in [...], and use several calls",
  });
}

export function rangeOf(start: string, end: string): Range {
  const now = Date.now();
  const range = {
    from: nanosecondsOf(timeOf(start, "start", now)),
    to: nanosecondsOf(timeOf(end, "end", now)),
  };
  requireShort(range);
  return range;
}

/** The range that a cursor carries: a caller can write one, so it is checked as one. */
export function rangeIn(position: string | number): Range {
  const [, from, to] = /^(\d{1,19}):(\d{1,19})$/.exec(String(position)) ?? [];
  if (from === undefined || to === undefined)
    throw new ToolFault("invalid_argument", "the cursor does not belong to this call");
  const range = { from: BigInt(from), to: BigInt(to) };
  requireShort(range);
  return range;
}

/**
 * Refuses what would read more than the operator allows, by the index's own figure and before anything is read.
 * The warnings tell when a server has no figure to give.
 */
export async function requireAffordable(
  loki: Loki,
  reach: Reach,
  range: Range,
  signal: AbortSignal,
): Promise<readonly string[]> {
  requireShort({ from: range.from - nanosecondsOf(reach.rangeS), to: range.to });
  const start = range.from - nanosecondsOf(reach.rangeS + reach.offsetS);
  const span = { start: String(start < 0n ? 0n : start), end: String(range.to) };
  const each = await Promise.all(
    reach.selectors.map(async (query) => await bytesOf(loki, { query, ...span }, signal)),
  );
  if (each.includes(null))
    return ["this server cannot tell how much a query reads, so only its range is bounded"];
  const bytes = each.reduce((sum: number, some) => sum + (some ?? 0), 0);
  if (bytes <= loki.maxScanBytes) return [];
  const figure = (amount: number): string => `${(amount / GIB).toFixed(2)} GiB`;
  throw new ToolFault(
    "too_large",
    `the query would read ${figure(bytes)}, more than ${figure(loki.maxScanBytes)}`,
    {
      hint: "add labels to the selector, or narrow start and end",
    },
  );
}
