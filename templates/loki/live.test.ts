import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { startAccountProxy } from "../../test/live/account-proxy.ts";
import type { Proxy } from "../../test/live/account-proxy.ts";
import { freePort, liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { FLOOD, OTHER_TENANT, STREAMS, TENANT, WIDE, writeLogs } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const PASSWORD = "p w:é;'#of-the-account";
const USER = "mcp_loki";
const API = { query: '{app="api"}' };

/** What an open Loki answers and the account must never be answered. */
const FORBIDDEN = [
  ["POST", "/loki/api/v1/push"],
  ["POST", "/api/prom/push"],
  ["GET", "/loki/api/v1/tail?query=%7Bapp%3D%22api%22%7D"],
  ["GET", "/loki/api/v1/label"],
  ["GET", "/api/prom/query?query=%7Bapp%3D%22api%22%7D"],
  ["GET", "/api/prom/label"],
  ["POST", "/flush"],
  ["GET", "/ready"],
  ["GET", "/config"],
  ["GET", "/metrics"],
  ["GET", "/ring"],
  ["GET", "/debug/pprof/cmdline"],
  ["POST", "/loki/api/v1/query"],
  ["POST", "/loki/api/v1/series?match[]=%7Bapp%3D%22api%22%7D"],
  ["DELETE", "/loki/api/v1/series"],
  ["PUT", "/loki/api/v1/query"],
  ["OPTIONS", "/loki/api/v1/query"],
  ["GET", "/loki/api/v1/delete"],
  ["POST", "/loki/api/v1/delete?query=%7Bapp%3D%22api%22%7D"],
  ["GET", "/loki/api/v1/rules"],
  ["GET", "/"],
] as const;
const CLIMBING = [
  "/loki/api/v1/query/../push",
  "/loki/api/v1/query/%2e%2e/push",
  "/loki/api/v1/query/..%2fpush",
  "/loki/api/v1/label/../push",
  "/loki/api/v1/label/a%2f..%2f..%2fpush/values",
  "//loki/api/v1/push",
  "/loki/api/v1/./push",
  "/loki/api/v1/push%3f/../query/x",
] as const;

let server: LiveServer;
let proxy: Proxy;
let loki: OpenModule;

const call = async (tool: string, args: Record<string, unknown> = {}) => {
  const started = performance.now();
  const result = await loki.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(2000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};
const refused = async (tool: string, args: Record<string, unknown>): Promise<unknown> =>
  await loki.call(tool, args).catch((error: unknown) => error);

/** The figure of one series of the server's own metrics. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(name));
  return Number(line?.split(" ").at(-1));
}

async function isReady(): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${server.port}/ready`)).ok;
}

beforeAll(async () => {
  expect(liveVersion("loki"), "run: bash templates/loki/live.sh install").toMatch(/^\d+\.\d+/);
  server = await startLive("loki", { GRPC_PORT: String(await freePort()) });
  await vi.waitFor(async () => expect(await isReady()).toBe(true), { timeout: 60_000, interval: 500 });
  await writeLogs(server.port, Date.now());
  proxy = await startAccountProxy("loki", `port: ${server.port}, tenant: ${TENANT}`, PASSWORD);
  loki = openModule(tools, {
    MCP_LOKI_URL: `http://127.0.0.1:${proxy.port}`,
    MCP_LOKI_TENANT: TENANT,
    MCP_LOKI_USER: USER,
    MCP_LOKI_PASSWORD: PASSWORD,
  });
}, 180_000);

afterAll(async () => {
  await loki?.close();
  await proxy?.stop();
  await server?.stop();
});

describe("every tool with data, under the emitted account", () => {
  it("S32: loki_query gives figures now and in the past", async () => {
    const query = 'sum by (level) (count_over_time({app="api"}[1h]))';
    const { data, page, warnings } = await call("loki_query", { query });
    expect(data).toEqual({
      series: expect.arrayContaining([
        { metric: { level: "info" }, points: [[expect.any(Number), 300]] },
        { metric: { level: "error" }, points: [[expect.any(Number), 40]] },
      ]),
    });
    expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
    expect(warnings, "this version has no index/stats").toEqual([
      expect.stringContaining("cannot tell how much"),
    ]);
    expect((await call("loki_query", { query, time: "now-2h" })).page?.total).toBe(0);
    expect((await call("loki_query", { query, limit: 1 })).truncation).toMatchObject({
      by: "rows",
      limit: 1,
    });
  });

  it("loki_query_range reads lines as groups, one by one, as patterns and as counts", async () => {
    const grouped = await call("loki_query_range", API);
    const { streams } = grouped.data as {
      streams: { labels: Record<string, string>; lines: { ts: string; line: string }[] }[];
    };
    expect(grouped.page).toMatchObject({ returned: 100, total: null, next_cursor: expect.any(String) });
    expect(streams[0]?.labels).toMatchObject({ app: "api", namespace: "shop" });
    expect(streams.flatMap(({ lines }) => lines)).toHaveLength(100);
    const first = await call("loki_query_range", {
      query: '{app="api"} |= "payment"',
      shape: "lines",
      direction: "forward",
      limit: 1,
    });
    expect(first.data).toMatchObject({
      lines: [{ labels: { level: "error" }, line: expect.stringMatching(/^order 0:/) }],
    });
    const patterns = await call("loki_query_range", { ...API, shape: "patterns", limit: 500 });
    expect(patterns.data).toMatchObject({
      read: 340,
      patterns: [
        { pattern: "GET /orders/<*> <*> in <*>ms", count: 300 },
        { pattern: "order <*>: payment refused, request <*>", count: 40 },
      ],
    });
    expect(patterns.page).toEqual({ returned: 340, total: 340, next_cursor: null });
    const count = await call("loki_query_range", { query: '{app="api"} # all of it', shape: "count" });
    expect(count.data).toEqual({
      lines: 340,
      streams: [
        { labels: { app: "api", level: "info", namespace: "shop" }, count: 300 },
        { labels: { app: "api", level: "error", namespace: "shop" }, count: 40 },
      ],
    });
  });

  it("loki_query_range gives the points of a metric query", async () => {
    const query = 'sum by (level) (count_over_time({app="api"}[1m]))';
    const { data } = await call("loki_query_range", { query, start: "now-10m", step: "1m" });
    const { step_s, series } = data as { step_s: number; series: { metric: object; points: unknown[] }[] };
    expect(step_s).toBe(60);
    expect(series.map(({ metric }) => metric)).toEqual(
      expect.arrayContaining([{ level: "info" }, { level: "error" }]),
    );
    expect(Math.max(...series.map(({ points }) => points.length))).toBeGreaterThan(5);
    expect((await call("loki_query_range", { query })).data).toMatchObject({ step_s: 36 });
  });

  it("pages meet without a gap or an overlap, with many lines at one instant", async () => {
    for (const direction of ["forward", "backward"]) {
      const seen: string[] = [];
      let cursor: string | null | undefined;
      do {
        const more = cursor ? { cursor } : {};
        const { data, page } = await call("loki_query_range", {
          query: '{app="web"}',
          shape: "lines",
          limit: 33,
          direction,
          start: "now-30m",
          ...more,
        });
        seen.push(...(data as { lines: { line: string }[] }).lines.map(({ line }) => line));
        cursor = page?.next_cursor;
      } while (cursor);
      expect(seen.length, direction).toBe(200);
      expect(new Set(seen).size, direction).toBe(200);
    }
    const few = await call("loki_query_range", { query: '{app="web"}', limit: 5 });
    expect(few).toMatchObject({
      page: { returned: 5, next_cursor: null },
      truncation: { hint: expect.stringContaining("one instant") },
    });
  });

  it("loki_labels, loki_label_values and loki_series list, narrow and page", async () => {
    expect((await call("loki_labels")).data).toEqual({
      labels: expect.arrayContaining(["app", "level", "namespace", "pod"]),
    });
    expect((await call("loki_labels", { match: '{app="web"}' })).data).toEqual({
      labels: ["app", "level", "namespace"],
    });
    expect((await call("loki_label_values", { label: "app" })).data).toEqual({
      values: ["api", "flood", "streams", "web", "wide"],
    });
    expect((await call("loki_label_values", { label: "level", match: '{app="web"}' })).data).toEqual({
      values: ["info"],
    });
    expect((await call("loki_label_values", { label: "none" })).data).toEqual({ values: [] });
    const series = await call("loki_series", { match: ['{app="api"}', '{app="web"}'], limit: 2 });
    expect(series).toMatchObject({
      page: { total: 3, next_cursor: expect.any(String) },
      data: {
        series: [
          { app: "api", level: "error" },
          { app: "api", level: "info" },
        ],
      },
    });
    const rest = await call("loki_series", {
      match: ['{app="api"}', '{app="web"}'],
      limit: 2,
      cursor: series.page?.next_cursor,
    });
    expect(rest.data).toEqual({ series: [{ app: "web", level: "info", namespace: "shop" }] });
    expect(
      (await call("loki_series", { match: ['{app="api"}'], start: "now-3h", end: "now-2h" })).page?.total,
    ).toBe(0);
  });
});

describe("what is wrong is said, not guessed", () => {
  it("a parse error carries its position", async () => {
    for (const query of ['{app="api"} |= ', 'sum(rate({app="api"}[5m])', '{app="api"} | | x'])
      expect(await refused("loki_query_range", { query }), query).toMatchObject({
        code: "invalid_argument",
        message: expect.stringMatching(/parse error at line \d+, col \d+/),
      });
  });

  it("a regular expression that cannot be compiled is the fault of this version, and nothing of it is quoted", async () => {
    const fault = await refused("loki_query_range", { query: '{app="api"} |~ "("' });
    expect(fault).toMatchObject({ code: "upstream_unavailable", message: "the service answered 500" });
  });
});

describe("floods", () => {
  it("60 000 lines: a page is bounded, goes on, and the server counts them all", async () => {
    const flood = { query: '{app="flood"}', limit: 500 };
    for (const shape of ["lines", "grouped", "patterns"]) {
      const result = await call("loki_query_range", { ...flood, shape });
      expect(result.page, shape).toMatchObject({ total: null, next_cursor: expect.any(String) });
      expect(result.truncation?.by, shape).toMatch(/rows|bytes/);
    }
    expect((await call("loki_query_range", { ...flood, shape: "count" })).data).toMatchObject({
      lines: FLOOD,
    });
  });

  it("6 000 streams: every list is bounded, and pages do not overlap", async () => {
    const match = '{app="streams"}';
    const first = await call("loki_series", { match: [match], limit: 500 });
    const second = await call("loki_series", { match: [match], limit: 500, cursor: first.page?.next_cursor });
    const pods = (result: typeof first) =>
      (result.data as { series: { pod: string }[] }).series.map(({ pod }) => pod);
    expect(first.page?.total).toBe(STREAMS);
    expect(pods(second).filter((pod) => pods(first).includes(pod))).toEqual([]);
    expect((await call("loki_label_values", { label: "pod", limit: 1000 })).page).toMatchObject({
      returned: 1000,
      total: STREAMS,
    });
    const grouped = await call("loki_query_range", { query: match, limit: 500 });
    expect(grouped.truncation).toBeDefined();
    const figures = await call("loki_query_range", {
      query: `count_over_time(${match}[1m])`,
      start: "now-10m",
    });
    expect(figures).toMatchObject({
      page: { total: expect.any(Number) },
      truncation: { by: expect.stringMatching(/rows|bytes/) },
    });
    expect((await call("loki_query_range", { query: match, shape: "count", limit: 500 })).data).toMatchObject(
      { lines: STREAMS },
    );
  });

  it("lines of 200 000 characters are cut, and too many of them are too_large", async () => {
    const few = await call("loki_query_range", { query: '{app="wide"}', limit: 5 });
    expect(few.page?.returned).toBe(5);
    await expect(call("loki_query_range", { query: '{app="wide"}', limit: WIDE })).rejects.toMatchObject({
      code: "too_large",
    });
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
    for (const [method, path] of FORBIDDEN) {
      const direct = path.includes("tail")
        ? 0
        : (await send(server.port, method, path, { "x-scope-orgid": TENANT })).status;
      expect(direct, `${method} ${path} without the account`).not.toBe(403);
      expect((await send(proxy.port, method, path, { authorization })).status, `${method} ${path}`).toBe(403);
    }
    for (const path of CLIMBING)
      expect((await send(proxy.port, "POST", path, { authorization })).status, path).toBe(403);
  });

  it("R1: another tenant's logs are there, and no header and no tool reaches them", async () => {
    const path = "/loki/api/v1/label/app/values";
    expect((await send(server.port, "GET", path, { "x-scope-orgid": OTHER_TENANT })).body).toContain("vault");
    for (const tenant of [OTHER_TENANT, `${TENANT}|${OTHER_TENANT}`, ""]) {
      const { status, body } = await send(proxy.port, "GET", path, {
        authorization,
        "X-Scope-OrgID": tenant,
      });
      expect([status, body.includes("api"), body.includes("vault")], tenant).toEqual([200, true, false]);
    }
    const foreign = openModule(tools, {
      MCP_LOKI_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_LOKI_TENANT: OTHER_TENANT,
      MCP_LOKI_USER: USER,
      MCP_LOKI_PASSWORD: PASSWORD,
    });
    expect((await foreign.call("loki_query_range", { query: '{app="vault"}' })).page?.total).toBe(0);
    await foreign.close();
  });

  it("S5: nobody reads without the password, and a tool says no more than denied", async () => {
    expect((await send(proxy.port, "GET", "/loki/api/v1/labels", {})).status).toBe(401);
    const wrong = openModule(tools, {
      MCP_LOKI_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_LOKI_USER: USER,
      MCP_LOKI_PASSWORD: "not-this-one",
    });
    const failure: unknown = await wrong.call("loki_labels").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure) + proxy.log()).not.toMatch(
      /not-this-one|of-the-account/,
    );
    await wrong.close();
  });

  it("R5: no argument leaves the fixed paths", async () => {
    const before = await metric("loki_distributor_lines_received_total");
    for (const label of ["../push", "..", "a/b", "a%2fb", "-", ""])
      await expect(loki.call("loki_label_values", { label })).rejects.toThrow("invalid arguments");
    for (const match of [
      '{app="api"}&query=x',
      '{app="api"}\r\nX-Scope-OrgID: team-b',
      '{app="api"}#',
      '{app="api"} ',
    ])
      expect(JSON.stringify(await refused("loki_series", { match: [match] })), match).not.toContain("vault");
    expect(await metric("loki_distributor_lines_received_total")).toBe(before);
  });
});

/** Of a line of Loki's log. */
function timeOf(line: string): string {
  return /\bts=(\S+)/.exec(line)?.[1] ?? "";
}

describe("cancellation", () => {
  it("aborting ends the call at once and the query on the server", async () => {
    const asked = Date.now();
    // By their times: the log that is kept is as long as ever when new lines push out old ones.
    const cancelled = (): boolean =>
      server
        .log()
        .split("\n")
        .some((line) => line.includes("context canceled") && Date.parse(timeOf(line)) >= asked);
    const controller = new AbortController();
    const started = performance.now();
    // Several seconds of work, so that the caller goes in the middle of it.
    const query = `sum(count_over_time({app="flood"} |~ "${"(.*)".repeat(40)}x{1,400}"[10m]))`;
    const slow = loki.call("loki_query_range", { query, start: "now-20m", step: "5s" }, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(cancelled, { timeout: 8000 }).toBe(true);
  });
});
