import { choice, defineComponent, httpCommands, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 3200}${String(attributes["path"] ?? "")}`;
}

export default defineComponent<typeof module>({
  type: "tempo",
  summary: "Grafana Tempo, a store of traces.",
  group: "monitoring",
  port: 3200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /api, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
    tenant: text({ doc: "Tenant whose traces are read.", pattern: "^[A-Za-z0-9!_.*'()-]{1,150}$" }),
  },
  mcp: "tools",
  testedOn: ["fake of the vendor's API 2.9 behind nginx 1.22"],
  commands: httpCommands({
    paths: "^/(ready|status|metrics|api/echo)?$",
    checks: ["curl -sf http://{host}:{port}/ready"],
  }),
  tools: {
    prefix: "tempo",
    service: "TEMPO",
    slots: () => ({}),
    settings: (link) => [
      { name: "URL", value: urlOf(link) },
      { name: "TENANT", value: String(link.component.attributes["tenant"] ?? "") },
    ],
    credentials: () => [
      { name: "USER", doc: "User of the proxy in front of the server.", optional: true },
      { name: "PASSWORD", doc: "Password of that user.", optional: true },
      { name: "TOKEN", doc: "Bearer token, in place of user and password.", optional: true },
    ],
  },
});
