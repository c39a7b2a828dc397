import { choice, defineComponent, httpCommands, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 9090}${String(attributes["path"] ?? "")}`;
}

export default defineComponent<typeof module>({
  type: "prometheus",
  summary: "Prometheus: metrics, alerts and the rules that make them.",
  group: "monitoring",
  port: 9090,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /api/v1, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
  },
  mcp: "tools",
  testedOn: ["Prometheus 2.42 behind nginx 1.22"],
  commands: httpCommands({
    paths: "^(?!.*/(debug|admin)/)",
    logins: [
      { flag: "-u", written: "^\\{username\\}:\\{password\\}$" },
      { flag: "-H", written: "^Authorization: Bearer \\{token\\}$" },
    ],
    accounts: () => [
      {
        variables: {
          username: { name: "USER" },
          password: { name: "PASSWORD", secret: true },
          token: { name: "TOKEN", secret: true },
        },
      },
    ],
    checks: ["curl -sf http://{host}:{port}/-/ready"],
  }),
  tools: {
    prefix: "prom",
    service: "PROMETHEUS",
    slots: () => ({}),
    settings: (link) => [{ name: "URL", value: urlOf(link) }],
    credentials: () => [
      { name: "USER", doc: "User of the proxy in front of the server.", optional: true },
      { name: "PASSWORD", doc: "Password of that user.", optional: true },
      { name: "TOKEN", doc: "Bearer token, in place of user and password.", optional: true },
    ],
    playbooks: {
      alerts: { tool: "prom_alerts", how: "to see what fires now, and since when" },
      metrics: {
        tool: "prom_query_range",
        how: "with a query on the component's own series, such as up, its errors and its latencies, over the time in question",
      },
    },
  },
});
