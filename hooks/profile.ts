import { defineHook, factsOf } from "#hook";
import type surfaceHook from "./surface.ts";

/** The inventory of the stack by category: what exists, and what of it AI reaches through which tools. */
export default defineHook({
  name: "profile",
  after: ["surface"],
  derive: (topology, facts) => {
    const { tools } = factsOf<typeof surfaceHook>(facts, "surface");
    const reached = new Map(topology.mcpLinks.map((link) => [link.component.name, link]));
    const entries = topology.components.map((component) => {
      const link = reached.get(component.name);
      const own =
        link === undefined ? [] : tools.filter((tool) => tool.link === link.id).map(({ name }) => name);
      return {
        group: component.group,
        entry: { name: component.name, type: component.type, access: link?.access ?? null, tools: own },
      };
    });
    const groups = [...new Set(entries.map(({ group }) => group))].sort();
    return {
      version: 1,
      stack: topology.stack,
      environment: topology.environment,
      domain: topology.domain,
      categories: Object.fromEntries(
        groups.map((group) => [
          group,
          entries.filter((each) => each.group === group).map(({ entry }) => entry),
        ]),
      ),
    };
  },
});
