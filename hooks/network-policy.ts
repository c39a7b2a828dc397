import { defineHook, factsOf } from "#hook";
import type { LinkModule, Topology } from "#hook";
import type egressHook from "./egress.ts";
import type workloadHook from "./workload.ts";
import type { Workload } from "./workload.ts";

type Component = Topology["components"][number];
type Link = Topology["links"][number];

interface Label {
  readonly name: string;
  readonly value: string;
}

/** The other side of a rule: addresses outside the cluster, or pods of one namespace. Never everything. */
export interface Peer {
  readonly cidr: string | null;
  readonly namespace: string;
  /** Empty for every pod of the namespace. */
  readonly labels: readonly Label[];
}

export interface NetworkRule {
  /** The drawn link that the rule follows from. */
  readonly link: string;
  readonly peer: Peer;
  readonly ports: readonly number[];
}

export interface NetworkFacts {
  /** Where the server may connect to, beside name resolution. One rule a link, sorted by link. */
  readonly egress: readonly NetworkRule[];
  /** Who may connect to the server. Sorted by link. */
  readonly ingress: readonly NetworkRule[];
  /** Whether a drawn link lets anything read the server's metrics. */
  readonly isScraped: boolean;
}

export const METRICS_PORT = 9103;

/** Types that read metrics, and nothing else, of what they are linked with. */
const SCRAPERS: ReadonlySet<string> = new Set(["prometheus"]);

function labelsOf(labels: Readonly<Record<string, string>>): readonly Label[] {
  return Object.entries(labels)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function podsOf({ cidr, namespace, podLabels }: Component): Peer {
  return { cidr, namespace, labels: cidr === null ? labelsOf(podLabels) : [] };
}

/** What a gateway is made of differs from product to product, so all pods of its namespace may come. */
function gatewayPeer({ cidr, namespace }: Component): Peer {
  return { cidr, namespace, labels: [] };
}

function egressRule({ link }: LinkModule, ports: readonly number[]): NetworkRule {
  return { link: link.id, peer: podsOf(link.component), ports: [...new Set(ports)].sort((a, b) => a - b) };
}

function isKnown({ cidr, namespace }: Component): boolean {
  return cidr !== null || namespace !== "";
}

/** A gateway reaches the server's port, a scraper its metrics; whatever else is drawn to it is a client. */
function ingressRule(link: Link, gateways: ReadonlySet<string>, server: Workload): NetworkRule {
  const { component } = link.from;
  if (SCRAPERS.has(component.type)) return { link: link.id, peer: podsOf(component), ports: [METRICS_PORT] };
  const peer = gateways.has(component.type) ? gatewayPeer(component) : podsOf(component);
  return { link: link.id, peer, ports: [server.port] };
}

/** Drawn links to the server; one that is switched off stays in the drawing and opens nothing. */
export function linksToServer({ links }: Topology): readonly Link[] {
  return links.filter(({ to, attributes }) => to.component.name === "mcp" && attributes["enabled"] !== false);
}

/** What may pass the server's network interface; each rule follows from a drawn link and goes with it. */
export default defineHook({
  name: "network-policy",
  after: ["egress", "workload"],
  derive: (topology, facts, { links, types }): NetworkFacts => {
    const { server } = factsOf<typeof workloadHook>(facts, "workload");
    const egress = factsOf<typeof egressHook>(facts, "egress");
    const reached = new Map(egress.links.map((each) => [each.link, each]));
    const gateways = new Set([...types.values()].filter((type) => type.gateway).map(({ type }) => type));
    const towards = linksToServer(topology).filter(({ from }) => isKnown(from.component));
    return {
      egress: links.flatMap((module) => {
        const way = reached.get(module.link.id);
        return way === undefined || way.none !== null ? [] : [egressRule(module, way.ports)];
      }),
      ingress: towards.map((link) => ingressRule(link, gateways, server)),
      isScraped: towards.some(({ from }) => SCRAPERS.has(from.component.type)),
    };
  },
});
