import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";
import {
  MAX_COLUMNS,
  MAX_STATS,
  describeDatabase,
  describeTable,
  listTables,
  tableStats,
} from "#runtime/clickhouse/catalog";
import { MAX_CELL, parameterOf } from "#runtime/clickhouse/cell";
import type { Value } from "#runtime/clickhouse/cell";
import { MAX_SQL, checkPlaceholders, guardQuery } from "#runtime/clickhouse/guard";
import { MAX_INSERT_BYTES, insertRows } from "#runtime/clickhouse/insert";
import { MAX_QUERY_MS, MAX_RESULT_BYTES, openClickhouse, query } from "#runtime/clickhouse/service";
import type { Clickhouse } from "#runtime/clickhouse/service";

type Context = CallContext<Clickhouse>;

/** A drawn database. */
interface Database {
  /** As drawn; what tools call it. */
  readonly name: string;
  /** Its name on the server. */
  readonly database: string;
  /** Components that are linked to it. */
  readonly consumers: readonly string[];
}

/** A database that was drawn with propose or write. */
interface Writable {
  readonly name: string;
  /** Its drawn tables: rows may be inserted into these only. */
  readonly tables: readonly string[];
}

export const link: LinkFacts = slot("link", {
  id: "mcp->clickhouse",
  component: "clickhouse",
  type: "clickhouse",
  env: "MCP_CLICKHOUSE",
  host: "127.0.0.1",
  port: 8123,
});

/** The drawn databases: there is no way to another one. */
export const databases: readonly Database[] = slot("databases", [
  { name: "events", database: "events", consumers: ["kafka"] },
  { name: "shop", database: "shop_prod", consumers: [] },
]);

export const writable: readonly Writable[] = slot("writable", [{ name: "events", tables: ["notes"] }]);

/** All tables of `writable`, each once. */
export const insertable: readonly string[] = slot("insertable", ["notes"]);

const MAX_ROWS = 1000;
const MAX_TABLES = 200;
const MAX_PARAMS = 50;
const MAX_INSERTED = 500;

const database = oneOf(
  databases.map(({ name }) => name),
  {},
);
const table = text({ min: 1, max: 200 });

function drawn(name: string): string {
  const found = databases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the database is not drawn for this link");
  return found.database;
}

const listDatabases = defineTool({
  name: named("ch_list_databases"),
  title: "List databases",
  description:
    "Use to see which databases this link reaches: engine, number of tables, rows, bytes, and the components that use each.",
  effect: "read",
  parameters: {},
  handler: async (_, { client, signal }: Context) => {
    const described = databases.map(async ({ name, database, consumers }) => ({
      database: name,
      ...(await describeDatabase(client, database, signal)),
      consumers,
    }));
    const settled = await Promise.allSettled(described);
    const failed = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    if (failed.length === settled.length) throw failed[0];
    const found = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    return {
      data: found,
      page: { returned: found.length, total: databases.length, next_cursor: null },
      warnings: failed.map((error) => `a database is missing here: ${String(error)}`),
    };
  },
});

const listTablesTool = defineTool({
  name: named("ch_list_tables"),
  title: "List tables",
  description: `Use to find tables and views: name, engine, rows, bytes, comment. pattern is a LIKE pattern, engine an exact name such as MergeTree. Up to ${MAX_TABLES} a page; go on with next_cursor.`,
  effect: "read",
  parameters: {
    database,
    pattern: text({ min: 1, max: 200, optional: true }),
    engine: text({ min: 1, max: 100, pattern: "^\\w+$", optional: true }),
    limit: integer({ min: 1, max: MAX_TABLES, default: 50 }),
    cursor: text({ max: 1024, optional: true }),
  },
  handler: async ({ database, limit, cursor, pattern, engine }, { client, signal }: Context) => {
    const tool = named("ch_list_tables");
    const args = { database, pattern, engine };
    const after = cursor === undefined ? "" : String(decodeCursor(tool, args, cursor));
    const search = { pattern, engine, after, limit };
    const { rows, more, total } = await listTables(client, drawn(database), search, signal);
    const last = rows.at(-1)?.["name"];
    const next = more && typeof last === "string" ? encodeCursor(tool, args, last) : null;
    return {
      data: rows,
      page: { returned: rows.length, total, next_cursor: next },
      ...(more ? { truncation: { by: "rows", limit } } : {}),
    };
  },
});

const describeTableTool = defineTool({
  name: named("ch_describe_table"),
  title: "Describe a table",
  description: `Use before writing SQL: columns with type, default, codec and comment, the sorting, primary and partition key, TTL and engine. A WHERE on the sorting key reads least. At most ${MAX_COLUMNS} columns.`,
  effect: "read",
  parameters: { database, table },
  handler: async ({ database, table }, { client, signal }: Context) => {
    const { about, columns, more } = await describeTable(client, drawn(database), table, signal);
    return {
      data: { ...about, columns },
      ...(more ? { truncation: { by: "rows", limit: MAX_COLUMNS, hint: "query system.columns" } } : {}),
    };
  },
});

const params = shaped<Readonly<Record<string, { readonly type: string; readonly value: Value }>>>(
  {
    type: "object",
    maxProperties: MAX_PARAMS,
    propertyNames: { pattern: "^[A-Za-z_]\\w{0,63}$" },
    additionalProperties: {
      type: "object",
      properties: { type: { type: "string", maxLength: 200 }, value: {} },
      required: ["type", "value"],
      additionalProperties: false,
    },
  },
  {
    default: {},
    doc: "Values of {name:Type}: {name: {type, value}}; value is a scalar or a list of scalars.",
  },
);

function isScalar(value: unknown): boolean {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function valuesOf(sql: string, given: Readonly<Record<string, { type: string; value: Value }>>) {
  const entries = Object.entries(given);
  const wrong = entries.find(
    ([, { value }]) => !isScalar(value) && !(Array.isArray(value) && value.every(isScalar)),
  );
  if (wrong !== undefined)
    throw new ToolFault(
      "invalid_argument",
      `params.${wrong[0]}.value is neither a scalar nor a list of scalars`,
    );
  checkPlaceholders(sql, Object.fromEntries(entries.map(([name, { type }]) => [name, type])));
  return Object.fromEntries(entries.map(([name, { value }]) => [name, parameterOf(value)]));
}

const queryTool = defineTool({
  name: named("ch_query"),
  title: "Run a query",
  description: `Use to read data: one SELECT, DESCRIBE, SHOW TABLES or EXPLAIN, without FORMAT or SETTINGS; values in params as {id:UInt64}. At most ${MAX_ROWS} rows, ${MAX_CELL} characters a value, ${MAX_QUERY_MS / 1000} s. Aggregate in SQL: more rows are not paged. Integers beyond 2^53 and decimals come as text.`,
  effect: "read",
  timeoutMs: MAX_QUERY_MS + 5000,
  parameters: {
    database,
    sql: text({ min: 1, max: MAX_SQL }),
    params,
    limit: integer({ min: 1, max: MAX_ROWS, default: 200 }),
    timeout_ms: integer({ min: 100, max: MAX_QUERY_MS, default: MAX_QUERY_MS }),
  },
  data: { type: "object", properties: { columns: { type: "array" }, rows: { type: "array" } } },
  handler: async ({ database, sql, params, limit, timeout_ms }, { client, signal }: Context) => {
    guardQuery(sql);
    const values = valuesOf(sql, params);
    const question = { database: drawn(database), sql, values, limit, timeoutMs: timeout_ms };
    const { columns, rows, cut, shortened } = await query(client, question, signal);
    const bound = cut === "bytes" ? MAX_RESULT_BYTES : limit;
    const hint = "narrow the WHERE, aggregate, or select fewer columns";
    return {
      data: { columns, rows },
      page: { returned: rows.length, total: null, next_cursor: null },
      ...(cut === null ? {} : { truncation: { by: cut, limit: bound, hint } }),
      ...(shortened === 0
        ? {}
        : { warnings: [`${shortened} values were cut to ${MAX_CELL} characters and end in …`] }),
    };
  },
});

const tableStatsTool = defineTool({
  name: named("ch_table_stats"),
  title: "Table statistics",
  description: `Use to see what takes space: parts, rows, bytes, compression, oldest and newest part of the ${MAX_STATS} largest tables; with table also its ${MAX_STATS} largest columns.`,
  effect: "read",
  parameters: { database, table: text({ min: 1, max: 200, optional: true }) },
  handler: async ({ database, table }, { client, signal }: Context) => {
    const { tables, columns, more } = await tableStats(client, drawn(database), table, signal);
    return {
      data: { tables, ...(columns === undefined ? {} : { columns }) },
      ...(more ? { truncation: { by: "rows", limit: MAX_STATS, hint: "ask for one table" } } : {}),
    };
  },
});

const insertRowsTool = defineTool({
  name: named("ch_insert_rows"),
  title: "Insert rows",
  description: `Use to add rows to a drawn table: up to ${MAX_INSERTED} objects by column name, ${MAX_INSERT_BYTES} bytes; all are kept or none. Unknown columns, and null where a column takes none, are refused; columns left out get their default. Nothing is ever updated or removed. With dedup_token, repeating the call inserts nothing again where the table deduplicates. async lets the server gather small inserts.`,
  effect: "additive",
  parameters: {
    database: oneOf(
      writable.map(({ name }) => name),
      {},
    ),
    table: oneOf([...insertable], {}),
    rows: listOf(shaped<Readonly<Record<string, unknown>>>({ type: "object", maxProperties: 1000 }, {}), {
      min: 1,
      max: MAX_INSERTED,
    }),
    async: flag({ default: false }),
    dedup_token: text({ min: 1, max: 128, pattern: "^[\\w.:-]+$", optional: true }),
    reason: text({ min: 8, max: 500, doc: "Why, for the audit." }),
  },
  data: { type: "object", properties: { accepted: { type: "integer" } } },
  handler: async ({ database, table, rows, async, dedup_token }, { client, signal, marker }: Context) => {
    const drawnTables = writable.find(({ name }) => name === database)?.tables ?? [];
    if (!drawnTables.includes(table)) {
      throw new ToolFault("not_linked", "the table is not drawn for inserting", {
        hint: `tables of this database that are: ${drawnTables.join(", ") || "none; draw tables"}`,
      });
    }
    await insertRows(client, { database: drawn(database), table, rows, async, dedup_token, marker }, signal);
    return { data: { accepted: rows.length } };
  },
});

export const tools = defineModule<Clickhouse>({
  link,
  open: (settings) => openClickhouse(link, settings),
  close: async () => undefined,
  tools: [listDatabases, listTablesTool, describeTableTool, queryTool, tableStatsTool, insertRowsTool],
});
