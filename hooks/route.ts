import { defineHook, factsOf, kubernetesName } from "#hook";
import type { Topology } from "#hook";
import type serverLinksHook from "./server-links.ts";
import type workloadHook from "./workload.ts";
import type { WorkloadFacts } from "./workload.ts";

type Link = Topology["links"][number];

/** The objects that make a gateway send requests to the server. */
export type RouteKind = "apisix" | "gateway-api" | "ingress";
export type IngressClass = "traefik" | "nginx" | "istio" | "generic";

/** The way from one gateway to the server: only `/mcp`, whatever else the server answers. */
export interface Route {
  readonly link: string;
  /** Component that is the gateway. */
  readonly gateway: string;
  readonly kind: RouteKind;
  /** Of an Ingress, or the GatewayClass; empty when none is drawn. */
  readonly class: string;
  /** Of the route's objects; two gateways have two. */
  readonly name: string;
  /** The Gateway object that an HTTPRoute belongs to. */
  readonly parent: { readonly name: string; readonly namespace: string; readonly listener: string };
  readonly host: string;
  /** `/mcp`, or with the drawn prefix in front. */
  readonly path: string;
  /** As a client writes it: `https://mcp.example.com/mcp`. */
  readonly address: string;
  /** Whether the path differs from the server's own. */
  readonly isRewritten: boolean;
  readonly tls: boolean;
  /** Whether the gateway asks for the key too; the server always does. */
  readonly checksKey: boolean;
  /** Requests of one caller in so many seconds; `null` when none was drawn. */
  readonly rate: { readonly count: number; readonly seconds: number } | null;
  /** Whether pages of other hosts may call; was drawn. */
  readonly cors: boolean;
  /** Origins of pages that may call. */
  readonly origins: readonly string[];
}

/** What was drawn and cannot be made. */
export interface RouteFault {
  readonly code: "E-ROUTE" | "W-ROUTE";
  readonly message: string;
  readonly path: Link["path"];
}

export interface RouteFacts {
  readonly routes: readonly Route[];
  readonly faults: readonly RouteFault[];
  /** Every host under which clients reach the server, sorted. */
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const INGRESS_TYPES: Readonly<Record<string, IngressClass>> = {
  traefik: "traefik",
  nginx: "nginx",
  gateway: "generic",
};

function textOf(link: Link, name: string): string | null {
  const value = link.attributes[name];
  return typeof value === "string" ? value : null;
}

function hostOf(link: Link, domain: string | null): string | null {
  return domain === null
    ? null
    : `${textOf(link, "subdomain") ?? kubernetesName(link.to.component.name)}.${domain}`;
}

function kindOf({ type, attributes }: Link["from"]["component"]): {
  readonly kind: RouteKind;
  readonly class: string;
} {
  const drawn = typeof attributes["class"] === "string" ? attributes["class"] : "";
  if (type === "apisix") return { kind: "apisix", class: "apisix" };
  if (type === "gateway_api") return { kind: "gateway-api", class: drawn };
  return { kind: "ingress", class: INGRESS_TYPES[type] ?? drawn };
}

function rateOf(link: Link): Route["rate"] {
  const match = /^(\d+)\/(s|min|h)$/.exec(textOf(link, "rate_limit") ?? "");
  return match === null ? null : { count: Number(match[1]), seconds: SECONDS[match[2] ?? ""] ?? 1 };
}

/** Pages that the same gateway serves; without `cors`, only pages of the route's own host. */
function originsOf(link: Link, host: string, tls: boolean, topology: Topology): readonly string[] {
  const scheme = tls ? "https" : "http";
  if (link.attributes["cors"] === false) return [];
  if (link.attributes["cors"] !== true) return [`${scheme}://${host}`];
  const siblings = topology.links
    .filter(
      ({ from, attributes }) => from.component === link.from.component && attributes["enabled"] !== false,
    )
    .map(
      (other) =>
        `${other.attributes["tls"] === false ? "http" : "https"}://${hostOf(other, topology.domain) ?? host}`,
    );
  return [...new Set(siblings)].sort();
}

/** mcp-runtime tells servers apart by the path, which is the server's name unless a prefix was drawn. */
function pathOf(link: Link, { server: { delivery } }: Topology, { server, path }: WorkloadFacts): string {
  const prefix = textOf(link, "path") ?? (delivery === "mcp-runtime" ? `/${server.name}` : "");
  const trimmed = prefix.replace(/\/+$/, "");
  return trimmed === path ? path : `${trimmed}${path}`;
}

function routeOf(link: Link, host: string, topology: Topology, workload: WorkloadFacts): Route {
  const { component } = link.from;
  const tls = link.attributes["tls"] !== false;
  const path = pathOf(link, topology, workload);
  const listener = component.attributes["listener"];
  const scheme = tls ? "https" : "http";
  return {
    link: link.id,
    gateway: component.name,
    ...kindOf(component),
    name: `${workload.server.name}-${kubernetesName(component.name)}`,
    parent: {
      name: kubernetesName(component.name),
      namespace: component.namespace,
      listener: typeof listener === "string" ? listener : "",
    },
    host,
    path,
    address: `${scheme}://${host}${path}`,
    isRewritten: path !== workload.path,
    tls,
    checksKey: textOf(link, "auth") === "key-auth",
    rate: rateOf(link),
    cors: link.attributes["cors"] === true,
    origins: originsOf(link, host, tls, topology),
  };
}

interface Abilities {
  readonly path: boolean;
  readonly rate: boolean;
  readonly cors: boolean;
}

/** What each kind of gateway can do by itself; a path that none of these rewrites would lead nowhere. */
function abilitiesOf(route: Route, { server: { delivery } }: Topology): Abilities {
  if (route.class === "apisix") return { path: true, rate: true, cors: true };
  if (route.kind === "gateway-api") return { path: true, rate: false, cors: false };
  const isOperated = delivery === "mcp-runtime";
  if (route.class === "nginx") return { path: true, rate: true, cors: true };
  if (route.class === "traefik") return { path: true, rate: !isOperated, cors: !isOperated };
  return { path: isOperated || route.class === "generic", rate: false, cors: false };
}

function faultsOf(link: Link, route: Route, topology: Topology): readonly RouteFault[] {
  const can = abilitiesOf(route, topology);
  const kind = route.kind === "ingress" ? "an Ingress" : "the Gateway API";
  const through = route.class === "" ? kind : `${kind} of class ${route.class}`;
  const faults: RouteFault[] = [];
  const fault = (code: RouteFault["code"], attribute: string, message: string): void =>
    void faults.push({ code, message, path: [...link.path, attribute] });
  if (["oidc", "basic"].includes(textOf(link, "auth") ?? "")) {
    const message =
      "the server asks for its own key, which a login at the gateway would hide: write key-auth or none";
    fault("E-ROUTE", "auth", message);
  }
  if (route.isRewritten && !can.path) {
    fault(
      "E-ROUTE",
      "path",
      `${through} cannot change the path, and the server answers at /mcp: leave path out`,
    );
  }
  if (route.rate !== null && !can.rate) {
    fault(
      "W-ROUTE",
      "rate_limit",
      `${through} has no rate limit; those under access.limits hold in the server`,
    );
  }
  if (route.cors && !can.cors) {
    fault(
      "W-ROUTE",
      "cors",
      `${through} has no word for cross-origin requests: let the gateway itself answer them`,
    );
  }
  return faults;
}

/** The routes from drawn gateways. No link from a gateway to the server, no route. */
export default defineHook({
  name: "route",
  after: ["server-links", "workload"],
  derive: (topology, facts): RouteFacts => {
    const workload = factsOf<typeof workloadHook>(facts, "workload");
    const routes: Route[] = [];
    const faults: RouteFault[] = [];
    for (const link of factsOf<typeof serverLinksHook>(facts, "server-links").gateways) {
      const host = hostOf(link, topology.domain);
      if (host === null) {
        const message = `the route from "${link.from.component.name}" to mcp has no host: add domain to the stack`;
        faults.push({ code: "E-ROUTE", message, path: link.path });
        continue;
      }
      const route = routeOf(link, host, topology, workload);
      routes.push(route);
      faults.push(...faultsOf(link, route, topology));
    }
    return {
      routes,
      faults,
      hosts: [...new Set(routes.map(({ host }) => host))].sort(),
      origins: [...new Set(routes.flatMap(({ origins }) => origins))].sort(),
    };
  },
});
