import { defineComponent } from "#contract";
import type * as module from "./tools.ts";

export const stackAgent = defineComponent<typeof module>({
  type: "stack_agent",
  summary: "The drawing itself as a database: components, links and variables, without any secret.",
  group: "ai",
  port: 8000,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  builtin: "stack_agent",
  attributes: {},
  mcp: "tools",
  tools: {
    prefix: "stack_agent",
    service: "AGENT",
    slots: () => ({}),
    settings: () => [],
    credentials: () => [],
    ports: () => [],
  },
});
