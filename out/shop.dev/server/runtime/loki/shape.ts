import { groupByStream, shown } from "#runtime/loki/lines";
import type { Line } from "#runtime/loki/lines";
import { patternsOf } from "#runtime/loki/patterns";
import { firstPart } from "#runtime/page";
import type { ToolResult } from "#runtime/tool";

export const SHAPES = ["lines", "grouped", "patterns", "count"] as const;
export type Shape = (typeof SHAPES)[number];

/** What stands in the answer of a page of lines; patterns are fewer bytes than the lines behind them. */
export function dataOf(lines: readonly Line[], shape: Shape): Pick<ToolResult, "data" | "truncation"> {
  if (shape === "lines") return { data: { lines: shown(lines, false) } };
  if (shape === "grouped") return { data: { streams: groupByStream(lines) } };
  const { items, about } = firstPart(patternsOf(lines), lines.length, "rare patterns are left out");
  const data = { read: lines.length, patterns: items };
  return about.truncation === undefined ? { data } : { data, truncation: about.truncation };
}

/** How many of the lines make an answer of bounded size. */
export function fitOf(
  lines: readonly Line[],
  shape: Shape,
  limit: number,
): Pick<ToolResult, "truncation"> & { fitting: number } {
  const wanted = shape === "patterns" ? [] : shown(lines, shape === "grouped");
  const { items, about } = firstPart(wanted, limit, "go on with next_cursor");
  const fitting = shape === "patterns" ? Math.min(lines.length, limit) : items.length;
  return about.truncation === undefined ? { fitting } : { fitting, truncation: about.truncation };
}
