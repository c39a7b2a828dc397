import type { IngressClass, Route } from "../../hooks/route.ts";

interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** A Traefik object for what an Ingress cannot say: one concern each, since Traefik takes one each. */
interface Middleware {
  readonly name: string;
  readonly path: string | null;
  readonly rate: { readonly count: number; readonly period: string } | null;
  readonly origins: readonly string[];
}

/** Where the server is, and where it answers. */
interface Place {
  readonly namespace: string;
  readonly path: string;
}

const NGINX = "nginx.ingress.kubernetes.io";
const TRAEFIK = "traefik.ingress.kubernetes.io";
const METHODS = "POST, GET, DELETE, OPTIONS";
const HEADERS =
  "authorization,content-type,accept,last-event-id,mcp-session-id,mcp-protocol-version,mcp-method,mcp-name";

export function middlewaresOf(route: Route, serverPath: string): readonly Middleware[] {
  if (route.class !== "traefik") return [];
  const none = { path: null, rate: null, origins: [] };
  const { rate } = route;
  return [
    ...(route.isRewritten ? [{ ...none, name: `${route.name}-path`, path: serverPath }] : []),
    ...(rate === null
      ? []
      : [{ ...none, name: `${route.name}-rate`, rate: { count: rate.count, period: `${rate.seconds}s` } }]),
    ...(route.cors ? [{ ...none, name: `${route.name}-cors`, origins: route.origins }] : []),
  ];
}

/** nginx counts by the second or by the minute. */
function nginxRate({ rate }: Route): Record<string, string> {
  if (rate === null) return {};
  if (rate.seconds === 1) return { [`${NGINX}/limit-rps`]: String(rate.count) };
  return { [`${NGINX}/limit-rpm`]: String(Math.max(1, Math.floor((rate.count * 60) / rate.seconds))) };
}

function nginxCors({ cors, origins }: Route): Record<string, string> {
  if (!cors) return {};
  return {
    [`${NGINX}/enable-cors`]: "true",
    [`${NGINX}/cors-allow-origin`]: origins.join(","),
    [`${NGINX}/cors-allow-methods`]: METHODS,
    [`${NGINX}/cors-allow-headers`]: HEADERS,
    [`${NGINX}/cors-expose-headers`]: "mcp-session-id",
    [`${NGINX}/cors-allow-credentials`]: "false",
  };
}

/** What lets answers stream, and the rest of the drawing, in the words of each controller. */
const ANNOTATIONS: Readonly<Record<IngressClass, (route: Route, server: Place) => Record<string, string>>> = {
  nginx: (route, { path }) => ({
    [`${NGINX}/proxy-buffering`]: "off",
    [`${NGINX}/proxy-read-timeout`]: "300",
    [`${NGINX}/proxy-send-timeout`]: "300",
    [`${NGINX}/ssl-redirect`]: String(route.tls),
    ...(route.isRewritten ? { [`${NGINX}/rewrite-target`]: path } : {}),
    ...nginxRate(route),
    ...nginxCors(route),
  }),
  // Traefik passes on what it gets at once.
  traefik: (route, { namespace, path }) => {
    const chain = middlewaresOf(route, path).map(({ name }) => `${namespace}-${name}@kubernetescrd`);
    return {
      [`${TRAEFIK}/router.entrypoints`]: route.tls ? "websecure" : "web",
      ...(route.tls ? { [`${TRAEFIK}/router.tls`]: "true" } : {}),
      ...(chain.length > 0 ? { [`${TRAEFIK}/router.middlewares`]: chain.join(",") } : {}),
    };
  },
  // The class stands in the annotation: Istio reads it without an IngressClass object.
  istio: () => ({ "kubernetes.io/ingress.class": "istio" }),
  generic: (route, { path }) =>
    route.isRewritten ? { "ingress.kubernetes.io/rewrite-target": path } : ({} as Record<string, string>),
};

function isIngressClass(name: string): name is IngressClass {
  return Object.hasOwn(ANNOTATIONS, name);
}

/** Sorted by name; none for a route that is no Ingress. */
export function annotationsOf(route: Route, server: Place): readonly Annotation[] {
  if (route.kind !== "ingress" || !isIngressClass(route.class)) return [];
  return Object.entries(ANNOTATIONS[route.class](route, server))
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
