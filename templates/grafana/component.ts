import { defineComponent, httpCommands } from "#contract";

export default defineComponent({
  type: "grafana",
  summary: "Grafana: dashboards and alerts.",
  group: "monitoring",
  port: 3000,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  secrets: {
    admin_password: { doc: "Password of the administrator." },
    api_token: { doc: "Token of a service account." },
  },
  mcp: "later",
  commands: httpCommands({
    paths: "^/(api/health|healthz|metrics)?$",
    checks: ["curl -sf http://{host}:{port}/api/health"],
  }),
});
