import { defineComponent, httpCommands, integer } from "#contract";

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
  commands: httpCommands({
    paths: "^/(_cluster/health|_cat/(health|nodes|indices|shards))?$",
    checks: ["curl -skf http://{host}:{port}/_cluster/health"],
  }),
} as const;

export default [
  defineComponent({ ...shape, type: "opensearch", summary: "OpenSearch, a search engine." }),
  defineComponent({ ...shape, type: "elasticsearch", summary: "Elasticsearch, a search engine." }),
];
