/** The link table that the product was conceived with: what drawing a link gives, by the name of the component. */

interface Row {
  /** Exactly these tools read. */
  readonly reads: readonly string[];
  /** These are there besides, once the link is drawn for writing and the flag is true. */
  readonly writes: readonly string[];
}

const names = (prefix: string, list: string): readonly string[] =>
  list.split(" ").map((name) => (prefix === "" ? name : `${prefix}_${name}`));

export const LINK_TABLE: Readonly<Record<string, Row>> = {
  stack_agent: {
    reads: names(
      "",
      "query_topology run_test list_components get_stack_structure get_available_fields get_component_links get_environment_profile",
    ),
    writes: [],
  },
  cnpg: {
    // Health is not in the table.
    reads: names("cnpg", "list_databases query table_stats describe_table list_tables health"),
    writes: ["cnpg_execute"],
  },
  prometheus: {
    reads: names("prom", "query query_range alerts targets rules label_values series"),
    writes: [],
  },
  grafana: {
    reads: names("grafana", "list_dashboards get_dashboard list_datasources get_alerts list_folders"),
    writes: ["grafana_create_annotation"],
  },
  loki: { reads: names("loki", "query query_range labels label_values series"), writes: [] },
  clickhouse: {
    reads: names("ch", "list_databases list_tables describe_table query table_stats"),
    writes: ["ch_insert_rows"],
  },
  /** The table says queues and messages, and no names. */
  rabbitmq: {
    reads: names(
      "rabbitmq",
      "overview list_queues queue_info list_exchanges list_bindings list_consumers list_connections node_health",
    ),
    writes: names("rabbitmq", "peek_messages publish purge_queue"),
  },
  valkey: {
    reads: names("valkey", "info dbsize scan_keys get type_and_ttl hgetall"),
    writes: names("valkey", "set delete"),
  },
  argo_cd: {
    reads: names(
      "argocd",
      "list_applications get_application get_app_resources list_projects get_app_events",
    ),
    writes: ["argocd_sync_application"],
  },
  seaweedfs: {
    reads: names("s3", "list_buckets list_objects get_object read_text bucket_stats"),
    writes: names("s3", "put_text delete_object"),
  },
  /** The table says tools for the operations of the backend: those of the document that the live service serves. */
  fastapi: {
    reads: names(
      "fastapi",
      "flood_bytes flood_list flood_text get_broken get_echo get_file get_item get_name get_slow go_away health health_health_get list_items list_operations",
    ),
    writes: names("fastapi", "create_item delete_item"),
  },
};
