import { ToolFault } from "#runtime/fault";
import { hintFor } from "./suggest.ts";
import type { Node, TopologyIndex } from "./topology-index.ts";

function found(index: ReadonlyMap<string, readonly Node[]>, what: string, key: string): readonly Node[] {
  const nodes = index.get(key);
  if (nodes !== undefined) return nodes;
  throw new ToolFault("invalid_argument", `no component of ${what} "${key.slice(0, 80)}" in this stack`, {
    hint: hintFor(key, [...index.keys()].sort()),
  });
}

export function componentNamed(index: TopologyIndex, name: string): Node {
  const node = index.byName.get(name);
  if (node !== undefined) return node;
  throw new ToolFault("invalid_argument", `no component "${name.slice(0, 80)}" in this stack`, {
    hint: hintFor(name, [...index.byName.keys()]),
  });
}

/** The components of `all`, `type:...`, `namespace:...`, `group:...` or of one name. */
export function nodesOf(index: TopologyIndex, source: string): readonly Node[] {
  if (source === "all") return index.nodes;
  const colon = source.indexOf(":");
  if (colon < 0) return [componentNamed(index, source)];
  const by = source.slice(0, colon);
  const key = source.slice(colon + 1);
  if (by === "type") return found(index.byType, by, key);
  if (by === "namespace") return found(index.byNamespace, by, key);
  if (by === "group") return found(index.byGroup, by, key);
  throw new ToolFault("invalid_argument", `unknown source "${by.slice(0, 80)}:"`, {
    hint: "use all, type:<type>, namespace:<namespace>, group:<group> or the name of a component",
  });
}
