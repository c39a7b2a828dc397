import { defineComponent, httpCommands } from "#contract";

export default defineComponent({
  type: "tempo",
  summary: "Grafana Tempo, a store of traces.",
  group: "monitoring",
  port: 3200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  mcp: "later",
  commands: httpCommands({
    paths: "^/(ready|status|metrics|api/echo)?$",
    checks: ["curl -sf http://{host}:{port}/ready"],
  }),
});
