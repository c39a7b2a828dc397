import { choice, defineComponent, httpCommands, integer, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

type Index = (typeof module.indices)[number];

/** Name of the link's own account on the cluster. */
export function accountOf({ component }: McpLink): string {
  return `mcp_${component.name.replaceAll("-", "_")}`;
}

export function indicesOf({ targets }: McpLink): readonly Index[] {
  return targets.map(({ sub }) => ({ name: sub.name, pattern: String(sub.attributes["index"] ?? sub.name) }));
}

export function urlOf({ component: { host, port, attributes } }: McpLink): string {
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 9200}`;
}

const shape = {
  group: "search",
  port: 9200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the cluster is reached.", values: ["http", "https"], default: "http" }),
  },
  secrets: { admin_password: { doc: "Password of the administrator." } },
  subComponents: {
    indices: {
      kind: "index",
      doc: "Indices of the cluster.",
      attributes: {
        index: text({
          doc: "Name in the cluster, or a pattern such as logs-*.",
          pattern: "^[a-z0-9][a-z0-9_.*-]{0,127}$",
          default: "{name}",
        }),
        shards: integer({ doc: "Primary shards.", min: 1 }),
      },
    },
  },
  access: ["read", "write", "readwrite"],
  mcp: "tools",
  commands: httpCommands({
    paths: "^/(_cluster/health|_cat/(health|nodes|indices|shards))?$",
    checks: ["curl -skf http://{host}:{port}/_cluster/health"],
  }),
  tools: {
    prefix: "os",
    service: "OPENSEARCH",
    scope: "indices",
    slots: (link: McpLink) => ({ indices: indicesOf(link) }),
    settings: (link: McpLink) => [
      { name: "URL", value: urlOf(link) },
      { name: "USER", value: accountOf(link) },
    ],
    credentials: () => [{ name: "PASSWORD", doc: "Password of the link's own account on the cluster." }],
    playbooks: {
      health: {
        tool: "os_cluster_health",
        how: "to see whether the cluster is green and which shards are not there",
      },
    },
  },
} as const;

/** Two names of one interface: they share the tools and the prefix. */
export default [
  defineComponent<typeof module>({
    ...shape,
    type: "opensearch",
    summary: "OpenSearch, a search engine.",
    testedOn: ["OpenSearch 2.19.4 with its security plugin"],
  }),
  defineComponent<typeof module>({
    ...shape,
    type: "elasticsearch",
    summary: "Elasticsearch, a search engine.",
    testedOn: ["OpenSearch 2.19.4 only, whose interface is the same for these tools"],
  }),
];
