import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { markerComment } from "#runtime/marker";
import {
  MAX_PARTS,
  demandTransactions,
  describeDatabase,
  describeTable,
  listTables,
  tableStats,
} from "#runtime/mysql/catalog";
import { MAX_UNANNOUNCED_ROWS, guardChange, unexpected } from "#runtime/mysql/guard";
import { MAX_SQL } from "#runtime/mysql/lexer";
import { runQuery } from "#runtime/mysql/query";
import { MAX_CELL } from "#runtime/mysql/rows";
import type { Parameter as SqlParameter } from "#runtime/mysql/rows";
import { openMysql } from "#runtime/mysql/connection";
import type { Database, Mysql } from "#runtime/mysql/connection";
import { withSession } from "#runtime/mysql/session";
import { changedBy, rowsOf } from "#runtime/mysql/statement";
import { faultOf } from "#runtime/mysql/upstream";
import { firstPart } from "#runtime/page";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<Mysql>;

export const link: LinkFacts = slot("link", {
  id: "mcp->mysql",
  component: "mysql",
  type: "mysql",
  env: "MCP_MYSQL",
  host: "127.0.0.1",
  port: 3306,
});

/** The drawn databases: there is no way to another one. */
export const databases: readonly Database[] = slot("databases", [
  { name: "app_db", database: "app_db", env: "APP_DB", consumers: ["fastapi"] },
  { name: "audit", database: "audit", env: "AUDIT", consumers: [] },
]);

/** Names of the databases that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["app_db"]);

const CATALOG_MS = 10_000;
const MAX_QUERY_MS = 60_000;
const MAX_ROWS = 1000;
const MAX_TABLES = 500;
const MAX_STATS = 100;
const MAX_EXPECTED_ROWS = 1_000_000;

const database = oneOf(
  databases.map(({ name }) => name),
  {},
);
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
  { max: 50, default: [], doc: "Values of the ? in order." },
);

function drawn(name: string): Database {
  const found = databases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the database is not drawn for this link");
  return found;
}

type Connection = Parameters<Parameters<typeof withSession>[3]>[0];

/** Reads the catalog of a drawn database. */
async function inspect<T>(
  { client, signal }: Context,
  name: string,
  work: (connection: Connection, database: string) => Promise<T>,
): Promise<T> {
  const found = drawn(name);
  return await withSession(client, found, { signal, timeoutMs: CATALOG_MS }, async (connection) => ({
    value: await work(connection, found.database),
    isComplete: true,
  }));
}

const listDatabases = defineTool({
  name: named("mysql_list_databases"),
  title: "List databases",
  description:
    "Use to see which databases this link reaches: number of tables, size, and the components that use each.",
  effect: "read",
  parameters: {},
  handler: async (_, context: Context) => {
    const described = databases.map(async ({ name, consumers }) => ({
      database: name,
      ...(await inspect(context, name, describeDatabase)),
      consumers,
    }));
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
  name: named("mysql_list_tables"),
  title: "List tables",
  description: `Use to find tables and views; pattern is a LIKE pattern. Up to ${MAX_TABLES} a page; go on with next_cursor. est_rows is the engine's estimate.`,
  effect: "read",
  parameters: {
    database,
    pattern: text({ min: 1, max: 128, optional: true }),
    kind: oneOf(["table", "view", "all"], { default: "table" }),
    limit: integer({ min: 1, max: MAX_TABLES, default: 100 }),
    cursor: text({ max: 512, optional: true }),
  },
  handler: async ({ database, limit, cursor, ...search }, context: Context) => {
    const tool = named("mysql_list_tables");
    const args = { database, ...search };
    const after = cursor === undefined ? "" : String(decodeCursor(tool, args, cursor));
    const rows = await inspect(context, database, (connection, name) =>
      listTables(connection, name, { ...search, after, limit }),
    );
    const { items, about } = firstPart(rows, limit, "go on with next_cursor");
    const last = items.at(-1)?.["name"];
    const next = about.truncation === undefined ? null : encodeCursor(tool, args, String(last));
    const page = { returned: items.length, total: null, next_cursor: next };
    return { ...about, page, data: items };
  },
});

const describeTableTool = defineTool({
  name: named("mysql_describe_table"),
  title: "Describe a table",
  description: `Use before writing SQL: columns, primary key, indexes and foreign keys of a table or view; full adds how it was made. At most ${MAX_PARTS} of each.`,
  effect: "read",
  parameters: {
    database,
    table: text({ min: 1, max: 64 }),
    detail: oneOf(["summary", "full"], { default: "summary" }),
  },
  handler: async ({ database, table, detail }, context: Context) => ({
    data: await inspect(context, database, (connection, name) =>
      describeTable(connection, name, table, detail),
    ),
  }),
});

const tableStatsTool = defineTool({
  name: named("mysql_table_stats"),
  title: "Table statistics",
  description: `Use to find the largest tables and lost space: estimated rows, sizes in bytes, free_bytes, last update. Up to ${MAX_STATS} tables.`,
  effect: "read",
  parameters: {
    database,
    order_by: oneOf(["size", "rows", "free", "updated"], { default: "size" }),
    limit: integer({ min: 1, max: MAX_STATS, default: 20 }),
  },
  handler: async ({ database, order_by, limit }, context: Context) => {
    const rows = await inspect(context, database, (connection, name) =>
      tableStats(connection, name, order_by, limit),
    );
    const { items, about } = firstPart(rows, limit, "these come first; ask for more with limit");
    const total = about.truncation === undefined ? items.length : null;
    return { ...about, page: { returned: items.length, total, next_cursor: null }, data: items };
  },
});

const query = defineTool({
  name: named("mysql_query"),
  title: "Run a query",
  description: `Use to read data: one SELECT, WITH, VALUES, SHOW or EXPLAIN in a read-only transaction; values in params as ?. At most ${MAX_ROWS} rows, ${MAX_CELL} characters a value, ${MAX_QUERY_MS / 1000} s. No variables, no locks. explain: plan shows the plan, analyze also runs the query. bigint beyond 2^53 and decimal come as text, bytes as 0x...`,
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
  data: { type: "object", properties: { columns: { type: "array" }, rows: { type: "array" } } },
  handler: async ({ database, ...question }, { client, signal }: Context) =>
    await runQuery(client, drawn(database), question, signal),
});

const execute = defineTool({
  name: named("mysql_execute"),
  title: "Change rows",
  description: `Use to change data: one INSERT, UPDATE or DELETE, values in params as ?. dry_run (the default) runs it, reports the count and rolls back. A WHERE on a column is required unless confirm_all. With expected_rows any other count rolls back; over ${MAX_UNANNOUNCED_ROWS} rows need it. ${MAX_QUERY_MS / 1000} s at most.`,
  effect: "destructive",
  timeoutMs: MAX_QUERY_MS + 5000,
  parameters: {
    database: oneOf(writable, {}),
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
    if (!writable.includes(database))
      throw new ToolFault("not_linked", "the database is not drawn for writing");
    const found = drawn(database);
    guardChange(sql, confirm_all);
    const limits = { signal, timeoutMs: MAX_QUERY_MS, writes: true };
    return await withSession(client, found, limits, async (connection) => {
      await demandTransactions(connection, found.database);
      const rowcount = await changedBy(connection, markerComment(marker) + sql, params);
      const problem = unexpected(rowcount, expected_rows);
      if (problem !== undefined && !dry_run)
        throw new ToolFault("invalid_argument", `${problem}; nothing was changed`, {
          hint: "repeat with dry_run: true, then pass its count as expected_rows",
        });
      await rowsOf(connection, dry_run ? "ROLLBACK" : "COMMIT");
      const value = {
        data: { rowcount, committed: !dry_run },
        warnings: problem === undefined ? [] : [problem],
      };
      return { value, isComplete: true };
    });
  },
});

export const tools = defineModule<Mysql>({
  link,
  open: (settings) => openMysql(link, settings),
  close: async () => undefined,
  tools: [listDatabases, listTablesTool, describeTableTool, tableStatsTool, query, execute],
});
