import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import type { Registry } from "#runtime/registry";
import { startServer } from "#runtime/server";
import type { Surface } from "#runtime/surface/surface";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boot, CREATE, newKey } from "./boot.ts";
import type { Booted, Json } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";
import { createWitness } from "./notes.ts";
import { GUIDE, withShelf } from "./shelf.ts";
import { policyFileOf, surfaceOf, testRegistry } from "./stack.ts";

const PASSWORD = "sh3lf-Passw0rd-in-use";
/** Of the prompt, as the lock has it. */
const REVIEWED = {
  "governance/version": "2.1.0",
  "governance/hash": surfaceOf(withShelf(testRegistry(createWitness()))).prompts[0]?.hash,
};

describe.each(ADAPTERS)("resources and prompts of %s", (adapter) => {
  let server: Booted;
  beforeAll(async () => {
    server = await boot(adapter, { MCP_SHELF_PASSWORD: PASSWORD }, withShelf);
  });
  afterAll(async () => await server.close());

  const result = async (method: string, params: Json = {}): Promise<Json> => {
    const answer = await server.rpc(method, params);
    expect(answer["error"]).toBeUndefined();
    return answer["result"] as Json;
  };
  const error = async (method: string, params: Json): Promise<Json> =>
    (await server.rpc(method, params))["error"] as Json;
  const read = async (uri: string): Promise<string> => {
    const { contents } = await result("resources/read", { uri });
    const [only] = contents as [{ uri: string; text: string }];
    expect(only.uri).toBe(uri);
    return only.text;
  };

  it("S27: lists resources, sorted, without their texts", async () => {
    const { resources } = (await result("resources/list")) as { resources: Json[] };
    expect(resources.map(({ uri }) => uri)).toEqual([
      "shelf://books",
      "shelf://broken",
      "shelf://burnt",
      "shelf://flood",
      "shelf://guide",
    ]);
    expect(resources[4]).toEqual({
      uri: "shelf://guide",
      name: "guide",
      title: "Guide",
      description: "How to use the shelf.",
      mimeType: "text/markdown",
    });
    expect(await result("resources/templates/list")).toMatchObject({ resourceTemplates: [] });
  });

  it("S27: reads generated text as it stands, and what is known at the time as JSON", async () => {
    expect(await read("shelf://guide")).toBe(GUIDE);
    expect(JSON.parse(await read("shelf://books"))).toMatchObject({
      books: expect.arrayContaining(["book-149"]),
    });
  });

  it("S27: what is read is marked as data, and holds no credential", async () => {
    const answer = await result("resources/read", { uri: "shelf://books" });
    expect(answer["_meta"]).toMatchObject({ "governance/authority": "untrusted" });
    expect(JSON.stringify(answer)).not.toContain(PASSWORD);
    expect(await read("shelf://books")).toContain("[redacted]");
  });

  it("S27: what is too large is cut at a row, says so, and stays JSON", async () => {
    const text = await read("shelf://flood");
    expect(Buffer.byteLength(text)).toBeLessThan(262_144 + 200);
    const { truncated, rows } = JSON.parse(text) as { truncated: string; rows: unknown[] };
    expect(truncated).toContain("use the tools");
    expect(rows.length).toBeGreaterThan(1_000);
  });

  it.each(["shelf://nothing", "file:///etc/passwd", "shelf://guide/../books", ""])(
    "S27: %j is an unknown resource",
    async (uri) => {
      expect(await error("resources/read", { uri })).toMatchObject({
        code: -32_602,
        message: expect.stringContaining(`Unknown resource: ${uri}`),
      });
    },
  );

  it("S27: a fault says what happened, and an unexpected one nothing of the inside", async () => {
    const burnt = await error("resources/read", { uri: "shelf://burnt" });
    expect(burnt).toMatchObject({ code: -32_603, message: expect.stringContaining("the shelf burnt with") });
    expect(JSON.stringify(burnt)).not.toContain(PASSWORD);
    const broken = await error("resources/read", { uri: "shelf://broken" });
    expect(broken).toMatchObject({ code: -32_603 });
    expect(JSON.stringify(broken)).not.toContain("secret-path");
  });

  it("S28: lists prompts with their arguments", async () => {
    expect(((await result("prompts/list")) as { prompts: Json[] }).prompts).toEqual([
      {
        name: "review_book",
        title: "Review a book",
        description: "A review in some tone.",
        arguments: [
          { name: "book", description: "Which book.", required: true },
          { name: "tone", description: "How it should sound.", required: false },
        ],
        _meta: REVIEWED,
      },
    ]);
  });

  it("P20: a prompt says its version and its hash, when it is listed and when it is got", async () => {
    const got = await result("prompts/get", { name: "review_book", arguments: { book: "book-007" } });
    expect(got["_meta"]).toEqual(REVIEWED);
  });

  const textOf = async (args: Json): Promise<unknown> => {
    const { messages } = await result("prompts/get", { name: "review_book", arguments: args });
    return (messages as [{ role: string; content: Json }])[0];
  };

  it("S28: fills arguments in, and what is left out with its fallback", async () => {
    expect(await textOf({ book: "book-007" })).toEqual({
      role: "user",
      content: { type: "text", text: "# Review `book-007`\n\nIn the tone: friendly. Leave <other> alone.\n" },
    });
    expect(await textOf({ book: "book-007", tone: "<book> $& `rude`" })).toMatchObject({
      content: { text: expect.stringContaining("In the tone: <book> $& `rude`.") },
    });
  });

  it.each<[Json, string]>([
    [{}, "book is required"],
    [{ book: "book" }, "for example book-000"],
    [{ book: "book-007 and more" }, "book is no book of this stack"],
    [{ book: "book-007", colour: "red" }, "colour is not a parameter"],
    [{ book: "book-007", tone: "x".repeat(501) }, "tone"],
  ])("S28: refuses the arguments %j", async (args, reason) => {
    expect(await error("prompts/get", { name: "review_book", arguments: args })).toMatchObject({
      code: -32_602,
      message: expect.stringContaining(reason),
    });
  });

  it("S28: an unknown prompt", async () => {
    expect(await error("prompts/get", { name: "no_such_prompt" })).toMatchObject({
      code: -32_602,
      message: expect.stringContaining("Unknown prompt: no_such_prompt"),
    });
  });

  const completion = async (value: string, name = "book"): Promise<unknown> =>
    (
      await result("completion/complete", {
        ref: { type: "ref/prompt", name: "review_book" },
        argument: { name, value },
      })
    )["completion"];

  it("S28: completes an argument, at most a hundred values", async () => {
    expect(await completion("book-14")).toEqual({
      values: Array.from({ length: 10 }, (_, at) => `book-14${at}`),
      hasMore: false,
    });
    expect(await completion("")).toMatchObject({
      hasMore: true,
      values: expect.objectContaining({ length: 100 }),
    });
    expect(await completion("nothing")).toEqual({ values: [], hasMore: false });
    expect(await completion("f", "tone")).toEqual({ values: [], hasMore: false });
  });

  it("S28: completes nothing that does not exist", async () => {
    for (const ref of [
      { type: "ref/prompt", name: "no_such_prompt" },
      { type: "ref/resource", uri: "shelf://{book}" },
    ]) {
      const answer = await error("completion/complete", { ref, argument: { name: "book", value: "" } });
      expect(answer).toMatchObject({ code: -32_602 });
    }
    const ref = { type: "ref/prompt", name: "review_book" };
    const answer = await error("completion/complete", { ref, argument: { name: "colour", value: "" } });
    expect(answer).toMatchObject({ code: -32_602 });
  });

  it("S27 S28: every read leaves a row that names it", async () => {
    await server.newRows();
    await read("shelf://guide");
    await textOf({ book: "book-001" });
    await error("resources/read", { uri: "shelf://nothing" });
    const rows = await server.newRows();
    expect(
      rows.map(({ rpc_method, tool_name, decision, link }) => [rpc_method, tool_name, decision, link]),
    ).toEqual([
      ["resources/read", "shelf://guide", "allow", "mcp->shelf"],
      ["prompts/get", "prompt:review_book", "allow", "mcp->shelf"],
      ["resources/read", "resource:shelf://nothing", "deny", null],
    ]);
    expect(rows[1]).toMatchObject({ args_redacted: { book: "book-001" }, key_id: "key:mcp-api-key" });
  });

  it("S27: nothing of it reaches somebody without a key", async () => {
    const url = `http://127.0.0.1:${server.port}/mcp`;
    for (const method of ["resources/list", "prompts/list", "resources/read"]) {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { uri: "shelf://guide" } }),
      });
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toContain("shelf");
    }
  });

  it("S18: the 2.x client reads, gets and completes the same", async () => {
    const client = new ModernClient(
      { name: "suite", version: "1.0.0" },
      { versionNegotiation: { mode: "auto" } },
    );
    const requestInit = { headers: { authorization: `Bearer ${server.key}` } };
    await client.connect(
      new ModernTransport(new URL(`http://127.0.0.1:${server.port}/mcp`), { requestInit }),
    );
    expect(client.getServerCapabilities()).toMatchObject({ resources: {}, prompts: {}, completions: {} });
    expect((await client.listResources()).resources).toHaveLength(5);
    expect((await client.readResource({ uri: "shelf://guide" })).contents).toMatchObject([{ text: GUIDE }]);
    const prompt = await client.getPrompt({ name: "review_book", arguments: { book: "book-002" } });
    expect(prompt.messages).toMatchObject([{ content: { text: expect.stringContaining("`book-002`") } }]);
    const { completion: found } = await client.complete({
      ref: { type: "ref/prompt", name: "review_book" },
      argument: { name: "book", value: "book-00" },
    });
    expect(found.values).toHaveLength(10);
    await expect(client.readResource({ uri: "shelf://nothing" })).rejects.toMatchObject({ code: -32_602 });
    await client.close();
  });
});

describe("the pins of resources and prompts", () => {
  const start = async (change: (surface: Surface) => Surface): Promise<unknown> => {
    const registry: Registry = withShelf(testRegistry(createWitness()));
    const server = await startServer({
      registry,
      surface: change(surfaceOf(registry)),
      policyFile: policyFileOf(registry),
      environment: { MCP_API_KEY: newKey(), MCP_PORT: "0" },
      adapter: CREATE.sdk,
    });
    return await server.close();
  };
  const HASH = `sha256:${"0".repeat(64)}`;

  it("S10: agree, and the server starts", async () => {
    await start((surface) => surface);
  });

  it.each<[string, (surface: Surface) => Surface, string]>([
    [
      "a prompt whose text changed",
      (surface) => ({ ...surface, prompts: surface.prompts.map((pin) => ({ ...pin, hash: HASH })) }),
      "prompt review_book of surface.lock.json is not what was reviewed",
    ],
    [
      "a prompt that nobody reviewed",
      (surface) => ({ ...surface, prompts: [] }),
      "prompt review_book is not in surface.lock.json",
    ],
    [
      "a resource that is gone",
      (surface) => ({
        ...surface,
        resources: [...surface.resources, { uri: "shelf://gone", link: "mcp->shelf", hash: HASH }],
      }),
      "resource shelf://gone of surface.lock.json does not exist",
    ],
    [
      "a guide whose text changed",
      (surface) => ({
        ...surface,
        resources: surface.resources.map((pin) =>
          pin.uri === "shelf://guide" ? { ...pin, hash: HASH } : pin,
        ),
      }),
      "resource shelf://guide of surface.lock.json is not what was reviewed",
    ],
    [
      "a resource of another link",
      (surface) => ({
        ...surface,
        resources: surface.resources.map((pin) => ({ ...pin, link: "mcp->notes" })),
      }),
      "is not what was reviewed",
    ],
  ])("S10: %s stops the start", async (_name, change, reason) => {
    await expect(start(change)).rejects.toThrow(reason);
  });
});
