/** The only requests of this link that are not reads, and what they may be about. */
import { ToolFault } from "#runtime/fault";
import { requestJson } from "#runtime/http";
import { recordOf } from "#runtime/json-shape";
import { ROLLING, pathOf } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import type { Workload } from "#runtime/kubernetes/workload";

/** Who made a change, as the server records it beside each field. */
const MANAGER = "topogate";

/** The drawn workload of that name; nothing else can be named in a change. */
export function drawnWorkload(
  workloads: readonly Workload[],
  wanted: Pick<Workload, "namespace" | "kind" | "name">,
): Workload {
  const found = workloads.find(
    ({ namespace, kind, name }) =>
      namespace === wanted.namespace && kind === wanted.kind && name === wanted.name,
  );
  if (found !== undefined) return found;
  const here = workloads.filter(({ namespace }) => namespace === wanted.namespace);
  const hint =
    here.length === 0
      ? "no workload of this namespace is drawn"
      : `drawn here: ${here.map(({ kind, name }) => `${kind} ${name}`).join(", ")}`;
  throw new ToolFault("not_linked", "the workload is not drawn for this link", { hint: hint.slice(0, 300) });
}

interface Change {
  readonly below: readonly string[];
  readonly body: Json;
  readonly contentType: string;
  readonly dryRun: boolean;
}

/** Changes a drawn workload, or asks the server whether it would. */
export async function patch({ cluster, signal }: Access, workload: Workload, change: Change): Promise<Json> {
  const { below, body, contentType, dryRun } = change;
  const query = { fieldManager: MANAGER, ...(dryRun ? { dryRun: "All" } : {}) };
  const path = pathOf(ROLLING[workload.kind], workload.namespace, workload.name, ...below);
  return recordOf(
    await requestJson(cluster, { method: "PATCH", path, query, json: body, contentType, signal }),
  );
}
