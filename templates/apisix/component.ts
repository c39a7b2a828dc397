import { defineComponent, integer } from "#contract";

export default defineComponent({
  type: "apisix",
  summary: "Apache APISIX, an API gateway.",
  group: "gateway",
  port: 80,
  host: "apisix-gateway.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: { admin_port: integer({ doc: "Port of the admin API.", min: 1, max: 65535, default: 9180 }) },
  secrets: { admin_key: { doc: "Key of the admin API." } },
  mcp: "never",
});
