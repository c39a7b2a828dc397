import type { McpLink, Topology } from "#contract";
import type * as module from "./tools.ts";

export type DrawnKind = (typeof module.kinds)[number];

const kind = (name: string, group: string, plural: string): DrawnKind => ({
  kind: name,
  group,
  version: "v1",
  plural,
});

/** What every cluster has. Pods are not here, because `get_pod_status` leaves out more of them. */
const BUILT_IN: readonly DrawnKind[] = [
  kind("deployment", "apps", "deployments"),
  kind("statefulset", "apps", "statefulsets"),
  kind("daemonset", "apps", "daemonsets"),
  kind("replicaset", "apps", "replicasets"),
  kind("job", "batch", "jobs"),
  kind("cronjob", "batch", "cronjobs"),
  kind("service", "", "services"),
];

/** The objects by which an operator or a controller runs a component, by the component's type. */
const OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  apisix: ["apisix.apache.org/v2/apisixroutes"],
  cnpg: ["postgresql.cnpg.io/v1/clusters", "postgresql.cnpg.io/v1/poolers", "postgresql.cnpg.io/v1/backups"],
  gateway_api: ["gateway.networking.k8s.io/v1/gateways", "gateway.networking.k8s.io/v1/httproutes"],
  kafka: ["kafka.strimzi.io/v1beta2/kafkas", "kafka.strimzi.io/v1beta2/kafkatopics"],
  traefik: ["traefik.io/v1alpha1/ingressroutes"],
};

function customKind(written: string): DrawnKind {
  const [group = "", version = "", plural = ""] = written.split("/");
  return { kind: plural, group, version, plural };
}

/** A group and a plural once; what was written for this component goes before what follows from types. */
function customResources({ component }: McpLink, { components }: Topology): readonly DrawnKind[] {
  const written = component.attributes["custom_resources"];
  const implied = components.flatMap(({ type, external }) =>
    external === null ? (OF_TYPE[type] ?? []) : [],
  );
  const wanted = [...(Array.isArray(written) ? written.map(String) : []), ...implied].map(customKind);
  return wanted.filter(
    (one, index) => wanted.findIndex((other) => other.kind === one.kind) === index && !isBuiltIn(one),
  );
}

function isBuiltIn({ kind: name }: DrawnKind): boolean {
  return BUILT_IN.some((known) => known.kind === name || known.plural === name);
}

/** What `k8s_get_resource` shows, sorted by name. */
export function kindsOf(link: McpLink, topology: Topology): readonly DrawnKind[] {
  return [...BUILT_IN, ...customResources(link, topology)].sort((a, b) => (a.kind < b.kind ? -1 : 1));
}
