import { defineComponent, integer } from "#contract";

export default defineComponent({
  type: "otel",
  summary: "OpenTelemetry collector.",
  group: "monitoring",
  port: 4317,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: { http_port: integer({ doc: "Port for OTLP over HTTP.", min: 1, max: 65535, default: 4318 }) },
  mcp: "never",
});
