import { decodeCursor, encodeCursor } from "#runtime/cursor";
import type { Node, TopologyIndex } from "./topology-index.ts";

export interface StructureEntry {
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly group: string;
  readonly is_external: boolean;
  /** Number of sub-components by kind. */
  readonly sub_components: Readonly<Record<string, number>>;
  /** Linked components, each once. */
  readonly links_to: readonly string[];
  readonly links_from: number;
}

export interface StackStructure {
  readonly stack: string;
  readonly environment: string;
  readonly domain: string | null;
  readonly components: readonly StructureEntry[];
  readonly total: number;
  readonly next_cursor: string | null;
}

function subCounts(node: Node): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { kind } of node.component.subs) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function entryOf(node: Node): StructureEntry {
  const { name, type, namespace, group, external } = node.component;
  return {
    name,
    type,
    namespace,
    group,
    is_external: external !== null,
    sub_components: subCounts(node),
    links_to: [...new Set(node.out.map(({ link }) => link.to.component))],
    links_from: node.in.length,
  };
}

const CURSOR = "structure";

/** The tree of components with what they hold and what they lead to. */
export function stackStructure(
  { data, nodes }: TopologyIndex,
  page: { readonly limit?: number; readonly cursor?: string },
): StackStructure {
  const start = page.cursor === undefined ? 0 : Number(decodeCursor(CURSOR, {}, page.cursor));
  const end = Math.min(nodes.length, start + (page.limit ?? nodes.length));
  return {
    stack: data.stack,
    environment: data.environment ?? "base",
    domain: data.domain,
    components: nodes.slice(start, end).map(entryOf),
    total: nodes.length,
    next_cursor: end < nodes.length ? encodeCursor(CURSOR, {}, end) : null,
  };
}
