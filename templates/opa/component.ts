import { defineComponent } from "#contract";

export default defineComponent({
  type: "opa",
  summary: "Open Policy Agent: answers policy questions.",
  group: "governance",
  port: 8181,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  mcp: "never",
});
