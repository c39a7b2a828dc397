import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, connectClient } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { bootAgent, emitStack } from "./folder.ts";
import type { BootedAgent, EmittedStack } from "./folder.ts";

interface Booted {
  readonly stack: EmittedStack;
  readonly server: BootedServer;
  readonly client: Client;
}

async function boot(name: string, environment: Readonly<Record<string, string>> = {}): Promise<Booted> {
  const stack = await emitStack(name);
  const server = await bootServer(stack.folder, environment);
  return { stack, server, client: await connectClient(server) };
}

async function end({ stack, server, client }: Booted): Promise<void> {
  await client.close();
  await server.stop();
  stack.remove();
}

const textOf = async (client: Client, uri: string): Promise<string> => {
  const { contents } = await client.readResource({ uri });
  const [only] = contents;
  return only !== undefined && "text" in only ? only.text : "";
};
const jsonOf = async (client: Client, uri: string): Promise<Record<string, unknown>> =>
  JSON.parse(await textOf(client, uri)) as Record<string, unknown>;

/** The stacks of this repository: one on each framework. */
describe.each([
  ["shop", "sdk"],
  ["hello", "fastmcp"],
])("resources and prompts of the emitted server of %s, on %s", (name) => {
  let booted: Booted;
  beforeAll(async () => {
    booted = await boot(name);
  });
  afterAll(async () => await end(booted));

  it("S27 S34: every resource that is listed can be read, within its bounds and without a secret", async () => {
    const { resources } = await booted.client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual([
      "stack://dna",
      "stack://guide/api",
      "stack://live/structure",
      "stack://live/summary",
      "stack://profile",
    ]);
    for (const { uri, mimeType } of resources) {
      const text = await textOf(booted.client, uri);
      expect(Buffer.byteLength(text), uri).toBeLessThan(262_144);
      expect(text, uri).not.toContain("[redacted]");
      if (mimeType === "application/json") expect(() => JSON.parse(text) as unknown).not.toThrow();
      else expect(text).toMatch(/^# How to query the stack/);
    }
  });

  it("S27: the client is told to begin with the guide", () => {
    expect(booted.client.getInstructions()).toContain("Read stack://guide/api first.");
  });

  it("S28 P20: every prompt that is listed can be got, with values that its arguments complete to", async () => {
    const { prompts } = await booted.client.listPrompts();
    const lock = readFileSync(join(booted.stack.folder, "server/surface.lock.json"), "utf8");
    const { prompts: locked } = JSON.parse(lock) as {
      prompts: readonly Readonly<Record<"name" | "version" | "hash", string>>[];
    };
    expect(prompts.map((prompt) => prompt.name)).toEqual([
      "check_logs",
      "diagnose_component",
      "explain_stack",
      "incident_response",
      "run_validation",
      "trace_data_flow",
    ]);
    for (const prompt of prompts) {
      const args: Record<string, string> = {};
      for (const argument of prompt.arguments ?? []) {
        const { completion } = await booted.client.complete({
          ref: { type: "ref/prompt", name: prompt.name },
          argument: { name: argument.name, value: "" },
        });
        args[argument.name] = completion.values[0] ?? "it is slow";
      }
      const { messages, _meta: meta } = await booted.client.getPrompt({ name: prompt.name, arguments: args });
      const { version, hash } = locked.find(({ name: each }) => each === prompt.name) ?? {};
      expect(meta, "P20").toEqual({ "governance/version": version, "governance/hash": hash });
      expect(prompt._meta, "P20").toEqual(meta);
      const content = messages[0]?.content;
      const text = content?.type === "text" ? content.text : "";
      for (const value of Object.values(args)) expect(text).toContain(value);
      expect(text, prompt.name).not.toMatch(/<[a-z_]+>|\[redacted\]/);
    }
  });
});

describe("what shop's resources say", () => {
  let shop: Booted;
  beforeAll(async () => {
    shop = await boot("shop");
  });
  afterAll(async () => await end(shop));

  it("S27: the summary counts by type, namespace and group", async () => {
    expect(await jsonOf(shop.client, "stack://live/summary")).toMatchObject({
      stack: "shop",
      domain: "stack-3.source-lab.io",
      components: 16,
      types: { kafka: 1, prometheus: 2 },
      namespaces: { monitoring: 3 },
      groups: { messaging: 2 },
      external: ["sre_prometheus"],
      reached: { cnpg: "read", valkey: "write" },
    });
  });

  it("S27: the structure is what get_stack_structure answers", async () => {
    const answer = await shop.client.callTool({ name: "get_stack_structure", arguments: { limit: 500 } });
    const { data } = answer.structuredContent as { data: { components: unknown } };
    expect((await jsonOf(shop.client, "stack://live/structure"))["components"]).toEqual(data.components);
  });

  it("S34: the DNA is the whole system in one read: parts, links, flows, reach and the OpenAPI document", async () => {
    const dna = await jsonOf(shop.client, "stack://dna");
    expect(dna).toMatchObject({ stack: "shop", left_out: null });
    expect(dna["components"]).toHaveLength(16);
    expect(dna["components"]).toContainEqual(
      expect.objectContaining({
        name: "cnpg",
        host: "cluster-db-rw.db.svc.cluster.local",
        port: 5432,
        secret_names: ["admin_password"],
        sub_components: [
          expect.objectContaining({ name: "app_db", kind: "database", secret_names: ["password"] }),
          expect.objectContaining({ name: "keycloak_db" }),
        ],
      }),
    );
    expect(dna["links"]).toContainEqual(
      expect.objectContaining({
        from: "kafka",
        via: "orders",
        to: "clickhouse",
        sub: "events",
        access: "write",
      }),
    );
    expect(dna["data_flows"]).toContainEqual({
      from: "fastapi",
      to: "kafka/orders",
      direction: "to",
      how: "produce",
    });
    expect(dna["data_flows"]).toContainEqual({
      from: "fastapi",
      to: "kafka/payments",
      direction: "from",
      how: "consume",
    });
    expect(dna["data_paths"]).toContain("apisix -> fastapi -> kafka/orders -> clickhouse/events");
    expect(dna["data_paths"]).toContain("apisix -> fastapi -> cnpg/app_db -> seaweedfs/backups");
    expect(dna["ai_reach"]).toContainEqual(
      expect.objectContaining({ component: "cnpg", narrowed: true, access: "read" }),
    );
    expect(dna["documents"]).toEqual([
      {
        component: "fastapi",
        attribute: "openapi",
        document: expect.objectContaining({
          openapi: "3.1.0",
          paths: expect.objectContaining({ "/orders": expect.anything() }),
        }),
      },
    ]);
  });

  it("T3: the profile says how far AI reaches", async () => {
    const { categories } = await jsonOf(shop.client, "stack://profile");
    expect(categories).toContainEqual({
      category: "cache",
      components: [
        expect.objectContaining({ name: "valkey", ai: expect.objectContaining({ access: "write" }) }),
      ],
    });
  });

  it("S28: components complete by what was typed, and a name that is none is refused with one that is", async () => {
    const ref = { type: "ref/prompt", name: "diagnose_component" } as const;
    const typed = async (value: string): Promise<readonly string[]> =>
      (await shop.client.complete({ ref, argument: { name: "component_name", value } })).completion.values;
    expect(await typed("k")).toEqual(["kafka", "keycloak"]);
    expect(await typed("kafka")).toEqual(["kafka"]);
    expect(await typed("")).toHaveLength(16);
    const wrong = shop.client.getPrompt({ name: "diagnose_component", arguments: { component_name: "kaf" } });
    await expect(wrong).rejects.toMatchObject({ code: -32_602, message: expect.stringContaining("kafka") });
  });

  it("S28: diagnose_component is the playbook of the source, step by step", async () => {
    const { messages } = await shop.client.getPrompt({
      name: "diagnose_component",
      arguments: { component_name: "kafka" },
    });
    const content = messages[0]?.content;
    const text = content?.type === "text" ? content.text : "";
    const order = [
      "query_topology",
      "outbound",
      "inbound",
      "get_available_fields",
      "run_test",
      "blast radius",
    ];
    const places = order.map((word) => text.indexOf(word));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(text).toContain("Call `query_topology` with source `kafka`");
  });
});

describe("with the agent as a service", () => {
  let agent: BootedAgent;
  let shop: Booted;
  let remote: Booted;
  beforeAll(async () => {
    shop = await boot("shop");
    agent = await bootAgent(shop.stack);
    remote = await boot("shop", {
      MCP_AGENT_URL: `http://127.0.0.1:${agent.port}`,
      MCP_AGENT_TOKEN: agent.token,
    });
  });
  afterAll(async () => {
    await end(remote);
    await agent.stop();
    await end(shop);
  });

  it("S27: every resource is the same, and completion too", async () => {
    const { resources } = await shop.client.listResources();
    for (const { uri } of resources)
      expect(await textOf(remote.client, uri), uri).toBe(await textOf(shop.client, uri));
    const asked = {
      ref: { type: "ref/prompt", name: "explain_stack" },
      argument: { name: "group", value: "m" },
    } as const;
    expect((await remote.client.complete(asked)).completion.values).toEqual(["messaging", "monitoring"]);
  });

  it("S27: an agent that has gone is said, and the guide can still be read", async () => {
    await agent.stop();
    await expect(remote.client.readResource({ uri: "stack://live/summary" })).rejects.toMatchObject({
      code: -32_603,
      message: expect.stringContaining("cannot be reached"),
    });
    expect(await textOf(remote.client, "stack://guide/api")).toContain("# How to query the stack shop");
  });
});
