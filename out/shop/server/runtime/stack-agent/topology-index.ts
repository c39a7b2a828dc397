import type { ComponentData, EndData, LinkData, SubComponentData, TopologyData } from "./topology-data.ts";

/** One end of a link, resolved. */
export interface Place {
  readonly node: Node;
  readonly sub: SubComponentData | null;
}

/** What a query answers with: plain JSON. */
export type AnswerRow = Readonly<Record<string, unknown>>;

/** A link with both of its ends resolved. */
export interface Edge {
  readonly link: LinkData;
  readonly from: Place;
  readonly to: Place;
}

/** A component with the links that start and end at it or at one of its sub-components, in link order. */
export interface Node {
  readonly component: ComponentData;
  /** The component as it is listed; shared by all answers and frozen, so that its text can be kept. */
  readonly row: AnswerRow;
  /** The component itself, none of its sub-components. */
  readonly whole: Place;
  readonly out: Edge[];
  readonly in: Edge[];
  /** Its links as a query of this component lists them; shared and frozen like `row`. */
  readonly linksTo: AnswerRow[];
  /** The same without those of the MCP server. */
  readonly linksFrom: AnswerRow[];
}

/** The built-in component that the tools themselves belong to. */
export const MCP = "mcp";

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

/** A link as it is listed for the component at its near end. */
export function linkRow(link: LinkData, near: Place, far: Place): AnswerRow {
  const shown: Record<string, unknown> = { link: link.name, component: far.node.component.name };
  if (far.sub !== null) shown["sub"] = far.sub.name;
  if (near.sub !== null) shown["via"] = near.sub.name;
  if (link.access !== null) shown["access"] = link.access;
  return Object.freeze(shown);
}

function newNode(component: ComponentData): Node {
  const { name, type, namespace, group } = component;
  const row = Object.freeze({ name, type, namespace, group });
  const whole: { node: Node; sub: null } = { node: undefined as never, sub: null };
  const node: Node = { component, row, whole, out: [], in: [], linksTo: [], linksFrom: [] };
  whole.node = node;
  return node;
}

function placeIn(byName: ReadonlyMap<string, Node>, end: EndData): Place {
  const node = nodeNamed(byName, end.component);
  return end.sub === null ? node.whole : { node, sub: node.component.subs[end.sub] ?? null };
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
    const node = newNode(component);
    nodes.push(node);
    byName.set(name, node);
    addTo(byType, type, node);
    if (namespace !== "") addTo(byNamespace, namespace, node);
    addTo(byGroup, group, node);
  }
  for (const link of data.links) {
    const edge: Edge = { link, from: placeIn(byName, link.from), to: placeIn(byName, link.to) };
    edge.from.node.out.push(edge);
    edge.to.node.in.push(edge);
    edge.from.node.linksTo.push(linkRow(link, edge.from, edge.to));
    if (link.from.component !== MCP) edge.to.node.linksFrom.push(linkRow(link, edge.to, edge.from));
  }
  return { data, nodes, byName, byType, byNamespace, byGroup };
}

export function placeOf(index: TopologyIndex, end: EndData): Place {
  return placeIn(index.byName, end);
}
