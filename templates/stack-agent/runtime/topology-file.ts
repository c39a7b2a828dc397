import { readFileSync } from "node:fs";
import { TOPOLOGY_SECTIONS } from "./topology-data.ts";
import type { TopologyData, TopologySection } from "./topology-data.ts";

/** `topology` is the first file, and `topology-2` the one after it. */
export function topologyFile(at: number): string {
  return at === 0 ? "topology" : `topology-${at + 1}`;
}

type Part = Readonly<Record<TopologySection, readonly unknown[]>>;

function partAt(url: URL): unknown {
  return JSON.parse(readFileSync(url, "utf8"));
}

/** The drawing in `topology.json` and, where it says that it has more `parts`, in the files beside it. */
export function readTopology(url: URL): TopologyData {
  const { parts = 1, ...first } = partAt(url) as TopologyData & { readonly parts?: number };
  if (parts === 1) return first;
  const others = Array.from({ length: parts - 1 }, (_, at) => `${topologyFile(at + 1)}.json`);
  const all: readonly Part[] = [first, ...others.map((name) => partAt(new URL(name, url)) as Part)];
  const rows = TOPOLOGY_SECTIONS.map((section) => [section, all.flatMap((part) => part[section])]);
  return { ...first, ...(Object.fromEntries(rows) as Pick<TopologyData, TopologySection>) };
}
