import { defineHook, factsOf } from "#hook";
import type { LinkModule, Topology } from "#hook";
import type egressHook from "./egress.ts";
import type { Egress } from "./egress.ts";
import type serverLinksHook from "./server-links.ts";
import type workloadHook from "./workload.ts";

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
  /** Not for the agent beside the server. */
  readonly serverOnly?: true;
}

export interface NetworkFacts {
  /** Where the server may connect to, beside name resolution. One rule a link, sorted by link. */
  readonly egress: readonly NetworkRule[];
  /** Who may connect to the server. Sorted by link. */
  readonly ingress: readonly NetworkRule[];
}

function podsOf({ cidr, namespace, podLabels }: Component): Peer {
  const labels = Object.entries(podLabels).map(([name, value]) => ({ name, value }));
  return { cidr, namespace, labels: cidr === null ? labels.sort((a, b) => (a.name < b.name ? -1 : 1)) : [] };
}

/** What a gateway is made of differs from product to product, so all pods of its namespace may come. */
function gatewayPeer({ cidr, namespace }: Component): Peer {
  return { cidr, namespace, labels: [] };
}

function egressRule({ link }: LinkModule, ports: readonly number[]): NetworkRule {
  return { link: link.id, peer: podsOf(link.component), ports: [...new Set(ports)].sort((a, b) => a - b) };
}

function ownRule({ link, component, ports }: Egress, components: readonly Component[]): NetworkRule[] {
  return components
    .filter(({ name }) => name === component)
    .map((each) => ({ link, peer: podsOf(each), ports, serverOnly: true }));
}

function ingressRules(
  links: readonly Link[],
  peerOf: (component: Component) => Peer,
  port: number,
): readonly NetworkRule[] {
  // An external component that nobody knows the place of gets no rule, as in the other direction.
  const known = links.filter(
    ({ from: { component } }) => component.cidr !== null || component.namespace !== "",
  );
  return known.map(({ id, from }) => ({ link: id, peer: peerOf(from.component), ports: [port] }));
}

/** What may pass the server's network interface; each rule follows from a drawn link and goes with it. */
export default defineHook({
  name: "network-policy",
  after: ["egress", "server-links", "workload"],
  derive: ({ components }, facts, { links }): NetworkFacts => {
    const { server, metricsPort } = factsOf<typeof workloadHook>(facts, "workload");
    const { gateways, scrapers, clients } = factsOf<typeof serverLinksHook>(facts, "server-links");
    const egress = factsOf<typeof egressHook>(facts, "egress");
    const ways = new Map(egress.links.map((each) => [each.link, each]));
    const ingress = [
      ...ingressRules(gateways, gatewayPeer, server.entryPort),
      ...ingressRules(clients, podsOf, server.entryPort),
      ...ingressRules(scrapers, podsOf, metricsPort),
    ];
    const own = [egress.state, egress.issuer].flatMap((way) =>
      way?.none === null ? ownRule(way, components) : [],
    );
    const linked = links.flatMap((module) => {
      const way = ways.get(module.link.id);
      return way === undefined || way.none !== null ? [] : [egressRule(module, way.ports)];
    });
    return {
      egress: [...linked, ...own].sort((a, b) => (a.link < b.link ? -1 : 1)),
      ingress: ingress.sort((a, b) => (a.link < b.link ? -1 : 1)),
    };
  },
});
