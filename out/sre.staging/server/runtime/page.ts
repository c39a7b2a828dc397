import { decodeCursor, encodeCursor } from "#runtime/cursor";
import type { ToolResult } from "#runtime/tool";

/** Below the default size of a result, so that what a page holds is what the caller sees. */
export const MAX_PAGE_BYTES = 49_152;

type Arguments = Readonly<Record<string, unknown>>;

export interface Page<T> {
  readonly items: readonly T[];
  readonly about: Omit<ToolResult, "data">;
}

/** As many items as fit into the limit and the bytes, but at least one. */
function fitting<T>(
  items: readonly T[],
  limit: number,
): { readonly kept: readonly T[]; readonly by: "rows" | "bytes" | null } {
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    if (index === limit) return { kept: items.slice(0, limit), by: "rows" };
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    if (bytes > MAX_PAGE_BYTES && index > 0) return { kept: items.slice(0, index), by: "bytes" };
  }
  return { kept: items, by: null };
}

function truncationOf(by: "rows" | "bytes", limit: number, hint: string): Pick<ToolResult, "truncation"> {
  return { truncation: { by, limit: by === "rows" ? limit : MAX_PAGE_BYTES, hint } };
}

/** The first part of a list that has no stable order to go on in. */
export function firstPart<T>(items: readonly T[], limit: number, hint: string): Page<T> {
  const { kept, by } = fitting(items, limit);
  const page = { returned: kept.length, total: items.length, next_cursor: null };
  return { items: kept, about: by === null ? { page } : { page, ...truncationOf(by, limit, hint) } };
}

/** Where a page of `tool` starts. */
export function offsetOf(tool: string, args: Arguments, cursor: string | undefined): number {
  return cursor === undefined ? 0 : Number(decodeCursor(tool, args, cursor));
}

/** One page of a sorted list; `total` is `null` when the server may have stopped before the end. */
export function pageFrom<T>(
  items: readonly T[],
  limit: number,
  at: {
    readonly tool: string;
    readonly args: Arguments;
    readonly offset: number;
    readonly total: number | null;
  },
): Page<T> {
  const { kept, by } = fitting(items.slice(at.offset, at.offset + limit + 1), limit);
  const next = by === null ? null : encodeCursor(at.tool, at.args, at.offset + kept.length);
  const page = { returned: kept.length, total: at.total, next_cursor: next };
  return {
    items: kept,
    about: by === null ? { page } : { page, ...truncationOf(by, limit, "go on with next_cursor") },
  };
}
