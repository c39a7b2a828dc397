import type { ToolResult } from "#runtime/tool";
import type { Row } from "#runtime/postgresql/statement";

/** A page of rows that were read with one more than `limit`. */
export function pageOf(rows: readonly Row[], limit: number, next: (last: Row) => string | null): ToolResult {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit;
  return {
    data: shown,
    page: {
      returned: shown.length,
      total: null,
      next_cursor: more && last !== undefined ? next(last) : null,
    },
    ...(more ? { truncation: { by: "rows", limit } } : {}),
  };
}

/** Schema and name of the last table of the page before, as its cursor holds them. */
export function afterOf(position: string | number): readonly [string, string] {
  const parsed: unknown = JSON.parse(String(position));
  const [schema, name]: readonly unknown[] = Array.isArray(parsed) ? parsed : [];
  return [String(schema ?? ""), String(name ?? "")];
}
