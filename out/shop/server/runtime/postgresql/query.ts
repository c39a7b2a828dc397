import { ToolFault } from "#runtime/fault";
import type { ToolResult } from "#runtime/tool";
import { guardQuery } from "#runtime/postgresql/guard";
import { checkNames } from "#runtime/postgresql/names";
import { MAX_CELL, MAX_RESULT_BYTES, readRows } from "#runtime/postgresql/rows";
import type { Parameter, Rows } from "#runtime/postgresql/rows";
import { readOnly } from "#runtime/postgresql/session";
import type { Database, Postgres } from "#runtime/postgresql/session";
import { faultOf } from "#runtime/postgresql/upstream";

const PREFIXES = { none: "", plan: "EXPLAIN ", analyze: "EXPLAIN (ANALYZE, BUFFERS) " } as const;
export type Explain = keyof typeof PREFIXES;

export interface Question {
  readonly sql: string;
  readonly params: readonly Parameter[];
  readonly limit: number;
  readonly explain: Explain;
  readonly timeout_ms: number;
}

/** A NUL ends a text for the server and not for us, so it is refused before either reads it. */
export function checkParameters(values: readonly Parameter[]): void {
  if (values.some((value) => typeof value === "string" && value.includes("\0"))) {
    throw new ToolFault("invalid_argument", "a parameter holds a NUL character");
  }
}

function resultOf({ columns, rows, cut, shortened }: Rows, limit: number): ToolResult {
  const bound = cut === "bytes" ? MAX_RESULT_BYTES : limit;
  const hint = "narrow the WHERE, aggregate, or select fewer columns";
  const warning = `${shortened} values were cut to ${MAX_CELL} characters and end in …`;
  return {
    data: { columns, rows },
    page: { returned: rows.length, total: null, next_cursor: null },
    ...(cut === null ? {} : { truncation: { by: cut, limit: bound, hint } }),
    ...(shortened === 0 ? {} : { warnings: [warning] }),
  };
}

/**
 * The whole way of a query: judged by its syntax before a connection is made, by what its names stand for inside
 * the read-only transaction, and only then run, as it was written.
 */
export async function runQuery(
  client: Postgres,
  database: Database,
  { sql, params, limit, explain, timeout_ms }: Question,
  signal: AbortSignal,
): Promise<ToolResult> {
  checkParameters(params);
  const { kind, names } = await guardQuery(sql, database.schemas);
  if (explain !== "none" && kind !== "select") {
    throw new ToolFault("invalid_argument", `explain: ${explain} needs a SELECT`, {
      hint: "leave EXPLAIN or SHOW out of sql",
    });
  }
  const prefix = PREFIXES[explain];
  return await readOnly(client, database, { signal, timeoutMs: timeout_ms }, async (connection) => {
    await checkNames(connection, names);
    try {
      return resultOf(await readRows(connection, prefix + sql, params, limit), limit);
    } catch (error) {
      throw faultOf(error, sql, prefix.length);
    }
  });
}
