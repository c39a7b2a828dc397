import { defineComponent } from "#contract";
import type * as module from "./tools.ts";

export const stackAgent = defineComponent<typeof module>({
  type: "stack_agent",
  summary: "The drawing itself as a database: components, links and variables, without any secret.",
  group: "ai",
  port: 8090,
  host: "{stack}-agent.{namespace}.svc.{cluster_domain}",
  podLabels: { "app.kubernetes.io/name": "{stack}-agent" },
  builtin: "stack_agent",
  attributes: {},
  mcp: "tools",
  tools: {
    prefix: "stack_agent",
    service: "AGENT",
    slots: () => ({}),
    settings: ({ component: { host, port } }) => [
      { name: "URL", value: `http://${host ?? ""}:${port ?? ""}` },
    ],
    credentials: () => [
      {
        name: "TOKEN",
        doc: "Token that the server sends to the stack agent, and only it.",
        key: true,
        conditional: true,
      },
    ],
  },
});
