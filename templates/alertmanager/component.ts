import { defineComponent, httpCommands } from "#contract";

export default defineComponent({
  type: "alertmanager",
  summary: "Prometheus Alertmanager: groups, silences and routes alerts.",
  group: "monitoring",
  port: 9093,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  mcp: "later",
  commands: httpCommands({
    paths: "^/(-/(healthy|ready)|api/v2/(status|alerts|silences)|metrics)?$",
    checks: ["curl -sf http://{host}:{port}/-/ready"],
  }),
});
