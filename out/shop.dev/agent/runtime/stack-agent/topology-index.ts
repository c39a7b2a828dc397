import type { ComponentData, EndData, LinkData, SubComponentData, TopologyData } from "./topology-data.ts";

/** One end of a link, resolved. */
export interface Place {
  readonly node: Node;
  readonly sub: SubComponentData | null;
}

/** What a query answers with: plain JSON. */
export type AnswerRow = Readonly<Record<string, unknown>>;

/** A component with the links that start and end at it or at one of its sub-components, in link order. */
export interface Node {
  readonly component: ComponentData;
  /** The component as it is listed; shared by all answers and frozen, so that its text can be kept. */
  readonly row: AnswerRow;
  readonly out: LinkData[];
  readonly in: LinkData[];
}

export interface TopologyIndex {
  readonly data: TopologyData;
  readonly nodes: readonly Node[];
  readonly byName: ReadonlyMap<string, Node>;
  readonly byType: ReadonlyMap<string, readonly Node[]>;
  readonly byNamespace: ReadonlyMap<string, readonly Node[]>;
  readonly byGroup: ReadonlyMap<string, readonly Node[]>;
}

function addTo(groups: Map<string, Node[]>, key: string, node: Node): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [node]);
  else group.push(node);
}

function nodeNamed(byName: ReadonlyMap<string, Node>, name: string): Node {
  const node = byName.get(name);
  if (node === undefined) throw new Error(`topology data names "${name}", which is not among its components`);
  return node;
}

/** One pass over components and one over links; everything derived further is made when a query asks for it. */
export function buildIndex(data: TopologyData): TopologyIndex {
  const nodes: Node[] = [];
  const byName = new Map<string, Node>();
  const byType = new Map<string, Node[]>();
  const byNamespace = new Map<string, Node[]>();
  const byGroup = new Map<string, Node[]>();
  for (const component of data.components) {
    const { name, type, namespace, group } = component;
    const node: Node = { component, row: Object.freeze({ name, type, namespace, group }), out: [], in: [] };
    nodes.push(node);
    byName.set(name, node);
    addTo(byType, type, node);
    if (namespace !== "") addTo(byNamespace, namespace, node);
    addTo(byGroup, group, node);
  }
  for (const link of data.links) {
    nodeNamed(byName, link.from.component).out.push(link);
    nodeNamed(byName, link.to.component).in.push(link);
  }
  return { data, nodes, byName, byType, byNamespace, byGroup };
}

export function placeOf(index: TopologyIndex, end: EndData): Place {
  const node = nodeNamed(index.byName, end.component);
  return { node, sub: end.sub === null ? null : (node.component.subs[end.sub] ?? null) };
}
