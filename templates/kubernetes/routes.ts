import { factsOf } from "#hook";
import type { Facts, FileSpec } from "#hook";
import type oauthHook from "../../hooks/oauth.ts";
import type routeHook from "../../hooks/route.ts";
import type { Route } from "../../hooks/route.ts";
import type variablesHook from "../../hooks/variables.ts";
import type workloadHook from "../../hooks/workload.ts";
import type { WorkloadFacts } from "../../hooks/workload.ts";
import { annotationsOf, middlewaresOf } from "./ingress.ts";

const HERE = "templates/kubernetes";

/** Where nothing is drawn: enough for any client, and an end to one that runs wild. */
const DEFAULT_RATE = { count: 600, seconds: 60 };

/** The Secret whose entry `key` the gateway compares with the header. */
function keySecretOf(facts: Facts): string {
  const { secrets } = factsOf<typeof variablesHook>(facts, "variables");
  return secrets.find(({ name }) => name === "MCP_API_KEY")?.secret ?? "";
}

type OAuth = ReturnType<(typeof oauthHook)["derive"]>;

/** Where clients find out who signs tokens for the address of this route; empty where no tokens are drawn. */
function metadataPath({ address }: Route, oauth: OAuth): string {
  return oauth?.resource === address ? oauth.metadataPath : "";
}

function viewOf(
  route: Route,
  { server, stack, path }: WorkloadFacts,
  keySecret: string,
  oauth: OAuth,
): object {
  const isApisix = route.class === "apisix";
  return {
    ...route,
    server,
    stack,
    keySecret,
    serverPath: path,
    originList: route.origins.join(","),
    rate: route.rate ?? DEFAULT_RATE,
    rateKey: route.checksKey ? "consumer_name" : "remote_addr",
    tlsSecret: `${route.name}-tls`,
    listener: route.tls ? route.parent.listener : "http",
    isApisix,
    metadataPath: metadataPath(route, oauth),
    metadataName: `${route.name}-metadata`,
    metadataAnnotations: annotationsOf(
      { ...route, isRewritten: false, rate: null, cors: false },
      { namespace: server.namespace, path },
    ),
    hasFilters: isApisix || route.isRewritten,
    ingressClass: ["istio", "generic"].includes(route.class) ? "" : route.class,
    annotations: annotationsOf(route, { namespace: server.namespace, path }),
    middlewares: middlewaresOf(route, path),
  };
}

/** One file for each drawn way from a gateway to the server. */
export function routeFiles(facts: Facts): readonly FileSpec[] {
  const { routes } = factsOf<typeof routeHook>(facts, "route");
  const workload = factsOf<typeof workloadHook>(facts, "workload");
  const oauth = factsOf<typeof oauthHook>(facts, "oauth");
  return routes.map((route) => ({
    kind: "rendered",
    path: `k8s/route-${route.parent.name}.yaml`,
    from: `${HERE}/route-${route.kind}.yaml.hbs`,
    view: viewOf(route, workload, keySecretOf(facts), oauth),
  }));
}
