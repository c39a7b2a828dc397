/** Drawings that differ in how the server is reached, delivered and run. */

interface Way {
  readonly name: string;
  readonly component: string;
  readonly link: string;
  /** Whether mcp-runtime, which makes Ingresses itself, can make it. */
  readonly isIngress: boolean;
}

const WAYS: readonly Way[] = [
  { name: "no route", component: "", link: "", isIngress: false },
  {
    name: "apisix",
    component: "apisix: {namespace: ingress}",
    link: "apisix: {mcp: {subdomain: mcp, auth: key-auth, rate_limit: 100/s}}",
    isIngress: false,
  },
  {
    name: "apisix, no key, cors, path",
    component: "apisix: {namespace: ingress}",
    link: "apisix: {fastapi: {subdomain: app}, mcp: {auth: none, cors: true, path: /ai}}",
    isIngress: false,
  },
  {
    name: "apisix, plain",
    component: "apisix: {namespace: ingress}",
    link: "apisix: {mcp: {subdomain: plain, tls: false, cors: false}}",
    isIngress: false,
  },
  {
    name: "gateway_api",
    component: "gateway_api: {namespace: ingress, class: envoy}",
    link: "gateway_api: {mcp: {path: /ai}}",
    isIngress: false,
  },
  {
    name: "gateway_api by apisix",
    component: "gateway_api: {namespace: ingress, class: apisix}",
    link: "gateway_api: {mcp: {auth: key-auth, rate_limit: 10/min}}",
    isIngress: false,
  },
  {
    name: "ingress traefik",
    component: "ingress: {namespace: ingress, class: traefik}",
    link: "ingress: {mcp: {rate_limit: 5/s, cors: true, path: /ai}}",
    isIngress: true,
  },
  {
    name: "ingress nginx",
    component: "ingress: {namespace: ingress, class: nginx}",
    link: "ingress: {mcp: {rate_limit: 600/h, cors: true, path: /ai}}",
    isIngress: true,
  },
  {
    name: "ingress istio",
    component: "ingress: {namespace: ingress, class: istio}",
    link: "ingress: {mcp: {subdomain: mcp}}",
    isIngress: true,
  },
  {
    name: "ingress generic",
    component: "ingress: {namespace: ingress, class: generic}",
    link: "ingress: {mcp: {path: /ai}}",
    isIngress: true,
  },
  { name: "traefik", component: "traefik: {namespace: ingress}", link: "traefik: {mcp: }", isIngress: true },
  {
    name: "nginx",
    component: "nginx: {namespace: ingress}",
    link: "nginx: {mcp: {subdomain: plain, tls: false}}",
    isIngress: true,
  },
  {
    name: "two gateways",
    component: "apisix: {namespace: ingress}, traefik: {namespace: edge}",
    link: "apisix: {mcp: {auth: key-auth}}, traefik: {mcp: {subdomain: inner}}",
    isIngress: false,
  },
];

const RECIPIENT = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

export interface Drawing {
  readonly name: string;
  readonly text: string;
}

function drawing(way: Way, gitops: string, delivery: string, replicas: number, sealed: boolean): Drawing {
  const server = [
    `gitops: ${gitops}`,
    `delivery: ${delivery}`,
    ...(replicas > 1 ? [`replicas: ${replicas}`, "state: valkey"] : []),
    ...(sealed ? [`recipients: [${RECIPIENT}]`] : ["api_key: {external: vault/mcp-key}"]),
  ];
  const name = [way.name, gitops, delivery, `${replicas} pods`, sealed ? "sealed" : "external"].join(" · ");
  const text = `apiVersion: topology/v1
stack: matrix
domain: example.com
components:
  mcp: {${server.join(", ")}}
  fastapi: {namespace: app}
  valkey: {namespace: cache, keyspaces: {cache: {prefix: "cache:"}}}
  cnpg: {namespace: db, cluster: cluster-db, databases: [app_db]}
  prometheus: {namespace: monitoring}
  far: {type: prometheus, external: {stack: other, component: prometheus}, host: far.example.com, cidr: 203.0.113.0/24}
${way.component === "" ? "" : `  ${way.component.split(", ").length > 1 ? way.component.replace("}, ", "}\n  ") : way.component}\n`}
links:
  prometheus: {mcp: }
${way.link === "" ? "" : `  ${way.link.replace("}}, ", "}}\n  ")}\n`}
  mcp: {stack_agent: read, valkey: write, cnpg: read, prometheus: read, far: read}
access:
  grants:
    oncall: {subject: {group: sre}, maxTrust: high}
    bot: {subject: {agent: ops, team: orders}, maxTrust: medium, tools: {deny: ["valkey_*"]}, expires: "2027-01-31"}
`;
  return { name, text };
}

/** Every combination that makes sense, and none that the generator refuses. */
export function matrix(): readonly Drawing[] {
  return WAYS.flatMap((way) =>
    ["none", "flux", "argocd"].flatMap((gitops) =>
      (way.isIngress ? ["kubernetes", "mcp-runtime"] : ["kubernetes"]).flatMap((delivery) =>
        [1, 3].flatMap((replicas) =>
          [true, false].map((sealed) => drawing(way, gitops, delivery, replicas, sealed)),
        ),
      ),
    ),
  );
}
