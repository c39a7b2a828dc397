import type { Target } from "./query.ts";
import type { AttributeTable, LinkData, SubComponentData } from "./topology-data.ts";
import { MCP, linkRow } from "./topology-index.ts";
import type { AnswerRow, Node, Place, TopologyIndex } from "./topology-index.ts";
import type { Row } from "./variables.ts";

/** The rows of one component, in the order of the drawing. */
export function rowsOf(
  index: TopologyIndex,
  node: Node,
  target: Target,
  includeMcp: boolean,
): readonly Row[] {
  switch (target) {
    case "component":
    case "attributes":
      return [{ index, near: node.whole, link: null, far: null }];
    case "sub_components":
      return node.component.subs.map((sub) => ({ index, near: { node, sub }, link: null, far: null }));
    case "links_to":
      return node.out.map(({ link, from, to }) => ({ index, near: from, link, far: to }));
    case "links_from": {
      const edges = includeMcp ? node.in : node.in.filter(({ link }) => link.from.component !== MCP);
      return edges.map(({ link, from, to }) => ({ index, near: to, link, far: from }));
    }
  }
}

function subRow(node: Node, sub: SubComponentData): AnswerRow {
  const { name, kind } = sub;
  return { name, kind, component: node.component.name, ...written(sub.attributes) };
}

function attributesRow(node: Node): AnswerRow {
  const { name, host, port, external, attributes, config } = node.component;
  return { name, host, port, is_external: external !== null, ...written(attributes), ...written(config) };
}

/** Attributes that have a value, names that a row has of its own left out. */
function written(table: AttributeTable): AnswerRow {
  const entries = Object.entries(table).filter(([name, value]) => value !== null && !ROW_NAMES.has(name));
  return Object.fromEntries(entries);
}
const ROW_NAMES: ReadonlySet<string> = new Set(["name", "kind", "component", "host", "port", "is_external"]);

function linkAnswer(link: LinkData, near: Place, far: Place, manySources: boolean): AnswerRow {
  const row = linkRow(link, near, far);
  return manySources ? { source: near.node.component.name, ...row } : row;
}

/**
 * A row as it is answered when nothing was selected. A link names its source only where the query asked
 * for more than one.
 */
export function answerRow(row: Row, target: Target, manySources: boolean): AnswerRow {
  const { node, sub } = row.near;
  if (row.link !== null && row.far !== null) return linkAnswer(row.link, row.near, row.far, manySources);
  if (sub !== null) return subRow(node, sub);
  return target === "attributes" ? attributesRow(node) : node.row;
}
