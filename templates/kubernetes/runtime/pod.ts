import { cutText, listOf, recordOf } from "#runtime/json-shape";
import type { Json } from "#runtime/kubernetes/api";

const MAX_NAME = 253;
const MAX_MESSAGE = 500;
const MAX_ENV = 50;
/** Of conditions, and of containers. */
const MAX_PARTS = 40;

const itemsOf = (value: unknown): readonly Json[] =>
  listOf(value ?? [])
    .slice(0, MAX_PARTS)
    .map(recordOf);
const name = (value: unknown): string => cutText(value, MAX_NAME);
const message = (value: unknown): string => cutText(value, MAX_MESSAGE);

/** The members that hold something. */
export function present(members: Json): Json {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== "" && value !== undefined && value !== null),
  );
}

/** `conditions` of any object. */
export function conditionsOf(status: Json): readonly Json[] {
  return itemsOf(status["conditions"]).map((each) =>
    present({
      type: name(each["type"]),
      status: name(each["status"]),
      reason: name(each["reason"]),
      message: message(each["message"]),
      since: name(each["lastTransitionTime"]),
    }),
  );
}

/** `running`, `waiting` or `terminated`, with why and since when. */
function stateOf(state: unknown): Json {
  const [kind, held] = Object.entries(recordOf(state ?? {}))[0] ?? ["unknown", {}];
  const details = recordOf(held);
  return present({
    state: kind,
    reason: name(details["reason"]),
    message: message(details["message"]),
    exit_code: details["exitCode"],
    started_at: name(details["startedAt"]),
    finished_at: name(details["finishedAt"]),
  });
}

function probeOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const probe = recordOf(value);
  const http = recordOf(probe["httpGet"] ?? {});
  const port = String(http["port"] ?? recordOf(probe["tcpSocket"] ?? probe["grpc"] ?? {})["port"] ?? "");
  // The command of an exec probe is left out: people write credentials into it.
  const what = ["httpGet", "tcpSocket", "grpc", "exec"].find((kind) => kind in probe) ?? "unknown";
  const path = what === "httpGet" ? ` ${cutText(http["path"], 100)}` : "";
  const times = [
    `every ${Number(probe["periodSeconds"] ?? 10)}s`,
    `fails after ${Number(probe["failureThreshold"] ?? 3)}`,
  ];
  return `${what}${port === "" ? "" : ` :${port}`}${path}, ${times.join(", ")}`;
}

/** Names only: values may be credentials, whatever the variable is called. */
function environmentOf(container: Json): readonly string[] {
  return listOf(container["env"] ?? [])
    .slice(0, MAX_ENV)
    .map((each) => name(recordOf(each)["name"]));
}

function containerOf(status: Json, spec: Json | undefined): Json {
  const last = stateOf(status["lastState"]);
  const probes = {
    startup: probeOf(spec?.["startupProbe"]),
    readiness: probeOf(spec?.["readinessProbe"]),
    liveness: probeOf(spec?.["livenessProbe"]),
  };
  return present({
    name: name(status["name"]),
    ready: status["ready"],
    restart_count: status["restartCount"],
    ...stateOf(status["state"]),
    last_termination: last["state"] === "terminated" ? last : undefined,
    image: name(status["image"]),
    resources: spec?.["resources"],
    probes: Object.values(probes).some((probe) => probe !== undefined) ? present(probes) : undefined,
    env: spec === undefined ? undefined : environmentOf(spec),
  });
}

function containersOf(statuses: unknown, specs: unknown): readonly Json[] {
  const byName = new Map(itemsOf(specs).map((spec) => [spec["name"], spec]));
  return itemsOf(statuses).map((status) => containerOf(status, byName.get(status["name"])));
}

/** What there is to know about why a pod does not work; the values of its environment are not in it. */
export function podStatusOf(pod: Json): Json {
  const metadata = recordOf(pod["metadata"]);
  const spec = recordOf(pod["spec"]);
  const status = recordOf(pod["status"] ?? {});
  const owner = itemsOf(metadata["ownerReferences"])[0];
  const inits = containersOf(status["initContainerStatuses"], spec["initContainers"]);
  return present({
    name: name(metadata["name"]),
    namespace: name(metadata["namespace"]),
    phase: name(status["phase"]),
    reason: name(status["reason"]),
    message: message(status["message"]),
    node: name(spec["nodeName"]),
    owner: owner === undefined ? undefined : `${name(owner["kind"])}/${name(owner["name"])}`,
    started_at: name(status["startTime"]),
    deleted_at: name(metadata["deletionTimestamp"]),
    qos: name(status["qosClass"]),
    conditions: conditionsOf(status),
    init_container_statuses: inits.length === 0 ? undefined : inits,
    container_statuses: containersOf(status["containerStatuses"], spec["containers"]),
  });
}
