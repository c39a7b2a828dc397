import { recordOf } from "#runtime/json-shape";
import type { Access, Json } from "#runtime/kubernetes/api";
import { patch } from "#runtime/kubernetes/changes";
import { markerLine } from "#runtime/marker";
import type { Marker } from "#runtime/marker";
import type { Workload } from "#runtime/kubernetes/workload";

/** Beside the time of the restart, who let it happen. */
const MARKER = "topogate/marker";

/** Replaces the pods one after the other, as `kubectl rollout restart` does. */
export async function restart(
  access: Access,
  workload: Workload,
  dryRun: boolean,
  marker: Marker | undefined,
): Promise<Json> {
  const restartedAt = new Date().toISOString();
  const annotations = {
    "kubectl.kubernetes.io/restartedAt": restartedAt,
    ...(marker === undefined ? {} : { [MARKER]: markerLine(marker) }),
  };
  const changed = await patch(access, workload, {
    below: [],
    body: { spec: { template: { metadata: { annotations } } } },
    contentType: "application/strategic-merge-patch+json",
    dryRun,
  });
  const { generation } = recordOf(changed["metadata"]);
  return { dry_run: dryRun, restarted_at: restartedAt, generation };
}
