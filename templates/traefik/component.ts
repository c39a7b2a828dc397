import { defineComponent } from "#contract";

export default defineComponent({
  type: "traefik",
  summary: "Traefik, a reverse proxy.",
  group: "gateway",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: {},
  mcp: "never",
});
