import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  bootServer,
  drawnFlags,
  callTool,
  connectClient,
  newKey,
  ROOT,
  topogate,
  workspace,
  throwAwayCredentials,
} from "./harness/emitted.ts";
import type { BootedServer } from "./harness/emitted.ts";
import { catalog, topologyOf } from "./harness/in-process.ts";
import { toolName, toolPrefix } from "../generator/model/naming.ts";

type Schema = Readonly<Record<string, unknown>>;

/** What a tool of any service accepts; the names that need more than a value of the right shape. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  sql: "select 1",
  // PromQL and LogQL alike.
  query: 'count_over_time({app="api"}[5m])',
  match: ['{app="api"}'],
  label: "job",
  source: "all",
  component: "mcp",
  command: "echo {name}",
  pattern: "*",
  dry_run: true,
  orderId: "00000000-0000-4000-8000-000000000000",
};

function sample(name: string, schema: Schema): unknown {
  if (Object.hasOwn(SAMPLES, name)) return SAMPLES[name];
  const [first] = (schema["enum"] ?? []) as readonly unknown[];
  if (first !== undefined) return first;
  if (schema["type"] === "integer") return schema["minimum"] ?? 1;
  if (schema["type"] === "boolean") return false;
  if (schema["type"] === "array") return [sample("item", (schema["items"] ?? {}) as Schema)];
  return "x".repeat(Math.max(1, Number(schema["minLength"] ?? 1)));
}

function argumentsFor(schema: Schema): Record<string, unknown> {
  const properties = (schema["properties"] ?? {}) as Record<string, Schema>;
  const required = (schema["required"] ?? []) as readonly string[];
  const wanted = required.concat(["dry_run", "ttl_s"].filter((name) => name in properties));
  return Object.fromEntries(wanted.map((name) => [name, sample(name, properties[name] ?? {})]));
}

/** Codes that say that a call went all the way and found no service, or that the gate did its work. */
const ANSWERS = new Set([
  "upstream_unavailable",
  "approval_required",
  "command_mode_off",
  "denied",
  "not_found",
]);

/** The OpenAPI documents that the examples name. */
const DOCUMENTS = Object.fromEntries(
  readdirSync(join(ROOT, "stacks/openapi")).map((file) => [
    `./openapi/${file}`,
    readFileSync(join(ROOT, "stacks/openapi", file), "utf8"),
  ]),
);

function expectedTools(stackFile: string, text: string): Promise<readonly string[]> {
  return topologyOf(text, stackFile, DOCUMENTS).then((topology) =>
    topology.mcpLinks
      .flatMap((link) => {
        const type = catalog.types.get(link.component.type);
        if (type === undefined) return [];
        const prefix = toolPrefix(link.component, type);
        const tools = catalog.modules.get(type.type)?.tools ?? [];
        const derived = type.tools?.derived?.tools(link, topology, () => undefined) ?? [];
        // A write of a document is kept only where the link names it.
        const shown = derived
          .map((tool) => tool.shown)
          .filter(({ effect }) => effect === "read" || link.tools !== null);
        return [...tools, ...shown]
          .filter((tool) => tool.effect === "read" || link.access !== "read")
          .map((tool) => ({ name: toolName(tool.name, type, prefix), isRead: tool.effect === "read" }))
          .filter(({ name, isRead }) => isRead || link.tools === null || link.tools.includes(name))
          .map(({ name }) => name);
      })
      .sort(),
  );
}

describe.each(["shop", "hello", "sre"])("the emitted server of %s", (stack) => {
  const folder = join(ROOT, "out", stack);
  let server: BootedServer;
  let client: Client;

  beforeAll(async () => {
    server = await bootServer(folder, drawnFlags(folder));
    client = await connectClient(server);
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });

  it("S29 S32: has one tool module for each link that has tools, and lists exactly the catalog's tools", async () => {
    const text = readFileSync(join(ROOT, "stacks", `${stack}.yaml`), "utf8")
      .replace(/^exports:.*$/m, "")
      .replace(/external: \{[^}]*\}/, "external: {stack: other, component: other}");
    const { mcpLinks } = await topologyOf(text, stack, DOCUMENTS);
    expect(readdirSync(join(folder, "server/tools")).sort()).toEqual(
      mcpLinks.map(({ component }) => `${component.name}.ts`).sort(),
    );
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(await expectedTools(stack, text));
  });

  it("S32: answers a call of every tool", async () => {
    const { tools } = await client.listTools();
    expect(tools.length).toBeGreaterThan(5);
    for (const tool of tools) {
      const { isError, content } = await callTool(
        client,
        tool.name,
        argumentsFor(tool.inputSchema as Schema),
      );
      if (isError)
        expect([...ANSWERS], `${tool.name}: ${JSON.stringify(content)}`).toContain(content["code"]);
      else expect(content, tool.name).toMatchObject({ tool: tool.name, truncated: false });
    }
  }, 120_000);

  it("P8: an unknown tool and a tool that is not drawn get the same answer", async () => {
    await expect(client.callTool({ name: "no_such_tool", arguments: {} })).rejects.toThrow(
      /Unknown tool: no_such_tool/,
    );
    await expect(
      client.callTool({ name: "cnpg_execute", arguments: { sql: "delete from a" } }),
    ).rejects.toThrow(/Unknown tool: cnpg_execute/);
  });

  it("S18: speaks to the 2.x client, in the newest revision that its framework has", async () => {
    const modern = new ModernClient(
      { name: "topogate-test", version: "1.0.0" },
      { versionNegotiation: { mode: "auto" } },
    );
    const headers = { Authorization: `Bearer ${server.key}` };
    await modern.connect(new ModernTransport(server.url, { requestInit: { headers } }));
    expect(modern.getNegotiatedProtocolVersion()).toBe(stack === "hello" ? "2025-11-25" : "2026-07-28");
    const { tools } = await modern.listTools();
    expect(tools).toEqual((await client.listTools()).tools);
    const answer = await modern.callTool({ name: "list_components", arguments: { limit: 1 } });
    expect(answer.structuredContent).toMatchObject({ tool: "list_components", truncated: false });
    await modern.close();
  });

  it("P9: speaks over stdio, without a key", async () => {
    const { tools } = await client.listTools();
    const local = new Client1({ name: "topogate-test", version: "1.0.0" });
    await local.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: ["start.mjs", "--stdio"],
        cwd: join(folder, "server"),
        env: {
          PATH: process.env["PATH"] ?? "",
          MCP_STDIO_TEAM_ID: "sre",
          MCP_STDIO_ROLE: "operator",
          ...throwAwayCredentials(folder),
          ...drawnFlags(folder),
        },
        stderr: "ignore",
      }),
    );
    expect((await local.listTools()).tools).toEqual(tools);
    const answer = await callTool(local, "get_stack_structure");
    expect(answer.isError).toBe(false);
    await local.close();
  });

  it("refuses what must not reach it: evil Host and Origin, no key, a large body", async () => {
    const status = async (headers: Record<string, string>, body = "{}"): Promise<number> =>
      await new Promise((resolve, reject) => {
        const call = request(
          server.url,
          { method: "POST", headers: { "content-type": "application/json", ...headers } },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode ?? 0);
          },
        );
        call.on("error", reject);
        call.end(body);
      });
    const authorization = `Bearer ${server.key}`;
    expect(await status({ authorization, host: "evil.example" })).toBe(403);
    expect(await status({ authorization, origin: "https://evil.example" })).toBe(403);
    expect(await status({})).toBe(401);
    expect(await status({ authorization: `Bearer ${newKey()}` })).toBe(401);
    expect(await status({ authorization }, `"${"x".repeat(1024 * 1024)}"`)).toBe(413);
  });

  it("type-checks with its own strict configuration", () => {
    const run = spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", join(folder, "server")],
      { encoding: "utf8" },
    );
    expect(run.stdout).toBe("");
    expect(run.status).toBe(0);
  });

  it("passes this project's linter", () => {
    const config = join(ROOT, ".topogate-cache", "emitted.oxlintrc.json");
    const {
      ignorePatterns: _ignored,
      overrides: _boundaries,
      ...rules
    } = JSON.parse(readFileSync(join(ROOT, ".oxlintrc.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(config, JSON.stringify({ ...rules, ignorePatterns: [] }));
    const run = spawnSync(join(ROOT, "node_modules/.bin/oxlint"), ["-c", config, "--no-ignore", "."], {
      cwd: join(folder, "server"),
      encoding: "utf8",
    });
    expect(Number(/on (\d+) files/.exec(run.stdout)?.[1]), run.stdout).toBeGreaterThan(30);
    expect(run.stdout).toContain("0 errors");
  });
});

describe("a write link", () => {
  const work = workspace();
  afterAll(work.remove);
  const draw = (access: string): void =>
    work.draw(
      "stack",
      `apiVersion: topology/v1\nstack: stack\ncomponents: {valkey: }\nlinks: {mcp: {stack_agent: read, valkey: ${access}}}\n`,
    );
  const emittedText = (): string =>
    readdirSync(work.path("out/stack/server"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
      .join("\n");

  it("S8 S10: drawn read, the write tool's name occurs nowhere in the emitted server", () => {
    draw("read");
    work.generate();
    expect(emittedText()).toContain("valkey_get");
    expect(emittedText()).not.toMatch(/valkey_set|valkey_delete/);
  });

  it("S8: drawn write, it is neither listed nor callable while the flag is false", async () => {
    draw("write");
    work.generate();
    expect(emittedText()).toContain("valkey_set");
    for (const [value, listed] of [
      ["false", false],
      ["true", true],
    ] as const) {
      const server = await bootServer(work.path("out/stack"), { MCP_VALKEY_WRITE_ACCESS: value });
      const client = await connectClient(server);
      const { tools } = await client.listTools();
      expect(tools.some(({ name }) => name === "valkey_set")).toBe(listed);
      const call = client.callTool({
        name: "valkey_set",
        arguments: { key: "a", value: "b", ttl_s: 60, reason: "a test of the gate" },
      });
      if (listed) expect((await call).isError).toBe(true);
      else await expect(call).rejects.toThrow(/Unknown tool: valkey_set/);
      await client.close();
      await server.stop();
    }
  });

  it("S8: drawn read, a flag that is set to true stops the start", async () => {
    draw("read");
    work.generate();
    await expect(bootServer(work.path("out/stack"), { MCP_VALKEY_WRITE_ACCESS: "true" })).rejects.toThrow(
      /MCP_VALKEY_WRITE_ACCESS is true, but the drawing/,
    );
  });

  it("S29: removing the link removes its module and its consequences, keeps a hand-made file, and plan had said so", () => {
    draw("read");
    work.generate();
    const handMade = work.path("out/stack/server/tools/mine.ts");
    writeFileSync(handMade, "export const mine = 1;\n");
    work.draw(
      "stack",
      "apiVersion: topology/v1\nstack: stack\ncomponents: {valkey: }\nlinks: {mcp: {stack_agent: read}}\n",
    );
    const plan = topogate(["plan"], { cwd: work.folder }).stdout;
    expect(plan).toContain("- server/tools/valkey.ts");
    expect(plan).toContain("- tool valkey_get");
    expect(plan).toContain("? server/tools/mine.ts");
    const run = topogate(["generate"], { cwd: work.folder });
    expect(run.stderr).toContain("unmanaged-file: out/stack/server/tools/mine.ts");
    expect(readdirSync(work.path("out/stack/server/tools"))).toEqual(["mine.ts", "stack_agent.ts"]);
    expect(readFileSync(handMade, "utf8")).toBe("export const mine = 1;\n");
    expect(readFileSync(work.path("out/stack/server/registry.ts"), "utf8")).not.toContain("mine");
    expect(topogate(["generate", "--check"], { cwd: work.folder }).status).toBe(1);
    expect(existsSync(work.path("out/stack/principals"))).toBe(false);
  });
});

describe("a link to what has nothing drawn in it", () => {
  const work = workspace();
  afterAll(work.remove);

  it("S29: starts, and refuses every name in the lists that are empty", async () => {
    work.draw(
      "stack",
      "apiVersion: topology/v1\nstack: stack\ncomponents: {mariadb: , rabbitmq: }\nlinks: {mcp: {stack_agent: read, mariadb: write, rabbitmq: write}}\n",
    );
    work.generate();
    const server = await bootServer(work.path("out/stack"), {
      MCP_MYSQL_WRITE_ACCESS: "true",
      MCP_RABBITMQ_WRITE_ACCESS: "true",
    });
    const client = await connectClient(server);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["mysql_query", "mysql_execute", "rabbitmq_list_queues", "rabbitmq_publish"]),
    );
    for (const [name, args] of [
      ["mysql_query", { database: "app", sql: "SELECT 1" }],
      ["rabbitmq_queue_info", { queue: "orders" }],
    ] as const)
      expect((await callTool(client, name, args)).content, name).toMatchObject({ code: "invalid_argument" });
    await client.close();
    await server.stop();
  });
});
