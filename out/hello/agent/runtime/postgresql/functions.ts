/** Which functions a statement may call: these rules need no server; `names.ts` asks the server about the rest. */

interface Denied {
  readonly names: RegExp;
  readonly because: string;
}

const DENIED: readonly Denied[] = [
  { names: /^pg_sleep/, because: "waits" },
  {
    names:
      /^(set_config|current_setting|setseed|pg_reload_conf|pg_conf|pg_config|pg_show_all_|pg_hba_|pg_ident_)/,
    because: "reads or changes settings",
  },
  {
    names: /^pg_(try_)?advisory|^pg_lock_status$|^pg_(safe_snapshot_)?blocking_pids$|^pg_isolation_test/,
    because: "takes or shows locks",
  },
  {
    names:
      /^pg_(notify|terminate_|cancel_|log_|promote|rotate_|backup_|(start|stop)_backup|listening_|notification_)/,
    because: "signals other sessions",
  },
  {
    names:
      /^pg_(read_|ls_|stat_file$|current_logfile|file_|logdir_|logfile|tablespace_location|relation_file|filenode_|sync)/,
    because: "reaches files of the server",
  },
  { names: /^lo(_.*|read|write)?$/, because: "handles large objects" },
  {
    names: /^(dblink|postgres_fdw_|http_|http$|net_|plv8|pg_net|aws_|oracle_)/,
    because: "reaches another system",
  },
  {
    names:
      /^(query|table|schema|database|cursor)_to_xml|^(ts_stat|ts_rewrite|connectby|xpath_table)$|^crosstab/,
    because: "runs SQL from a text",
  },
  { names: /^(nextval|setval|currval|lastval)$|^pg_sequence_/, because: "uses a sequence" },
  {
    names:
      /^pg_(logical_|switch_|wal|create_|drop_|copy_|current_wal|last_wal|last_xact|last_committed|get_wal|get_replication|show_replication|sync_replication)|replication|^pg_xlog/,
    because: "concerns replication",
  },
  {
    names: /^pg_stat.*_reset|^pg_stat_(reset|clear|force|have)|^pg_stat_statements/,
    because: "handles statistics of the whole server",
  },
  {
    names:
      /^pg_stat_get_(activity|backend_|wal_senders|wal_receiver|progress|subscription|ssl)|^inet_(server|client)_|^pg_(cursor|prepared_|get_backend_memory|get_shmem|get_aios|stat_get_backend)/,
    because: "shows other sessions or addresses",
  },
  {
    names: /^pg_get_function(def|_sqlbody)$|^pg_tablespace_databases$/,
    because: "shows code or places of the server",
  },
  {
    names: /^txid_|^pg_(current_xact|xact_|export_snapshot|current_snapshot|control_)/,
    because: "concerns transaction ids",
  },
  {
    names:
      /^(binary_upgrade_|brin_|gin_clean|heap_force|bt_index_|bt_page|get_raw_page|pgstat(tuple|index)|pg_(import_|extension_config|event_trigger|prewarm|autoprewarm|buffercache|visibility|truncate_vis|nextoid|execute_|terminate|upgrade_|restore_))/,
    because: "is for administrators",
  },
];

/** Volatile functions that only compute a value or measure a size. */
export const HARMLESS_VOLATILE: readonly string[] = [
  "clock_timestamp",
  "gen_random_bytes",
  "gen_random_uuid",
  "gen_salt",
  "pg_database_size",
  "pg_indexes_size",
  "pg_is_in_recovery",
  "pg_partition_ancestors",
  "pg_partition_tree",
  "pg_relation_size",
  "pg_table_size",
  "pg_total_relation_size",
  "random",
  "random_normal",
  "timeofday",
  "uuid_generate_v1",
  "uuid_generate_v1mc",
  "uuid_generate_v4",
  "uuidv4",
  "uuidv7",
];

/** Extensions whose types, operators and non-volatile functions only compute. */
export const COMPUTING_EXTENSIONS: readonly string[] = [
  "btree_gin",
  "btree_gist",
  "citext",
  "cube",
  "earthdistance",
  "fuzzystrmatch",
  "h3",
  "hstore",
  "intarray",
  "isn",
  "ltree",
  "pg_trgm",
  "pgcrypto",
  "postgis",
  "postgis_raster",
  "postgis_sfcgal",
  "postgis_topology",
  "seg",
  "timescaledb",
  "unaccent",
  "uuid-ossp",
  "vector",
];

/** Why a function may not be called, whatever schema it is in; `undefined` when only the server can tell. */
export function deniedFunction(name: string): string | undefined {
  return DENIED.find((rule) => rule.names.test(name))?.because;
}
