import { defineComponent, text } from "#contract";

export default defineComponent({
  type: "gateway_api",
  summary: "A Gateway of the Kubernetes Gateway API.",
  group: "gateway",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: {
    class: text({ doc: "GatewayClass that implements the gateway." }),
    listener: text({ doc: "Name of the listener that routes attach to.", default: "https" }),
  },
  mcp: "never",
});
