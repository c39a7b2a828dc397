import type {
  AttributeTable,
  ComponentData,
  LinkData,
  SubComponentData,
  TopologyData,
} from "#runtime/stack-agent/topology-data";

/** The order platform of `stacks/shop.yaml`, written by hand: what the engine is expected to be given. */

const SUFFIX = "svc.cluster.local";

function sub(
  section: string,
  kind: string,
  name: string,
  attributes: AttributeTable = {},
  secrets: string[] = [],
): SubComponentData {
  return { name, kind, section, attributes, secrets };
}

function component(
  name: string,
  group: string,
  namespace: string,
  port: number | null,
  rest: Partial<ComponentData> = {},
): ComponentData {
  return {
    name,
    type: name,
    namespace,
    group,
    host: `${name}.${namespace}.${SUFFIX}`,
    port,
    external: null,
    builtin: false,
    attributes: {},
    config: {},
    secrets: [],
    subs: [],
    ...rest,
  };
}

const database = (name: string, username: string): SubComponentData =>
  sub("databases", "database", name, { database: name, username }, ["password"]);
const bucket = (name: string): SubComponentData =>
  sub("buckets", "bucket", name, { bucket: name, public: false }, ["access_key", "secret_key"]);

export const COMPONENTS: readonly ComponentData[] = [
  component("apisix", "gateway", "ingress", 80, {
    host: `apisix-gateway.ingress.${SUFFIX}`,
    attributes: { admin_port: 9180 },
    secrets: ["admin_key"],
  }),
  component("argo_cd", "delivery", "argocd", 80, {
    host: `argo-cd-server.argocd.${SUFFIX}`,
    secrets: ["api_token"],
    subs: [
      sub("applications", "application", "shop", { project: "default" }),
      sub("applications", "application", "shop-infra", { project: "default" }),
    ],
  }),
  component("clickhouse", "analytics", "analytics", 8123, {
    attributes: { native_port: 9000, username: "default" },
    secrets: ["password"],
    subs: [database("events", "events")],
  }),
  component("cnpg", "databases", "db", 5432, {
    host: `cluster-db-rw.db.${SUFFIX}`,
    attributes: { cluster: "cluster-db" },
    secrets: ["admin_password"],
    subs: [database("app_db", "app_user"), database("keycloak_db", "keycloak")],
  }),
  component("fastapi", "backend", "app", 8080, {
    attributes: { openapi: "./openapi/shop.json" },
    config: { workers: 4 },
    secrets: ["api_key"],
  }),
  component("grafana", "monitoring", "monitoring", 3000, { secrets: ["admin_password", "api_token"] }),
  component("kafka", "messaging", "kafka", 9092, {
    host: `kafka-kafka-bootstrap.kafka.${SUFFIX}`,
    secrets: ["password"],
    subs: [
      sub("topics", "topic", "orders", { partitions: 6, topic: "orders" }),
      sub("topics", "topic", "payments", { topic: "payments" }),
    ],
  }),
  component("keycloak", "identity", "auth", 8080, {
    secrets: ["admin_password"],
    subs: [sub("clients", "client", "shop-web", { realm: "shop" }, ["client_secret"])],
  }),
  component("loki", "monitoring", "monitoring", 3100, {
    host: `loki-gateway.monitoring.${SUFFIX}`,
    secrets: ["password"],
  }),
  component("mcp", "ai", "shop", 8080, {
    type: "fastmcp",
    host: `shop-mcp.shop.${SUFFIX}`,
    builtin: true,
    secrets: ["api_key"],
  }),
  component("prometheus", "monitoring", "monitoring", 9090),
  component("rabbitmq", "messaging", "messaging", 5672, {
    attributes: { management_port: 15672, vhost: "/" },
    secrets: ["password"],
    subs: [
      sub("exchanges", "exchange", "events", { kind: "topic" }),
      sub("queues", "queue", "emails", { durable: true, queue: "emails" }),
      sub("queues", "queue", "invoices", { durable: true, queue: "invoices" }),
    ],
  }),
  component("seaweedfs", "storage", "storage", 8333, {
    host: `seaweedfs-s3.storage.${SUFFIX}`,
    secrets: ["access_key", "secret_key"],
    subs: [bucket("backups"), bucket("invoices")],
  }),
  component("sre_prometheus", "monitoring", "", 9090, {
    type: "prometheus",
    host: "prometheus.sre.example.com",
    external: { stack: "sre", component: "prometheus-master" },
  }),
  component("stack_agent", "ai", "shop", 8090, {
    host: `shop-agent.shop.${SUFFIX}`,
    builtin: true,
  }),
  component("valkey", "cache", "cache", 6379, { attributes: { db: 0, tls: false }, secrets: ["password"] }),
];

/** `"fastapi"` or `"cnpg/app_db"`. */
function link(
  from: string,
  to: string,
  access: string | null = null,
  attributes: AttributeTable = {},
): LinkData {
  const [source, target] = [end(from), end(to)];
  const kind = target.sub === null ? "" : `_${target.sub.kind}`;
  return {
    id: `${from}->${to}`,
    type: `${source.of.type}-${target.of.type}${kind}`,
    name: `${source.of.name}-${target.of.name}${kind}`,
    from: { component: source.of.name, sub: source.at },
    to: { component: target.of.name, sub: target.at },
    access,
    attributes,
  };
}

function end(text: string): { of: ComponentData; sub: SubComponentData | null; at: number | null } {
  const [name = "", subName] = text.split("/");
  const of = COMPONENTS.find((candidate) => candidate.name === name);
  if (of === undefined) throw new Error(`no ${name}`);
  if (subName === undefined) return { of, sub: null, at: null };
  const at = of.subs.findIndex((candidate) => candidate.name === subName);
  return { of, sub: of.subs[at] ?? null, at };
}

const LINKS: readonly LinkData[] = [
  link("fastapi", "cnpg/app_db", "readwrite"),
  link("fastapi", "kafka/orders", "produce"),
  link("fastapi", "kafka/payments", "consume"),
  link("fastapi", "rabbitmq/emails", "publish"),
  link("fastapi", "valkey", "readwrite"),
  link("fastapi", "seaweedfs/invoices", "readwrite"),
  link("fastapi", "keycloak/shop-web"),
  link("keycloak", "cnpg/keycloak_db", "owner"),
  link("kafka/orders", "clickhouse/events", "write", { description: "sink connector" }),
  link("cnpg", "seaweedfs/backups", "write", { schedule: "0 3 * * *", retention: "30d" }),
  link("apisix", "fastapi", null, { subdomain: "api", auth: "oidc", rate_limit: "100/s" }),
  link("apisix", "grafana", null, { subdomain: "grafana" }),
  link("apisix", "keycloak", null, { subdomain: "auth" }),
  link("apisix", "mcp", null, { subdomain: "mcp", auth: "key-auth" }),
  ...["kafka", "cnpg", "fastapi"].map((to) => link("prometheus", to)),
  link("prometheus", "sre_prometheus", null, { description: "remote write" }),
  link("grafana", "prometheus"),
  link("grafana", "loki"),
  ...["stack_agent", "cnpg", "clickhouse", "kafka", "seaweedfs", "prometheus", "grafana", "loki"].map((to) =>
    link("mcp", to, "read"),
  ),
  ...["fastapi", "sre_prometheus"].map((to) => link("mcp", to, "read")),
  ...["rabbitmq", "argo_cd"].map((to) => link("mcp", to, "propose")),
  link("mcp", "valkey", "write"),
].sort((a, b) => (a.id < b.id ? -1 : 1));

export const SHOP: TopologyData = {
  stack: "shop",
  environment: null,
  description: "Order platform, one cluster, AI on call",
  owner: "team-orders",
  domain: "stack-3.source-lab.io",
  clusterDomain: "cluster.local",
  components: COMPONENTS,
  links: LINKS,
  reach: [
    {
      component: "cnpg",
      access: "read",
      narrowed: true,
      targets: [{ name: "app_db", kind: "database", access: "read" }],
      tools: ["cnpg_list_databases", "cnpg_query"],
    },
    {
      component: "valkey",
      access: "write",
      narrowed: false,
      targets: [],
      tools: ["valkey_get", "valkey_set"],
    },
  ],
  documents: [],
};
