import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { markerComment } from "#runtime/marker";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts, ToolResult } from "#runtime/tool";
import {
  MAX_PARTS,
  describeDatabase,
  describeTable,
  listTables,
  tableStats,
} from "#runtime/postgresql/catalog";
import { CHECKS, MAX_FINDINGS, checkHealth } from "#runtime/postgresql/health";
import { checkNames } from "#runtime/postgresql/names";
import { MAX_SQL } from "#runtime/postgresql/parser";
import { afterOf, pageOf } from "#runtime/postgresql/page";
import { checkParameters, runQuery } from "#runtime/postgresql/query";
import { MAX_CELL } from "#runtime/postgresql/rows";
import type { Parameter as SqlParameter } from "#runtime/postgresql/rows";
import {
  borrow,
  closePostgres,
  openPostgres,
  readOnly,
  transactionSettings,
} from "#runtime/postgresql/session";
import type { Database, Postgres } from "#runtime/postgresql/session";
import type { Connection } from "#runtime/postgresql/statement";
import { faultOf } from "#runtime/postgresql/upstream";
import { MAX_UNANNOUNCED_ROWS, guardChange, unexpected } from "#runtime/postgresql/write-guard";

type Context = CallContext<Postgres>;

export const link: LinkFacts = slot("link", {
  id: "mcp->cnpg",
  component: "cnpg",
  type: "cnpg",
  env: "MCP_CNPG",
  host: "127.0.0.1",
  port: 5432,
});

/** The drawn databases: there is no way to another one. */
export const databases: readonly Database[] = slot("databases", [
  { name: "app_db", database: "app_db", env: "APP_DB", schemas: [], consumers: ["fastapi"] },
  { name: "audit_db", database: "audit", env: "AUDIT_DB", schemas: ["public", "sales"], consumers: [] },
]);

/** Names of the databases that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["app_db"]);

const CATALOG_MS = 10_000;
const MAX_QUERY_MS = 60_000;
const MAX_ROWS = 1000;
const MAX_TABLES = 500;
const MAX_STATS = 100;

const database = oneOf(
  databases.map(({ name }) => name),
  {},
);
const identifier = text({ min: 1, max: 63, optional: true });
const sql = text({ min: 1, max: MAX_SQL });
const params = listOf(
  shaped<SqlParameter>(
    {
      anyOf: [
        { type: "string", maxLength: MAX_SQL },
        { type: "number" },
        { type: "boolean" },
        { type: "null" },
      ],
    },
    {},
  ),
  { max: 50, default: [], doc: "Values of $1, $2 ..." },
);

function drawn(name: string): Database {
  const found = databases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the database is not drawn for this link");
  return found;
}

/** Reads the catalogs of a drawn database; `work` also gets the schemas that the link reaches. */
async function inspect<T>(
  { client, signal }: Context,
  name: string,
  work: (connection: Connection, schemas: readonly string[]) => Promise<T>,
): Promise<T> {
  const found = drawn(name);
  return await readOnly(
    client,
    found,
    { signal, timeoutMs: CATALOG_MS },
    async (connection) => await work(connection, found.schemas),
  );
}

const listDatabases = defineTool({
  name: named("pg_list_databases"),
  title: "List databases",
  description: "Use to see which databases this link reaches: owner, size, and the components that use each.",
  effect: "read",
  parameters: {},
  handler: async (_, context: Context) => {
    const described = databases.map(async ({ name, consumers }) => {
      const row = await inspect(context, name, describeDatabase);
      return { database: name, owner: row["owner"], size_bytes: row["size_bytes"], consumers };
    });
    const settled = await Promise.allSettled(described);
    const failed = settled.flatMap((one) => (one.status === "rejected" ? [faultOf(one.reason)] : []));
    if (failed[0] !== undefined && failed.length === settled.length) throw failed[0];
    return {
      data: settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
      warnings: failed.map((fault) => `a database is missing here: ${fault.message}`),
    };
  },
});

const listTablesTool = defineTool({
  name: named("pg_list_tables"),
  title: "List tables",
  description: `Use to find tables, views and materialized views; pattern is a LIKE pattern. Up to ${MAX_TABLES} a page; go on with next_cursor.`,
  effect: "read",
  parameters: {
    database,
    schema: identifier,
    pattern: text({ min: 1, max: 128, optional: true }),
    kind: oneOf(["table", "view", "matview", "all"], { default: "table" }),
    limit: integer({ min: 1, max: MAX_TABLES, default: 100 }),
    cursor: text({ max: 512, optional: true }),
  },
  handler: async ({ database, limit, cursor, ...search }, context: Context) => {
    const tool = named("pg_list_tables");
    const args = { database, ...search };
    const after = afterOf(cursor === undefined ? '["",""]' : decodeCursor(tool, args, cursor));
    const rows = await inspect(context, database, (connection, schemas) =>
      listTables(connection, schemas, { ...search, after, limit }),
    );
    return pageOf(rows, limit, (last) =>
      encodeCursor(tool, args, JSON.stringify([last["schema"], last["name"]])),
    );
  },
});

const describeTableTool = defineTool({
  name: named("pg_describe_table"),
  title: "Describe a table",
  description: `Use before writing SQL: columns, primary key, foreign keys and indexes of a table or view; full adds constraints, triggers and a view's definition. At most ${MAX_PARTS} of each.`,
  effect: "read",
  parameters: {
    database,
    schema: text({ min: 1, max: 63, default: "public" }),
    table: text({ min: 1, max: 63 }),
    detail: oneOf(["summary", "full"], { default: "summary" }),
  },
  handler: async ({ database, detail, ...name }, context: Context) => ({
    data: await inspect(context, database, (connection, schemas) =>
      describeTable(connection, schemas, name, detail),
    ),
  }),
});

const tableStatsTool = defineTool({
  name: named("pg_table_stats"),
  title: "Table statistics",
  description: `Use to find bloat, full scans and missed vacuums: live and dead rows, scans, sizes in bytes, last vacuum and analyze. Up to ${MAX_STATS} tables.`,
  effect: "read",
  parameters: {
    database,
    schema: identifier,
    order_by: oneOf(["dead_rows", "size", "seq_scan", "last_vacuum"], { default: "dead_rows" }),
    limit: integer({ min: 1, max: MAX_STATS, default: 20 }),
  },
  handler: async ({ database, ...search }, context: Context) => {
    const rows = await inspect(context, database, (connection, schemas) =>
      tableStats(connection, schemas, search),
    );
    return pageOf(rows, search.limit, () => null);
  },
});

const query = defineTool({
  name: named("pg_query"),
  title: "Run a query",
  description: `Use to read data: one SELECT, VALUES, TABLE, EXPLAIN or SHOW in a read-only transaction; values in params as $1. At most ${MAX_ROWS} rows, ${MAX_CELL} characters a value, ${MAX_QUERY_MS / 1000} s. Only built-in functions that compute. explain: plan shows the plan, analyze also runs the query. bigint beyond 2^53 and numeric come as text.`,
  effect: "read",
  timeoutMs: MAX_QUERY_MS + 5000,
  parameters: {
    database,
    sql,
    params,
    limit: integer({ min: 1, max: MAX_ROWS, default: 200 }),
    explain: oneOf(["none", "plan", "analyze"], { default: "none" }),
    timeout_ms: integer({ min: 100, max: MAX_QUERY_MS, default: 15_000 }),
  },
  data: {
    type: "object",
    properties: { columns: { type: "array" }, rows: { type: "array" } },
  },
  handler: async ({ database, ...question }, { client, signal }: Context) =>
    await runQuery(client, drawn(database), question, signal),
});

const health = defineTool({
  name: named("pg_health"),
  title: "Check health",
  description: `Use first when a database misbehaves: findings with a severity for connections, locks, long transactions, replication, vacuum, invalid indexes, sequences and cache. Up to ${MAX_FINDINGS} a check.`,
  effect: "read",
  parameters: {
    database,
    checks: listOf(oneOf(CHECKS, {}), { min: 1, max: CHECKS.length, default: CHECKS }),
  },
  handler: async ({ database, checks }, context: Context) => {
    const { findings, hidden } = await inspect(context, database, (connection) =>
      checkHealth(connection, checks),
    );
    const warning = "what other accounts run is hidden from this account, so long_queries is incomplete";
    return { data: { findings }, ...(hidden ? { warnings: [warning] } : {}) };
  },
});

const WRITER = { infix: "RW_", prefix: "mcp_rw_" };
const MAX_EXPECTED_ROWS = 1_000_000;

/** Runs a change in a transaction of its own and keeps it only when its count is what the caller expects. */
async function change(
  connection: Connection,
  text: string,
  values: readonly SqlParameter[],
  expected: { readonly rows: number | undefined; readonly commit: boolean },
): Promise<ToolResult> {
  const statement = { text, values: [...values], queryMode: "extended" };
  const { rowCount } = await connection.query(statement);
  await connection.query("SET CONSTRAINTS ALL IMMEDIATE");
  const count = rowCount ?? 0;
  const problem = unexpected(count, expected.rows);
  if (problem !== undefined && expected.commit) {
    throw new ToolFault("invalid_argument", `${problem}; nothing was changed`, {
      hint: "repeat with dry_run: true, then pass its count as expected_rows",
    });
  }
  if (expected.commit) await connection.query("COMMIT");
  return {
    data: { rowcount: count, committed: expected.commit },
    warnings: problem === undefined ? [] : [problem],
  };
}

const execute = defineTool({
  name: named("pg_execute"),
  title: "Change rows",
  description: `Use to change data: one INSERT, UPDATE or DELETE without RETURNING, values in params as $1. dry_run (the default) runs it, reports the count and rolls back. A WHERE on a column is required unless confirm_all. With expected_rows any other count rolls back; over ${MAX_UNANNOUNCED_ROWS} rows need it. ${MAX_QUERY_MS / 1000} s at most.`,
  effect: "destructive",
  timeoutMs: MAX_QUERY_MS + 5000,
  parameters: {
    database: oneOf([...writable], {}),
    sql,
    params,
    expected_rows: integer({ min: 0, max: MAX_EXPECTED_ROWS, optional: true }),
    confirm_all: flag({ default: false }),
    dry_run: flag({ default: true }),
    reason: text({ min: 8, max: 500, doc: "Why, for the audit." }),
  },
  data: {
    type: "object",
    properties: { rowcount: { type: "integer" }, committed: { type: "boolean" } },
  },
  handler: async (
    { database, sql, params, expected_rows, confirm_all, dry_run },
    { client, signal, marker }: Context,
  ) => {
    const found = drawn(database);
    if (!writable.includes(database))
      throw new ToolFault("not_linked", "the database is not drawn for writing");
    checkParameters(params);
    const { names } = await guardChange(sql, found.schemas, confirm_all);
    const comment = markerComment(marker);
    return await borrow(client, found, WRITER, { signal, timeoutMs: MAX_QUERY_MS }, async (connection) => {
      await connection.query(`BEGIN READ WRITE; ${transactionSettings(found.schemas, MAX_QUERY_MS)}`);
      await checkNames(connection, names);
      try {
        return await change(connection, comment + sql, params, { rows: expected_rows, commit: !dry_run });
      } catch (error) {
        throw faultOf(error, sql, comment.length);
      }
    });
  },
});

export const tools = defineModule<Postgres>({
  link,
  open: (settings) => openPostgres(link, settings, databases),
  close: closePostgres,
  tools: [listDatabases, listTablesTool, describeTableTool, tableStatsTool, query, health, execute],
});
