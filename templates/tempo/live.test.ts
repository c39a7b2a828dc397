import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { startAccountProxy } from "../../test/live/account-proxy.ts";
import type { Proxy } from "../../test/live/account-proxy.ts";
import { liveVersion } from "../../test/live/server.ts";
import { startFakeTempo } from "./fake-tempo.ts";
import type { FakeSpan, FakeTempo, FakeTrace } from "./fake-tempo.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const PASSWORD = "p w:é;'#of-the-account";
const USER = "mcp_tempo";
const TENANT = "team-a";
const OTHER_TENANT = "team-b";
const ORDER = "2f3e0cee77ae5dc9c17ade3689eb2e54";
const SECRET = "11111111111111111111111111111111";
const BIG = "b".repeat(32);
const HUGE = "c".repeat(32);
const BIG_SPANS = 15_000;

/** What an open Tempo answers and the account must never be answered. */
const FORBIDDEN = [
  ["POST", "/v1/traces"],
  ["GET", "/flush"],
  ["POST", "/flush"],
  ["GET", "/shutdown"],
  ["GET", "/api/overrides"],
  ["POST", "/api/overrides"],
  ["DELETE", "/api/overrides"],
  ["GET", "/api/mcp"],
  ["POST", "/api/mcp"],
  ["GET", "/api/echo"],
  ["GET", `/api/traces/${ORDER}`],
  ["GET", "/api/search/tags"],
  ["GET", "/api/metrics/query_range?q=%7B%7D"],
  ["GET", `/querier/api/v2/traces/${ORDER}`],
  ["GET", "/status/config"],
  ["GET", "/metrics"],
  ["GET", "/memberlist"],
  ["GET", "/debug/pprof/cmdline"],
  ["POST", "/api/search"],
  ["PUT", "/api/search"],
  ["DELETE", `/api/v2/traces/${ORDER}`],
  ["OPTIONS", "/api/search"],
  ["GET", "/"],
] as const;
const CLIMBING = [
  "/api/search/../../flush",
  "/api/search/%2e%2e/%2e%2e/flush",
  "/api/search/..%2f..%2fflush",
  "/api/v2/search/tag/../../../../flush",
  "/api/v2/search/tag/..%2f..%2f..%2f..%2fflush/values",
  "//flush",
  "/api/./../flush",
  "/flush%3f/../api/search",
] as const;

const hex = (index: number): string => (index + 1).toString(16).padStart(16, "0");

function orderTrace(now: number): FakeTrace {
  return {
    id: ORDER,
    tenant: TENANT,
    start: now - 60_000,
    spans: [
      {
        id: hex(0),
        service: "gateway",
        name: "POST /orders",
        from: 0,
        to: 900,
        attributes: { "http.status_code": 502 },
      },
      {
        id: hex(1),
        parent: hex(0),
        service: "orders",
        name: "place order",
        from: 20,
        to: 880,
        attributes: { region: "eu" },
      },
      {
        id: hex(2),
        parent: hex(1),
        service: "payments",
        name: "charge",
        from: 100,
        to: 860,
        error: "card refused <script>",
        attributes: { retry: true, amount: 17.5 },
      },
    ],
  };
}

/** One root and many children. */
function wideTrace(id: string, now: number, count: number): FakeTrace {
  const spans = Array.from({ length: count }, (_, index): FakeSpan => {
    const parent = index === 0 ? {} : { parent: hex(0) };
    return {
      id: hex(index),
      ...parent,
      service: `service-${index % 50}`,
      name: `step ${index}`,
      from: index,
      to: index + 5,
      ...(index % 3 === 0 ? { error: "failed" } : {}),
    };
  });
  return { id, tenant: TENANT, start: now - 120_000, spans };
}

const small = (index: number, now: number): FakeTrace => ({
  id: hex(index + 100).padStart(32, "0"),
  tenant: TENANT,
  start: now - 300_000 + index,
  spans: [
    {
      id: hex(0),
      service: "batch",
      name: "job",
      from: 0,
      to: 1 + (index % 9),
      attributes: { [`key-${index}`]: `value-${index}` },
    },
  ],
});

let fake: FakeTempo;
let proxy: Proxy;
let tempo: OpenModule;

const call = async (tool: string, args: Record<string, unknown> = {}) => {
  const started = performance.now();
  const result = await tempo.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(2000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};

beforeAll(async () => {
  expect(liveVersion("tempo"), "run: bash templates/tempo/live.sh install").toContain("fake");
  const now = Date.now();
  fake = await startFakeTempo([
    orderTrace(now),
    { ...orderTrace(now), id: SECRET, tenant: OTHER_TENANT },
    wideTrace(BIG, now, BIG_SPANS),
    wideTrace(HUGE, now, 40_000),
    ...Array.from({ length: 5000 }, (_, index) => small(index, now)),
  ]);
  proxy = await startAccountProxy("tempo", `port: ${fake.port}, tenant: ${TENANT}`, PASSWORD);
  tempo = openModule(tools, {
    MCP_TEMPO_URL: `http://127.0.0.1:${proxy.port}`,
    MCP_TEMPO_TENANT: TENANT,
    MCP_TEMPO_USER: USER,
    MCP_TEMPO_PASSWORD: PASSWORD,
  });
});

afterAll(async () => {
  await tempo?.close();
  await proxy?.stop();
  await fake?.stop();
});

describe("every tool with data, on the fake under the emitted account", () => {
  it("S32: tempo_search finds a trace, and tempo_get_trace shows it in each view", async () => {
    const found = await call("tempo_search", {
      traceql: '{resource.service.name="payments" && status=error}',
    });
    expect(found.page).toEqual({ returned: 1, total: 1, next_cursor: null });
    expect(found.data).toMatchObject({
      traces: [
        {
          trace_id: ORDER,
          root_service: "gateway",
          root_name: "POST /orders",
          duration_ms: 900,
          spans: 3,
          error: true,
        },
      ],
    });
    const tree = await call("tempo_get_trace", { trace_id: ORDER });
    expect(tree.data).toMatchObject({
      trace_id: ORDER,
      spans: 3,
      errors: 1,
      rows: [
        { service: "gateway", depth: 0, offset_ms: 0, duration_ms: 900, kind: "server" },
        { service: "orders", depth: 1, offset_ms: 20 },
        { service: "payments", depth: 2, error: "card refused <script>" },
      ],
    });
    const errors = await call("tempo_get_trace", { trace_id: ORDER, view: "errors" });
    expect(errors.data).toMatchObject({
      rows: [{ self_ms: 760, parent: hex(1), attributes: { retry: true, amount: 17.5 } }],
    });
    const slowest = await call("tempo_get_trace", { trace_id: ORDER, view: "slowest", max_spans: 1 });
    expect(slowest).toMatchObject({
      data: { rows: [{ name: "POST /orders", self_ms: 40 }] },
      truncation: { by: "rows", limit: 1 },
    });
  });

  it("tempo_search keeps to its range", async () => {
    expect((await call("tempo_search", { traceql: "{}", start: "now-3h", end: "now-2h" })).page?.total).toBe(
      0,
    );
    expect((await call("tempo_search", { traceql: '{name="job"}', limit: 100 })).truncation).toMatchObject({
      by: "rows",
      limit: 100,
    });
  });

  it("an identifier from a search is one that a trace is found by", async () => {
    const { data } = await call("tempo_search", { traceql: '{name="job"}', limit: 1 });
    const [first] = (data as { traces: { trace_id: string }[] }).traces;
    expect((await call("tempo_get_trace", { trace_id: first?.trace_id })).data).toMatchObject({ spans: 1 });
  });

  it("tempo_tags and tempo_tag_values list and page", async () => {
    expect((await call("tempo_tags", { scope: "resource" })).data).toEqual({
      tags: [{ scope: "resource", tag: "service.name" }],
    });
    expect((await call("tempo_tag_values", { tag: "span.region" })).data).toEqual({
      values: [{ value: "eu", type: "string" }],
    });
    const services = await call("tempo_tag_values", { tag: "resource.service.name", limit: 2 });
    expect(services).toMatchObject({ page: { returned: 2, total: 54, next_cursor: expect.any(String) } });
    const next = await call("tempo_tag_values", {
      tag: "resource.service.name",
      limit: 2,
      cursor: services.page?.next_cursor,
    });
    expect(JSON.stringify(next.data)).not.toContain('"batch"');
    await expect(
      call("tempo_tag_values", { tag: "span.region", cursor: services.page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });

  it("a query that cannot be parsed says where, and an absent trace is not found", async () => {
    await expect(call("tempo_search", { traceql: "{status=" })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("line 1, col 8"),
    });
    await expect(call("tempo_get_trace", { trace_id: "d".repeat(32) })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("floods", () => {
  it("a trace of 15 000 spans is bounded in every view, and its totals are known", async () => {
    for (const view of ["tree", "errors", "slowest"]) {
      const result = await call("tempo_get_trace", { trace_id: BIG, view, max_spans: 500 });
      expect(result.page?.total, view).toBe(view === "errors" ? BIG_SPANS / 3 : BIG_SPANS);
      expect(result.truncation, view).toBeDefined();
      expect(result.data).toMatchObject({ spans: BIG_SPANS, errors: BIG_SPANS / 3 });
    }
  });

  it("one of more than 8 MiB is too_large", async () => {
    await expect(call("tempo_get_trace", { trace_id: HUGE })).rejects.toMatchObject({ code: "too_large" });
  });

  it("5 000 tags: pages do not overlap", async () => {
    const first = await call("tempo_tags", { limit: 500 });
    const second = await call("tempo_tags", { limit: 500, cursor: first.page?.next_cursor });
    expect(first.page?.total).toBeGreaterThan(5000);
    const names = (result: typeof first) =>
      (result.data as { tags: { tag: string }[] }).tags.map(({ tag }) => tag);
    expect(names(second).filter((name) => names(first).includes(name))).toEqual([]);
  });
});

describe("the account in front of the server", () => {
  /** As written, dots and percent signs included, which `fetch` would tidy up. */
  async function send(
    port: number,
    method: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; body: string }> {
    return await new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.on("error", reject);
      asked.end();
    });
  }
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;

  it("S4: refuses everything that writes, shows or stops the server, which is open behind it", async () => {
    const before = fake.changes();
    for (const [method, path] of FORBIDDEN)
      expect((await send(proxy.port, method, path, { authorization })).status, `${method} ${path}`).toBe(403);
    for (const path of CLIMBING)
      expect((await send(proxy.port, "GET", path, { authorization })).status, path).not.toBe(204);
    expect(fake.changes()).toBe(before);
    expect((await send(fake.port, "GET", "/flush", {})).status, "without the account").toBe(204);
  });

  it("R1: another tenant's traces are there, and no header and no tool reaches them", async () => {
    const path = `/api/v2/traces/${SECRET}`;
    expect((await send(fake.port, "GET", path, { "x-scope-orgid": OTHER_TENANT })).status).toBe(200);
    for (const tenant of [OTHER_TENANT, `${TENANT}|${OTHER_TENANT}`, ""])
      expect(
        (await send(proxy.port, "GET", path, { authorization, "X-Scope-OrgID": tenant })).status,
        tenant,
      ).toBe(404);
    const foreign = openModule(tools, {
      MCP_TEMPO_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_TEMPO_TENANT: OTHER_TENANT,
      MCP_TEMPO_USER: USER,
      MCP_TEMPO_PASSWORD: PASSWORD,
    });
    await expect(foreign.call("tempo_get_trace", { trace_id: SECRET })).rejects.toMatchObject({
      code: "not_found",
    });
    await foreign.close();
  });

  it("S5: nobody reads without the password, and a tool says no more than denied", async () => {
    expect((await send(proxy.port, "GET", "/api/search", {})).status).toBe(401);
    const wrong = openModule(tools, {
      MCP_TEMPO_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_TEMPO_USER: USER,
      MCP_TEMPO_PASSWORD: "not-this-one",
    });
    const failure: unknown = await wrong.call("tempo_tags").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure) + proxy.log()).not.toMatch(
      /not-this-one|of-the-account/,
    );
    await wrong.close();
  });
});

describe("cancellation", () => {
  it("aborting ends the call at once, and the request reaches its end at the service", async () => {
    const before = fake.cancelled();
    const controller = new AbortController();
    const started = performance.now();
    const slow = tempo.call("tempo_search", { traceql: '{name="slow"}' }, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(fake.cancelled, { timeout: 3000 }).toBe(before + 1);
  });
});
