import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { REPLICA_SETS, ROLLING, getObject, listObjects, pathOf } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import { conditionsOf, present } from "#runtime/kubernetes/pod";

const MAX_NAME = 253;
/** Newest first. */
export const MAX_REVISIONS = 10;
const REVISION = "deployment.kubernetes.io/revision";

export type RollingKind = keyof typeof ROLLING;

interface Counts {
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  /** Pods of any revision. */
  readonly current: number;
}

const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);

function countsOf(kind: RollingKind, spec: Json, status: Json): Counts {
  if (kind === "daemonset") {
    return {
      desired: numberOf(status["desiredNumberScheduled"]),
      updated: numberOf(status["updatedNumberScheduled"]),
      ready: numberOf(status["numberReady"]),
      available: numberOf(status["numberAvailable"]),
      current: numberOf(status["currentNumberScheduled"]),
    };
  }
  return {
    desired: typeof spec["replicas"] === "number" ? spec["replicas"] : 1,
    updated: numberOf(status["updatedReplicas"]),
    ready: numberOf(status["readyReplicas"]),
    available: numberOf(status["availableReplicas"]),
    current: numberOf(status["replicas"]),
  };
}

interface Verdict {
  readonly state: "complete" | "progressing" | "failed" | "paused";
  readonly why: string;
}

const progressing = (why: string): Verdict => ({ state: "progressing", why });

/** As `kubectl rollout status` decides it. */
function verdictOf(object: Json, counts: Counts): Verdict {
  const spec = recordOf(object["spec"]);
  const status = recordOf(object["status"] ?? {});
  const generation = numberOf(recordOf(object["metadata"])["generation"]);
  const { desired, updated, current, available } = counts;
  if (generation > numberOf(status["observedGeneration"])) return progressing("the change is not seen yet");
  const stuck = conditionsOf(status).find(({ reason }) => reason === "ProgressDeadlineExceeded");
  if (stuck !== undefined)
    return { state: "failed", why: String(stuck["message"] ?? "progress deadline exceeded") };
  if (spec["paused"] === true) return { state: "paused", why: "the rollout is paused" };
  if (updated < desired) return progressing(`${updated} of ${desired} pods have the newest revision`);
  if (current > updated) return progressing(`${current - updated} pods of older revisions are still there`);
  if (available < updated) return progressing(`${available} of ${updated} updated pods are available`);
  return { state: "complete", why: `${available} of ${desired} pods are available` };
}

function imagesOf(spec: Json): readonly string[] {
  const template = recordOf(recordOf(spec["template"])["spec"] ?? {});
  return listOf(template["containers"] ?? []).map((each) => cutText(recordOf(each)["image"], MAX_NAME));
}

function revisionOf(set: Json): Json {
  const metadata = recordOf(set["metadata"]);
  const spec = recordOf(set["spec"]);
  const status = recordOf(set["status"] ?? {});
  return present({
    revision: Number(recordOf(metadata["annotations"] ?? {})[REVISION] ?? 0),
    replica_set: cutText(metadata["name"], MAX_NAME),
    created: cutText(metadata["creationTimestamp"], MAX_NAME),
    replicas: numberOf(spec["replicas"]),
    ready: numberOf(status["readyReplicas"]),
    images: imagesOf(spec),
  });
}

function selectorOf(spec: Json): string {
  const labels = recordOf(recordOf(spec["selector"])["matchLabels"] ?? {});
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${String(value)}`)
    .join(",");
}

async function revisionsOf(access: Access, namespace: string, deployment: Json): Promise<readonly Json[]> {
  const { uid } = recordOf(deployment["metadata"]);
  const labelSelector = selectorOf(recordOf(deployment["spec"]));
  const { items } = await listObjects(access, pathOf(REPLICA_SETS, namespace), { labelSelector, limit: 100 });
  const owned = items.filter((set) =>
    listOf(recordOf(set["metadata"])["ownerReferences"] ?? []).some(
      (owner) => recordOf(owner)["uid"] === uid,
    ),
  );
  return owned
    .map(revisionOf)
    .sort((a, b) => Number(b["revision"]) - Number(a["revision"]))
    .slice(0, MAX_REVISIONS);
}

/** How far the newest change of a workload has come, and what it consists of. */
export async function rolloutStatus(
  access: Access,
  namespace: string,
  kind: RollingKind,
  name: string,
): Promise<Json> {
  const object = await getObject(access, ROLLING[kind], namespace, name);
  const metadata = recordOf(object["metadata"]);
  const spec = recordOf(object["spec"]);
  const status = recordOf(object["status"] ?? {});
  const counts = countsOf(kind, spec, status);
  const strategy = recordOf(spec["strategy"] ?? spec["updateStrategy"] ?? {});
  return present({
    kind,
    namespace,
    name,
    ...verdictOf(object, counts),
    ...counts,
    generation: metadata["generation"],
    observed_generation: status["observedGeneration"],
    revision: cutText(
      recordOf(metadata["annotations"] ?? {})[REVISION] ?? status["updateRevision"],
      MAX_NAME,
    ),
    strategy: cutText(strategy["type"], MAX_NAME),
    images: imagesOf(spec),
    conditions: conditionsOf(status),
    revisions: kind === "deployment" ? await revisionsOf(access, namespace, object) : undefined,
  });
}
