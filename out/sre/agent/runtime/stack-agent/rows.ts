import type { Target } from "./query.ts";
import type { AttributeTable, LinkData, SubComponentData } from "./topology-data.ts";
import { placeOf } from "./topology-index.ts";
import type { AnswerRow, Node, TopologyIndex } from "./topology-index.ts";
import { labelOf } from "./fields.ts";
import type { Row } from "./variables.ts";

/** The built-in component that the tools themselves belong to. */
export const MCP = "mcp";

function linkRow(index: TopologyIndex, link: LinkData, outward: boolean): Row {
  const [near, far] = outward ? [link.from, link.to] : [link.to, link.from];
  return { index, near: placeOf(index, near), link, far: placeOf(index, far) };
}

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
      return [{ index, near: { node, sub: null }, link: null, far: null }];
    case "sub_components":
      return node.component.subs.map((sub) => ({ index, near: { node, sub }, link: null, far: null }));
    case "links_to":
      return node.out.map((link) => linkRow(index, link, true));
    case "links_from": {
      const links = includeMcp ? node.in : node.in.filter((link) => link.from.component !== MCP);
      return links.map((link) => linkRow(index, link, false));
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

function linkAnswer(row: Row, link: LinkData, manySources: boolean): AnswerRow {
  const via = row.near.sub?.name;
  const sub = row.far?.sub?.name;
  return {
    ...(manySources ? { source: row.near.node.component.name } : {}),
    link: link.name,
    component: labelOf(row),
    ...(sub === undefined ? {} : { sub }),
    ...(via === undefined ? {} : { via }),
    ...(link.access === null ? {} : { access: link.access }),
  };
}

/**
 * A row as it is answered when nothing was selected. A link names its source only where the query asked
 * for more than one.
 */
export function answerRow(row: Row, target: Target, manySources: boolean): AnswerRow {
  const { node, sub } = row.near;
  if (row.link !== null) return linkAnswer(row, row.link, manySources);
  if (sub !== null) return subRow(node, sub);
  return target === "attributes" ? attributesRow(node) : node.row;
}
