import type { Connection } from "mysql2";
import { ToolFault } from "#runtime/fault";
import { rowsOf } from "#runtime/mysql/statement";
import type { Row } from "#runtime/mysql/statement";

/** Columns, indexes and foreign keys of one table that are shown. */
export const MAX_PARTS = 200;
const MAX_CREATE = 16_384;

const NUMBERS = /_(rows|bytes)$|^(tables|auto_increment)$/;

/** Counters come as text where they could be too large for a number. */
function plain(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      NUMBERS.test(name) && value !== null ? Number(value) : value,
    ]),
  );
}

export async function describeDatabase(connection: Connection, database: string): Promise<Row> {
  const [row] = await rowsOf(
    connection,
    "SELECT COUNT(*) AS tables, COALESCE(SUM(data_length + index_length), 0) AS size_bytes FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
    [database],
  );
  return plain(row ?? {});
}

export interface TableSearch {
  readonly pattern?: string;
  readonly kind: "table" | "view" | "all";
  readonly after: string;
  readonly limit: number;
}

/** One row more than `limit`, in the order of their names as bytes, which no collation changes. */
export async function listTables(
  connection: Connection,
  database: string,
  { pattern, kind, after, limit }: TableSearch,
): Promise<readonly Row[]> {
  const types = { table: "= 'BASE TABLE'", view: "LIKE '%VIEW'", all: "IS NOT NULL" }[kind];
  const rows = await rowsOf(
    connection,
    `SELECT table_name AS name, IF(table_type = 'BASE TABLE', 'table', 'view') AS kind, engine AS engine,
      table_rows AS est_rows, data_length + index_length AS size_bytes, LEFT(table_comment, 300) AS comment
    FROM information_schema.tables
    WHERE table_schema = ? AND table_type ${types} AND CAST(table_name AS BINARY) > CAST(? AS BINARY) AND table_name LIKE ?
    ORDER BY CAST(table_name AS BINARY) LIMIT ${limit + 1}`,
    [database, after, pattern ?? "%"],
  );
  return rows.map(plain);
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** How a table was made; of a view the account may not know. */
async function creationOf(connection: Connection, database: string, table: string): Promise<string | null> {
  try {
    const [row] = await rowsOf(connection, `SHOW CREATE TABLE ${quoted(database)}.${quoted(table)}`);
    return String(row?.["Create Table"] ?? row?.["Create View"] ?? "").slice(0, MAX_CREATE);
  } catch (error) {
    if (error instanceof Error && [1142, 1227].includes(Number(Reflect.get(error, "errno")))) return null;
    throw error;
  }
}

interface IndexPart {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: string[];
}

function indexesOf(rows: readonly Row[]): readonly IndexPart[] {
  const indexes = new Map<string, IndexPart>();
  for (const row of rows) {
    const name = String(row["name"]);
    const index = indexes.get(name) ?? { name, unique: Number(row["non_unique"]) === 0, columns: [] };
    index.columns.push(String(row["column_name"] ?? "(expression)"));
    indexes.set(name, index);
  }
  return [...indexes.values()];
}

export async function describeTable(
  connection: Connection,
  database: string,
  table: string,
  detail: "summary" | "full",
): Promise<Row> {
  const place = [database, table];
  const [about] = await rowsOf(
    connection,
    "SELECT table_name AS name, IF(table_type = 'BASE TABLE', 'table', 'view') AS kind, engine AS engine, LEFT(table_comment, 300) AS comment FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
    place,
  );
  if (about === undefined)
    throw new ToolFault("not_found", "there is no such table in this database", {
      hint: "look the name up with the tool that lists tables",
    });
  const columns = await rowsOf(
    connection,
    `SELECT column_name AS name, column_type AS type, is_nullable = 'YES' AS nullable, LEFT(column_default, 200) AS \`default\`,
      NULLIF(extra, '') AS extra, NULLIF(LEFT(column_comment, 200), '') AS comment
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position LIMIT ${MAX_PARTS}`,
    place,
  );
  const parts = await rowsOf(
    connection,
    `SELECT index_name AS name, non_unique AS non_unique, column_name AS column_name
    FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? ORDER BY index_name, seq_in_index LIMIT ${MAX_PARTS}`,
    place,
  );
  const foreign = await rowsOf(
    connection,
    `SELECT constraint_name AS name, column_name AS \`column\`, referenced_table_name AS references_table, referenced_column_name AS references_column
    FROM information_schema.key_column_usage
    WHERE table_schema = ? AND table_name = ? AND referenced_table_name IS NOT NULL ORDER BY constraint_name, ordinal_position LIMIT ${MAX_PARTS}`,
    place,
  );
  const indexes = indexesOf(parts);
  return {
    ...about,
    columns: columns.map((column) => ({ ...column, nullable: Number(column["nullable"]) === 1 })),
    primary_key: indexes.find(({ name }) => name === "PRIMARY")?.columns ?? [],
    indexes: indexes.filter(({ name }) => name !== "PRIMARY"),
    foreign_keys: foreign,
    ...(detail === "full" ? { create: await creationOf(connection, database, table) } : {}),
  };
}

const ORDERS = {
  size: "data_length + index_length DESC",
  rows: "table_rows DESC",
  free: "data_free DESC",
  updated: "update_time DESC",
} as const;
export type StatsOrder = keyof typeof ORDERS;

/** One row more than `limit`. The figures are the engine's estimates. */
export async function tableStats(
  connection: Connection,
  database: string,
  order: StatsOrder,
  limit: number,
): Promise<readonly Row[]> {
  const rows = await rowsOf(
    connection,
    `SELECT table_name AS name, engine AS engine, table_rows AS est_rows, data_length AS data_bytes, index_length AS index_bytes,
      data_free AS free_bytes, auto_increment AS auto_increment, create_time AS created_at, update_time AS updated_at
    FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'
    ORDER BY ${ORDERS[order]}, table_name LIMIT ${limit + 1}`,
    [database],
  );
  return rows.map(plain);
}

/**
 * What is changed in a table that knows no transactions stays changed, so that neither a dry run nor a wrong count
 * could take it back.
 */
export async function demandTransactions(connection: Connection, database: string): Promise<void> {
  const rows = await rowsOf(
    connection,
    "SELECT table_name AS name FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE table_schema = ? AND table_type = 'BASE TABLE' AND COALESCE(e.transactions, 'NO') <> 'YES' ORDER BY table_name LIMIT 4",
    [database],
  );
  if (rows.length === 0) return;
  const names = rows.slice(0, 3).map((row) => String(row["name"]));
  throw new ToolFault(
    "denied",
    `the database holds tables that know no transactions (${names.join(", ")}${rows.length > 3 ? ", ..." : ""}), so a change could not be taken back`,
    { hint: "their engine would have to be InnoDB" },
  );
}
