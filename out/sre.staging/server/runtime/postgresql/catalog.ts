/** What the server's catalogs say about tables. Only what the account may read is shown. */
import { ToolFault } from "#runtime/fault";
import { rowsOf } from "#runtime/postgresql/statement";
import type { Connection, Row } from "#runtime/postgresql/statement";

export type Kind = "table" | "view" | "matview" | "all";
const RELKINDS: Readonly<Record<Kind, readonly string[]>> = {
  table: ["r", "p", "f"],
  view: ["v"],
  matview: ["m"],
  all: ["r", "p", "f", "v", "m"],
};

/** Schemas of the link: the drawn ones, or all but the system's. `$1` is the list, empty for none drawn. */
const IN_REACH = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (pg_catalog.cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[]))
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')`;

const DATABASE = `
SELECT d.datname AS database, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
  pg_catalog.pg_database_size(d.oid)::float8 AS size_bytes
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`;

export async function describeDatabase(connection: Connection): Promise<Row> {
  const [row] = await rowsOf(connection, DATABASE);
  return row ?? {};
}

const TABLES = `
SELECT n.nspname AS schema, c.relname AS name,
  CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' ELSE 'table' END AS kind,
  CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::float8 END AS est_rows,
  pg_catalog.pg_total_relation_size(c.oid)::float8 AS size_bytes,
  pg_catalog."left"(pg_catalog.obj_description(c.oid, 'pg_class'), 200) AS comment
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ${IN_REACH} AND c.relkind = ANY ($2::"char"[])
  AND ($3::text IS NULL OR n.nspname = $3) AND ($4::text IS NULL OR c.relname LIKE $4)
  AND (n.nspname, c.relname) > ($5::text, $6::text)
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C" LIMIT $7`;

export interface TableSearch {
  readonly schema?: string;
  readonly pattern?: string;
  readonly kind: Kind;
  /** Schema and name of the last table of the page before. */
  readonly after: readonly [string, string];
  readonly limit: number;
}

/** One more than `limit`, so that the caller knows whether there are more. */
export async function listTables(
  connection: Connection,
  schemas: readonly string[],
  search: TableSearch,
): Promise<readonly Row[]> {
  const { schema = null, pattern = null, kind, after, limit } = search;
  return await rowsOf(connection, TABLES, [schemas, RELKINDS[kind], schema, pattern, ...after, limit + 1]);
}

const FIND = `
SELECT c.oid::pg_catalog.int8 AS oid, c.relkind AS relkind, pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ${IN_REACH} AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname = $2 AND c.relname = $3`;

const COLUMNS = `
SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
  pg_catalog."left"(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 200) AS "default",
  NULLIF(a.attidentity, '') AS identity, NULLIF(a.attgenerated, '') AS generated,
  pg_catalog."left"(pg_catalog.col_description(a.attrelid, a.attnum), 200) AS comment
FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attnum LIMIT $2`;

const CONSTRAINTS = `
SELECT conname AS name, CASE contype WHEN 'p' THEN 'primary key' WHEN 'f' THEN 'foreign key' WHEN 'u' THEN 'unique'
    WHEN 'c' THEN 'check' ELSE 'exclusion' END AS kind, pg_catalog.pg_get_constraintdef(oid) AS definition,
  (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
   FROM pg_catalog.unnest(conkey) WITH ORDINALITY AS k(attnum, place)
   JOIN pg_catalog.pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.attnum) AS columns
FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype IN ('p', 'f', 'u', 'c', 'x')
ORDER BY contype, conname COLLATE "C" LIMIT $2`;

const INDEXES = `
SELECT i.relname AS name, x.indisunique AS "unique", x.indisvalid AS valid,
  pg_catalog.pg_get_indexdef(x.indexrelid) AS definition,
  pg_catalog.pg_relation_size(x.indexrelid)::float8 AS size_bytes
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = $1 ORDER BY i.relname COLLATE "C" LIMIT $2`;

const TRIGGERS = `
SELECT tgname AS name, tgenabled <> 'D' AS enabled, pg_catalog.pg_get_triggerdef(oid) AS definition
FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal ORDER BY tgname COLLATE "C" LIMIT $2`;

const VIEW = `SELECT pg_catalog."left"(pg_catalog.pg_get_viewdef($1::pg_catalog.oid), 8000) AS definition`;

/** Of columns, and of each other list in a description. */
export const MAX_PARTS = 300;

/** Values that are absent say nothing, so they are left out: most columns have no default, comment or identity. */
function present(rows: readonly Row[]): readonly Row[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)));
}

async function partsOf(connection: Connection, sql: string, oid: unknown): Promise<readonly Row[]> {
  return present(await rowsOf(connection, sql, [oid, MAX_PARTS]));
}

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** Throws `not_found` for a relation that is not there, outside the link's schemas or not readable. */
export async function describeTable(
  connection: Connection,
  schemas: readonly string[],
  { schema, table }: TableName,
  detail: "summary" | "full",
): Promise<Row> {
  const [found] = await rowsOf(connection, FIND, [schemas, schema, table]);
  if (found === undefined) {
    throw new ToolFault("not_found", `there is no readable table ${schema}.${table}`, {
      hint: "list the tables first",
    });
  }
  const oid = found["oid"];
  const constraints = await partsOf(connection, CONSTRAINTS, oid);
  const ofKind = (kind: string): readonly Row[] => constraints.filter((row) => row["kind"] === kind);
  const summary = {
    schema,
    name: table,
    comment: found["comment"],
    columns: await partsOf(connection, COLUMNS, oid),
    primary_key: ofKind("primary key")[0]?.["columns"] ?? null,
    foreign_keys: ofKind("foreign key"),
    indexes: await partsOf(connection, INDEXES, oid),
  };
  if (detail === "summary") return summary;
  const isView = found["relkind"] === "v" || found["relkind"] === "m";
  return {
    ...summary,
    constraints: constraints.filter((row) => row["kind"] !== "primary key" && row["kind"] !== "foreign key"),
    triggers: await partsOf(connection, TRIGGERS, oid),
    ...(isView ? { definition: (await rowsOf(connection, VIEW, [oid]))[0]?.["definition"] } : {}),
  };
}

export type StatsOrder = "dead_rows" | "size" | "seq_scan" | "last_vacuum";
const ORDERS: Readonly<Record<StatsOrder, string>> = {
  dead_rows: "s.n_dead_tup DESC",
  size: "pg_catalog.pg_total_relation_size(s.relid) DESC",
  seq_scan: "s.seq_scan DESC",
  last_vacuum: "GREATEST(s.last_vacuum, s.last_autovacuum) ASC NULLS FIRST",
};

function statsSql(order: StatsOrder): string {
  return `
SELECT s.schemaname AS schema, s.relname AS name, s.n_live_tup::float8 AS live_rows, s.n_dead_tup::float8 AS dead_rows,
  pg_catalog.round(100.0 * s.n_dead_tup / GREATEST(s.n_live_tup + s.n_dead_tup, 1), 1)::float8 AS dead_percent,
  s.seq_scan::float8 AS seq_scan, s.idx_scan::float8 AS idx_scan,
  pg_catalog.pg_relation_size(s.relid)::float8 AS table_bytes, pg_catalog.pg_indexes_size(s.relid)::float8 AS index_bytes,
  pg_catalog.pg_total_relation_size(s.relid)::float8 AS total_bytes,
  pg_catalog.to_json(GREATEST(s.last_vacuum, s.last_autovacuum)) AS last_vacuum,
  pg_catalog.to_json(GREATEST(s.last_analyze, s.last_autoanalyze)) AS last_analyze
FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ${IN_REACH} AND ($2::text IS NULL OR s.schemaname = $2)
ORDER BY ${ORDERS[order]}, s.schemaname COLLATE "C", s.relname COLLATE "C" LIMIT $3`;
}

/** One more than `limit`, so that the caller knows whether there are more. */
export async function tableStats(
  connection: Connection,
  schemas: readonly string[],
  search: { readonly schema?: string; readonly order_by: StatsOrder; readonly limit: number },
): Promise<readonly Row[]> {
  const { schema = null, order_by, limit } = search;
  return await rowsOf(connection, statsSql(order_by), [schemas, schema, limit + 1]);
}
