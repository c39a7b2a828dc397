import { defineHook, factsOf, kubernetesName } from "#hook";
import type { Topology } from "#hook";
import type workloadHook from "./workload.ts";

type Link = Topology["links"][number];

/** Where the emitted server is found, in the cluster and from outside. */
export interface ServerAddress {
  /** Of its Deployment and its Service: `shop-mcp`. */
  readonly service: string;
  readonly namespace: string;
  /** The endpoint behind the drawn gateway; `null` when no link leads from a gateway to the server. */
  readonly url: string | null;
  /** The gateway of the route, when it asks for the same bearer key as the server. */
  readonly keyGateway: string | null;
}

function isRoute({ from, to, attributes }: Link): boolean {
  return !from.component.builtin && to.component.type === "fastmcp" && attributes["enabled"] !== false;
}

/** `/mcp`, or with the drawn prefix in front; mcp-runtime tells servers apart by a prefix anyway. */
function pathOf({ attributes }: Link, { stack, server }: Topology): string {
  const usual = server.delivery === "mcp-runtime" ? `/${kubernetesName(stack)}-mcp` : "";
  const prefix = String(attributes["path"] ?? usual).replace(/\/+$/, "");
  return prefix === "/mcp" ? prefix : `${prefix}/mcp`;
}

function urlOf(route: Link, domain: string, topology: Topology): string {
  const { attributes, to } = route;
  const scheme = attributes["tls"] === false ? "http" : "https";
  const subdomain = String(attributes["subdomain"] ?? kubernetesName(to.component.name));
  return `${scheme}://${subdomain}.${domain}${pathOf(route, topology)}`;
}

/** A link `<gateway> -> mcp` is the route: without one, clients come through a port-forward. */
export default defineHook({
  name: "server-address",
  after: ["workload"],
  derive: (topology, facts): ServerAddress => {
    const { server } = factsOf<typeof workloadHook>(facts, "workload");
    const [route] = topology.links.filter(isRoute);
    const isNamed = route !== undefined && topology.domain !== null;
    return {
      service: server.name,
      namespace: server.namespace,
      url: isNamed ? urlOf(route, topology.domain, topology) : null,
      keyGateway: route?.attributes["auth"] === "key-auth" ? route.from.component.name : null,
    };
  },
});
