import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { foreignText } from "../../generator/catalog/foreign-text.ts";
import { loadText, topologyOf, treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import type { Operation } from "#runtime/fastapi/operation";
import { operationTool, openService } from "#runtime/fastapi/service";
import { defineModule } from "#runtime/tool";
import { derivedTools } from "./openapi/operations.ts";
import { link, tools } from "./tools.ts";

const SHOP = readFileSync(new URL("../../stacks/openapi/shop.json", import.meta.url), "utf8");
const LISTED_BYTES = 1400;

type Json = Record<string, unknown>;

const stack = (mcp: string, more = ""): string => `apiVersion: topology/v1
stack: stack
components: {fastapi: {openapi: api.json${more}}}
links: {mcp: {fastapi: ${mcp}}}
`;
const document = (paths: Json, more: Json = {}): Record<string, string> => ({
  "api.json": JSON.stringify({ openapi: "3.1.0", info: { title: "t", version: "1" }, paths, ...more }),
});
const get = (operation: Json): Json => ({ get: { responses: {}, ...operation } });
const query = (name: string, schema: Json, more: Json = {}): Json => ({ name, in: "query", schema, ...more });

interface Surface {
  readonly tools: readonly {
    name: string;
    access: string;
    effect: string;
    description: string;
    inputSchema: Json;
  }[];
  readonly flags: Json;
}
async function surfaceOf(text: string, documents: Record<string, string>): Promise<Surface> {
  const tree = await treeOf(text, "stack", documents);
  return JSON.parse(tree.get("server/surface.lock.json")?.text ?? "") as Surface;
}
const problems = async (text: string, documents: Record<string, string>): Promise<readonly string[]> =>
  (await loadText(text, "stack", documents)).diagnostics
    .filter(({ code }) => !/^W-(NO-|UNL)/.test(code))
    .map(({ code, message }) => `${code} ${message}`);

/** The tools of a document, over a service that answers as the test says. */
async function rowsOf(documents: Record<string, string>, mcp = "read"): Promise<readonly Operation[]> {
  const topology = await topologyOf(stack(mcp), "stack", documents);
  const [drawn] = topology.mcpLinks;
  if (drawn === undefined) throw new Error("nothing is linked");
  return derivedTools(drawn, topology, () => undefined).map(
    ({ shown, row }) => ({ name: shown.name, ...row }) as unknown as Operation,
  );
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function serviceWith(
  documents: Record<string, string>,
  answer: (response: ServerResponse) => void = (response) => response.end("{}"),
  environment: Record<string, string> = {},
): Promise<{ readonly module: OpenModule; readonly seen: readonly Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      answer(response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`;
  const rows = await rowsOf(documents);
  const module = defineModule({
    link,
    open: (settings) => openService(link, settings, { keyHeader: "X-Key" }),
    close: async () => undefined,
    tools: rows.map(operationTool),
  });
  return { module: openModule(module, { MCP_FASTAPI_URL: url, ...environment }), seen };
}

describe("tools from the document of the drawing", () => {
  it("S32: reads are given, each with a name from its operationId", async () => {
    const { tools: listed, flags } = await surfaceOf(stack("read"), { "api.json": SHOP });
    expect(listed.map(({ name }) => name)).toEqual(
      "get_health get_invoice get_order health list_operations list_orders"
        .split(" ")
        .map((name) => `fastapi_${name}`),
    );
    expect(listed.every(({ access, effect }) => access === "read" && effect === "read")).toBe(true);
    expect(flags).toEqual({ MCP_FASTAPI_WRITE_ACCESS: false });
  });

  it("S8: a write is a row only when the link may write and names it", async () => {
    const named = "{access: write, tools: [fastapi_create_order]}";
    const writes = async (mcp: string): Promise<readonly string[]> =>
      (await surfaceOf(stack(mcp), { "api.json": SHOP })).tools
        .filter(({ effect }) => effect !== "read")
        .map(({ name }) => name);
    expect(await writes(named)).toEqual(["fastapi_create_order"]);
    expect(await writes("write")).toEqual([]);
    expect(await writes("propose")).toEqual([]);
    expect(await writes("{access: propose, tools: [fastapi_cancel_order]}")).toEqual([
      "fastapi_cancel_order",
    ]);
    const source = async (mcp: string): Promise<string> =>
      (await treeOf(stack(mcp), "stack", { "api.json": SHOP })).get("server/tools/fastapi.ts")?.text ?? "";
    expect(await source(named)).toContain('"POST"');
    expect(await source(named)).not.toContain("cancel_order");
    expect(await source("read")).not.toMatch(/create_order|"POST"|"DELETE"/);
  });

  it("S8: names under tools are checked against the document", async () => {
    const tree = { "api.json": SHOP };
    expect(await problems(stack("{access: write, tools: [fastapi_creat_order]}"), tree)).toEqual([
      expect.stringMatching(
        /^E-REF .*no tool "fastapi_creat_order".*fastapi_cancel_order, fastapi_create_order.*Did you mean "fastapi_create_order"/,
      ),
    ]);
    expect(await problems(stack("{access: write, tools: [fastapi_get_order]}"), tree)).toEqual([
      expect.stringContaining("is a read tool"),
    ]);
    expect(await problems(stack("write"), tree)).toEqual([expect.stringContaining("W-TOOLS-UNNAMED")]);
  });

  it("T2: service is the same module under its own names", async () => {
    const text = stack("read").replaceAll("fastapi", "service");
    const { tools: listed } = await surfaceOf(text, { "api.json": SHOP });
    expect(listed.map(({ name }) => name)).toContain("service_list_orders");
    const other = stack("read")
      .replace("{fastapi: {", "{orders-api: {type: fastapi, ")
      .replace("fastapi: read", "orders-api: read");
    expect((await surfaceOf(other, { "api.json": SHOP })).tools[0]?.name).toBe("orders_api_get_health");
  });

  it("x-mcp: false hides, and operations chooses", async () => {
    const paths = {
      "/a": { get: { operationId: "a" }, post: { operationId: "b", "x-mcp": false } },
      "/c": { "x-mcp": false, ...get({ operationId: "c" }) },
      "/d": get({ operationId: "d" }),
    };
    const names = async (more: string): Promise<readonly string[]> =>
      (await surfaceOf(stack("read", more), document(paths))).tools.map(({ name }) => name.slice(8));
    expect(await names("")).toEqual(["a", "d", "health", "list_operations"]);
    expect(await names(", operations: [d]")).toEqual(["d", "health", "list_operations"]);
    expect(await problems(stack("read", ", operations: [c]"), document(paths))).toEqual([
      expect.stringContaining('no operation "c"'),
    ]);
  });

  it("names that meet, are too long or are missing end in a digest", async () => {
    const long = "x".repeat(100);
    const rows = await rowsOf(
      document({
        "/a": get({ operationId: "getA" }),
        "/b": get({ operationId: "get_a" }),
        "/c": get({ operationId: "health" }),
        "/d/{x}": {
          parameters: [{ name: "x", in: "path", required: true, schema: { type: "string" } }],
          ...get({}),
        },
        "/e": get({ operationId: long }),
      }),
    );
    const names = rows.map(({ name }) => name);
    expect(names.filter((name) => /^fastapi_(get_a|health|x+)_[0-9a-f]{6}$/.test(name))).toHaveLength(4);
    expect(names).toContain("fastapi_get_d_x");
    expect(Math.max(...names.map(({ length }) => length))).toBeLessThanOrEqual(64);
    expect(new Set(names).size).toBe(5);
  });

  it("more than twenty are an error that says what to do, never a silent cut", async () => {
    const paths = Object.fromEntries(
      Array.from({ length: 21 }, (_, n) => [`/p${n}`, get({ operationId: `op${n}` })]),
    );
    expect(await problems(stack("read"), document(paths))).toEqual([
      expect.stringMatching(
        /^E-LIMIT 21 operations .* 20 are the most: name those that AI needs under operations/,
      ),
    ]);
  });

  it.each([
    ['{"swagger": "2.0"}', "is no OpenAPI document"],
    ['{"openapi": "4.0.0"}', "is OpenAPI 4.0.0"],
    [
      '{"openapi": "3.1.0", "paths": {"/a": {"$ref": "https://elsewhere/x.json"}}}',
      "leads out of the document",
    ],
    ['{"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/nowhere"}}}', "leads nowhere"],
    ['{"openapi": "3.1.0", "paths": {"/a/{b}": {"get": {}}}}', "does not describe {b} of its path"],
    [
      '{"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"name": "c", "in": "cookie", "required": true}]}}}}',
      "in a place that is not supported",
    ],
    [
      '{"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"name": "X-Forwarded-Host", "in": "header", "required": true}]}}}}',
      "no caller may choose",
    ],
  ])("%s is refused", async (text, problem) => {
    expect(await problems(stack("read"), { "api.json": text })).toEqual([expect.stringContaining(problem)]);
  });
});

describe("schemas", () => {
  const schemaOf = async (schema: Json, more: Json = {}): Promise<unknown> => {
    const [row] = await rowsOf(document({ "/a": get({ parameters: [query("q", schema)] }) }, more));
    return row === undefined ? undefined : (row.inputSchema["properties"] as Json)["q"];
  };

  it.each([
    [
      { type: "integer", minimum: 1, exclusiveMaximum: true, maximum: 5 },
      { type: "integer", minimum: 1, exclusiveMaximum: 5 },
    ],
    [
      { anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }], default: null },
      { type: "string", maxLength: 5 },
    ],
    [{ type: ["integer", "null"] }, { type: "integer" }],
    [
      { type: "string", nullable: true, maxLength: 3 },
      { type: "string", maxLength: 3 },
    ],
    [{ const: "x" }, { enum: ["x"] }],
    [
      { type: "string", enum: ["a", "b"], default: "b" },
      { enum: ["a", "b"], default: "b" },
    ],
    [{ type: "string", enum: ["a"], default: "z" }, { enum: ["a"] }],
    [
      { type: "array", items: { type: "integer" } },
      { type: "array", items: { type: "integer" }, maxItems: 100 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "(a+)+$" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: ".*.*.*=" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "(?<n>" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "^[a-z]+$" },
      { type: "string", maxLength: 9, pattern: "^[a-z]+$" },
    ],
    [
      { type: "string", format: "email" },
      { type: "string", maxLength: 4000, description: "(email)" },
    ],
    [
      { allOf: [{ $ref: "#/components/schemas/S" }], description: "d" },
      { type: "string", maxLength: 7, description: "d" },
    ],
  ])("%j becomes %j", async (written, expected) => {
    expect(
      await schemaOf(written, { components: { schemas: { S: { type: "string", maxLength: 7 } } } }),
    ).toEqual(expected);
  });

  it("a body is flat, without what only the service writes, and a cycle is an object", async () => {
    const Node: Json = {
      type: "object",
      properties: { name: { type: "string" }, next: { $ref: "#/components/schemas/Node" } },
    };
    const New = {
      type: "object",
      required: ["id", "name"],
      properties: {
        id: { type: "integer", readOnly: true },
        name: { type: "string" },
        reason: { type: "string" },
        q: { type: "integer" },
        node: { $ref: "#/components/schemas/Node" },
      },
    };
    const operation = {
      operationId: "make",
      parameters: [query("q", { type: "string" })],
      requestBody: { required: true, content: { "application/json": { schema: New } } },
    };
    const [row] = await rowsOf(
      document({ "/a": { post: operation } }, { components: { schemas: { Node } } }),
    );
    const { properties, required } = row!.inputSchema as { properties: Json; required: string[] };
    expect(Object.keys(properties)).toEqual([
      "q",
      "name",
      "body_reason",
      "body_q",
      "node",
      "dry_run",
      "reason",
    ]);
    expect(required).toEqual(["name", "reason"]);
    expect(JSON.stringify(properties["node"])).toContain('"next":{"type":"object"}');
  });

  it("S4: every tool of a wild document fits the list, compiles and keeps its promise", async () => {
    const leaf = fc.constantFrom<Json>(
      { type: "string" },
      { type: "integer" },
      {},
      { type: ["string", "null"] },
      { $ref: "#/components/schemas/Loop" },
      { nullable: true },
    );
    const schema = fc.letrec<{ node: Json }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 8 },
        leaf,
        fc.record({ type: fc.constant("array"), items: tie("node") }),
        fc.record({ anyOf: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
        fc.record({ allOf: fc.array(tie("node"), { minLength: 1, maxLength: 2 }) }),
        fc.record({
          type: fc.constant("object"),
          properties: fc.dictionary(fc.string({ maxLength: 8 }), tie("node"), { maxKeys: 4 }),
          description: fc.string(),
        }),
      ),
    })).node;
    await fc.assert(
      fc.asyncProperty(schema, async (body) => {
        const content = { "application/json": { schema: body } };
        const documents = document(
          {
            "/a": {
              post: {
                operationId: "a",
                requestBody: { content },
                responses: { 200: { description: "", content } },
              },
            },
          },
          {
            components: {
              schemas: {
                Loop: { type: "object", properties: { loop: { $ref: "#/components/schemas/Loop" } } },
              },
            },
          },
        );
        const rows = await rowsOf(documents);
        for (const row of rows) {
          const shown = { ...operationTool(row), effect: undefined };
          expect(JSON.stringify(shown).length).toBeLessThanOrEqual(LISTED_BYTES);
        }
        const module = {
          link,
          open: () => undefined,
          close: async () => undefined,
          tools: rows.map(operationTool),
        };
        expect(() => openModule(defineModule(module as never), {})).not.toThrow();
      }),
      { numRuns: 60 },
    );
  });
});

describe("foreign text", () => {
  it.each([
    ["a <IMPORTANT>b</IMPORTANT> c", "a b c"],
    ["see [the docs](https://evil/x) now", "see the docs now"],
    ["go to https://evil.example/?q=1 now", "go to (address) now"],
    ["```\nrun this\n``` fine", "fine"],
    ["<!-- hidden --> seen\u202e\u200b\u{e0041}", "seen"],
    ["# Title\n\n* one\n* two", "Title one two"],
  ])("%j is %j", (text, expected) => {
    expect(foreignText(text, 300)).toBe(expected);
  });

  it("is cut, and no text takes long", () => {
    expect(foreignText("x".repeat(400), 300)).toHaveLength(300);
    const started = performance.now();
    for (const hostile of ["<", "[", "`", "a:", "<!--", "![](", "](", "<a "])
      foreignText(hostile.repeat(50_000), 300);
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

describe("requests", () => {
  const documents = document({
    "/things/{id}": {
      get: {
        operationId: "thing",
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" } },
          query("tag", { type: "array", items: { type: "string" } }),
          query("ids", { type: "array", items: { type: "integer" } }, { explode: false }),
          query("on", { type: "boolean" }),
          { name: "X-Trace", in: "header", schema: { type: "string" } },
          { name: "Authorization", in: "header", required: true, schema: { type: "string" } },
        ],
      },
    },
    "/end/": get({ operationId: "end" }),
    "/list": get({ operationId: "list", "x-mcp-fields": ["id", "in.a"] }),
  });

  it("go where the document says, under the service's path", async () => {
    const { module, seen } = await serviceWith(documents);
    await module.call("fastapi_thing", {
      id: "a b?#ü",
      tag: ["x", "y&z"],
      ids: [1, 2],
      on: true,
      "X-Trace": "t",
    });
    await module.call("fastapi_end");
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET /base/things/a%20b%3F%23%C3%BC?tag=x&tag=y%26z&ids=1%2C2&on=true",
      "GET /base/end/",
    ]);
    expect(seen[0]?.headers["x-trace"]).toBe("t");
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  it("R5: a value cannot leave its segment", async () => {
    const { module, seen } = await serviceWith(documents);
    for (const id of [
      "..",
      ".",
      "",
      "a/b",
      "a\\b",
      "../x",
      "a%2fb",
      "%2e%2e",
      "a%5Cb",
      "http://x/y",
      "a\r\nb",
      "..;",
    ])
      await expect(module.call("fastapi_thing", { id }), id).rejects.toMatchObject({
        code: "invalid_argument",
      });
    await expect(
      module.call("fastapi_thing", { id: "a", "X-Trace": "a\r\nX-Admin: 1" }),
    ).rejects.toMatchObject({ code: "invalid_argument" });
    for (const extra of [{ Authorization: "Bearer x" }, { url: "http://x" }, { host: "x" }])
      await expect(module.call("fastapi_thing", { id: "a", ...extra })).rejects.toThrow("invalid arguments");
    expect(seen).toEqual([]);
  });

  it("R1: the link's own key and token go along, and a redirect takes them nowhere", async () => {
    const environment = { MCP_FASTAPI_API_KEY: "k3y-of-the-link", MCP_FASTAPI_TOKEN: "t0ken-of-the-link" };
    const { module, seen } = await serviceWith(
      documents,
      (response) => response.writeHead(307, { location: "/base/list" }).end(),
      environment,
    );
    await expect(module.call("fastapi_end")).rejects.toThrow("redirect (307)");
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers).toMatchObject({
      "x-key": "k3y-of-the-link",
      authorization: "Bearer t0ken-of-the-link",
    });
  });

  it.each([
    [{ MCP_FASTAPI_API_KEY: "a\nb" }, "holds a character"],
    [{ MCP_FASTAPI_API_KEY: "ab", MCP_FASTAPI_API_KEY_HEADER: "X Key" }, "must be the name of a header"],
  ])("R12: %j stops the start without saying the key", async (environment, problem) => {
    const { module } = await serviceWith(
      documents,
      undefined,
      environment as unknown as Record<string, string>,
    );
    const fault: unknown = await module.call("fastapi_end").catch((error: unknown) => error);
    expect(String(fault)).toContain(problem);
    expect(String(fault)).not.toContain("a\nb");
  });

  it("answers show the members of the document, lists are cut, texts too, and files are refused", async () => {
    let body = Buffer.from(JSON.stringify([{ id: 1, secret_sauce: 2, in: [{ a: 3, b: 4 }] }]));
    const { module } = await serviceWith(documents, (response) => response.end(body));
    expect((await module.call("fastapi_list")).data).toEqual([{ id: 1, in: [{ a: 3 }] }]);
    body = Buffer.from(JSON.stringify(Array.from({ length: 600 }, (_, id) => ({ id }))));
    expect(await module.call("fastapi_list")).toMatchObject({
      page: { returned: 500, total: 600 },
      truncation: { by: "rows", limit: 500 },
    });
    body = Buffer.from("x".repeat(20_000));
    expect(await module.call("fastapi_end")).toMatchObject({
      data: { text: "x".repeat(16_384) },
      truncation: { by: "bytes" },
    });
    body = Buffer.from([0x89, 0x50, 0xff, 0x00]);
    await expect(module.call("fastapi_end")).rejects.toThrow("neither JSON nor text");
    body = Buffer.from("");
    expect((await module.call("fastapi_end")).data).toBeNull();
    body = Buffer.from('{"__proto__": {"id": 1}, "id": 2}');
    expect((await module.call("fastapi_list")).data).toEqual({ id: 2 });
  });
});

describe("the module's own tools", () => {
  it("health tells a service that is down from one that is ill", async () => {
    let status = 503;
    const server = createServer((_request, response) =>
      response.writeHead(status).end('{"detail": "database is away"}'),
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const module = openModule(tools, {
      MCP_FASTAPI_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    expect((await module.call("fastapi_health")).data).toEqual({
      healthy: false,
      status: "503",
      says: "the service answered 503: database is away",
    });
    status = 200;
    expect((await module.call("fastapi_health")).data).toMatchObject({ healthy: true });
    const away = openModule(tools, { MCP_FASTAPI_URL: "http://127.0.0.1:1" });
    await expect(away.call("fastapi_health")).rejects.toMatchObject({ code: "upstream_unavailable" });
  });
});
