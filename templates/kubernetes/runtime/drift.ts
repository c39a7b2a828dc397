/** What was drawn beside what runs: missing pods, other images, certificates that have run out. */
import { ToolFault } from "#runtime/fault";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { PODS, listObjects, pathOf } from "#runtime/kubernetes/api";
import type { Access, Collection, Json } from "#runtime/kubernetes/api";
import { present } from "#runtime/kubernetes/pod";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";
import type { Scan } from "#runtime/kubernetes/scan";

/** A drawn component that runs in pods of a namespace that the link reaches. */
export interface Expected {
  readonly component: string;
  readonly namespace: string;
  /** `app=web,tier=front`: what its pods are known by. */
  readonly labels: string;
  /** Empty when none was drawn. */
  readonly image: string;
  /** The fewest pods that must be ready. */
  readonly pods: number;
}

export interface Drift {
  readonly findings: readonly Json[];
  readonly stopped: Scan["stopped"];
  readonly warnings: readonly string[];
  readonly certificates: number;
}

/** Certificates that end sooner are reported as well. */
export const SOON_DAYS = 14;
const DAY_MS = 86_400_000;
const MAX_NAME = 253;
const CERTIFICATES: Collection = { group: "cert-manager.io", version: "v1", plural: "certificates" };

function hasLabels(pod: Json, labels: string): boolean {
  const own = recordOf(recordOf(pod["metadata"])["labels"] ?? {});
  return labels.split(",").every((pair) => {
    const at = pair.indexOf("=");
    return own[pair.slice(0, at)] === pair.slice(at + 1);
  });
}

/** Pods that are on their way out, or have done their work, are no pods of the component any more. */
function isCurrent(pod: Json): boolean {
  const phase = recordOf(pod["status"] ?? {})["phase"];
  return recordOf(pod["metadata"])["deletionTimestamp"] === undefined && phase !== "Succeeded";
}

function isReady(pod: Json): boolean {
  return listOf(recordOf(pod["status"] ?? {})["conditions"] ?? [])
    .map(recordOf)
    .some(({ type, status }) => type === "Ready" && status === "True");
}

function imagesOf(pod: Json): readonly string[] {
  return listOf(recordOf(pod["spec"])["containers"] ?? []).map((each) =>
    cutText(recordOf(each)["image"], MAX_NAME),
  );
}

/** `nginx:1.27` is `docker.io/library/nginx:1.27`, with or without the digest that it was resolved to. */
function isImage(running: string, drawn: string): boolean {
  const [name = running] = drawn.includes("@") ? [running] : running.split("@");
  return name === drawn || name.endsWith(`/${drawn}`);
}

function podFindings(expected: Expected, pods: readonly Json[], isWhole: boolean): readonly Json[] {
  const { component, namespace, image } = expected;
  const own = pods.filter((pod) => isCurrent(pod) && hasLabels(pod, expected.labels));
  const ready = own.filter(isReady).length;
  const about = { component, namespace };
  const findings: Json[] = [];
  // Of a namespace that was not read to its end, only what was seen can be said.
  if (isWhole && own.length < expected.pods)
    findings.push({ ...about, kind: "missing_pods", expected: expected.pods, found: own.length });
  else if (isWhole && ready < expected.pods)
    findings.push({ ...about, kind: "pods_not_ready", expected: expected.pods, found: ready });
  const others = own.filter((pod) => image !== "" && !imagesOf(pod).some((each) => isImage(each, image)));
  if (others.length > 0) {
    const found = [...new Set(others.flatMap(imagesOf))].sort().slice(0, 10);
    findings.push({ ...about, kind: "changed_image", expected: image, found, pods: others.length });
  }
  return findings;
}

function certificateFinding(namespace: string, certificate: Json, now: number): readonly Json[] {
  const ends = recordOf(certificate["status"] ?? {})["notAfter"];
  const name = cutText(recordOf(certificate["metadata"])["name"], MAX_NAME);
  const about = { namespace, certificate: name };
  if (typeof ends !== "string") return [{ ...about, kind: "certificate_not_issued" }];
  const left = Date.parse(ends) - now;
  if (left > SOON_DAYS * DAY_MS) return [];
  const names = listOf(recordOf(certificate["spec"])["dnsNames"] ?? []).slice(0, 5);
  const kind = left <= 0 ? "certificate_expired" : "certificate_expires_soon";
  return [present({ ...about, kind, found: ends, hosts: names.map((each) => cutText(each, MAX_NAME)) })];
}

interface Certificates {
  readonly findings: readonly Json[];
  readonly count: number;
  readonly stopped: Scan["stopped"];
  readonly warning?: string;
}

/** Not every cluster has cert-manager, and an account of another cluster may lack the right. */
async function certificatesIn(access: Access, namespace: string, deadline: number): Promise<Certificates> {
  try {
    const { items, stopped } = await scan(
      (query) => listObjects(access, pathOf(CERTIFICATES, namespace), query),
      deadline,
    );
    const findings = items.flatMap((each) => certificateFinding(namespace, each, Date.now()));
    return { findings, count: items.length, stopped };
  } catch (error) {
    const none = { findings: [], count: 0, stopped: null };
    const code = error instanceof ToolFault ? error.code : undefined;
    if (code === "not_found")
      return { ...none, warning: `there are no certificates of cert-manager in ${namespace}` };
    if (code === "denied") return { ...none, warning: `certificates in ${namespace} may not be read` };
    throw error;
  }
}

/** Everything that differs from the drawing, namespace by namespace. */
export async function detectDrift(
  access: Access,
  namespaces: readonly string[],
  expected: readonly Expected[],
): Promise<Drift> {
  const deadline = scanDeadline();
  const findings: Json[] = [];
  const warnings: string[] = [];
  let certificates = 0;
  let stopped: Scan["stopped"] = null;
  for (const namespace of namespaces) {
    const seen = await scan((query) => listObjects(access, pathOf(PODS, namespace), query), deadline);
    const own = expected.filter((each) => each.namespace === namespace);
    findings.push(...own.flatMap((each) => podFindings(each, seen.items, seen.stopped === null)));
    const issued = await certificatesIn(access, namespace, deadline);
    if (issued.warning !== undefined) warnings.push(issued.warning);
    findings.push(...issued.findings);
    certificates += issued.count;
    stopped ??= seen.stopped ?? issued.stopped;
  }
  return { findings, stopped, warnings, certificates };
}
