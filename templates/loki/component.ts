import { choice, defineComponent, httpCommands, integer, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 3100}${String(attributes["path"] ?? "")}`;
}

export default defineComponent<typeof module>({
  type: "loki",
  summary: "Grafana Loki, a store of logs.",
  group: "monitoring",
  port: 3100,
  host: "{name}-gateway.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /loki/api/v1, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
    pod_port: integer({
      doc: "Port of the pods behind the service, when it is not the service's own: 8080 for the chart's gateway.",
      min: 1,
      max: 65_535,
    }),
    username: text({ doc: "User of clients that log in." }),
    tenant: text({ doc: "Tenant whose logs are read.", pattern: "^[A-Za-z0-9!_.*'()-]{1,150}$" }),
  },
  secrets: { password: { doc: "Password of clients that log in." } },
  mcp: "tools",
  testedOn: [
    "Loki 1.6.1 behind nginx 1.22",
    "fake of the vendor's API 3.7 for the amount that a query reads",
  ],
  commands: httpCommands({
    paths:
      "^/(ready|metrics|loki/api/v1/(labels|label/[\\w.-]+/values|query|query_range|series|status/buildinfo))?$",
    checks: ["curl -sf http://{host}:{port}/ready"],
  }),
  tools: {
    prefix: "loki",
    service: "LOKI",
    slots: () => ({}),
    settings: (link) => [
      { name: "URL", value: urlOf(link) },
      { name: "TENANT", value: String(link.component.attributes["tenant"] ?? "") },
    ],
    credentials: () => [
      { name: "USER", doc: "User of the gateway in front of the server.", optional: true },
      { name: "PASSWORD", doc: "Password of that user.", optional: true },
      { name: "TOKEN", doc: "Bearer token, in place of user and password.", optional: true },
    ],
    ports: ({ component }) => [Number(component.attributes["pod_port"] ?? component.port ?? 3100)],
    playbooks: {
      logs: {
        tool: "loki_query_range",
        how: 'with a selector of the component\'s labels and a filter such as |= "error", shape=patterns first',
      },
    },
  },
});
