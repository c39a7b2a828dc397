import { choice, defineComponent, integer, text } from "../../generator/catalog/contract.ts";
import type { ComponentType, ToolFamily } from "../../generator/catalog/contract.ts";
import { compileValidators } from "../../generator/load/compile-validators.ts";
import { loadStack } from "../../generator/load/load.ts";
import type { LoadInput, LoadResult } from "../../generator/load/load.ts";

const HOST = "{name}.{namespace}.svc.{cluster_domain}";
const DATABASES = {
  databases: {
    kind: "database",
    doc: "Databases.",
    attributes: {
      database: text({ doc: "Name on the server.", default: "{name}" }),
      username: text({ doc: "Owner." }),
    },
    secrets: { password: { doc: "Password of the owner." } },
  },
};

function family(prefix: string, service: string, more: Partial<ToolFamily> = {}): ToolFamily {
  return {
    prefix,
    service,
    slots: () => ({}),
    settings: () => [{ name: "HOST", value: "" }],
    credentials: () => [],
    ...more,
  };
}

const postgres = {
  group: "databases",
  port: 5432,
  secrets: { admin_password: { doc: "Password of the administrator." } },
  subComponents: DATABASES,
  access: ["read", "write", "readwrite", "owner"],
  mcp: "tools",
} as const;

const object = { group: "storage", port: 80, host: HOST, attributes: {}, mcp: "tools" } as const;

/** One type for every rule of the grammar, so that its tests do not depend on what the catalog holds today. */
const TYPES: readonly ComponentType[] = [
  defineComponent({
    type: "fastmcp",
    summary: "The server.",
    group: "ai",
    port: 8080,
    host: HOST,
    builtin: "mcp",
    mcp: "never",
    attributes: {
      framework: choice({ doc: "Library.", values: ["sdk", "fastmcp"], default: "sdk" }),
      replicas: integer({ doc: "Pods.", min: 1, default: 1 }),
      state: text({ doc: "Shared state.", componentOf: ["valkey"] }),
    },
  }),
  defineComponent({
    type: "stack_agent",
    summary: "The drawing.",
    group: "ai",
    port: 8000,
    host: HOST,
    builtin: "stack_agent",
    attributes: {},
    mcp: "tools",
    tools: family("stack_agent", "STACK_AGENT"),
  }),
  defineComponent({
    ...postgres,
    type: "postgresql",
    summary: "PostgreSQL.",
    host: HOST,
    attributes: {},
    tools: family("pg", "POSTGRESQL", { scope: "databases" }),
  }),
  defineComponent({
    ...postgres,
    type: "cnpg",
    summary: "CloudNativePG.",
    host: "{cluster}-rw.{namespace}.svc.{cluster_domain}",
    attributes: {
      cluster: text({ doc: "Cluster.", default: "cluster-{namespace}" }),
      instances: integer({ doc: "Pods." }),
    },
    podLabels: { "cnpg.io/cluster": "{cluster}" },
    tools: family("pg", "CNPG", { scope: "databases", ownPrefix: "cnpg" }),
  }),
  defineComponent({
    type: "valkey",
    summary: "Valkey.",
    group: "cache",
    port: 6379,
    host: HOST,
    attributes: {},
    access: ["read", "readwrite"],
    mcp: "tools",
    tools: family("valkey", "VALKEY"),
  }),
  defineComponent({ ...object, type: "minio", summary: "MinIO.", tools: family("s3", "S3") }),
  defineComponent({ ...object, type: "s3", summary: "S3.", tools: family("s3", "S3") }),
  defineComponent({
    type: "kafka",
    summary: "Kafka.",
    group: "messaging",
    port: 9092,
    host: HOST,
    attributes: {},
    subComponents: {
      topics: { kind: "topic", doc: "Topics.", attributes: { partitions: integer({ doc: "Partitions." }) } },
    },
    access: ["produce", "consume", "both"],
    mcp: "later",
  }),
  defineComponent({
    type: "rabbitmq",
    summary: "RabbitMQ.",
    group: "messaging",
    port: 5672,
    host: HOST,
    attributes: {},
    subComponents: {
      queues: { kind: "queue", doc: "Queues.", attributes: {} },
      exchanges: { kind: "exchange", doc: "Exchanges.", attributes: {} },
    },
    access: ["publish", "consume"],
    mcp: "later",
  }),
  defineComponent({
    type: "prometheus",
    summary: "Metrics.",
    group: "monitoring",
    port: 9090,
    host: HOST,
    attributes: {},
    mcp: "tools",
    tools: family("prom", "PROMETHEUS"),
  }),
  defineComponent({
    type: "apisix",
    summary: "Gateway.",
    group: "gateway",
    port: 80,
    host: HOST,
    gateway: true,
    attributes: {},
    mcp: "never",
  }),
  defineComponent({
    type: "fastapi",
    summary: "Service.",
    group: "backend",
    port: 8080,
    host: HOST,
    attributes: {},
    secrets: { api_key: { doc: "Key." } },
    mcp: "later",
  }),
];

export const smallCatalog: ReadonlyMap<string, ComponentType> = new Map(
  TYPES.map((type) => [type.type, type]),
);
const validate = compileValidators(smallCatalog);

const VALKEY_TOOLS = [
  ["valkey_get", "read"],
  ["valkey_set", "additive"],
  ["valkey_delete", "destructive"],
] as const;
const valkeyModule = {
  tools: VALKEY_TOOLS.map(([name, effect]) => ({
    name,
    effect,
    title: name,
    description: name,
    inputSchema: {},
    outputSchema: {},
    annotations: {},
  })),
};

/** Loads a stack called `demo` with the small catalog. */
export async function loadDemo(text: string, more: Partial<LoadInput> = {}): Promise<LoadResult> {
  return await loadStack({
    file: "stacks/demo.yaml",
    bytes: new TextEncoder().encode(text),
    catalog: smallCatalog,
    validate,
    neighbours: () => undefined,
    modules: new Map([["valkey", valkeyModule]]),
    ...more,
  });
}

/** `12 E-REF` for every diagnostic, in order. */
export function summary({ diagnostics }: LoadResult): readonly string[] {
  return diagnostics.map(({ at, code }) => `${at.line} ${code}`);
}
