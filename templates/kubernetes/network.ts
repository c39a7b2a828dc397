import { factsOf } from "#hook";
import type { Facts } from "#hook";
import type networkPolicyHook from "../../hooks/network-policy.ts";
import type { NetworkRule, Peer } from "../../hooks/network-policy.ts";
import type { Workload } from "../../hooks/workload.ts";

interface Policy extends Pick<Workload, "name" | "namespace" | "podLabel"> {
  readonly ingress: readonly NetworkRule[];
  readonly egress: readonly NetworkRule[];
  readonly resolvesNames: boolean;
}

function peerOf({ name, namespace, podLabel }: Workload): Peer {
  return { cidr: null, namespace, labels: [{ name: podLabel, value: name }] };
}

function policyOf(facts: Facts, workload: Workload, server: Workload): Policy {
  const { name, namespace, podLabel } = workload;
  if (workload.component === "agent") {
    // It answers the server from a file, and has nobody to ask.
    const ingress = [{ link: "mcp->stack_agent", peer: peerOf(server), ports: [workload.port] }];
    return { name, namespace, podLabel, ingress, egress: [], resolvesNames: false };
  }
  const { egress, ingress } = factsOf<typeof networkPolicyHook>(facts, "network-policy");
  return { name, namespace, podLabel, ingress, egress, resolvesNames: true };
}

/** One policy for each workload; what it does not name is closed. */
export function policiesOf(
  facts: Facts,
  workloads: readonly Workload[],
  server: Workload,
): readonly Policy[] {
  return workloads.map((workload) => policyOf(facts, workload, server));
}
