import { factsOf } from "#hook";
import type { Facts, Report, Topology } from "#hook";
import type routeHook from "../../hooks/route.ts";
import type variablesHook from "../../hooks/variables.ts";
import type workloadHook from "../../hooks/workload.ts";

/** Names of Services and values of labels are no longer. */
const LONGEST_NAME = 63;
const QUANTITY = /^\d+(\.\d+)?([munpf]|[KMGTPE]i?|k|[eE][+-]?\d+)?$/;

function reportName(topology: Topology, facts: Facts, report: Report): void {
  const { server, agent } = factsOf<typeof workloadHook>(facts, "workload");
  const longest = Math.max(server.name.length, agent.name.length);
  if (longest <= LONGEST_NAME) return;
  const most = topology.stack.length - (longest - LONGEST_NAME);
  report("E-SHAPE", `"${topology.stack}" is too long to name a Service: use at most ${most} characters`, [
    "stack",
  ]);
}

function reportResources({ server }: Topology, report: Report): void {
  for (const [kind, amounts] of Object.entries(server.resources ?? {})) {
    for (const [name, amount] of Object.entries(amounts)) {
      if (QUANTITY.test(amount)) continue;
      report("E-SHAPE", `"${amount}" is no amount of ${name}: write one such as 500m or 256Mi`, [
        "components",
        "mcp",
        "resources",
        kind,
        name,
      ]);
    }
  }
}

/** What is drawn and cannot run in a cluster as it is drawn. */
export function reportFaults(topology: Topology, facts: Facts, report: Report): void {
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  reportName(topology, facts, report);
  reportResources(topology, report);
  for (const { name, source, path } of factsOf<typeof variablesHook>(facts, "variables").unreadable) {
    if (source.from !== "k8s") continue;
    report(
      "E-SECRET-NAMESPACE",
      `${name} is to come from ${source.namespace}/${source.secret}, and the server runs in ${server.namespace}: a pod reads Secrets of its own namespace only`,
      path,
    );
  }
  for (const { code, message, path } of factsOf<typeof routeHook>(facts, "route").faults)
    report(code, message, path);
}
