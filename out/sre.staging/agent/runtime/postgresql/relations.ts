/** Which relations and settings a statement may read. System relations are listed: most show more than a schema. */
import { ToolFault } from "#runtime/fault";

const CATALOGS = new Set([
  "pg_am",
  "pg_attrdef",
  "pg_attribute",
  "pg_class",
  "pg_collation",
  "pg_constraint",
  "pg_depend",
  "pg_description",
  "pg_enum",
  "pg_index",
  "pg_indexes",
  "pg_inherits",
  "pg_matviews",
  "pg_namespace",
  "pg_operator",
  "pg_opclass",
  "pg_partitioned_table",
  "pg_sequence",
  "pg_sequences",
  "pg_stat_all_indexes",
  "pg_stat_all_tables",
  "pg_stat_user_indexes",
  "pg_stat_user_tables",
  "pg_statio_user_indexes",
  "pg_statio_user_tables",
  "pg_stats",
  "pg_tables",
  "pg_trigger",
  "pg_type",
  "pg_views",
]);
const INFORMATION = new Set([
  "check_constraints",
  "column_domain_usage",
  "column_udt_usage",
  "columns",
  "constraint_column_usage",
  "constraint_table_usage",
  "domains",
  "element_types",
  "key_column_usage",
  "referential_constraints",
  "schemata",
  "sequences",
  "table_constraints",
  "tables",
  "triggers",
  "views",
]);
const SETTINGS = new Set([
  "block_size",
  "bytea_output",
  "client_encoding",
  "datestyle",
  "default_statistics_target",
  "effective_cache_size",
  "idle_in_transaction_session_timeout",
  "intervalstyle",
  "lc_collate",
  "lc_ctype",
  "lock_timeout",
  "max_connections",
  "max_identifier_length",
  "random_page_cost",
  "search_path",
  "server_encoding",
  "server_version",
  "server_version_num",
  "shared_buffers",
  "standard_conforming_strings",
  "statement_timeout",
  "temp_file_limit",
  "timezone",
  "transaction_isolation",
  "transaction_read_only",
  "work_mem",
]);

function denied(message: string, hint: string): ToolFault {
  return new ToolFault("denied", message, { hint });
}

/** Refuses a relation of another database, of the system unless it is listed, or outside the drawn schemas. */
export function checkRelation(node: Readonly<Record<string, unknown>>, schemas: readonly string[]): void {
  const name = String(node["relname"]);
  const written = typeof node["schemaname"] === "string" ? node["schemaname"] : undefined;
  if (node["catalogname"] !== undefined)
    throw denied("a relation of another database is out of reach", "leave the database's name out");
  const schema = written ?? (name.startsWith("pg_") ? "pg_catalog" : undefined);
  if (schema === "pg_catalog" && CATALOGS.has(name)) return;
  if (schema === "information_schema" && INFORMATION.has(name)) return;
  if (schema === "information_schema" || schema?.startsWith("pg_") === true) {
    throw denied(
      `the system relation ${name} is not readable through this link`,
      "information_schema.columns, .tables and pg_indexes are",
    );
  }
  if (schema !== undefined && schemas.length > 0 && !schemas.includes(schema)) {
    throw denied(`the schema ${schema} is outside this link`, `drawn schemas: ${schemas.join(", ")}`);
  }
}

/** Refuses SHOW of anything but plain settings: many others hold paths, hosts or an application's secrets. */
export function checkSetting(name: string): void {
  if (SETTINGS.has(name.toLowerCase())) return;
  throw denied(`the setting ${name} may not be shown`, `settings that may: ${[...SETTINGS].join(", ")}`);
}
