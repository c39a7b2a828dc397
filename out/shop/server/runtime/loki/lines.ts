import { foreignAnswer, cutText, listOf, recordOf } from "#runtime/json-shape";
import { labelsOf } from "#runtime/loki/api";
import type { Labels } from "#runtime/loki/api";
import type { Range } from "#runtime/loki/range";

export const MAX_LINE = 1024;

export interface Line {
  readonly at: bigint;
  readonly labels: Labels;
  /** The labels as one text, by which lines of one stream are known. */
  readonly stream: string;
  readonly line: string;
}

function lineOf(value: unknown, labels: Labels, stream: string): Line {
  const [at, line] = listOf(value);
  if (typeof at !== "string" || !/^\d{1,19}$/.test(at) || typeof line !== "string") throw foreignAnswer();
  return { at: BigInt(at), labels, stream, line: cutText(line, MAX_LINE) };
}

/** The lines of all streams in the order of their times; those of one instant stay together by stream. */
export function linesOf(result: unknown, direction: "forward" | "backward"): readonly Line[] {
  const lines = listOf(result).flatMap((each) => {
    const { stream: given, values } = recordOf(each);
    const labels = labelsOf(given);
    const stream = JSON.stringify(labels);
    return listOf(values).map((value) => lineOf(value, labels, stream));
  });
  const earlier = direction === "forward" ? -1 : 1;
  return lines.sort((a, b) => {
    if (a.at !== b.at) return a.at < b.at ? earlier : -earlier;
    return a.stream === b.stream ? 0 : a.stream < b.stream ? -1 : 1;
  });
}

/** Nanoseconds as a time, with all of their digits. */
export function timeText(at: bigint): string {
  const seconds = new Date(Number(at / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(at % 1_000_000_000n).padStart(9, "0")}Z`;
}

/** What is shown of each line: its labels stand at the first line of a stream, or at every one. */
export function shown(lines: readonly Line[], isGrouped: boolean): readonly object[] {
  const seen = new Set<string>();
  return lines.map(({ at, labels, stream, line }) => {
    const isRepeated = isGrouped && seen.has(stream);
    seen.add(stream);
    return isRepeated ? { ts: timeText(at), line } : { ts: timeText(at), labels, line };
  });
}

/** One entry for each stream, in the order of their first lines. */
export function groupByStream(lines: readonly Line[]): readonly object[] {
  const groups = new Map<string, { labels: Labels; lines: object[] }>();
  for (const { at, labels, stream, line } of lines) {
    const group = groups.get(stream) ?? { labels, lines: [] };
    group.lines.push({ ts: timeText(at), line });
    groups.set(stream, group);
  }
  return [...groups.values()];
}

/**
 * How many of the first `fitting` lines make a page, and where the next begins. Loki pages by time alone, so a
 * page never ends within an instant; `null` when one instant has more lines than fit.
 */
export function pageEnd(
  lines: readonly Line[],
  fitting: number,
  range: Range,
  direction: "forward" | "backward",
): { readonly kept: number; readonly next: Range | null } {
  const boundary = lines[fitting];
  if (boundary === undefined) return { kept: lines.length, next: null };
  const kept = lines.findIndex(({ at }) => at === boundary.at);
  if (kept === 0) return { kept: fitting, next: null };
  const next = direction === "forward" ? { ...range, from: boundary.at } : { ...range, to: boundary.at + 1n };
  return { kept, next };
}
