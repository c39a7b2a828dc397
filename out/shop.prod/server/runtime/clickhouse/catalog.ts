/** What the tools read in ClickHouse's own tables; the account sees the drawn databases there and no others. */
import { ToolFault } from "#runtime/fault";
import { MAX_QUERY_MS, query } from "#runtime/clickhouse/service";
import type { Clickhouse } from "#runtime/clickhouse/service";

export type Row = Readonly<Record<string, unknown>>;
type Values = Readonly<Record<string, string>>;

export const MAX_COLUMNS = 500;
export const MAX_STATS = 20;

async function rowsOf(
  client: Clickhouse,
  question: {
    readonly database: string;
    readonly sql: string;
    readonly values: Values;
    readonly limit: number;
  },
  signal: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly more: boolean }> {
  const { columns, rows, cut } = await query(client, { ...question, timeoutMs: MAX_QUERY_MS }, signal);
  return {
    rows: rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]]))),
    more: cut !== null,
  };
}

const DATABASE = `
SELECT d.engine AS engine, d.comment AS comment, toUInt32(count(t.name)) AS tables,
  toInt64(sum(ifNull(t.total_rows, 0))) AS rows, toInt64(sum(ifNull(t.total_bytes, 0))) AS bytes
FROM system.databases AS d LEFT JOIN system.tables AS t ON t.database = d.name
WHERE d.name = {database:String} GROUP BY d.engine, d.comment`;

/** What is known of a database; a missing one is `not_found`. */
export async function describeDatabase(
  client: Clickhouse,
  database: string,
  signal: AbortSignal,
): Promise<Row> {
  const question = { database, sql: DATABASE, values: { database }, limit: 1 };
  const { rows } = await rowsOf(client, question, signal);
  const [row] = rows;
  if (row === undefined)
    throw new ToolFault("not_found", "the database does not exist, or the account cannot see it");
  return row;
}

const CHOSEN = `
FROM system.tables WHERE database = {database:String} AND NOT is_temporary
  AND name LIKE {pattern:String} AND ({engine:String} = '' OR engine = {engine:String})`;
const TABLES = `
SELECT name, engine, toInt64(total_rows) AS rows, toInt64(total_bytes) AS bytes, comment
${CHOSEN} AND name > {after:String} ORDER BY name`;
const TABLE_COUNT = `SELECT count() AS total ${CHOSEN}`;

export interface TableSearch {
  readonly pattern: string | undefined;
  readonly engine: string | undefined;
  readonly after: string;
  readonly limit: number;
}

export async function listTables(
  client: Clickhouse,
  database: string,
  { limit, after, ...search }: TableSearch,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly more: boolean; readonly total: number }> {
  const chosen = { database, pattern: search.pattern ?? "%", engine: search.engine ?? "" };
  const page = { database, sql: TABLES, values: { ...chosen, after }, limit };
  const [found, counted] = await Promise.all([
    rowsOf(client, page, signal),
    rowsOf(client, { database, sql: TABLE_COUNT, values: chosen, limit: 1 }, signal),
  ]);
  return { ...found, total: Number(counted.rows[0]?.["total"] ?? 0) };
}

/** The clause alone: the whole text of an engine may name hosts of other systems. */
const TABLE = `
SELECT engine, comment, sorting_key, partition_key, primary_key, toInt64(total_rows) AS rows, toInt64(total_bytes) AS bytes,
  if(endsWith(engine, 'MergeTree'), extract(engine_full, ' TTL (.+?)(?: SETTINGS |$)'), '') AS ttl
FROM system.tables WHERE database = {database:String} AND name = {table:String}`;
const COLUMNS = `
SELECT name, type, default_kind, default_expression, compression_codec AS codec, comment, is_in_primary_key AS in_pk
FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position`;

function columnOf(row: Row): Row {
  const written = `${String(row["default_kind"])} ${String(row["default_expression"])}`.trim();
  return {
    name: row["name"],
    type: row["type"],
    ...(written === "" ? {} : { default: written }),
    ...(row["codec"] === "" ? {} : { codec: row["codec"] }),
    ...(row["comment"] === "" ? {} : { comment: row["comment"] }),
    ...(Number(row["in_pk"]) === 1 ? { in_pk: true } : {}),
  };
}

function missing(): ToolFault {
  return new ToolFault("not_found", "the database has no table of this name within reach", {
    hint: "names are case sensitive; the list of tables has them",
  });
}

export async function describeTable(
  client: Clickhouse,
  database: string,
  table: string,
  signal: AbortSignal,
): Promise<{ readonly about: Row; readonly columns: readonly Row[]; readonly more: boolean }> {
  const values = { database, table };
  const [about, columns] = await Promise.all([
    rowsOf(client, { database, sql: TABLE, values, limit: 1 }, signal),
    rowsOf(client, { database, sql: COLUMNS, values, limit: MAX_COLUMNS }, signal),
  ]);
  const [found] = about.rows;
  if (found === undefined) throw missing();
  return { about: found, columns: columns.rows.map(columnOf), more: columns.more };
}

const PARTS = `
SELECT table, toUInt32(count()) AS parts, toInt64(sum(rows)) AS rows, toInt64(sum(bytes_on_disk)) AS bytes,
  toInt64(sum(data_uncompressed_bytes)) AS uncompressed_bytes,
  round(sum(data_uncompressed_bytes) / nullIf(sum(data_compressed_bytes), 0), 2) AS compression,
  toString(min(modification_time)) AS oldest_part, toString(max(modification_time)) AS newest_part
FROM system.parts WHERE active AND database = {database:String} AND ({table:String} = '' OR table = {table:String})
GROUP BY table ORDER BY bytes DESC, table`;
const PART_COLUMNS = `
SELECT column, any(type) AS type, toInt64(sum(column_data_compressed_bytes)) AS bytes,
  toInt64(sum(column_data_uncompressed_bytes)) AS uncompressed_bytes
FROM system.parts_columns WHERE active AND database = {database:String} AND table = {table:String}
GROUP BY column ORDER BY bytes DESC, column`;

/** The largest tables, or one with its largest columns. */
export async function tableStats(
  client: Clickhouse,
  database: string,
  table: string | undefined,
  signal: AbortSignal,
): Promise<{
  readonly tables: readonly Row[];
  readonly columns: readonly Row[] | undefined;
  readonly more: boolean;
}> {
  const values = { database, table: table ?? "" };
  const { rows, more } = await rowsOf(client, { database, sql: PARTS, values, limit: MAX_STATS }, signal);
  if (table === undefined) return { tables: rows, columns: undefined, more };
  if (rows.length === 0) {
    const { about } = await describeTable(client, database, table, signal);
    throw new ToolFault(
      "invalid_argument",
      `${String(about["engine"])} keeps no parts, or the table is empty`,
    );
  }
  const largest = await rowsOf(client, { database, sql: PART_COLUMNS, values, limit: MAX_STATS }, signal);
  return { tables: rows, columns: largest.rows, more: largest.more };
}
