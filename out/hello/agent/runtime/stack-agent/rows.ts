import type { Target } from "./query.ts";
import type { AttributeTable, LinkData, SubComponentData } from "./topology-data.ts";
import type { AnswerRow, Node, TopologyIndex } from "./topology-index.ts";
import { labelOf } from "./fields.ts";
import type { Row } from "./variables.ts";

/** The built-in component that the tools themselves belong to. */
export const MCP = "mcp";

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

function linkAnswer(row: Row, link: LinkData, manySources: boolean): AnswerRow {
  const shown: Record<string, unknown> = {};
  if (manySources) shown["source"] = row.near.node.component.name;
  shown["link"] = link.name;
  shown["component"] = labelOf(row);
  if (row.far !== null && row.far.sub !== null) shown["sub"] = row.far.sub.name;
  if (row.near.sub !== null) shown["via"] = row.near.sub.name;
  if (link.access !== null) shown["access"] = link.access;
  return shown;
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

/** The links of one component as a query lists them that asks for nothing special: made once, however often. */
export function listedRows(
  index: TopologyIndex,
  node: Node,
  target: "links_to" | "links_from",
): readonly AnswerRow[] {
  const make = (): readonly AnswerRow[] =>
    rowsOf(index, node, target, false).map((row) => Object.freeze(answerRow(row, target, false)));
  return target === "links_to" ? (node.linksTo ??= make()) : (node.linksFrom ??= make());
}
