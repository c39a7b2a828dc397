import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadText, treeOf } from "../../../test/harness/in-process.ts";
import { document, get, rowsOf, stack } from "./drawn.fixture.ts";
import type { Json } from "./drawn.fixture.ts";

const SHOP = readFileSync(new URL("../../../stacks/openapi/shop.json", import.meta.url), "utf8");

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
