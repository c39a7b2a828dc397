import { defineComponent, integer } from "#contract";

export default defineComponent({
  type: "temporal",
  summary: "Temporal, a workflow engine.",
  group: "backend",
  port: 7233,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: { ui_port: integer({ doc: "Port of the web interface.", min: 1, max: 65535, default: 8080 }) },
  mcp: "never",
});
