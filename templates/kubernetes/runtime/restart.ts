import { recordOf } from "#runtime/json-shape";
import type { Access, Json } from "#runtime/kubernetes/api";
import { patch } from "#runtime/kubernetes/changes";
import type { Workload } from "#runtime/kubernetes/workload";

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
