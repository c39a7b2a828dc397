/** Which namespaces and workloads a link reaches: what its tools offer, and what its Roles permit. */
import type { McpLink, NamespaceRights, Topology } from "#contract";
import { kindsOf } from "./kinds.ts";
import type * as module from "./tools.ts";

type Workload = (typeof module.workloads)[number];
type Drawn = McpLink["targets"][number]["sub"];
type Rule = NamespaceRights["rules"][number];

/** The namespaces of the components that were drawn in this cluster. */
function inhabited({ component }: McpLink, { components }: Topology): readonly string[] {
  const drawn = components
    .filter(
      ({ type, external, namespace }) => type !== component.type && external === null && namespace !== "",
    )
    .map(({ namespace }) => namespace);
  return [...new Set(drawn)].sort();
}

function hasTargets(link: McpLink): boolean {
  return link.narrowed || link.targets.length > 0;
}

/** The drawn namespaces; without any, those of the stack's own components. */
export function namespacesOf(link: McpLink, topology: Topology): readonly string[] {
  return hasTargets(link) ? link.targets.map(({ sub }) => sub.name) : inhabited(link, topology);
}

/** Those among them where the drawing permits changes, with or without an approval. */
export function writableOf(link: McpLink, topology: Topology): readonly string[] {
  if (!hasTargets(link)) return link.access === "read" ? [] : inhabited(link, topology);
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

/** A workload named like a drawn component is where that component is. */
function workloadOf({ name, attributes }: Drawn, link: McpLink, topology: Topology): Workload {
  const component = topology.components.find((candidate) => candidate.name === name) ?? link.component;
  return {
    namespace: String(attributes["namespace"] ?? component.namespace),
    kind: String(attributes["kind"]) as Workload["kind"],
    name: String(attributes["workload"] ?? name.replaceAll("_", "-")),
    min: Number(attributes["min"] ?? 1),
    max: Number(attributes["max"] ?? 0),
  };
}

/** The drawn workloads of writable namespaces. */
export function workloadsOf(link: McpLink, topology: Topology): readonly Workload[] {
  const writable = new Set(writableOf(link, topology));
  return link.component.subs
    .filter(({ section }) => section === "workloads")
    .map((sub) => workloadOf(sub, link, topology))
    .filter(({ namespace }) => writable.has(namespace));
}

const APPS = ["deployments", "statefulsets", "daemonsets"] as const;

function rule(group: string, resources: readonly string[], verbs: readonly string[]): Rule {
  return { apiGroups: [group], resources, verbs };
}

/** What each read tool asks of the API. No verb on Secrets or ConfigMaps, no watch, no exec, no proxy. */
const READS: Readonly<Record<string, readonly Rule[]>> = {
  get_pod_status: [rule("", ["pods"], ["get"])],
  list_failing_pods: [rule("", ["pods"], ["list"])],
  get_recent_events: [rule("", ["events"], ["list"])],
  list_pods: [rule("", ["pods"], ["list"])],
  pod_logs: [rule("", ["pods/log"], ["get"])],
  list_workloads: [rule("apps", APPS, ["list"]), rule("batch", ["cronjobs", "jobs"], ["list"])],
  rollout_status: [rule("apps", APPS, ["get"]), rule("apps", ["replicasets"], ["list"])],
  list_services: [rule("", ["services"], ["list"]), rule("discovery.k8s.io", ["endpointslices"], ["list"])],
  detect_drift: [rule("", ["pods"], ["list"]), rule("cert-manager.io", ["certificates"], ["list"])],
  top_pods: [rule("metrics.k8s.io", ["pods"], ["list"])],
};

/** A tool by what follows the prefix, which a component with a name of its own changes. */
function isTool(tool: string, rest: string): boolean {
  return tool === rest || tool.endsWith(`_${rest}`);
}

function readRules(link: McpLink, tools: readonly string[], topology: Topology): readonly Rule[] {
  const fixed = Object.entries(READS).flatMap(([rest, rules]) =>
    tools.some((tool) => isTool(tool, rest)) ? rules : [],
  );
  const shown = tools.some((tool) => isTool(tool, "get_resource")) ? kindsOf(link, topology) : [];
  return [...fixed, ...shown.map(({ group, plural }) => rule(group, [plural], ["get"]))];
}

function named(workloads: readonly Workload[], below: string, verbs: readonly string[]): readonly Rule[] {
  const kinds = [...new Set(workloads.map(({ kind }) => kind))].sort();
  return kinds.map((kind) => ({
    ...rule("apps", [`${kind}s${below}`], verbs),
    resourceNames: workloads.filter((workload) => workload.kind === kind).map(({ name }) => name),
  }));
}

/** Changes are bound to the names of the drawn workloads, and scaling to those that have a bound. */
function writeRules(workloads: readonly Workload[], tools: readonly string[]): readonly Rule[] {
  const has = (rest: string): boolean => tools.some((tool) => isTool(tool, rest));
  const scalable = workloads.filter(({ kind, max }) => max > 0 && kind !== "daemonset");
  return [
    ...(has("rollout_restart") ? named(workloads, "", ["patch"]) : []),
    ...(has("scale") ? named(scalable, "/scale", ["get", "patch"]) : []),
  ];
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

/** One rule for each group, verbs and names, so that a Role reads as what it permits. */
function merged(rules: readonly Rule[]): readonly Rule[] {
  const verbs = new Map<string, Set<string>>();
  const names = new Map<string, readonly string[]>();
  for (const { apiGroups, resources, resourceNames, verbs: own } of rules) {
    for (const resource of resources) {
      const key = JSON.stringify([apiGroups[0], resource, resourceNames ?? null]);
      verbs.set(key, new Set([...(verbs.get(key) ?? []), ...own]));
      if (resourceNames !== undefined) names.set(key, resourceNames);
    }
  }
  const together = new Map<string, { group: string; resources: string[]; verbs: string[]; key: string }>();
  for (const [key, all] of verbs) {
    const [group, resource] = JSON.parse(key) as [string, string];
    const sorted = [...all].sort(byName);
    const like = JSON.stringify([group, sorted, names.get(key) ?? null]);
    const one = together.get(like) ?? { group, resources: [], verbs: sorted, key };
    one.resources.push(resource);
    together.set(like, one);
  }
  return [...together.entries()]
    .sort(([a], [b]) => byName(a, b))
    .map(([, { group, resources, verbs: own, key }]) => {
      const resourceNames = names.get(key);
      const base = { apiGroups: [group], resources: resources.sort(byName), verbs: own };
      return resourceNames === undefined ? base : { ...base, resourceNames: [...resourceNames].sort(byName) };
    });
}

/** What the named tools need, namespace by namespace, in whatever cluster the link leads to. */
export function rightsOf(
  link: McpLink,
  tools: readonly string[],
  topology: Topology,
): readonly NamespaceRights[] {
  const workloads = workloadsOf(link, topology);
  return namespacesOf(link, topology).map((namespace) => {
    const own = workloads.filter((workload) => workload.namespace === namespace);
    const rules = merged([...readRules(link, tools, topology), ...writeRules(own, tools)]);
    return { namespace, rules };
  });
}
