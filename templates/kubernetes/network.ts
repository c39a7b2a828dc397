import { factsOf } from "#hook";
import type { Facts } from "#hook";
import type networkPolicyHook from "../../hooks/network-policy.ts";
import type { NetworkRule, Peer } from "../../hooks/network-policy.ts";
import type { Workload } from "../../hooks/workload.ts";

interface Policy extends Pick<Workload, "name" | "namespace" | "podLabel"> {
  readonly ingress: readonly NetworkRule[];
  readonly egress: readonly NetworkRule[];
}

function peerOf({ name, namespace, podLabel }: Workload): Peer {
  return { cidr: null, namespace, labels: [{ name: podLabel, value: name }] };
}

/** The rule that leads to a workload of this stack. */
function leadsTo({ peer }: NetworkRule, { name, namespace, podLabel }: Workload): boolean {
  return (
    peer.namespace === namespace &&
    peer.labels.some((label) => label.name === podLabel && label.value === name)
  );
}

/** The agent answers the server alone, and its tests go where the server's tools go. */
function policyOf(facts: Facts, workload: Workload, server: Workload): Policy {
  const { name, namespace, podLabel } = workload;
  const { egress, ingress } = factsOf<typeof networkPolicyHook>(facts, "network-policy");
  if (workload.component === "server") return { name, namespace, podLabel, ingress, egress };
  return {
    name,
    namespace,
    podLabel,
    ingress: [{ link: "mcp->stack_agent", peer: peerOf(server), ports: [workload.port] }],
    egress: egress.filter((rule) => rule.serverOnly !== true && !leadsTo(rule, workload)),
  };
}

/** One policy for each workload; what it does not name is closed. */
export function policiesOf(
  facts: Facts,
  workloads: readonly Workload[],
  server: Workload,
): readonly Policy[] {
  return workloads.map((workload) => policyOf(facts, workload, server));
}
