import { choice, defineComponent, integer, list, text } from "#contract";
import type { McpLink } from "#contract";
import { commands } from "./commands.ts";
import { expectedOf } from "./expected.ts";
import { kindsOf } from "./kinds.ts";
import { namespacesOf, rightsOf, workloadsOf, writableOf } from "./reach.ts";
import type * as module from "./tools.ts";

const NAME = "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$";
/** Where Kubernetes mounts the account of a pod. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const API_SERVER = 6443;

function settingsOf({ component }: McpLink): readonly { name: string; value: string }[] {
  const url = { name: "URL", value: `https://${component.host ?? ""}:${component.port ?? 443}` };
  if (component.external !== null) return [url];
  return [
    url,
    { name: "CA_FILE", value: `${ACCOUNT}/ca.crt` },
    { name: "TOKEN_FILE", value: `${ACCOUNT}/token` },
  ];
}

export default defineComponent<typeof module>({
  type: "kubernetes",
  summary: "The Kubernetes cluster that the stack runs in.",
  group: "platform",
  port: 443,
  host: "kubernetes.default.svc.{cluster_domain}",
  attributes: {
    custom_resources: list({
      doc: "Custom resources that AI may read, as group/version/plural; those of drawn components follow by themselves.",
      pattern:
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+/v[a-z0-9]{1,20}/[a-z]{1,63}$",
    }),
  },
  subComponents: {
    namespaces: {
      kind: "namespace",
      doc: "A namespace that AI may look into; without any, those of the stack's components.",
      attributes: {},
    },
    workloads: {
      kind: "workload",
      doc: "What AI may restart, and scale within bounds, when the link permits changes.",
      attributes: {
        namespace: text({
          doc: "Namespace it runs in, when it is not that of the component so named.",
          pattern: NAME,
        }),
        workload: text({ doc: "Its name in the cluster, when it has another one there.", pattern: NAME }),
        kind: choice({
          doc: "What it is.",
          values: ["deployment", "statefulset", "daemonset"],
          default: "deployment",
        }),
        min: integer({ doc: "Fewest pods that it may be scaled to.", min: 0, default: 1 }),
        max: integer({
          doc: "Most pods that it may be scaled to; left out, it is not scaled.",
          min: 1,
          max: 1000,
        }),
      },
    },
  },
  access: ["read", "write"],
  podLabels: {},
  mcp: "tools",
  testedOn: ["kube-apiserver 1.34.1 over etcd 3.4"],
  tools: {
    prefix: "k8s",
    ownNames: {
      k8s_get_pod_status: "get_pod_status",
      k8s_list_failing_pods: "list_failing_pods",
      k8s_get_recent_events: "get_recent_events",
      k8s_detect_drift: "detect_drift",
    },
    service: "KUBERNETES",
    scope: "namespaces",
    targetParameter: "namespace",
    slots: (link, topology) => ({
      namespaces: namespacesOf(link, topology),
      writable: writableOf(link, topology),
      workloads: workloadsOf(link, topology),
      expected: expectedOf(link, topology),
      kinds: kindsOf(link, topology),
    }),
    settings: settingsOf,
    credentials: ({ component }) => [
      component.external === null
        ? { name: "TOKEN", doc: "Token in place of the pod's own service account.", optional: true }
        : { name: "TOKEN", doc: "Token of the account in the other cluster.", issued: true },
    ],
    ports: ({ component }) => [...new Set([component.port ?? 443, API_SERVER])],
    // Another cluster's rights are not for this one to give: `account.ts` writes them down for its administrator.
    rbac: (link, tools, topology) =>
      link.component.external === null ? rightsOf(link, tools, topology) : [],
    playbooks: {
      cluster: { tool: "k8s_list_failing_pods", how: "in the component's namespace, then the events there" },
      deployments: { tool: "k8s_rollout_status", how: "to see whether a new version came shortly before" },
      logs: { tool: "k8s_pod_logs", how: "for a pod of the component, the previous container too" },
    },
  },
  commands,
});
