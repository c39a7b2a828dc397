/** The real server behind each row, with data, the emitted account, and arguments for every tool. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { vi } from "vitest";
import { newKey } from "../../harness/emitted.ts";
import { emitPrincipals } from "../../harness/principals.ts";
import { stackOf as argoStackOf, startArgo } from "../../../templates/argo-cd/live.ts";
import { seed as seedArgo } from "../../../templates/argo-cd/live-data.ts";
import { READER, WRITER, startClickhouse } from "../../../templates/clickhouse/live.ts";
import { WRITES, startProxy } from "../../../templates/fastapi/live.ts";
import { makeAccount, stackOf as grafanaStackOf } from "../../../templates/grafana/fake-account.ts";
import { startFakeGrafana } from "../../../templates/grafana/fake-grafana.ts";
import { TENANT } from "../../../templates/loki/live.ts";
import { administrator } from "../../../templates/postgresql/live.ts";
import { put, seed, startBroker } from "../../../templates/rabbitmq/live.ts";
import { ask, stackOf, startStore } from "../../../templates/seaweedfs/live.ts";
import { startAccountProxy } from "../account-proxy.ts";
import { freePort, startLive } from "../server.ts";

const reason = "shown by the live suite";

export interface Running {
  stack(word: "read" | "write"): string;
  /** Files beside the stack file. */
  readonly documents?: Readonly<Record<string, string>>;
  /** The environment of the emitted server; `folder` is the output of the stack that is drawn for writing. */
  environment(folder: string): Promise<Readonly<Record<string, string>>>;
  /** In this order. */
  readonly calls: Readonly<Record<string, Record<string, unknown>>>;
  /** What the server's edition keeps from the account, and the tool says so. */
  readonly denied?: string;
  /** A read tool's call that finds something once the server is as far. */
  readonly ready?: readonly [tool: string, args: Record<string, unknown>];
  stop(): Promise<void>;
}

export interface Row {
  /** The live suite whose `live.sh` starts the server, and what that needs to know. */
  readonly server: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly isFake?: true;
  readonly start: () => Promise<Running>;
}

const drawn = (component: string, link: string): string => `apiVersion: topology/v1
stack: stack
components: {${component}}
links: {mcp: {${link}}}
`;

/** Applies the emitted README of the link word for word. */
async function applyAccount(
  type: string,
  stack: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const principals = await emitPrincipals(stack);
  try {
    principals.apply(type, variables);
  } finally {
    principals.remove();
  }
}

async function startDatabase(): Promise<{ port: number; stop(): Promise<void> }> {
  const server = await startLive("postgresql");
  for (const [database, statements] of [
    ["postgres", ["CREATE ROLE app_owner", "CREATE DATABASE app OWNER app_owner"]],
    [
      "app",
      [
        "CREATE TABLE orders (id int PRIMARY KEY, status text)",
        "INSERT INTO orders VALUES (1, 'open'), (2, 'paid')",
      ],
    ],
  ] as const) {
    const client = await administrator(server.port, database);
    for (const statement of statements) await client.query(statement);
    await client.end();
  }
  return server;
}

const superuser = { PGUSER: "postgres", PGPASSWORD: "postgres" };

async function cnpg(): Promise<Running> {
  const server = await startDatabase();
  const keys = { MCP_CNPG_APP_PASSWORD: newKey(), MCP_CNPG_APP_RW_PASSWORD: newKey() };
  const stack = (word: string): string =>
    drawn(
      `cnpg: {host: 127.0.0.1, port: ${server.port}, databases: {app: {username: app_owner}}}`,
      `cnpg: ${word}`,
    );
  await applyAccount("cnpg", stack("write"), { ...superuser, ...keys });
  const database = "app";
  return {
    stack,
    environment: async () => ({ ...keys, MCP_CNPG_SSLMODE: "disable" }),
    calls: {
      cnpg_list_databases: {},
      cnpg_list_tables: { database },
      cnpg_describe_table: { database, table: "orders" },
      cnpg_table_stats: { database },
      cnpg_query: { database, sql: "SELECT status, count(*)::int FROM orders GROUP BY 1" },
      cnpg_health: { database },
      cnpg_execute: {
        database,
        sql: "UPDATE orders SET status = 'paid' WHERE id = 1",
        expected_rows: 1,
        dry_run: false,
        reason,
      },
    },
    stop: server.stop,
  };
}

async function stackAgent(): Promise<Running> {
  const server = await startDatabase();
  const key = newKey();
  const stack = (): string =>
    drawn(
      `cnpg: {host: 127.0.0.1, port: ${server.port}, databases: {app: {username: app_owner}}}`,
      "stack_agent: read, cnpg: read",
    );
  await applyAccount("cnpg", stack(), { ...superuser, MCP_CNPG_APP_PASSWORD: key });
  const component = "cnpg";
  return {
    stack,
    environment: async () => ({ MCP_CNPG_APP_PASSWORD: key, MCP_CNPG_SSLMODE: "disable" }),
    calls: {
      query_topology: { source: "type:cnpg", target: "sub_components" },
      run_test: {
        source: component,
        target: "sub_components",
        command: 'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
      },
      list_components: {},
      get_stack_structure: {},
      get_available_fields: { component },
      get_component_links: { component },
      get_environment_profile: {},
    },
    stop: server.stop,
  };
}

async function prometheus(): Promise<Running> {
  const server = await startLive("prometheus");
  const key = newKey();
  const proxy = await startAccountProxy("prometheus", `port: ${server.port}`, key);
  return {
    stack: () => drawn(`prometheus: {host: 127.0.0.1, port: ${proxy.port}}`, "prometheus: read"),
    environment: async () => ({
      MCP_PROMETHEUS_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_PROMETHEUS_USER: "mcp_prometheus",
      MCP_PROMETHEUS_PASSWORD: key,
    }),
    ready: ["prom_query", { query: "up" }],
    calls: {
      prom_query: { query: "up" },
      prom_query_range: { query: "up" },
      prom_alerts: {},
      prom_targets: {},
      prom_rules: {},
      prom_label_values: { label: "job" },
      prom_series: { match: ["up"] },
    },
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}

async function loki(): Promise<Running> {
  const server = await startLive("loki", { GRPC_PORT: String(await freePort()) });
  const url = `http://127.0.0.1:${server.port}`;
  const ok = async (path: string, init?: RequestInit): Promise<void> => {
    const answer = await fetch(`${url}${path}`, init);
    if (!answer.ok) throw new Error(`Loki: ${answer.status} ${await answer.text()}`);
  };
  await vi.waitFor(async () => await ok("/ready"), { timeout: 60_000, interval: 500 });
  const values = [[`${Date.now() - 60_000}000000`, "payment refused"]];
  await ok("/loki/api/v1/push", {
    method: "POST",
    headers: { "content-type": "application/json", "x-scope-orgid": TENANT },
    body: JSON.stringify({ streams: [{ stream: { app: "api", level: "error" }, values }] }),
  });
  const key = newKey();
  const proxy = await startAccountProxy("loki", `port: ${server.port}, tenant: ${TENANT}`, key);
  return {
    stack: () => drawn(`loki: {host: 127.0.0.1, port: ${proxy.port}, tenant: ${TENANT}}`, "loki: read"),
    environment: async () => ({ MCP_LOKI_USER: "mcp_loki", MCP_LOKI_PASSWORD: key }),
    ready: ["loki_query_range", { query: '{app="api"}' }],
    calls: {
      loki_query: { query: 'sum by (level) (count_over_time({app="api"}[1h]))' },
      loki_query_range: { query: '{app="api"}' },
      loki_labels: {},
      loki_label_values: { label: "app" },
      loki_series: { match: ['{app="api"}'] },
    },
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}

async function clickhouse(): Promise<Running> {
  const live = await startClickhouse();
  const database = "events";
  return {
    stack: (word) =>
      drawn(
        `clickhouse: {host: 127.0.0.1, port: ${live.server.port}, databases: {events: {tables: [notes]}, shop: {database: shop_prod}}}`,
        `clickhouse: {only: {events: ${word}, shop: read}}`,
      ),
    environment: async () => ({
      MCP_CLICKHOUSE_URL: `http://127.0.0.1:${live.server.port}`,
      MCP_CLICKHOUSE_PASSWORD: READER.password,
      MCP_CLICKHOUSE_RW_PASSWORD: WRITER.password,
    }),
    calls: {
      ch_list_databases: {},
      ch_list_tables: { database },
      ch_describe_table: { database, table: "visits" },
      ch_query: { database, sql: "SELECT page, count() AS n FROM visits GROUP BY page" },
      ch_table_stats: { database },
      ch_insert_rows: { database, table: "notes", rows: [{ id: 1, text: "one" }], reason },
    },
    stop: live.stop,
  };
}

async function rabbitmq(): Promise<Running> {
  const broker = await startBroker();
  await seed(broker);
  await put(broker, "/", "emails", "one");
  const key = { MCP_RABBITMQ_PASSWORD: newKey() };
  const stack = (word: string): string =>
    drawn(
      `rabbitmq: {host: 127.0.0.1, port: ${broker.port}, queues: {emails: {}, invoices: {queue: billing.invoices, vhost: shop}}, exchanges: {events: {kind: topic}}}`,
      `rabbitmq: ${word}`,
    );
  await applyAccount("rabbitmq", stack("write"), { ...broker.environment, ...key });
  const queue = "emails";
  return {
    stack,
    environment: async () => ({ ...key, MCP_RABBITMQ_URL: `http://127.0.0.1:${broker.port}` }),
    calls: {
      rabbitmq_overview: {},
      rabbitmq_list_queues: { vhost: "/" },
      rabbitmq_queue_info: { queue },
      rabbitmq_list_exchanges: { vhost: "/" },
      rabbitmq_list_bindings: { queue },
      rabbitmq_list_consumers: { vhost: "/" },
      rabbitmq_list_connections: { vhost: "/" },
      rabbitmq_node_health: {},
      rabbitmq_publish: { queue, payload: "two", reason },
      rabbitmq_peek_messages: { queue, count: 2, reason },
      rabbitmq_purge_queue: { queue, confirm: queue, reason },
    },
    stop: broker.stop,
  };
}

async function valkey(): Promise<Running> {
  const server = await startLive("valkey");
  const redis = (...args: readonly string[]): void => {
    const run = spawnSync("redis-cli", ["-p", String(server.port), ...args], { encoding: "utf8" });
    if (run.status !== 0 || run.stdout.startsWith("ERR")) throw new Error(run.stdout + run.stderr);
  };
  const administrators = newKey();
  redis("ACL", "SETUSER", "admin", "on", `>${administrators}`, "~*", "&*", "+@all");
  redis("SET", "session:1", "hello");
  redis("HSET", "session:hash", "field", "value");
  const key = { MCP_VALKEY_PASSWORD: newKey() };
  const stack = (word: string): string =>
    drawn(`valkey: {host: 127.0.0.1, port: ${server.port}, keyspaces: [session]}`, `valkey: ${word}`);
  await applyAccount("valkey", stack("write"), { ...key, REDISCLI_AUTH: administrators });
  return {
    stack,
    environment: async () => key,
    calls: {
      valkey_info: {},
      valkey_dbsize: {},
      valkey_scan_keys: { pattern: "session:*" },
      valkey_get: { key: "session:1" },
      valkey_type_and_ttl: { key: "session:1" },
      valkey_hgetall: { key: "session:hash" },
      valkey_set: { key: "session:2", value: "set", ttl_s: 60, reason },
      valkey_delete: { keys: ["session:2"], reason },
    },
    stop: server.stop,
  };
}

async function argoCd(): Promise<Running> {
  const argo = await startArgo();
  seedArgo(argo);
  const { port } = argo.server;
  const token = await argo.accountOf(argoStackOf(port), "stack-mcp");
  const name = "shop";
  return {
    stack: (word) => argoStackOf(port).replace("shop: write", `shop: ${word}`),
    environment: async () => ({ MCP_ARGOCD_TOKEN: token, MCP_ARGOCD_URL: `http://127.0.0.1:${port}` }),
    ready: ["argocd_get_app_resources", { name }],
    calls: {
      argocd_list_applications: {},
      argocd_get_application: { name },
      argocd_get_app_resources: { name },
      argocd_list_projects: {},
      argocd_get_app_events: { name },
      argocd_sync_application: { name, dry_run: false, reason },
    },
    stop: argo.stop,
  };
}

/** No Grafana of today may be built here, see `templates/grafana`: the one row without a real server. */
async function fakeGrafana(): Promise<Running> {
  const rule = { name: "TooManyErrors", state: "firing", health: "ok", query: "x", alerts: [] };
  const administrators = newKey();
  const content = {
    folders: [{ uid: "team", title: "Team" }],
    dashboards: [
      {
        uid: "shop",
        title: "Shop overview",
        tags: [],
        folder: "team",
        model: { panels: [{ id: 1, title: "Orders", type: "stat" }] },
      },
    ],
    datasources: [{ uid: "metrics", name: "Metrics", type: "prometheus" }],
    groups: [{ name: "errors", file: "Team", folderUid: "team", rules: [rule] }],
  };
  const fake = await startFakeGrafana(content, administrators);
  const { emitted, token } = await makeAccount(grafanaStackOf(fake.port, "write"), administrators);
  emitted.remove();
  return {
    stack: (word) => grafanaStackOf(fake.port, word),
    environment: async () => ({
      MCP_GRAFANA_TOKEN: token,
      MCP_GRAFANA_URL: `http://127.0.0.1:${fake.port}`,
    }),
    calls: {
      grafana_list_dashboards: {},
      grafana_get_dashboard: { uid: "shop", view: "panels" },
      grafana_list_datasources: {},
      grafana_get_alerts: {},
      grafana_list_folders: {},
      grafana_create_annotation: { text: "deployed", tags: ["deploy"], reason },
    },
    denied: "grafana_list_datasources",
    stop: fake.stop,
  };
}

async function seaweedfs(): Promise<Running> {
  const store = await startStore("seaweedfs");
  const { port } = store.server;
  const { status, text } = await ask(port, store.administrator, "PUT", "/invoices/2024/a.txt", {
    body: "paid",
  });
  if (status !== 200) throw new Error(`the store took nothing: ${text}`);
  const object = { bucket: "invoices", key: "2024/a.txt" };
  const written = { bucket: "invoices", key: "ai/summary.md", reason };
  return {
    stack: (word) => stackOf("seaweedfs", port).replace("invoices: write", `invoices: ${word}`),
    environment: async () => store.environment,
    calls: {
      s3_list_buckets: {},
      s3_list_objects: { bucket: "invoices" },
      s3_get_object: object,
      s3_read_text: object,
      s3_bucket_stats: { bucket: "invoices" },
      s3_put_text: { ...written, body: "# summary\n" },
      s3_delete_object: written,
    },
    stop: store.stop,
  };
}

async function fastapi(): Promise<Running> {
  const key = newKey();
  const service = await startLive("fastapi", { API_KEY: key });
  const answer = await fetch(`http://127.0.0.1:${service.port}/openapi.json`);
  const proxies: Awaited<ReturnType<typeof startProxy>>[] = [];
  return {
    documents: { "shop.json": await answer.text() },
    stack: (word) =>
      drawn(
        `fastapi: {host: 127.0.0.1, port: ${service.port}, openapi: shop.json}`,
        `fastapi: {access: ${word}${word === "write" ? `, tools: [${WRITES.join(", ")}]` : ""}}`,
      ),
    environment: async (folder) => {
      const conf = readFileSync(`${folder}/principals/fastapi/nginx.conf`, "utf8");
      const proxy = await startProxy({ conf, folder, remove: () => undefined });
      proxies.push(proxy);
      return { MCP_FASTAPI_API_KEY: key, MCP_FASTAPI_URL: `http://127.0.0.1:${proxy.port}` };
    },
    calls: {
      fastapi_list_operations: {},
      fastapi_health: {},
      fastapi_health_health_get: {},
      fastapi_list_items: { limit: 2 },
      fastapi_get_item: { item_id: 1 },
      fastapi_get_name: { name: "grüße" },
      fastapi_create_item: { name: "new", price: 2, dry_run: false, reason },
      fastapi_delete_item: { item_id: 26, dry_run: false, reason },
    },
    stop: async () => {
      for (const proxy of proxies) await proxy.stop();
      await service.stop();
    },
  };
}

export const ROWS: Readonly<Record<string, Row>> = {
  stack_agent: { server: "postgresql", start: stackAgent },
  cnpg: { server: "postgresql", start: cnpg },
  prometheus: { server: "prometheus", start: prometheus },
  grafana: { server: "grafana", isFake: true, start: fakeGrafana },
  loki: { server: "loki", start: loki },
  clickhouse: { server: "clickhouse", start: clickhouse },
  rabbitmq: { server: "rabbitmq", start: rabbitmq },
  valkey: { server: "valkey", start: valkey },
  argo_cd: { server: "argo-cd", start: argoCd },
  seaweedfs: { server: "seaweedfs", variables: { STORE: "seaweedfs" }, start: seaweedfs },
  fastapi: { server: "fastapi", start: fastapi },
};
