import { createServer, request } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { startAccountProxy } from "../../test/live/account-proxy.ts";
import type { Proxy } from "../../test/live/account-proxy.ts";
import { liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const SERIES = 12_000;
const SELF = { label: "job", match: ["up"] };

/** What an open Prometheus answers and the account must never be answered. */
const FORBIDDEN = [
  ["POST", "/api/v1/admin/tsdb/snapshot"],
  ["POST", "/api/v1/admin/tsdb/clean_tombstones"],
  ["POST", "/api/v1/admin/tsdb/delete_series?match[]=none"],
  ["PUT", "/api/v1/admin/tsdb/delete_series?match[]=none"],
  ["POST", "/-/reload"],
  ["GET", "/-/healthy"],
  ["POST", "/api/v1/write"],
  ["POST", "/api/v1/read"],
  ["GET", "/api/v1/status/config"],
  ["GET", "/api/v1/status/flags"],
  ["GET", "/api/v1/status/tsdb"],
  ["GET", "/api/v1/metadata"],
  ["GET", "/api/v1/labels"],
  ["GET", "/api/v1/query_exemplars?query=up"],
  ["DELETE", "/api/v1/series?match[]=up"],
  ["PUT", "/api/v1/query?query=up"],
  ["OPTIONS", "/api/v1/query"],
  ["GET", "/federate?match[]=up"],
  ["GET", "/metrics"],
  ["GET", "/debug/pprof/cmdline"],
  ["GET", "/graph"],
  ["GET", "/"],
] as const;
const CLIMBING = [
  "/api/v1/query/../admin/tsdb/snapshot",
  "/api/v1/query/%2e%2e/admin/tsdb/snapshot",
  "/api/v1/query/..%2fadmin%2ftsdb%2fsnapshot",
  "/api/v1/label/../admin/tsdb/snapshot/values",
  "/api/v1/label/a%2f..%2f..%2fadmin/values",
  "//api/v1/admin/tsdb/snapshot",
  "/api/v1/./admin/tsdb/snapshot",
  "/api/v1/admin/tsdb/snapshot%3f/../query/x",
] as const;

let metrics: Server;
let server: LiveServer;
let prometheus: OpenModule;

/** Many series that rise by one with each scrape, and a few odd ones. */
function exposition(scrape: number): string {
  const lines = ["# TYPE flood gauge"];
  for (let index = 0; index < SERIES; index += 1)
    lines.push(`flood{index="${index}",text="a label that is not short"} ${scrape + index}`);
  lines.push(
    "rising_total " + scrape * 100,
    "odd NaN",
    'infinite{sign="+"} +Inf',
    'unicode{name="grüße \\"x\\""} 1',
  );
  lines.push(`long{text="${"x".repeat(20_000)}"} 1`);
  return `${lines.join("\n")}\n`;
}

async function serveMetrics(): Promise<Server> {
  let scrapes = 0;
  const serving = createServer((_request, response) => {
    scrapes += 1;
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(exposition(scrapes));
  });
  await new Promise<void>((resolve) => serving.listen(0, "127.0.0.1", resolve));
  return serving;
}

const call = async (tool: string, args: Record<string, unknown> = {}) => {
  const started = performance.now();
  const result = await prometheus.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(5000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};

/** Waits until the server has scraped and evaluated everything that the tests look at. */
async function waitForData(): Promise<void> {
  const queries = [
    "count(flood) > 0",
    "count_over_time(rising_total[1m]) > 5",
    'ALERTS{alertstate="firing"}',
    'ALERTS{alertstate="pending"}',
    "job:up:sum",
  ];
  await vi.waitFor(
    async () => {
      for (const query of queries) {
        const { page } = await prometheus.call("prom_query", { query });
        expect(page?.total, query).toBeGreaterThan(0);
      }
    },
    { timeout: 60_000, interval: 500 },
  );
}

beforeAll(async () => {
  expect(liveVersion("prometheus"), "run: bash templates/prometheus/live.sh install").toMatch(/^\d+\.\d+/);
  metrics = await serveMetrics();
  server = await startLive("prometheus", { METRICS_PORT: String((metrics.address() as AddressInfo).port) });
  prometheus = openModule(tools, { MCP_PROMETHEUS_URL: `http://127.0.0.1:${server.port}` });
  await waitForData();
});

afterAll(async () => {
  await prometheus.close();
  await server.stop();
  metrics.close();
});

describe("every tool with data", () => {
  it("S32: prom_query gives vectors, scalars, strings and ranges", async () => {
    const up = await call("prom_query", { query: "up" });
    expect(up.data).toMatchObject({
      result_type: "vector",
      series: expect.arrayContaining([
        { metric: expect.objectContaining({ job: "absent" }), value: 0, ts: expect.any(Number) },
        { metric: expect.objectContaining({ job: "prometheus" }), value: 1, ts: expect.any(Number) },
      ]),
    });
    expect(up.page).toEqual({ returned: 3, total: 3, next_cursor: null });
    expect((await call("prom_query", { query: "1+1" })).data).toMatchObject({
      result_type: "scalar",
      series: [{ value: 2 }],
    });
    expect((await call("prom_query", { query: "'text'" })).data).toMatchObject({
      series: [{ value: "text" }],
    });
    const matrix = await call("prom_query", { query: "rising_total[1m]" });
    const { series } = matrix.data as { series: { points: [number, number][] }[] };
    expect(series[0]?.points.length).toBeGreaterThan(3);
  });

  it("prom_query keeps what JSON cannot say, and takes every form of time", async () => {
    expect((await call("prom_query", { query: "odd" })).data).toMatchObject({ series: [{ value: "NaN" }] });
    expect((await call("prom_query", { query: "infinite" })).data).toMatchObject({
      series: [{ value: "+Inf" }],
    });
    expect((await call("prom_query", { query: "unicode" })).data).toMatchObject({
      series: [{ metric: { name: 'grüße "x"' } }],
    });
    const now = Date.now();
    for (const time of [String(Math.floor(now / 1000)), new Date(now).toISOString(), "now", "now-1s"]) {
      expect((await call("prom_query", { query: "up", time })).page?.total, time).toBe(3);
    }
    expect((await call("prom_query", { query: "up", time: "now-1h" })).page?.total).toBe(0);
  });

  it("prom_query_range summarises, or gives points", async () => {
    const summary = await call("prom_query_range", { query: "rising_total", start: "now-5m", step: "1s" });
    const { series } = summary.data as { series: Record<string, unknown>[] };
    expect(series[0]).toMatchObject({ trend: "rising", nan: 0, metric: { job: "synthetic" } });
    expect(series[0]?.["max"]).toBe(series[0]?.["last"]);
    expect(
      (await call("prom_query_range", { query: "odd", start: "now-1m", step: "1s" })).data,
    ).toMatchObject({
      series: [{ min: null, max: null, avg: null, trend: null, first: "NaN" }],
    });
    const points = await call("prom_query_range", {
      query: "up",
      start: "now-3m",
      step: "1s",
      shape: "points",
    });
    const { series: shown } = points.data as { series: { points: unknown[] }[] };
    expect(Math.max(...shown.map((each) => each.points.length))).toBeLessThanOrEqual(250);
    expect((await call("prom_query_range", { query: "up" })).data).toMatchObject({ step_s: 36 });
  });

  it("prom_alerts groups, filters and sorts firing first", async () => {
    const all = await call("prom_alerts");
    expect(all.data).toMatchObject({
      groups: [
        {
          alert: "TargetDown",
          state: "firing",
          alerts: [
            {
              labels: { job: "absent", severity: "critical" },
              summary: "absent does not answer",
              since: expect.any(String),
            },
          ],
        },
        { alert: "AlwaysPending", state: "pending", alerts: [{ summary: "waits for an hour" }] },
      ],
    });
    const only = async (args: Record<string, unknown>) => (await call("prom_alerts", args)).page?.total;
    expect(await only({ state: "pending" })).toBe(1);
    expect(await only({ matchers: [{ name: "severity", op: "=~", value: "crit.*|warning" }] })).toBe(1);
    expect(await only({ matchers: [{ name: "severity", op: "!=", value: "critical" }] })).toBe(1);
    expect(await only({ matchers: [{ name: "none", op: "!~", value: ".+" }] })).toBe(2);
  });

  it("prom_targets tells why a scrape fails", async () => {
    const { data } = await call("prom_targets", { state: "down" });
    expect(data).toMatchObject({
      totals: { up: 2, down: 1, unknown: 0 },
      targets: [
        { pool: "absent", job: "absent", health: "down", last_error: expect.stringContaining("refused") },
      ],
    });
    expect(JSON.stringify(data)).not.toContain("discovered");
    expect((await call("prom_targets", { job: "prometheus" })).page?.total).toBe(1);
  });

  it("prom_rules filters by type, group, name and health", async () => {
    const { data, page } = await call("prom_rules", { type: "record" });
    expect(page?.total).toBe(2);
    expect(data).toMatchObject({
      rules: [
        { rule: "job:up:sum", type: "record", group: "totals", expr: "sum by (job) (up)", health: "ok" },
        {},
      ],
    });
    const broken = await call("prom_rules", { health: "err" });
    expect(broken.data).toMatchObject({
      rules: [{ rule: "broken:rule", last_error: expect.stringContaining("many-to-many") }],
    });
    expect((await call("prom_rules", { group: "health", name: "TargetDown" })).data).toMatchObject({
      rules: [{ state: "firing", type: "alert" }],
    });
  });

  it("prom_label_values and prom_series list, narrow and page", async () => {
    expect((await call("prom_label_values", SELF)).data).toEqual({
      values: ["absent", "prometheus", "synthetic"],
    });
    expect((await call("prom_label_values", { ...SELF, pattern: "*th*" })).data).toEqual({
      values: ["prometheus", "synthetic"].filter((job) => job.includes("th")),
    });
    const first = await call("prom_label_values", { ...SELF, limit: 2 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 2 });
    const second = await call("prom_label_values", { ...SELF, limit: 2, cursor: first.page?.next_cursor });
    expect(second.data).toEqual({ values: ["synthetic"] });
    const series = await call("prom_series", { match: ["up", 'job:up:sum{job="absent"}'] });
    expect(series.page?.total).toBe(4);
    expect((await call("prom_series", { match: ["up"], start: "now-2h", end: "now-1h" })).page?.total).toBe(
      0,
    );
  });
});

describe("what is wrong is said, not guessed", () => {
  it("a parse error carries its position", async () => {
    await expect(call("prom_query", { query: "sum(up" })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/1:\d+: parse error/),
    });
  });

  it("a query that cannot run, a bad time, step and order", async () => {
    await expect(call("prom_query", { query: "up * on () up" })).rejects.toMatchObject({
      code: "invalid_argument",
    });
    await expect(call("prom_query", { query: "up", time: "yesterday" })).rejects.toThrow(
      "time is not a time",
    );
    await expect(call("prom_query_range", { query: "up", step: "x" })).rejects.toThrow(
      "step is not a duration",
    );
    await expect(call("prom_query_range", { query: "up", step: "0" })).rejects.toThrow(
      "step is not a duration",
    );
    await expect(call("prom_query_range", { query: "up", start: "now", end: "now-1h" })).rejects.toThrow(
      "start is after end",
    );
    await expect(
      call("prom_query_range", { query: "up", step: "1s", shape: "points" }),
    ).rejects.toMatchObject({ hint: expect.stringContaining("step=15s") });
    await expect(call("prom_query_range", { query: "up", start: "now-4h", step: "1s" })).rejects.toThrow(
      "more than 11000 points",
    );
    await expect(call("prom_series", { match: ["up{"] })).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(call("prom_series", { match: ["{job=~'.*'}"] })).rejects.toThrow(
      "at least one non-empty matcher",
    );
  });

  it("a cursor of another call is refused", async () => {
    const { page } = await call("prom_label_values", { ...SELF, limit: 1 });
    await expect(
      call("prom_label_values", { label: "instance", limit: 1, cursor: page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });
});

describe("floods", () => {
  it("12 000 series: the limit is proved and the total is known", async () => {
    const result = await call("prom_query", { query: "flood", limit_series: 500 });
    expect(result.page?.total).toBe(SERIES);
    expect(result.truncation?.by).toMatch(/rows|bytes/);
    const few = await call("prom_query", { query: "flood", limit_series: 5 });
    expect(few.truncation).toMatchObject({ by: "rows", limit: 5 });
    expect(
      (await call("prom_query", { query: "topk(3, flood)", limit_series: 3 })).truncation,
    ).toBeUndefined();
  });

  it("12 000 series over time: summaries and points stay small", async () => {
    for (const shape of ["summary", "points"]) {
      const result = await call("prom_query_range", {
        query: 'flood{index=~"1.."}',
        start: "now-2m",
        step: "1s",
        limit_series: 100,
        shape,
      });
      expect(result.page).toMatchObject({ total: 100 });
    }
  });

  it("an answer past 8 MiB is too_large and says what to do", async () => {
    await expect(
      call("prom_query_range", { query: "flood @ end()", start: "now-5m", step: "5s" }),
    ).rejects.toMatchObject({
      code: "too_large",
      hint: expect.any(String),
    });
  });

  it("12 000 label sets and values: every page is bounded, and pages do not overlap", async () => {
    const first = await call("prom_series", { match: ["flood"], limit: 500 });
    expect(first.page?.total).toBe(SERIES);
    const second = await call("prom_series", {
      match: ["flood"],
      limit: 500,
      cursor: first.page?.next_cursor,
    });
    const indexes = (result: typeof first) =>
      (result.data as { series: { index: string }[] }).series.map(({ index }) => index);
    expect(indexes(second).filter((index) => indexes(first).includes(index))).toEqual([]);
    const values = await call("prom_label_values", { label: "index", limit: 1000 });
    expect(values.page).toMatchObject({ returned: 1000, next_cursor: expect.any(String) });
    expect((await call("prom_label_values", { label: "index", pattern: "1199*" })).page?.total).toBe(11);
  });

  it("a label value of 20 000 characters is cut", async () => {
    expect(JSON.stringify(await call("prom_query", { query: "long" })).length).toBeLessThan(2000);
  });
});

describe("only the fixed paths", () => {
  it("S4: no argument reaches the admin or lifecycle endpoints", async () => {
    for (const label of ["../../admin/tsdb/snapshot", "..", "a/b", "a%2fb", "-", ""]) {
      await expect(call("prom_label_values", { label })).rejects.toThrow("invalid arguments");
    }
    const requests = await call("prom_query", {
      query: 'prometheus_http_requests_total{handler=~"/api/v1/admin.*|/-/.*"}',
    });
    expect(requests.page?.total).toBe(0);
  });
});

describe("the account in front of the server", () => {
  const PASSWORD = "p w:é;'#of-the-account";
  const USER = "mcp_prometheus";
  let proxy: Proxy;
  let account: OpenModule;
  beforeAll(async () => {
    proxy = await startAccountProxy("prometheus", `port: ${server.port}`, PASSWORD);
    account = openModule(tools, {
      MCP_PROMETHEUS_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_PROMETHEUS_USER: USER,
      MCP_PROMETHEUS_PASSWORD: PASSWORD,
    });
  });
  afterAll(async () => {
    await account?.close();
    await proxy?.stop();
  });

  /** As written, dots and percent signs included, which `fetch` would tidy up. */
  async function send(port: number, method: string, path: string, password?: string): Promise<number> {
    const authorization = `Basic ${Buffer.from(`${USER}:${password ?? ""}`).toString("base64")}`;
    return await new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port, method, path, headers: password === undefined ? {} : { authorization } },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  }

  it("lets every tool work", async () => {
    const calls: readonly (readonly [string, Record<string, unknown>])[] = [
      ["prom_query", { query: "up" }],
      ["prom_query_range", { query: "up" }],
      ["prom_alerts", {}],
      ["prom_targets", {}],
      ["prom_rules", {}],
      ["prom_label_values", { label: "__name__" }],
      ["prom_series", { match: ["up"] }],
    ];
    expect(calls.map(([name]) => name).sort()).toEqual(tools.tools.map(({ name }) => name).sort());
    for (const [name, args] of calls) {
      expect((await account.call(name, args)).page?.returned ?? 1, name).toBeGreaterThan(0);
    }
  });

  it("S4: refuses everything that changes or shows the server, which is open behind it", async () => {
    for (const [method, path] of FORBIDDEN) {
      const [direct, through] = [
        await send(server.port, method, path, PASSWORD),
        await send(proxy.port, method, path, PASSWORD),
      ];
      expect(direct, `${method} ${path} without the account`).not.toBe(403);
      expect(through, `${method} ${path}`).toBe(403);
    }
  });

  it("S4: an address that climbs is taken for where it leads, by both", async () => {
    for (const path of CLIMBING) expect(await send(proxy.port, "POST", path, PASSWORD), path).toBe(403);
    const up = "/api/v1/admin/tsdb/%2e%2e/../query?query=up";
    expect(await send(proxy.port, "GET", up, PASSWORD)).toBe(200);
    const blocks = await call("prom_query", { query: "sum(prometheus_tsdb_head_series)" });
    expect(blocks.page?.total, "nothing was deleted").toBe(1);
  });

  it("S5: nobody reads without the password, and a tool says no more than denied", async () => {
    expect(await send(proxy.port, "GET", "/api/v1/query?query=up")).toBe(401);
    expect(await send(proxy.port, "GET", "/api/v1/query?query=up", "another")).toBe(401);
    const wrong = openModule(tools, {
      MCP_PROMETHEUS_URL: `http://127.0.0.1:${proxy.port}`,
      MCP_PROMETHEUS_USER: USER,
      MCP_PROMETHEUS_PASSWORD: "not-this-one",
    });
    const failure: unknown = await wrong.call("prom_query", { query: "up" }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure) + proxy.log()).not.toMatch(
      /not-this-one|of-the-account/,
    );
    await wrong.close();
  });
});

describe("cancellation", () => {
  it("aborting ends the call at once and the query on the server", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const slow = prometheus.call(
      "prom_query_range",
      {
        query: "sum(sum_over_time(flood[5m:1s] offset 1s)) + sum(quantile_over_time(0.9, flood[5m:100ms]))",
        start: "now-2h",
        step: "1s",
      },
      controller.signal,
    );
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    // The query that asks is a running one itself, as the rules may be.
    await expect
      .poll(
        async () =>
          JSON.stringify((await prometheus.call("prom_query", { query: "prometheus_engine_queries" })).data),
        { timeout: 8000 },
      )
      .toMatch(/"value":[01],/);
  });
});
