import { ToolFault } from "#runtime/fault";
import { recordOf } from "#runtime/json-shape";
import { ROLLING, getObject } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import { patch } from "#runtime/kubernetes/changes";
import type { Workload } from "#runtime/kubernetes/workload";

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
