/** What the write tools change, and the only requests of this link that are not reads. */
import { ToolFault } from "#runtime/fault";
import { requestJson } from "#runtime/http";
import { recordOf } from "#runtime/json-shape";
import { ROLLING, getObject, pathOf } from "#runtime/kubernetes/api";
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

async function patch({ cluster, signal }: Access, workload: Workload, change: Change): Promise<Json> {
  const { below, body, contentType, dryRun } = change;
  const query = { fieldManager: MANAGER, ...(dryRun ? { dryRun: "All" } : {}) };
  const path = pathOf(ROLLING[workload.kind], workload.namespace, workload.name, ...below);
  return recordOf(
    await requestJson(cluster, { method: "PATCH", path, query, json: body, contentType, signal }),
  );
}

/** Replaces the pods one after the other, as `kubectl rollout restart` does. */
export async function restart(access: Access, workload: Workload, dryRun: boolean): Promise<Json> {
  const restartedAt = new Date().toISOString();
  const annotations = { "kubectl.kubernetes.io/restartedAt": restartedAt };
  const changed = await patch(access, workload, {
    below: [],
    body: { spec: { template: { metadata: { annotations } } } },
    contentType: "application/strategic-merge-patch+json",
    dryRun,
  });
  const { generation } = recordOf(changed["metadata"]);
  return { dry_run: dryRun, restarted_at: restartedAt, generation };
}

/** Sets the number of pods, within what was drawn. */
export async function scale(
  access: Access,
  workload: Workload,
  replicas: number,
  dryRun: boolean,
): Promise<Json> {
  const { kind, namespace, name, min, max } = workload;
  if (max === 0 || kind === "daemonset") {
    throw new ToolFault("denied", "the drawing gives this workload no max, so it cannot be scaled");
  }
  if (replicas < min || replicas > max) {
    throw new ToolFault("invalid_argument", `replicas must be within ${min} and ${max}, as drawn`);
  }
  const before = recordOf((await getObject(access, ROLLING[kind], namespace, name, "scale"))["spec"]);
  const after = await patch(access, workload, {
    below: ["scale"],
    body: { spec: { replicas } },
    contentType: "application/merge-patch+json",
    dryRun,
  });
  const changed = recordOf(after["spec"]);
  return { dry_run: dryRun, from: Number(before["replicas"] ?? 0), to: Number(changed["replicas"] ?? 0) };
}
