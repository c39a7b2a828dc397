import type { Connection } from "mysql2";
import { ToolFault } from "#runtime/fault";
import { guardQuery } from "#runtime/mysql/guard";
import { MAX_CELL, MAX_RESULT_BYTES, readRows } from "#runtime/mysql/rows";
import type { Parameter, Rows } from "#runtime/mysql/rows";
import type { Database, Mysql } from "#runtime/mysql/connection";
import { withSession } from "#runtime/mysql/session";
import { rowsOf } from "#runtime/mysql/statement";
import type { ToolResult } from "#runtime/tool";

export interface Question {
  readonly sql: string;
  readonly params: readonly Parameter[];
  readonly limit: number;
  readonly explain: "none" | "plan" | "analyze";
  readonly timeout_ms: number;
}

/** A `SELECT` is explained by words in front of it, which MariaDB and MySQL spell in different ways. */
async function prefixOf(connection: Connection, explain: Question["explain"]): Promise<string> {
  if (explain === "none") return "";
  if (explain === "plan") return "EXPLAIN FORMAT=JSON ";
  const [row] = await rowsOf(connection, "SELECT VERSION() AS version");
  return String(row?.["version"]).includes("MariaDB") ? "ANALYZE FORMAT=JSON " : "EXPLAIN ANALYZE ";
}

function resultOf({ columns, rows, cut, shortened }: Rows, limit: number): ToolResult {
  const about = {
    data: { columns, rows },
    page: { returned: rows.length, total: cut === null ? rows.length : null, next_cursor: null },
  };
  if (cut === "rows")
    return { ...about, truncation: { by: "rows", limit, hint: "add a LIMIT, or aggregate" } };
  if (cut === "bytes")
    return {
      ...about,
      truncation: { by: "bytes", limit: MAX_RESULT_BYTES, hint: "select fewer or shorter columns" },
    };
  if (shortened > 0) return { ...about, truncation: { by: "cells", limit: MAX_CELL } };
  return about;
}

export async function runQuery(
  client: Mysql,
  database: Database,
  { sql, params, limit, explain, timeout_ms }: Question,
  signal: AbortSignal,
): Promise<ToolResult> {
  const { root } = guardQuery(sql);
  if (explain !== "none" && !["SELECT", "WITH"].includes(root))
    throw new ToolFault("invalid_argument", "only a SELECT can be explained");
  const rows = await withSession(client, database, { signal, timeoutMs: timeout_ms }, async (connection) => {
    // Stops a statement without a LIMIT of its own on the server, one row after what is shown.
    await rowsOf(connection, `SET SESSION sql_select_limit = ${limit + 1}`);
    return await readRows(connection, `${await prefixOf(connection, explain)}${sql}`, params, limit);
  });
  return resultOf(rows, limit);
}
