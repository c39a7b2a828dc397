import { choice, defineComponent, httpCommands, text } from "#contract";
import type { McpLink, Topology } from "#contract";
import type * as module from "./tools.ts";

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 9093}${String(attributes["path"] ?? "")}`;
}

/** What a label of an alert can name in the drawing. */
function namesOf({ components }: Topology): readonly string[] {
  const names = components.flatMap(({ name, namespace }) => [name, namespace]);
  return [...new Set(names.filter((name) => name !== ""))].sort();
}

export default defineComponent<typeof module>({
  type: "alertmanager",
  summary: "Prometheus Alertmanager: groups, silences and routes alerts.",
  group: "monitoring",
  port: 9093,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /api/v2, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
  },
  access: ["read", "write"],
  mcp: "tools",
  testedOn: ["Alertmanager 0.25.0 behind nginx 1.22"],
  commands: httpCommands({
    // Not the status: it shows the whole configuration, with the addresses that alerts are sent to.
    paths: "^/(-/(healthy|ready)|api/v2/(alerts|silences)|metrics)?$",
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
    prefix: "am",
    service: "ALERTMANAGER",
    slots: (_link, topology) => ({ drawnNames: namesOf(topology) }),
    settings: (link) => [{ name: "URL", value: urlOf(link) }],
    credentials: () => [
      { name: "USER", doc: "User of the proxy in front of the server.", optional: true },
      { name: "PASSWORD", doc: "Password of that user.", optional: true },
      { name: "TOKEN", doc: "Bearer token, in place of user and password.", optional: true },
    ],
    playbooks: {
      alerts: { tool: "am_list_alerts", how: "to see what is sent out now, and what is silenced" },
    },
  },
});
