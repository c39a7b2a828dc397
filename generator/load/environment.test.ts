import { describe, expect, it } from "vitest";
import { loadDemo, summary } from "../../test/harness/small-catalog.ts";
import type { Topology } from "../model/topology.ts";

const BASE = `apiVersion: topology/v1
stack: demo
components:
  cnpg: {databases: [app, audit]}
  valkey: {namespace: cache}
  kafka: {topics: {orders: {partitions: 6}}}
links:
  kafka: {valkey: readwrite, cnpg/app: read}
  mcp:
    stack_agent: read
    cnpg: {access: read, only: [app]}
    valkey: {access: write, tools: [valkey_set], limits: {perTool: 10/min}, approvers: ["group:a", "group:b"]}
access:
  limits: {perTool: 60/min}
  approvals: {approvers: ["group:a", "group:b"], ttl: 15m}
  trust: {valkey_set: high}
  grants:
    ops: {subject: {agent: ops}, maxTrust: medium, tools: {allow: [valkey_get], deny: ["cnpg_*"]}, expires: "2027-01-31"}
environments:
  prod: OVERLAY
`;

async function load(overlay: string, base = BASE): Promise<Awaited<ReturnType<typeof loadDemo>>> {
  return await loadDemo(base.replace("OVERLAY", overlay));
}

async function prod(overlay: string, base = BASE): Promise<Topology> {
  const { stack, diagnostics } = await load(overlay, base);
  const environment = stack?.environments.get("prod");
  if (environment === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return environment;
}

describe("an environment", () => {
  it("keeps what it does not name when a word overrides a link", async () => {
    const { mcpLinks } = await prod("{links: {mcp: {valkey: propose}}}");
    expect(mcpLinks.map(({ drawn }) => drawn)).toEqual([
      "cnpg: {access: read, only: [app]}",
      "stack_agent: read",
      'valkey: {access: propose, tools: [valkey_set], limits: {perTool: 10/min}, approvers: ["group:a", "group:b"]}',
    ]);
  });

  it("merges sub-components by name, whichever way they are written", async () => {
    const { components } = await prod(
      "{components: {kafka: {topics: {orders: {partitions: 1}, payments: {}}}}}",
    );
    const kafka = components.find(({ name }) => name === "kafka");
    expect(kafka?.subs.map(({ name, attributes }) => [name, attributes])).toEqual([
      ["orders", { partitions: 1 }],
      ["payments", {}],
    ]);
  });

  it("shares with the base what it does not change", async () => {
    const { stack } = await load("{components: {kafka: {topics: {orders: {partitions: 1}}}}}");
    const find = (topology: Topology | undefined, name: string) =>
      topology?.components.find((one) => one.name === name);
    const now = stack?.environments.get("prod");
    expect(find(now, "cnpg")).toBe(find(stack?.base, "cnpg"));
    expect(find(now, "kafka")).not.toBe(find(stack?.base, "kafka"));
    expect(now?.mcpLinks[0]).toBe(stack?.base.mcpLinks[0]);
    expect(now?.links.find(({ id }) => id === "kafka->valkey")?.from.component).toBe(find(now, "kafka"));
  });

  it("takes away links, sources, and components with their links", async () => {
    const ids = (topology: Topology) => topology.links.map(({ id }) => id);
    expect(ids(await prod("{links: {mcp: {valkey: }}}"))).not.toContain("mcp->valkey");
    expect(ids(await prod("{links: {kafka: }}"))).toEqual(["mcp->cnpg", "mcp->stack_agent", "mcp->valkey"]);
    expect(ids(await prod("{components: {valkey: }}"))).toEqual([
      "kafka->cnpg/app",
      "mcp->cnpg",
      "mcp->stack_agent",
    ]);
    expect(summary(await load("{components: {valky: }}"))).toEqual(["20 E-REF"]);
    expect(summary(await load("{links: {mcp: {kafka: }}}"))).toEqual(["20 E-REF"]);
  });

  it("takes one name out of only, and the link with the last one", async () => {
    const wide = BASE.replace("only: [app]", "only: [app, audit]");
    expect((await prod("{links: {mcp: {cnpg/audit: }}}", wide)).mcpLinks[0]?.drawn).toBe(
      "cnpg: {access: read, only: [app]}",
    );
    expect((await prod("{links: {mcp: {cnpg/app: }}}")).mcpLinks.map(({ id }) => id)).not.toContain(
      "mcp->cnpg",
    );
  });

  it("lets no name of only go further than the word that overrides the link", async () => {
    const mixed = BASE.replace("{access: read, only: [app]}", "{only: {app: write, audit: read}}");
    expect((await prod("{links: {mcp: {cnpg: read}}}", mixed)).mcpLinks[0]?.drawn).toBe(
      "cnpg: {access: read, only: [app, audit]}",
    );
    expect((await prod("{links: {mcp: {cnpg: {only: [app]}}}}", mixed)).mcpLinks[0]?.drawn).toBe(
      "cnpg: {access: write, only: [app]}",
    );
    expect(summary(await load("{links: {mcp: {cnpg: {only: {audit: write}}}}}", mixed))).toEqual([
      "20 E-ENV-WIDENS",
    ]);
  });

  it.each([
    ["a word", "{links: {mcp: {cnpg: write}}}"],
    ["a link", "{links: {mcp: {kafka: read}}}"],
    ["a name under only", "{links: {mcp: {cnpg: {only: [app, audit]}}}}"],
    ["the whole of a narrowed link", "{links: {mcp: {cnpg: {only: }}}}"],
    ["a tool", "{links: {mcp: {valkey: {tools: [valkey_set, valkey_delete]}}}}"],
    ["every tool", "{links: {mcp: {valkey: {tools: }}}}"],
    ["a limit", "{links: {mcp: {valkey: {limits: {perTool: 1/s}}}}}"],
    ["the absence of a limit", "{links: {mcp: {valkey: {limits: }}}}"],
    ["a call without an approver", '{links: {mcp: {valkey: {approvers: ["group:a"]}}}}'],
    ["a limit of the server", "{access: {limits: {perTool: 61/min}}}"],
    ["fewer approvers", '{access: {approvals: {approvers: ["group:a"]}}}'],
    ["a longer wait", "{access: {approvals: {ttl: 1h}}}"],
    ["less trust", "{access: {trust: {valkey_set: low}}}"],
    ["a grant", "{access: {grants: {new: {subject: {agent: x}, maxTrust: low}}}}"],
    ["trust of a grant", "{access: {grants: {ops: {maxTrust: high}}}}"],
    ["another subject", "{access: {grants: {ops: {subject: {agent: other}}}}}"],
    ["a later end", '{access: {grants: {ops: {expires: "2028-01-01"}}}}'],
    ["tools of a grant", "{access: {grants: {ops: {tools: {allow: [valkey_get, valkey_set]}}}}}"],
    ["fewer denials", "{access: {grants: {ops: {tools: {deny: []}}}}}"],
    ["another type", "{components: {valkey: {type: kafka}}}"],
  ])("cannot widen the base by %s", async (_, overlay) => {
    const result = await load(overlay);
    expect(result.stack === null).toBe(true);
    expect([...new Set(summary(result))]).toContain("20 E-ENV-WIDENS");
  });

  it("cannot widen the base by a database that a link to all of them reaches", async () => {
    const all = BASE.replace("{access: read, only: [app]}", "read");
    expect(summary(await load("{components: {cnpg: {databases: {secret: {}}}}}", all))).toEqual([
      "20 E-ENV-WIDENS",
    ]);
  });

  it.each([
    "{links: {mcp: {valkey: {limits: {perTool: 100/h}}}}}",
    "{access: {limits: {perTool: 30/min, perSession: 100/h}, approvals: {ttl: 5m}}}",
    '{access: {grants: {ops: {maxTrust: low, expires: "2026-12-31", tools: {deny: ["cnpg_*", "valkey_*"]}}}}}',
    "{access: {grants: {ops: }}}",
    "{domain: prod.example.com, defaults: {namespace: prod}}",
    "{}",
    "",
  ])("may narrow with %s", async (overlay) => {
    expect(summary(await load(overlay)).filter((line) => line.includes("E-"))).toEqual([]);
  });

  it("reports a fault of the base once, where the base has it, and its own where it has them", async () => {
    const result = await load(
      "{components: {valkey: {prot: 1}}}",
      BASE.replace("namespace: cache", "namespace: cache, prot: 2"),
    );
    expect(result.diagnostics.map(({ at, code, path }) => [at.line, code, path])).toEqual([
      [5, "E-UNKNOWN-KEY", "/components/valkey/prot"],
      [20, "E-UNKNOWN-KEY", "/environments/prod/components/valkey/prot"],
    ]);
    expect(summary(await load("{components: {kafka: {topics: {orders: {partitions: two}}}}}"))).toEqual([
      "20 E-SHAPE",
    ]);
    expect(summary(await load("{exports: {kafka: {to: [x]}}}"))).toEqual(["20 E-UNKNOWN-KEY"]);
  });
});
