import { defineComponent, httpCommands, text } from "#contract";

export default defineComponent({
  type: "loki",
  summary: "Grafana Loki, a store of logs.",
  group: "monitoring",
  port: 3100,
  host: "{name}-gateway.{namespace}.svc.{cluster_domain}",
  attributes: {
    username: text({ doc: "User of clients that log in." }),
    tenant: text({ doc: "Tenant whose logs are read.", pattern: "^[A-Za-z0-9!_.*'()-]{1,150}$" }),
  },
  secrets: { password: { doc: "Password of clients that log in." } },
  mcp: "later",
  commands: httpCommands({
    paths:
      "^/(ready|metrics|loki/api/v1/(labels|label/[\\w.-]+/values|query|query_range|series|status/buildinfo))?$",
    checks: ["curl -sf http://{host}:{port}/ready"],
  }),
});
