import { defineComponent } from "#contract";

export default defineComponent({
  type: "tempo",
  summary: "Grafana Tempo, a store of traces.",
  group: "monitoring",
  port: 3200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  mcp: "later",
});
