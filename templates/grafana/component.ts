import { choice, defineComponent, httpCommands, integer, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

/** Where the server is, as its account's commands need it too. */
export function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 3000}${String(attributes["path"] ?? "")}`;
}

export default defineComponent<typeof module>({
  type: "grafana",
  summary: "Grafana: dashboards and alerts.",
  group: "monitoring",
  port: 3000,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /api, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
    org_id: integer({ doc: "Number of the organisation that the token belongs to.", min: 1, default: 1 }),
  },
  secrets: {
    admin_password: { doc: "Password of the administrator." },
    api_token: { doc: "Token of a service account." },
  },
  mcp: "tools",
  testedOn: ["fake of the vendor's API 12.0"],
  commands: httpCommands({
    paths: "^/(api/health|healthz|metrics)?$",
    checks: ["curl -sf http://{host}:{port}/api/health"],
  }),
  tools: {
    prefix: "grafana",
    service: "GRAFANA",
    slots: () => ({}),
    settings: (link) => [
      { name: "URL", value: urlOf(link) },
      { name: "ORG_ID", value: String(link.component.attributes["org_id"] ?? 1) },
    ],
    credentials: () => [{ name: "TOKEN", doc: "Token of the link's own service account.", issued: true }],
    playbooks: {
      alerts: {
        tool: "grafana_get_alerts",
        how: "to see which of Grafana's own rules fire, fail or have no data",
      },
    },
  },
});
