import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callTool } from "../../test/harness/emitted.ts";
import type { ToolAnswer } from "../../test/harness/emitted.ts";
import { liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { WRITES, bootFor, emitFor, startProxy } from "./live.ts";

const KEY = "k3y-that-the-service-gave-out";
const HARD_LIMIT = 262_144;
const REASON = "the live suite asks for it";
const READS =
  "fastapi_flood_bytes fastapi_flood_list fastapi_flood_text fastapi_get_broken fastapi_get_echo fastapi_get_file fastapi_get_item fastapi_get_name fastapi_get_slow fastapi_go_away fastapi_health fastapi_health_health_get fastapi_list_items fastapi_list_operations".split(
    " ",
  );

let service: LiveServer;
let emitted: Awaited<ReturnType<typeof emitFor>>;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let booted: Awaited<ReturnType<typeof bootFor>>;

async function call(tool: string, args: Record<string, unknown> = {}): Promise<ToolAnswer> {
  const started = performance.now();
  const answer = await callTool(booted.client, tool, args);
  expect(performance.now() - started, tool).toBeLessThan(2000);
  expect(JSON.stringify(answer.content).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  expect(JSON.stringify(answer.content), tool).not.toContain(KEY);
  return answer;
}
const dataOf = async (tool: string, args?: Record<string, unknown>): Promise<unknown> =>
  (await call(tool, args)).content["data"];
const faultOf = async (tool: string, args?: Record<string, unknown>): Promise<unknown> => {
  const { isError, content } = await call(tool, args);
  expect(isError, tool).toBe(true);
  return content;
};

beforeAll(async () => {
  expect(liveVersion("fastapi"), "run: bash templates/fastapi/live.sh install").toMatch(/^\d+\.\d+/);
  service = await startLive("fastapi", { API_KEY: KEY });
  emitted = await emitFor(service.port, `{access: write, tools: [${WRITES.join(", ")}]}`);
  proxy = await startProxy(emitted);
  booted = await bootFor(emitted, proxy, { MCP_FASTAPI_API_KEY: KEY, MCP_FASTAPI_WRITE_ACCESS: "true" });
});

afterAll(async () => {
  await booted?.client.close();
  await booted?.server.stop();
  await proxy?.stop();
  emitted?.remove();
  await service?.stop();
});

describe("every tool with data", () => {
  it("S32: the list is that of the document that FastAPI made, and the named writes", async () => {
    const { tools } = await booted.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([...READS, ...WRITES].sort());
    for (const tool of tools) expect(JSON.stringify(tool).length, tool.name).toBeLessThanOrEqual(1400);
    const items = tools.find(({ name }) => name === "fastapi_list_items");
    expect(items?.description).not.toMatch(/IMPORTANT>|https?:/);
    expect(items?.annotations).toMatchObject({ readOnlyHint: true });
    const { dry_run: _dryRun, ...created } =
      tools.find(({ name }) => name === WRITES[0])?.inputSchema.properties ?? {};
    expect(Object.keys(created)).toEqual(["name", "size", "tags", "price", "category", "reason"]);
  });

  it("reads: a list with filters of every kind, one item, a name with odd characters", async () => {
    expect(await dataOf("fastapi_list_items", { size: "large", limit: 2, "x-trace": "abc" })).toEqual([
      { id: 1, name: "item 1", size: "large", tags: ["abc"], price: 1.5, category: null },
      { id: 3, name: "item 3", size: "large", tags: ["abc"], price: 3.5, category: null },
    ]);
    expect(await dataOf("fastapi_list_items", { ids: [4, 7] })).toMatchObject([{ id: 4 }, { id: 7 }]);
    expect(await dataOf("fastapi_get_item", { item_id: 7 })).toMatchObject({ id: 7, name: "item 7" });
    for (const name of ["a b", "grüße", "100%", "a?b#c&d=e", "a;b", "a+b", '"x"'])
      expect(await dataOf("fastapi_get_name", { name }), name).toEqual({ name });
  });

  it("the module's own: operations and health", async () => {
    expect(await dataOf("fastapi_health")).toMatchObject({ healthy: true, says: { status: "up" } });
    expect(await dataOf("fastapi_health_health_get")).toMatchObject({ status: "up" });
    const listed = await call("fastapi_list_operations", { limit: 5 });
    expect(listed.content).toMatchObject({ truncated: true, page: { returned: 5, total: READS.length } });
    const cursor = (listed.content["page"] as { next_cursor: string }).next_cursor;
    const rest = await call("fastapi_list_operations", { cursor });
    expect(rest.content["page"]).toMatchObject({ returned: READS.length - 5 });
  });

  it("writes: a dry run changes nothing, then made and deleted", async () => {
    const item = {
      name: "new",
      price: 2,
      size: "large",
      category: { name: "c", parent: { name: "d" } },
      reason: REASON,
    };
    expect(await dataOf("fastapi_create_item", item)).toMatchObject({
      dry_run: true,
      request: { method: "POST", body: { name: "new", price: 2 } },
    });
    expect(await dataOf("fastapi_health")).toMatchObject({ says: { items: 25 } });
    expect(await dataOf("fastapi_create_item", { ...item, dry_run: false })).toMatchObject({
      id: 26,
      category: { parent: { name: "d" } },
    });
    expect(await dataOf("fastapi_delete_item", { item_id: 26, reason: REASON, dry_run: false })).toBeNull();
    expect(
      await faultOf("fastapi_delete_item", { item_id: 26, reason: REASON, dry_run: false }),
    ).toMatchObject({
      code: "not_found",
      message: "the service answered 404: no such item",
    });
    expect(await faultOf("fastapi_create_item", { name: "x", price: 1 })).toMatchObject({
      code: "invalid_argument",
    });
  });
});

describe("what is wrong is said, not guessed", () => {
  it("by the schema, and by FastAPI itself", async () => {
    expect(await faultOf("fastapi_list_items", { limit: 101 })).toMatchObject({ code: "invalid_argument" });
    expect(await faultOf("fastapi_get_item", { item_id: 999 })).toMatchObject({ code: "not_found" });
    const wrong = {
      name: "n",
      price: 1,
      category: { name: "c", parent: { parent: {} } },
      reason: REASON,
      dry_run: false,
    };
    expect(await faultOf("fastapi_create_item", wrong)).toMatchObject({ code: "invalid_argument" });
    expect(await faultOf("fastapi_get_broken")).toMatchObject({
      code: "upstream_unavailable",
      message: "the service answered 500",
    });
  });

  it("a wrong key is denied and not repeated", async () => {
    const other = await bootFor(emitted, proxy, {
      MCP_FASTAPI_API_KEY: "not-this-key",
      MCP_FASTAPI_WRITE_ACCESS: "false",
    });
    const { isError, content } = await callTool(other.client, "fastapi_get_item", { item_id: 1 });
    expect(isError).toBe(true);
    expect(content).toMatchObject({ code: "denied" });
    expect(JSON.stringify(content) + other.server.stderr()).not.toContain("not-this-key");
    const { tools } = await other.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([...READS].sort());
    await expect(
      other.client.callTool({ name: WRITES[0], arguments: { name: "x", price: 1, reason: REASON } }),
    ).rejects.toThrow("Unknown tool");
    await other.client.close();
    await other.server.stop();
  });
});

describe("attacks", () => {
  it("R5: no value of a parameter reaches another path", async () => {
    for (const name of [
      "../admin/keys",
      "..",
      "..%2fadmin%2fkeys",
      "%2e%2e/admin/keys",
      "..\\admin\\keys",
      "x/../../admin/keys",
      "http://127.0.0.1/",
      "a\u0000b",
      "a\r\nGET /admin/keys",
    ])
      expect(await faultOf("fastapi_get_name", { name }), name).toMatchObject({
        code: "invalid_argument",
        message: "name cannot stand in a path",
      });
    for (const extra of [
      { url: "http://127.0.0.1" },
      { host: "x" },
      { "X-Shop-Key": "x" },
      { Authorization: "x" },
      { cookie: "x" },
    ])
      expect(await faultOf("fastapi_get_name", { name: "a", ...extra })).toMatchObject({
        code: "invalid_argument",
        message: expect.stringContaining("is not a parameter"),
      });
    await expect(booted.client.callTool({ name: "fastapi_list_keys", arguments: {} })).rejects.toThrow(
      "Unknown tool",
    );
    await expect(booted.client.callTool({ name: "fastapi_replace_item", arguments: {} })).rejects.toThrow(
      "Unknown tool",
    );
  });

  it("R5: a redirect is not followed, a secret in an answer is hidden, a file is refused", async () => {
    expect(await faultOf("fastapi_go_away")).toMatchObject({
      message: "the service answered with a redirect (307)",
    });
    expect(await dataOf("fastapi_get_echo")).toEqual({
      note: "the key is [redacted]",
      password: "[redacted]",
    });
    expect(await faultOf("fastapi_get_file")).toMatchObject({
      message: "the answer is neither JSON nor text",
    });
  });

  /** As written, dots and percent signs included, which `fetch` would tidy up. */
  async function send(
    port: number,
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<number> {
    return await new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port, method, path, headers: { "X-Shop-Key": KEY, ...headers } },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  }

  it("S4: the emitted proxy lets the drawn operations pass and nothing else, with the same key", async () => {
    for (const [method, path] of [
      ["GET", "/admin/keys"],
      ["GET", "/openapi.json"],
      ["GET", "/docs"],
      ["PUT", "/items/1"],
      ["PATCH", "/items/1"],
      ["POST", "/items/1"],
      ["DELETE", "/items/"],
      ["GET", "/"],
      ["OPTIONS", "/items/"],
      ["GET", "/names/a/b"],
    ] as const) {
      expect(await send(service.port, method, path), `${method} ${path} without the proxy`).not.toBe(403);
      expect(await send(proxy.port, method, path), `${method} ${path}`).toBe(403);
    }
    for (const path of [
      "/names/../admin/keys",
      "/names/%2e%2e/admin/keys",
      "/names/a%2f..%2f..%2fadmin%2fkeys",
      "//admin/keys",
      "/./admin/keys",
      "/names/a%0d%0ab",
      "/admin/keys%3f/../x",
    ])
      expect(await send(proxy.port, "GET", path), path).toBe(403);
    for (const header of ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"])
      expect(await send(proxy.port, "GET", "/items/1", { [header]: "/admin/keys" })).toBe(200);
    expect(await send(proxy.port, "GET", "/items/1", { "X-Shop-Key": "wrong" })).toBe(403);
  });
});

describe("floods", () => {
  it("25 000 rows, 100 MB and a long text stay bounded", async () => {
    const list = await call("fastapi_flood_list");
    expect(list.content).toMatchObject({ truncated: true, page: { total: 25_000, next_cursor: null } });
    expect(JSON.stringify(list.content).length).toBeLessThanOrEqual(65_536);
    expect(await faultOf("fastapi_flood_bytes")).toMatchObject({ code: "too_large" });
    const text = await call("fastapi_flood_text");
    expect(text.content).toMatchObject({ truncated: true, truncation: { by: "bytes", limit: 16_384 } });
  });
});

describe("cancellation", () => {
  it("ends the call at once, and the service sees its caller go", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const slow = booted.client.callTool({ name: "fastapi_get_slow", arguments: {} }, undefined, {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    await expect
      .poll(async () => await dataOf("fastapi_health"), { timeout: 3000 })
      .toMatchObject({ says: { gone: 1 } });
  });
});
