import { defineComponent } from "#contract";
import type * as module from "./tools.ts";

/** The rules of this very server, for AI to read before it acts. Nothing outside of the process is asked. */
export default defineComponent<typeof module>({
  type: "governance",
  summary:
    "The rules for calls that are drawn under components.mcp.rules, and what they would say about a call.",
  group: "ai",
  port: null,
  host: null,
  podLabels: {},
  builtin: "governance",
  attributes: {},
  mcp: "tools",
  tools: {
    prefix: "governance",
    service: "GOVERNANCE",
    libraries: ["@marcbachmann/cel-js"],
    slots: (_link, { stack, environment, ruleSets }) => ({
      stack: { name: stack, env: environment },
      files: ruleSets.map(({ layer, name }) => `rules/${name === layer ? layer : `${layer}-${name}`}.yaml`),
    }),
    settings: () => [],
    credentials: () => [],
    ports: () => [],
  },
});
