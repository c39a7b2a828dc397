import { defineOutput, factsOf } from "#hook";
import type { LinkModule, Topology } from "#hook";
import type registryHook from "../../hooks/registry.ts";

interface Row {
  readonly name: string;
  readonly value: string;
}

/** The variables of every link that are not secret, then its write flag. */
function rowsOf(links: readonly LinkModule[], flags: Readonly<Record<string, boolean>>): readonly Row[] {
  const settings = links.flatMap(({ family, environment, link }) =>
    family.settings(link).map(({ name, value }): Row => ({ name: `${environment}_${name}`, value })),
  );
  const gates = Object.entries(flags).map(([name, drawn]): Row => ({ name, value: String(drawn) }));
  return [...settings, ...gates].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namespaceOf(topology: Topology): string {
  return topology.components.find((component) => component.type === "fastmcp")?.namespace ?? topology.stack;
}

export default defineOutput({
  name: "kubernetes",
  files: (topology, facts, generation) => {
    const { flags } = factsOf<typeof registryHook>(facts, "registry");
    const view = {
      name: `${topology.stack}-mcp`,
      stack: topology.stack,
      namespace: namespaceOf(topology),
      rows: rowsOf(generation.links, flags),
    };
    return [
      { kind: "rendered", path: "k8s/configmap.yaml", from: "templates/kubernetes/configmap.yaml.hbs", view },
    ];
  },
});
