import { readFileSync } from "node:fs";
import catalog from "#catalog";
import { factsOf } from "#hook";
import type { Generation, Hook, Topology } from "#hook";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData as EngineData } from "#runtime/stack-agent/topology-data";
import { beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { linkModule } from "../generator/emit/link-module.ts";
import { orderHooks, runHooks } from "../generator/hook/run.ts";
import { loadStack } from "../generator/load/load.ts";
import { SHOP } from "../test/harness/shop-data.ts";
import accessMatrix from "./access-matrix.ts";
import type { AccessRow } from "./access-matrix.ts";
import credentials from "./credentials.ts";
import egress from "./egress.ts";
import oauth from "./oauth.ts";
import route from "./route.ts";
import serverLinks from "./server-links.ts";
import state from "./state.ts";
import workload from "./workload.ts";
import topologyMetadata from "./topology-metadata.ts";
import type { TopologyData } from "./topology-metadata.ts";
import writeGates from "./write-gates.ts";

const STACK = `
apiVersion: topology/v1
stack: caches
domain: example.com
components:
  fastapi: {namespace: app, config: {workers: 4}}
  valkey:
    namespace: cache
    keyspaces: {app: {prefix: "app:"}, session: }
  audit_cache: {type: valkey, password: {key: AUDIT_CACHE_SECRET}}
  near_cache: {type: valkey, external: {stack: sre, component: valkey}, host: near.example.com, namespace: sre}
  far_cache: {type: valkey, external: {stack: sre, component: valkey}, host: far.example.com}
  wide_cache: {type: valkey, external: {stack: sre, component: valkey}, host: wide.example.com, cidr: 203.0.113.0/24}
  redis: {namespace: cache}
links:
  fastapi: {valkey/app: readwrite}
  mcp:
    stack_agent: read
    valkey: {only: {app: write, session: read}, tools: [valkey_set]}
    audit_cache: propose
    near_cache: read
    far_cache: read
    wide_cache: read
access:
  trust: {"audit_cache_*": high}
  grants:
    oncall: {subject: {group: sre}, maxTrust: high}
    copilot: {subject: {agent: ops, team: orders}, maxTrust: medium, tools: {deny: ["*_scan_keys"]}, expires: "2027-01-31"}
    reader: {subject: {human: eve}, maxTrust: high, tools: {allow: ["valkey_get", "list_*"]}}
`;

interface Derived {
  readonly topology: Topology;
  readonly generation: Generation;
  facts<F>(hook: Hook<F>): F;
}

const HOOKS: readonly Hook[] = [
  state,
  serverLinks,
  route,
  oauth,
  workload,
  accessMatrix,
  credentials,
  egress,
  topologyMetadata,
  writeGates,
];

/** Draws a stack with the real catalog and derives the facts of all hooks of this test. */
async function derived(text: string): Promise<Derived> {
  const { stack, diagnostics } = await loadStack({
    file: "stacks/test.yaml",
    bytes: Buffer.from(text),
    catalog: catalog.types,
    validate: catalog.validators,
    neighbours: () => undefined,
  });
  if (stack === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const topology = stack.base;
  const links = topology.mcpLinks.map((link) => linkModule(catalog, topology, link));
  const generation = { ...catalog, links };
  const facts = runHooks(orderHooks(HOOKS), topology, generation);
  return { topology, generation, facts: <F>(hook: Hook<F>) => factsOf<Hook<F>>(facts, hook.name) };
}

let drawn: Derived;
beforeAll(async () => {
  drawn = await derived(STACK);
});

const toolNames = (link: string): readonly string[] =>
  drawn.generation.links.find((module) => module.link.id === link)?.tools.map(({ name }) => name) ?? [];

describe("write-gates", () => {
  it("S8: every link of a type with write tools has a flag, drawn or not", () => {
    expect(drawn.facts(writeGates).gates).toEqual([
      {
        flag: "MCP_AUDIT_CACHE_WRITE_ACCESS",
        link: "mcp->audit_cache",
        drawn: true,
        approval: true,
        tools: expect.arrayContaining(["audit_cache_set"]) as unknown,
      },
      {
        flag: "MCP_FAR_CACHE_WRITE_ACCESS",
        link: "mcp->far_cache",
        drawn: false,
        approval: false,
        tools: [],
      },
      {
        flag: "MCP_NEAR_CACHE_WRITE_ACCESS",
        link: "mcp->near_cache",
        drawn: false,
        approval: false,
        tools: [],
      },
      {
        flag: "MCP_VALKEY_WRITE_ACCESS",
        link: "mcp->valkey",
        drawn: true,
        approval: false,
        tools: ["valkey_set"],
      },
      {
        flag: "MCP_WIDE_CACHE_WRITE_ACCESS",
        link: "mcp->wide_cache",
        drawn: false,
        approval: false,
        tools: [],
      },
    ]);
  });
});

describe("egress", () => {
  it("S11: there is an address for each drawn link and no other, or the reason why not", () => {
    const { links, targets } = drawn.facts(egress);
    expect(links.map(({ component, addresses, none }) => [component, addresses, none])).toEqual([
      ["audit_cache", ["audit-cache.audit-cache.svc.cluster.local:6379"], null],
      ["far_cache", [], "external, and drawn without cidr or namespace"],
      ["near_cache", ["near.example.com:6379"], null],
      ["stack_agent", ["caches-agent.caches.svc.cluster.local:8090"], null],
      ["valkey", ["valkey.cache.svc.cluster.local:6379"], null],
      ["wide_cache", ["wide.example.com:6379"], null],
    ]);
    expect(targets).toEqual([
      "audit-cache.audit-cache.svc.cluster.local:6379",
      "caches-agent.caches.svc.cluster.local:8090",
      "near.example.com:6379",
      "valkey.cache.svc.cluster.local:6379",
      "wide.example.com:6379",
    ]);
  });
});

describe("credentials", () => {
  it("S1: names of drawn links and the server's own key, nothing of the application", () => {
    const { names, links } = drawn.facts(credentials);
    expect(names).toContain("MCP_API_KEY");
    expect(names).toContain("MCP_VALKEY_PASSWORD");
    expect(names.filter((name) => /REDIS|FASTAPI|AUDIT_CACHE_SECRET/.test(name))).toEqual([]);
    expect([...names]).toEqual([...names].sort());
    for (const { link, credentials: own } of links) {
      const module = drawn.generation.links.find((candidate) => candidate.link.id === link);
      expect(own.every(({ name }) => name.startsWith(`${module?.environment ?? "?"}_`))).toBe(true);
    }
    const agent = links.find(({ component }) => component === "stack_agent")?.credentials;
    expect(agent?.map(({ name, length }) => [name, length])).toEqual([["MCP_AGENT_TOKEN", 44]]);
  });
});

describe("access-matrix", () => {
  const row = (target: string): AccessRow => {
    const found = drawn.facts(accessMatrix).rows.find((candidate) => candidate.target === target);
    if (found === undefined) throw new Error(`no row ${target}`);
    return found;
  };
  const cells = (target: string): Readonly<Record<string, string>> =>
    Object.fromEntries(row(target).cells.map(({ grant, access, tools }) => [grant, `${access} ${tools}`]));

  it("S1: a row for each thing that AI reaches, a column for each grant", () => {
    const { grants, rows } = drawn.facts(accessMatrix);
    expect(rows.map(({ target }) => target)).toEqual([
      "audit_cache",
      "far_cache",
      "near_cache",
      "stack_agent",
      "valkey/app",
      "valkey/session",
      "wide_cache",
    ]);
    expect(grants).toEqual([
      { name: "copilot", subject: "agent ops, team orders", maxTrust: "medium", expires: "2027-01-31" },
      { name: "oncall", subject: "group sre", maxTrust: "high", expires: null },
      { name: "reader", subject: "human eve", maxTrust: "high", expires: null },
    ]);
  });

  it("R2: a write needs high trust, a grant's rules take tools away", () => {
    const reads = toolNames("mcp->valkey").length - 1;
    expect(cells("valkey/app")).toEqual({
      oncall: `w ${reads + 1}`,
      copilot: `r ${reads - 1}`,
      reader: "r 1",
    });
    expect(cells("valkey/session")).toEqual({
      oncall: `r ${reads}`,
      copilot: `r ${reads - 1}`,
      reader: "r 1",
    });
  });

  it("R2: access.trust raises what a proposal and even a read need", () => {
    const all = toolNames("mcp->audit_cache").length;
    expect(cells("audit_cache")).toEqual({ oncall: `p ${all}`, copilot: "- 0", reader: "- 0" });
  });

  it("S1: a row names the credentials that are held and where the traffic goes", () => {
    expect(row("valkey/app")).toMatchObject({
      link: "mcp->valkey",
      access: "write",
      egress: ["valkey.cache.svc.cluster.local:6379"],
      noEgress: null,
    });
    expect(row("valkey/app").credentials).toContain("MCP_VALKEY_PASSWORD");
    expect(row("valkey/app").drawn).toContain("valkey_set");
    expect(row("far_cache")).toMatchObject({
      egress: [],
      noEgress: "external, and drawn without cidr or namespace",
    });
  });

  it("S1: without grants there is one column, for whoever holds a key", async () => {
    const { facts } = await derived(STACK.slice(0, STACK.indexOf("access:\n")));
    const { grants, rows } = facts(accessMatrix);
    expect(grants).toEqual([
      { name: "any key", subject: "whoever holds a key", maxTrust: "high", expires: null },
    ]);
    expect(rows.map(({ cells: [cell] }) => cell?.access)).toEqual(["p", "r", "r", "r", "w", "r", "r"]);
  });
});

describe("topology-metadata", () => {
  it("S21: what the hook derives is what the engine reads", () => {
    expectTypeOf<TopologyData>().toEqualTypeOf<EngineData>();
    const engine = createEngine(drawn.facts(topologyMetadata));
    expect(engine.query({ source: "valkey", target: "links_from", include_mcp: true }).rows).toEqual([
      { link: "fastapi-valkey_keyspace", component: "fastapi", via: "app", access: "readwrite" },
      { link: "mcp-valkey", component: "mcp", access: "write" },
    ]);
    const body = {
      source: "fastapi",
      target: "links_to",
      command: "{workers} {linked_prefix} {linked_host}",
    };
    expect(engine.query({ ...body, dry_run: true }).rows).toEqual([
      { name: "valkey", command: "4 app: valkey.cache.svc.cluster.local" },
    ]);
  });

  it("S23: it holds the names of secrets, and neither values nor where they come from", () => {
    const data = drawn.facts(topologyMetadata);
    expect(data.components.find(({ name }) => name === "audit_cache")?.secrets).toEqual(["password"]);
    expect(JSON.stringify(data)).not.toContain("AUDIT_CACHE_SECRET");
  });

  it("T3: it says what AI reaches, with the tools as they are called", () => {
    const { reach } = drawn.facts(topologyMetadata);
    expect(reach.map(({ component }) => component)).toEqual(
      drawn.topology.mcpLinks.map((link) => link.component.name),
    );
    expect(reach.find(({ component }) => component === "valkey")).toMatchObject({
      access: "write",
      narrowed: true,
      targets: [
        { name: "app", kind: "keyspace", access: "write" },
        { name: "session", kind: "keyspace", access: "read" },
      ],
    });
    expect(reach.find(({ component }) => component === "audit_cache")?.tools).toContain("audit_cache_get");
  });

  it("S21: it is JSON, and survives the way to the file", () => {
    const data = drawn.facts(topologyMetadata);
    expect(JSON.parse(JSON.stringify(data))).toEqual(data);
  });
});

describe("topology-metadata of the shop", () => {
  /** What the engine's tests rely on; attributes that are only defaults of the catalog are left out. */
  function essence(data: EngineData): unknown {
    const links = data.links.map(({ id, type, name, from, to, access }) => ({
      id,
      type,
      name,
      from,
      to,
      access,
    }));
    const components = data.components.map(({ attributes: _attributes, subs, ...rest }) => ({
      ...rest,
      subs: subs.map(({ name, kind, section, secrets }) => ({ name, kind, section, secrets })),
    }));
    return { ...data, components, links, reach: null };
  }

  it("S21: the shop that the engine is tested with is the one that is drawn", async () => {
    const shop = await derived(readFileSync(new URL("../stacks/shop.yaml", import.meta.url), "utf8"));
    expect(essence(shop.facts(topologyMetadata))).toEqual(essence(SHOP));
  });
});
