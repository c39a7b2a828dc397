import { ROLLING, listRows, pathOf } from "#runtime/kubernetes/api";
import type { Access, Collection, Json } from "#runtime/kubernetes/api";
import { present } from "#runtime/kubernetes/pod";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";
import type { Scan } from "#runtime/kubernetes/scan";

const BATCH_GROUP = { group: "batch", version: "v1" } as const;

/** What runs pods, as the tools call it. */
export const WORKLOADS: Readonly<Record<string, Collection>> = {
  ...ROLLING,
  job: { ...BATCH_GROUP, plural: "jobs" },
  cronjob: { ...BATCH_GROUP, plural: "cronjobs" },
};

/** Columns that repeat the drawing or the name, and are long. */
const LEFT_OUT = new Set(["selector", "containers", "node_selector"]);

function rowOf(kind: string, row: Json): Json {
  const kept = Object.entries(row).filter(([column, value]) => !LEFT_OUT.has(column) && value !== "<none>");
  return present({ kind, ...Object.fromEntries(kept) });
}

/** Workloads of one kind, or of all of them, by kind and name. */
export async function listWorkloads(access: Access, namespace: string, kind: string): Promise<Scan> {
  const deadline = scanDeadline();
  const wanted = Object.entries(WORKLOADS).filter(([name]) => kind === "all" || kind === name);
  const scans = wanted.map(async ([name, collection]): Promise<Scan> => {
    const { items, stopped } = await scan(
      (query) => listRows(access, pathOf(collection, namespace), query),
      deadline,
    );
    return { items: items.map((row) => rowOf(name, row)), stopped };
  });
  const all = await Promise.all(scans);
  return {
    items: all.flatMap(({ items }) => items),
    stopped: all.map(({ stopped }) => stopped).find((reason) => reason !== null) ?? null,
  };
}
