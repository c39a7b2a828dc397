import { defineComponent } from "#contract";

export default defineComponent({
  type: "jaeger",
  summary: "Jaeger, a store of traces.",
  group: "monitoring",
  port: 16686,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  mcp: "never",
});
