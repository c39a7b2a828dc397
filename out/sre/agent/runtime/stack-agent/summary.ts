import type { Node, TopologyIndex } from "./topology-index.ts";

type Counts = Readonly<Record<string, number>>;

/** The stack at a glance: what there is, and how much of it. */
export interface StackSummary {
  readonly stack: string;
  readonly environment: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  readonly components: number;
  readonly sub_components: number;
  readonly links: number;
  readonly types: Counts;
  readonly namespaces: Counts;
  readonly groups: Counts;
  /** Components of other stacks. */
  readonly external: readonly string[];
  /** What AI reaches, by component: the access word that was drawn. */
  readonly reached: Readonly<Record<string, string>>;
}

function counts(groups: ReadonlyMap<string, readonly Node[]>): Counts {
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, nodes]) => [name, nodes.length]));
}

export function stackSummary(index: TopologyIndex): StackSummary {
  const { data, nodes } = index;
  return {
    stack: data.stack,
    environment: data.environment ?? "base",
    description: data.description,
    owner: data.owner,
    domain: data.domain,
    components: nodes.length,
    sub_components: nodes.reduce((sum, { component }) => sum + component.subs.length, 0),
    links: data.links.length,
    types: counts(index.byType),
    namespaces: counts(index.byNamespace),
    groups: counts(index.byGroup),
    external: nodes
      .filter(({ component }) => component.external !== null)
      .map(({ component }) => component.name),
    reached: Object.fromEntries(data.reach.map(({ component, access }) => [component, access])),
  };
}
