import { defineComponent, integer } from "#contract";

const shape = {
  group: "search",
  port: 9200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  secrets: { admin_password: { doc: "Password of the administrator." } },
  subComponents: {
    indices: {
      kind: "index",
      doc: "Indices of the cluster.",
      attributes: { shards: integer({ doc: "Primary shards.", min: 1 }) },
    },
  },
  access: ["read", "write", "readwrite"],
  mcp: "later",
} as const;

export default [
  defineComponent({ ...shape, type: "opensearch", summary: "OpenSearch, a search engine." }),
  defineComponent({ ...shape, type: "elasticsearch", summary: "Elasticsearch, a search engine." }),
];
