import { beforeAll, describe, expect, it } from "vitest";
import catalog from "#catalog";
import { factsOf } from "#hook";
import type { Hook, Topology } from "#hook";
import { linkModule } from "../generator/emit/link-module.ts";
import { orderHooks, runHooks } from "../generator/hook/run.ts";
import { loadStack } from "../generator/load/load.ts";
import networkPolicy from "./network-policy.ts";
import rbac from "./rbac.ts";
import route from "./route.ts";
import runtimePolicy, { revisionOf } from "./runtime-policy.ts";
import type { PolicyDocument } from "./runtime-policy.ts";
import sealedSecret from "./sealed-secret.ts";
import variables from "./variables.ts";
import workload from "./workload.ts";

interface Derived {
  readonly topology: Topology;
  facts<H extends Hook>(hook: H): ReturnType<H["derive"]>;
}

async function derive(text: string): Promise<Derived> {
  const { stack, diagnostics } = await loadStack({
    file: "stacks/shop_2.yaml",
    bytes: Buffer.from(`apiVersion: topology/v1\nstack: shop_2\n${text}`),
    catalog: catalog.types,
    validate: catalog.validators,
    neighbours: () => undefined,
  });
  if (stack === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const topology = stack.base;
  const links = topology.mcpLinks.map((link) => linkModule(catalog, topology, link));
  const facts = runHooks(orderHooks(catalog.hooks), topology, { ...catalog, links });
  return { topology, facts: <H extends Hook>(hook: H) => factsOf<H>(facts, hook.name) };
}

const DATA = "  valkey: {namespace: cache}\n";
const LINKED = "links:\n  mcp: {valkey: read}\n";

describe("workload", () => {
  it("is named like the stack, and stands in the namespace of the drawn mcp, else the stack's", async () => {
    const implied = (await derive(`components:\n${DATA}${LINKED}`)).facts(workload);
    expect(implied.server).toMatchObject({ name: "shop-2-mcp", namespace: "shop-2", port: 8080 });
    expect(implied.agent).toMatchObject({ name: "shop-2-agent", namespace: "shop-2", port: 8090 });
    expect(implied.hosts.server).toBe("shop-2-mcp.shop-2.svc.cluster.local");
    const drawn = (await derive(`components:\n  mcp: {namespace: tools}\n${DATA}${LINKED}`)).facts(workload);
    expect(drawn.server.namespace).toBe("tools");
  });

  it("a namespace that something else that is drawn stands in is not this output's to make", async () => {
    const shared = (await derive(`components:\n  mcp: {namespace: cache}\n${DATA}${LINKED}`)).facts(workload);
    expect(shared.ownsNamespace).toBe(false);
    const own = (await derive(`components:\n  mcp: {namespace: tools}\n${DATA}${LINKED}`)).facts(workload);
    expect(own.ownsNamespace).toBe(true);
  });
});

describe("A18: network-policy", () => {
  it("leads to the pods of linked components by their labels, and outside by addresses", async () => {
    const { egress } = (
      await derive(`components:
  cnpg: {namespace: db, cluster: main, databases: [app_db]}
  cache_a: {type: valkey, namespace: cache, pod_labels: {app: valkey, role: primary}, port: 6380}
  near: {type: valkey, external: {stack: other, component: valkey}, namespace: shared, host: valkey.shared.svc}
  far: {type: valkey, external: {stack: other, component: valkey}, host: far.example.com, cidr: 203.0.113.0/24}
  lost: {type: valkey, external: {stack: other, component: valkey}, host: lost.example.com}
links:
  mcp: {cnpg: read, cache_a: read, near: read, far: read, lost: read}
`)
    ).facts(networkPolicy);
    const place = (cidr: string | null, namespace: string, labels: Record<string, string>): object => ({
      cidr,
      namespace,
      labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
    });
    expect(egress).toEqual([
      { link: "mcp->cache_a", peer: place(null, "cache", { app: "valkey", role: "primary" }), ports: [6380] },
      { link: "mcp->cnpg", peer: place(null, "db", { "cnpg.io/cluster": "main" }), ports: [5432] },
      { link: "mcp->far", peer: place("203.0.113.0/24", "", {}), ports: [6379] },
      {
        link: "mcp->near",
        peer: place(null, "shared", { "app.kubernetes.io/name": "valkey" }),
        ports: [6379],
      },
    ]);
  });

  it("lets in the gateway's namespace, the pods of drawn clients, and a drawn Prometheus to the metrics alone", async () => {
    const { ingress } = (
      await derive(`domain: example.com
components:
  apisix: {namespace: ingress}
  traefik: {namespace: edge}
  fastapi: {namespace: app}
  prometheus: {namespace: monitoring}
${DATA}
links:
  apisix: {mcp: }
  traefik: {mcp: {enabled: false}}
  fastapi: {mcp: }
  prometheus: {mcp: }
  mcp: {valkey: read}
`)
    ).facts(networkPolicy);
    expect(ingress.map(({ link, peer, ports }) => [link, peer.namespace, peer.labels.length, ports])).toEqual(
      [
        ["apisix->mcp", "ingress", 0, [8080]],
        ["fastapi->mcp", "app", 1, [8080]],
        ["prometheus->mcp", "monitoring", 1, [9103]],
      ],
    );
  });

  it("no drawn link to the server, nobody in", async () => {
    expect((await derive(`components:\n${DATA}${LINKED}`)).facts(networkPolicy).ingress).toEqual([]);
  });
});

describe("P15: rbac", () => {
  it("merges what the links need by namespace, each rule once, and nothing when none needs anything", async () => {
    expect((await derive(`components:\n${DATA}${LINKED}`)).facts(rbac).roles).toEqual([]);
    const { topology } = await derive(
      `components:\n${DATA}  other: {type: valkey}\nlinks:\n  mcp: {valkey: read, other: read}\n`,
    );
    const modules = topology.mcpLinks.map((link) => {
      const module = linkModule(catalog, topology, link);
      const pods = { apiGroups: [""], resources: ["pods"], verbs: ["list", "get"] };
      const events = { apiGroups: [""], resources: ["events"], verbs: ["list"] };
      const rights = [
        { namespace: "app", rules: [pods, events] },
        { namespace: link.component.namespace, rules: [{ ...pods, verbs: ["get", "list"] }] },
      ];
      return { ...module, family: { ...module.family, rbac: () => rights } };
    });
    expect(rbac.derive(topology, {}, { ...catalog, links: modules })).toEqual({
      roles: ["app", "cache", "other"].map((namespace) => ({
        namespace,
        rules: [
          ...(namespace === "app" ? [{ apiGroups: [""], resources: ["events"], verbs: ["list"] }] : []),
          { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
        ],
      })),
    });
  });
});

describe("S15: route", () => {
  const routeOf = async (component: string, link: string, domain = "domain: example.com\n") =>
    (
      await derive(`${domain}components:\n${DATA}  ${component}\nlinks:\n  ${link}\n  mcp: {valkey: read}\n`)
    ).facts(route);

  it("follows from the link of a gateway, with host, path, limit and origins", async () => {
    const { routes, faults, hosts } = await routeOf(
      "apisix: {namespace: ingress}",
      "apisix: {valkey: {subdomain: app}, mcp: {subdomain: ai, path: /v1/, auth: key-auth, rate_limit: 100/min, cors: true}}",
    );
    expect(routes).toMatchObject([
      {
        kind: "apisix",
        host: "ai.example.com",
        path: "/v1/mcp",
        isRewritten: true,
        tls: true,
        checksKey: true,
        rate: { count: 100, seconds: 60 },
        origins: ["https://ai.example.com", "https://app.example.com"],
      },
    ]);
    expect(faults).toEqual([]);
    expect(hosts).toEqual(["ai.example.com"]);
  });

  it("no link, no route; one that is switched off is none", async () => {
    expect((await derive(`components:\n${DATA}${LINKED}`)).facts(route).routes).toEqual([]);
    expect((await routeOf("apisix:", "apisix: {mcp: {enabled: false}}")).routes).toEqual([]);
  });

  it.each([
    ["a stack without a domain", "apisix:", "apisix: {mcp: }", "", "E-ROUTE"],
    ["a login that hides the key", "apisix:", "apisix: {mcp: {auth: oidc}}", undefined, "E-ROUTE"],
    [
      "a path that Istio cannot change",
      "ingress: {class: istio}",
      "ingress: {mcp: {path: /ai}}",
      undefined,
      "E-ROUTE",
    ],
    [
      "a limit that the Gateway API does not know",
      "gateway_api:",
      "gateway_api: {mcp: {rate_limit: 1/s}}",
      undefined,
      "W-ROUTE",
    ],
    [
      "cross-origin requests through any ingress",
      "gateway:",
      "gateway: {mcp: {cors: true}}",
      undefined,
      "W-ROUTE",
    ],
  ])("says what cannot be made: %s", async (_, component, link, domain, code) => {
    expect((await routeOf(component, link, domain)).faults.map((fault) => fault.code)).toEqual([code]);
  });

  it.each([
    ["apisix", "apisix:", "apisix", "apisix"],
    ["gateway_api", "gateway_api: {class: envoy}", "gateway-api", "envoy"],
    ["ingress", "ingress: {class: nginx}", "ingress", "nginx"],
    ["ingress", "ingress:", "ingress", "traefik"],
    ["traefik", "traefik:", "ingress", "traefik"],
    ["nginx", "nginx:", "ingress", "nginx"],
    ["gateway", "gateway:", "ingress", "generic"],
  ])("knows %s as %s", async (name, component, kind, classOf) => {
    expect((await routeOf(component, `${name}: {mcp: }`)).routes).toMatchObject([{ kind, class: classOf }]);
  });
});

const RECIPIENT = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

describe("variables and sealed-secret", () => {
  it("each credential comes from the Secret that its source says", async () => {
    const drawn = await derive(`components:
  mcp: {api_key: {external: vault/shop/key}, recipients: [${RECIPIENT}]}
  valkey: {namespace: cache}
  other: {type: valkey}
links:
  mcp:
    valkey: {access: read, credentials: {password: {k8s: shop-2/valkey-mcp#password}}}
    other: read
`);
    const { secrets, stores, unreadable } = drawn.facts(variables);
    expect(secrets.map(({ name, secret, key }) => [name, secret, key])).toEqual([
      ["MCP_API_KEY", "shop-2-mcp-external-vault", "MCP_API_KEY"],
      ["MCP_OTHER_PASSWORD", "shop-2-mcp-credentials", "MCP_OTHER_PASSWORD"],
      ["MCP_VALKEY_PASSWORD", "valkey-mcp", "password"],
    ]);
    expect(stores).toEqual([
      {
        store: "vault",
        secret: "shop-2-mcp-external-vault",
        values: [{ name: "MCP_API_KEY", key: "shop/key" }],
      },
    ]);
    expect(unreadable).toEqual([]);
    expect(drawn.facts(sealedSecret)).toMatchObject({ isSealed: true, gatewayKey: null });
  });

  it("a Secret of another namespace cannot be read, and without a recipient nothing is sealed", async () => {
    const drawn = await derive(`components:
  valkey: {namespace: cache}
links:
  mcp: {valkey: {access: read, credentials: {password: {k8s: cache/valkey#password}}}}
`);
    expect(drawn.facts(variables).unreadable.map(({ name }) => name)).toEqual(["MCP_VALKEY_PASSWORD"]);
    expect(drawn.facts(sealedSecret).isSealed).toBe(false);
  });

  it("a gateway that asks for the key needs it as clients send it", async () => {
    const drawn = await derive(
      `domain: example.com\ncomponents:\n  apisix:\n${DATA}links:\n  apisix: {mcp: {auth: key-auth}}\n  mcp: {valkey: read}\n`,
    );
    expect(drawn.facts(sealedSecret).gatewayKey).toEqual({
      key: "key",
      of: "MCP_API_KEY",
      prefix: "Bearer ",
    });
  });
});

describe("R2 R3 R6: runtime-policy", () => {
  it("R6: the revision is the one that mcp-runtime itself gives to a document", () => {
    const document = {
      schema_version: "v1",
      revision: "",
      server: { name: "demo-mcp", namespace: "mcp" },
      auth: {
        mode: "header",
        human_id_header: "X-MCP-Human-ID",
        agent_id_header: "X-MCP-Agent-ID",
        session_id_header: "X-MCP-Agent-Session",
      },
      policy: { mode: "allow-list", default_decision: "deny", policy_version: "v1" },
      session: { required: true },
      tools: [
        {
          name: "ch_query",
          description: "Run <SELECT> & return \u2028 rows",
          required_trust: "low",
          side_effect: "read",
          labels: { a: "é", z: "1" },
        },
        { name: "ch_insert", required_trust: "medium", side_effect: "write" },
        { name: "argocd_sync_application", required_trust: "high", side_effect: "destructive" },
      ],
      grants: [
        {
          name: "g1",
          human_id: "u1",
          agent_id: "a1",
          max_trust: "high",
          allowed_side_effects: ["read", "write", "destructive"],
        },
      ],
      sessions: [
        {
          name: "s1",
          human_id: "u1",
          agent_id: "a1",
          consented_trust: "medium",
          expires_at: "2026-12-31T00:00:00Z",
        },
      ],
    } as unknown as PolicyDocument;
    expect(revisionOf(document)).toBe(
      "sha256:eea240936115bdff0faf2f78f9e412f4829524443ff8d59f0ba2f4ae4c1fd108",
    );
  });

  let drawn: Derived;
  beforeAll(async () => {
    drawn = await derive(`components:
${DATA}links:
  mcp: {valkey: {access: write, tools: [valkey_set]}}
access:
  trust: {valkey_info: medium}
  grants:
    on_call: {subject: {group: sre}, maxTrust: high}
    bot: {subject: {agent: ops, team: orders}, maxTrust: medium, tools: {deny: ["*_set"]}, expires: "2027-01-31"}
    both: {subject: {team: a, group: b}, maxTrust: low}
`);
  });

  it("R5: each tool that is drawn, with the trust that it needs", () => {
    const { tools = [] } = drawn.facts(runtimePolicy).document;
    expect(tools.find(({ name }) => name === "valkey_set")).toMatchObject({
      required_trust: "high",
      side_effect: "write",
    });
    expect(tools.find(({ name }) => name === "valkey_info")).toMatchObject({
      required_trust: "medium",
      side_effect: "read",
    });
    expect(tools.some(({ name }) => name === "valkey_delete")).toBe(false);
  });

  it("R2: a grant that lists tools says of every tool whether it may be called", () => {
    const { grants = [], tools = [] } = drawn.facts(runtimePolicy).document;
    expect(grants.map(({ name }) => name)).toEqual(["shop-2-mcp-bot", "shop-2-mcp-on-call"]);
    const [bot, onCall] = grants;
    expect(bot).toMatchObject({
      agent_id: "ops",
      team_id: "orders",
      allowed_side_effects: ["read", "write"],
    });
    expect(bot?.tool_rules?.length).toBe(tools.length);
    expect(bot?.tool_rules?.filter(({ decision }) => decision === "deny").map(({ name }) => name)).toEqual([
      "valkey_set",
    ]);
    expect(onCall).toMatchObject({ team_id: "sre", max_trust: "high" });
    expect(onCall?.tool_rules).toBeUndefined();
  });

  it("R3: a session for each party, until the day on which its grant ends", () => {
    const { sessions = [] } = drawn.facts(runtimePolicy).document;
    expect(sessions.map(({ name, expires_at: end }) => [name, end])).toEqual([
      ["shop-2-mcp-bot", "2027-01-31T00:00:00Z"],
      ["shop-2-mcp-on-call", undefined],
    ]);
  });

  it("a subject that cannot be told in full is left out, and named", () => {
    expect(drawn.facts(runtimePolicy).inexpressible).toEqual(["both"]);
  });
});
