import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { PODS, getObject, listRows, pathOf } from "#runtime/kubernetes/api";
import type { Access } from "#runtime/kubernetes/api";
import { drawnWorkload } from "#runtime/kubernetes/changes";
import { SOON_DAYS, detectDrift } from "#runtime/kubernetes/drift";
import type { Expected } from "#runtime/kubernetes/drift";
import { recentEvents } from "#runtime/kubernetes/events";
import { failingPods } from "#runtime/kubernetes/failing";
import { MAX_SEARCHED, podLog } from "#runtime/kubernetes/logs";
import { podStatusOf, present } from "#runtime/kubernetes/pod";
import { showResource } from "#runtime/kubernetes/resource";
import type { DrawnKind } from "#runtime/kubernetes/resource";
import { restart } from "#runtime/kubernetes/restart";
import { MAX_REVISIONS, rolloutStatus } from "#runtime/kubernetes/rollout";
import { scale } from "#runtime/kubernetes/scale";
import { MAX_SCANNED, nativePage, withScan } from "#runtime/kubernetes/scan";
import { countEndpoints, listServices, serviceOf } from "#runtime/kubernetes/services";
import { podUsage } from "#runtime/kubernetes/usage";
import type { Workload } from "#runtime/kubernetes/workload";
import { listWorkloads } from "#runtime/kubernetes/workloads";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import { flag, integer, oneOf, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { secondsOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

export const link: LinkFacts = slot("link", {
  id: "mcp->kubernetes",
  component: "kubernetes",
  type: "kubernetes",
  env: "MCP_KUBERNETES",
  host: "127.0.0.1",
  port: 6443,
});

/** The namespaces that this link reaches: there is no way to another one. */
export const namespaces: readonly string[] = slot("namespaces", ["app", "db"]);

/** Those that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["app"]);

/** What may be restarted, and scaled within its bounds. */
export const workloads: readonly Workload[] = slot("workloads", [
  { namespace: "app", kind: "statefulset", name: "queue", min: 1, max: 0 },
  { namespace: "app", kind: "deployment", name: "web", min: 1, max: 4 },
]);

/** What should run in those namespaces. */
export const expected: readonly Expected[] = slot("expected", [
  { component: "cnpg", namespace: "db", labels: "cnpg.io/cluster=cluster-db", image: "", pods: 1 },
  {
    component: "consumer",
    namespace: "app",
    labels: "app.kubernetes.io/name=consumer",
    image: "registry.test/consumer:1.0",
    pods: 2,
  },
]);

/** What may be looked at whole: never Secrets, never ConfigMaps. */
export const kinds: readonly DrawnKind[] = slot("kinds", [
  { kind: "backups", group: "postgresql.cnpg.io", version: "v1", plural: "backups" },
  { kind: "clusters", group: "postgresql.cnpg.io", version: "v1", plural: "clusters" },
  { kind: "cronjob", group: "batch", version: "v1", plural: "cronjobs" },
  { kind: "daemonset", group: "apps", version: "v1", plural: "daemonsets" },
  { kind: "deployment", group: "apps", version: "v1", plural: "deployments" },
  { kind: "job", group: "batch", version: "v1", plural: "jobs" },
  { kind: "poolers", group: "postgresql.cnpg.io", version: "v1", plural: "poolers" },
  { kind: "replicaset", group: "apps", version: "v1", plural: "replicasets" },
  { kind: "service", group: "", version: "v1", plural: "services" },
  { kind: "statefulset", group: "apps", version: "v1", plural: "statefulsets" },
]);

/** As Kubernetes itself demands of the names of objects: nothing that could lead anywhere else. */
const NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
const ROLLING_KINDS = ["deployment", "statefulset", "daemonset"] as const;
const PER_NAMESPACE = `Looks at ${MAX_SCANNED} objects at most.`;
const NARROW = "name one namespace, or narrow with a selector";

const namespace = oneOf(namespaces, {});
const name = text({ min: 1, max: 253, pattern: NAME });
const selector = text({ min: 1, max: 500, optional: true, doc: "Labels: app=web,tier!=cache" });
const limit = integer({ min: 1, max: 500, default: 100 });
const cursor = text({ max: 2048, optional: true });
const since = text({ max: 20, default: "1h", doc: "A duration: 30m, 6h" });
const rollingKind = oneOf(ROLLING_KINDS, { default: "deployment" });

function accessOf({ client, signal }: Context): Access {
  return { cluster: client, signal };
}

function durationOf(since: string): number {
  const seconds = secondsOf(since);
  if (seconds !== undefined && seconds >= 1) return seconds;
  throw new ToolFault("invalid_argument", "since is not a duration", { hint: "for example 30m, 6h or 1d" });
}

const getPodStatus = defineTool({
  name: named("k8s_get_pod_status"),
  title: "Describe a pod",
  description:
    "Use to learn why one pod is not ready: phase, conditions, each container's state, restarts, last termination and probes. Values of env are left out.",
  effect: "read",
  parameters: { namespace, pod_name: name },
  handler: async ({ namespace, pod_name }, context: Context) => ({
    data: podStatusOf(await getObject(accessOf(context), PODS, namespace, pod_name)),
  }),
});

const listFailingPods = defineTool({
  name: named("k8s_list_failing_pods"),
  title: "List failing pods",
  description: `Use first in an incident: pods that are pending, failed or running without being ready, in one namespace or all of this link's. ${PER_NAMESPACE}`,
  effect: "read",
  parameters: { namespace: oneOf(namespaces, { optional: true }), limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_list_failing_pods");
    const offset = offsetOf(tool, search, cursor);
    const among = search.namespace === undefined ? namespaces : [search.namespace];
    const { items: found, stopped } = await failingPods(accessOf(context), among);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...withScan(about, stopped, NARROW), data: { pods: items } };
  },
});

const getRecentEvents = defineTool({
  name: named("k8s_get_recent_events"),
  title: "List recent events",
  description: `Use to see what happened in a namespace, newest first; repeats are counted. type=Warning leaves routine out. ${PER_NAMESPACE}`,
  effect: "read",
  parameters: {
    namespace,
    type: oneOf(["Normal", "Warning"], { optional: true }),
    involved: text({ min: 1, max: 253, pattern: NAME, optional: true, doc: "Name of the object" }),
    since,
    limit: integer({ min: 1, max: 500, default: 20 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_get_recent_events");
    const offset = offsetOf(tool, search, cursor);
    const { events, stopped } = await recentEvents(accessOf(context), search.namespace, {
      type: search.type,
      involved: search.involved,
      since: Date.now() / 1000 - durationOf(search.since),
    });
    const { items, about } = pageFrom(events, limit, { tool, args: search, offset, total: events.length });
    return { ...withScan(about, stopped, "narrow with type or involved"), data: { events: items } };
  },
});

const listPods = defineTool({
  name: named("k8s_list_pods"),
  title: "List pods",
  description: "Use to find pods by label: name, ready, status, restarts, age and node.",
  effect: "read",
  parameters: { namespace, selector, limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_list_pods");
    const { items, about } = await nativePage(
      (query) =>
        listRows(accessOf(context), pathOf(PODS, search.namespace), {
          ...query,
          labelSelector: search.selector,
        }),
      ({ name, ready, status, restarts, age, node }) =>
        present({ name, ready, status, restarts, age, node: node === "<none>" ? undefined : node }),
      { tool, args: search, cursor, limit },
    );
    return { ...about, data: { pods: items } };
  },
});

const podLogs = defineTool({
  name: named("k8s_pod_logs"),
  title: "Read a pod's log",
  description: `Use to read the end of a log; previous=true is the container before its last restart. grep is plain text, searched in the last ${MAX_SEARCHED} lines.`,
  effect: "read",
  parameters: {
    namespace,
    pod: name,
    container: text({ min: 1, max: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", optional: true }),
    tail: integer({ min: 1, max: 500, default: 100 }),
    since,
    previous: flag({ default: false }),
    grep: text({ min: 1, max: 200, optional: true }),
  },
  handler: async ({ since, container, grep, ...search }, context: Context) =>
    await podLog(accessOf(context), { ...search, container, grep, sinceSeconds: durationOf(since) }),
});

const workloadList = defineTool({
  name: named("k8s_list_workloads"),
  title: "List workloads",
  description: `Use to see what runs in a namespace and how much of it is ready. ${PER_NAMESPACE}`,
  effect: "read",
  parameters: {
    namespace,
    kind: oneOf(["all", ...ROLLING_KINDS, "job", "cronjob"], { default: "all" }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_list_workloads");
    const offset = offsetOf(tool, search, cursor);
    const { items: found, stopped } = await listWorkloads(accessOf(context), search.namespace, search.kind);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...withScan(about, stopped, "ask for one kind"), data: { workloads: items } };
  },
});

const rollout = defineTool({
  name: named("k8s_rollout_status"),
  title: "Follow a rollout",
  description: `Use after a deployment: complete, progressing, failed or paused, and why; conditions, images, and the last ${MAX_REVISIONS} revisions of a deployment.`,
  effect: "read",
  parameters: { namespace, kind: rollingKind, name },
  handler: async ({ namespace, kind, name }, context: Context) => ({
    data: await rolloutStatus(accessOf(context), namespace, kind, name),
  }),
});

const serviceList = defineTool({
  name: named("k8s_list_services"),
  title: "List services",
  description: "Use to see whether a service has endpoints: type, ports, selector, ready and not_ready.",
  effect: "read",
  parameters: { namespace, limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_list_services");
    const access = accessOf(context);
    const endpoints = await countEndpoints(access, search.namespace);
    const { items, about } = await nativePage(
      (query) => listServices(access, search.namespace, query),
      (service) => serviceOf(service, endpoints),
      { tool, args: search, cursor, limit },
    );
    const warnings = endpoints.partial ? ["not all endpoints were counted"] : [];
    return { ...about, warnings, data: { services: items } };
  },
});

const topPods = defineTool({
  name: named("k8s_top_pods"),
  title: "List pods by use",
  description: "Use to find the pods that use most CPU or memory right now, largest first.",
  effect: "read",
  parameters: {
    namespace,
    selector,
    sort: oneOf(["cpu", "memory"], { default: "cpu" }),
    limit: integer({ min: 1, max: 500, default: 20 }),
  },
  handler: async ({ namespace, selector, sort, limit }, context: Context) => {
    const { usage, stopped } = await podUsage(accessOf(context), namespace, selector);
    const by = sort === "cpu" ? "cpu_millicores" : "memory_mib";
    const sorted = [...usage].sort((a, b) => b[by] - a[by] || (a.pod < b.pod ? -1 : 1));
    const { items, about } = firstPart(sorted, limit, "these are the largest; ask for more with limit");
    return { ...withScan(about, stopped, NARROW), data: { pods: items } };
  },
});

const getResource = defineTool({
  name: named("k8s_get_resource"),
  title: "Read an object",
  description:
    "Use to read the whole of one object: spec and status, without managedFields and without values of env.",
  effect: "read",
  parameters: {
    namespace,
    kind: oneOf(
      kinds.map(({ kind }) => kind),
      {},
    ),
    name,
  },
  handler: async ({ namespace, kind, name }, context: Context) => {
    const drawn = kinds.find((candidate) => candidate.kind === kind);
    if (drawn === undefined) throw new ToolFault("not_linked", "the kind is not drawn for this link");
    return { data: await showResource(accessOf(context), drawn, namespace, name) };
  },
});

const drift = defineTool({
  name: named("k8s_detect_drift"),
  title: "Compare with the drawing",
  description: `Use to see what differs from the drawing: missing or unready pods, changed images, certificates that end within ${SOON_DAYS} days. ${PER_NAMESPACE}`,
  effect: "read",
  parameters: { namespace: oneOf(namespaces, { optional: true }), limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("k8s_detect_drift");
    const offset = offsetOf(tool, search, cursor);
    const among = search.namespace === undefined ? namespaces : [search.namespace];
    const own = expected.filter(({ namespace }) => among.includes(namespace));
    const { findings, stopped, warnings, certificates } = await detectDrift(accessOf(context), among, own);
    const total = findings.length;
    const { items, about } = pageFrom(findings, limit, { tool, args: search, offset, total });
    const compared = {
      components: own.length,
      with_image: own.filter(({ image }) => image !== "").length,
      certificates,
    };
    return { ...withScan(about, stopped, NARROW), warnings, data: { drift: items, compared } };
  },
});

const target = oneOf(writable, {});
const dryRun = flag({ default: true, doc: "false to change something" });
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

const rolloutRestart = defineTool({
  name: named("k8s_rollout_restart"),
  title: "Restart a workload",
  description:
    "Use to replace the pods of a drawn workload one after the other. dry_run=true, the default, only asks the server whether it would work.",
  effect: "destructive",
  parameters: { namespace: target, kind: rollingKind, name, dry_run: dryRun, reason },
  handler: async ({ namespace, kind, name, dry_run }, context: Context) => {
    const workload = drawnWorkload(workloads, { namespace, kind, name });
    const done = await restart(accessOf(context), workload, dry_run, context.marker);
    return { data: { namespace, kind, name, ...done } };
  },
});

const scaleWorkload = defineTool({
  name: named("k8s_scale"),
  title: "Scale a workload",
  description:
    "Use to set the number of pods of a drawn workload, within the bounds that were drawn. dry_run=true, the default, changes nothing.",
  effect: "destructive",
  parameters: {
    namespace: target,
    kind: oneOf(["deployment", "statefulset"], { default: "deployment" }),
    name,
    replicas: integer({ min: 0, max: 1000 }),
    dry_run: dryRun,
    reason,
  },
  handler: async ({ namespace, kind, name, replicas, dry_run }, context: Context) => {
    const workload = drawnWorkload(workloads, { namespace, kind, name });
    const done = await scale(accessOf(context), workload, replicas, dry_run);
    return { data: { namespace, kind, name, ...done } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings, { scheme: "https" }),
  close: async () => undefined,
  tools: [
    getPodStatus,
    listFailingPods,
    getRecentEvents,
    listPods,
    podLogs,
    workloadList,
    rollout,
    serviceList,
    topPods,
    getResource,
    drift,
    rolloutRestart,
    scaleWorkload,
  ],
});
