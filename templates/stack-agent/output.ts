import { defineOutput } from "#hook";

/**
 * `topology.json` and `commands.json`, which the topology tools read; only a server with a link to the stack agent
 * has them.
 */
export default defineOutput({
  name: "stack-agent",
  files: (_topology, facts, generation) =>
    generation.links.some(({ link }) => link.component.type === "stack_agent")
      ? [
          {
            kind: "data",
            path: "server/topology.json",
            from: "hooks/topology-metadata.ts",
            json: facts["topology-metadata"] as object,
            layout: "rows",
          },
          {
            kind: "data",
            path: "server/commands.json",
            from: "hooks/commands.ts",
            json: facts["commands"] as object,
            layout: "rows",
          },
        ]
      : [],
});
