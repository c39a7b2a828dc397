import { defineComponent } from "#contract";

export default defineComponent({
  type: "nginx",
  summary: "nginx as a reverse proxy.",
  group: "gateway",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: {},
  mcp: "never",
});
