import { factsOf } from "#hook";
import type { Facts, Report, Topology } from "#hook";
import type oauthHook from "../../hooks/oauth.ts";
import type rbacHook from "../../hooks/rbac.ts";
import type routeHook from "../../hooks/route.ts";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
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

/** A grant that the policy has no word for would be shown and never given. */
function reportGrants(topology: Topology, facts: Facts, report: Report): void {
  const isOperated = topology.server.delivery === "mcp-runtime";
  for (const name of factsOf<typeof runtimePolicyHook>(facts, "runtime-policy").inexpressible) {
    const who = isOperated ? "mcp-runtime knows" : "the policy knows";
    const message = `${who} one team of a caller, in one word, so grant "${name}" cannot be kept: write team or group`;
    report(isOperated ? "E-DELIVERY" : "E-SHAPE", message, ["access", "grants", name, "subject"]);
  }
}

/** mcp-runtime's operator makes pods, routes and policies its own way; what it has no word for must not get lost. */
function reportDelivery(topology: Topology, facts: Facts, report: Report): void {
  if (topology.server.delivery !== "mcp-runtime") return;
  const { routes } = factsOf<typeof routeHook>(facts, "route");
  const { roles } = factsOf<typeof rbacHook>(facts, "rbac");
  const { document } = factsOf<typeof runtimePolicyHook>(facts, "runtime-policy");
  const ways = routes.filter(({ kind }) => kind === "ingress");
  if (routes.length !== 1 || ways.length !== 1) {
    const message =
      "mcp-runtime gives every server one Ingress: draw one link to mcp, from an ingress, traefik or nginx";
    report("E-DELIVERY", message, ["components", "mcp", "delivery"]);
  }
  if (roles.length > 0) {
    const message =
      "mcp-runtime runs servers without rights to the Kubernetes API, which tools of a drawn link need";
    report("E-DELIVERY", message, ["components", "mcp", "delivery"]);
  }
  const names = document.grants?.map(({ name }) => name) ?? [];
  if (new Set(names).size < names.length) {
    report("E-DELIVERY", "two grants have one name in Kubernetes: rename one of them", ["access", "grants"]);
  }
}

/** Tokens are for one address, and only the server itself reads them. */
function reportOAuth(topology: Topology, facts: Facts, report: Report): void {
  const oauth = factsOf<typeof oauthHook>(facts, "oauth");
  if (oauth === null) return;
  if (oauth.fault !== null) report(oauth.fault.code, oauth.fault.message, oauth.fault.path);
  const path = ["access", "oauth"];
  if (topology.server.delivery === "mcp-runtime") {
    const message =
      "mcp-runtime's gateway says itself who is calling, and does not hand tokens on: leave oauth out";
    report("E-DELIVERY", message, path);
  }
  for (const { gateway, checksKey } of factsOf<typeof routeHook>(facts, "route").routes) {
    if (!checksKey) continue;
    const message = `"${gateway}" would turn tokens away, since it compares one key with the header: write auth: none on its link to mcp`;
    report("E-ROUTE", message, path);
  }
}

/** What is drawn and cannot run in a cluster as it is drawn. */
export function reportFaults(topology: Topology, facts: Facts, report: Report): void {
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  reportGrants(topology, facts, report);
  reportName(topology, facts, report);
  reportResources(topology, report);
  reportDelivery(topology, facts, report);
  reportOAuth(topology, facts, report);
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
