import type { ReachData, TopologyData } from "./topology-data.ts";
import type { Row } from "./variables.ts";

export type Reach = ReadonlyMap<string, ReachData>;

export function reachOf(data: TopologyData): Reach {
  return new Map(data.reach.map((entry) => [entry.component, entry]));
}

/** Whether a link from the MCP server leads to what the row is about. */
export function isReached(reach: Reach, row: Row): boolean {
  const { node, sub } = row.near;
  const entry = reach.get(node.component.name);
  if (entry === undefined) return false;
  if (!entry.narrowed) return true;
  return sub !== null && entry.targets.some(({ name, kind }) => name === sub.name && kind === sub.kind);
}
