import type { Link, SubComponent, Topology } from "../model/topology.ts";

const indexes = new WeakMap<Topology["links"], ReadonlyMap<string, readonly Link[]>>();

/** Links by the component that they lead to: a large drawing has thousands, and every target asks. */
function linksTo({ links }: Topology, component: string): readonly Link[] {
  let index = indexes.get(links);
  if (index === undefined) {
    const grouped = new Map<string, Link[]>();
    for (const link of links) {
      const others = grouped.get(link.to.component.name);
      if (others === undefined) grouped.set(link.to.component.name, [link]);
      else others.push(link);
    }
    index = grouped;
    indexes.set(links, index);
  }
  return index.get(component) ?? [];
}

/** Names of the components with a drawn link to a sub-component, other than the server itself; sorted. */
export function consumersOf(topology: Topology, component: string, sub: SubComponent): readonly string[] {
  const users = linksTo(topology, component)
    .filter(
      ({ from, to }) => to.sub?.name === sub.name && to.sub.kind === sub.kind && !from.component.builtin,
    )
    .map(({ from }) => from.component.name);
  return [...new Set(users)].sort();
}
