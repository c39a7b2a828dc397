import { defineComponent, text } from "#contract";

export default defineComponent({
  type: "gateway",
  summary: "Any other gateway in front of the system.",
  group: "gateway",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: { tech: text({ doc: "Product that does it." }) },
  mcp: "never",
});
