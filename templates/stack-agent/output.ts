import { defineOutput } from "#hook";

/** `topology.json`, which the topology tools read; only a server with a link to the stack agent has it. */
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
        ]
      : [],
});
