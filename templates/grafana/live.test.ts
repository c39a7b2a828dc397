import { statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import type { Principals } from "../../test/harness/principals.ts";
import { liveVersion } from "../../test/live/server.ts";
import { makeAccount, stackOf } from "./fake-account.ts";
import { startFakeGrafana } from "./fake-grafana.ts";
import type { FakeContent, FakeGrafana } from "./fake-grafana.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const ADMIN = `p w:é;'"\\#$of-the-admin`;
const DASHBOARDS = 6000;
const NOTE = { text: "release <script>", tags: ["deploy"], reason: "release 1.2 went out" };

const panel = (id: number): object => ({
  id,
  title: `Panel ${id}`,
  type: id % 2 === 0 ? "timeseries" : "stat",
  datasource: { type: "prometheus", uid: "metrics" },
  targets: [{ refId: "A", expr: `sum(rate(requests_total{panel="${id}"}[5m]))` }],
});

/** Instances of one rule, most of which are in order. */
const alerts = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({
    labels: { alertname: "TooManyErrors", pod: `pod-${index}` },
    annotations: {},
    state: index < 30 ? "Alerting" : "Normal",
    activeAt: "2026-01-31T12:00:00Z",
    value: "7",
  }));

const CONTENT: FakeContent = {
  folders: [
    { uid: "team", title: "Team" },
    { uid: "orders", title: "Orders", parentUid: "team" },
    ...Array.from({ length: 1200 }, (_, index) => ({ uid: `folder-${index}`, title: `Folder ${index}` })),
  ],
  dashboards: [
    {
      uid: "shop",
      title: "Shop overview",
      tags: ["prod", "shop"],
      folder: "team",
      model: {
        panels: [1, 2, 3].map(panel),
        templating: { list: [{ name: "app", type: "query", query: "label_values(app)" }] },
      },
    },
    {
      uid: "flood",
      title: "Flood",
      tags: [],
      folder: "team",
      model: { panels: Array.from({ length: 3000 }, (_, id) => panel(id)) },
    },
    {
      uid: "huge",
      title: "Huge",
      tags: [],
      folder: "team",
      model: { panels: Array.from({ length: 60 }, (_, id) => ({ id, title: "x".repeat(200_000) })) },
    },
    ...Array.from({ length: DASHBOARDS }, (_, index) => ({
      uid: `d-${index}`,
      title: `Dashboard ${index}`,
      tags: ["many"],
      folder: `folder-${index % 1200}`,
      model: {},
    })),
  ],
  datasources: [
    { uid: "metrics", name: "Metrics", type: "prometheus", url: "http://10.0.0.1:9090", user: "secret-user" },
  ],
  groups: [
    {
      name: "errors",
      file: "Team",
      folderUid: "team",
      rules: [
        {
          name: "TooManyErrors",
          state: "firing",
          health: "ok",
          query: "x",
          labels: { severity: "critical" },
          annotations: { summary: "errors" },
          totals: { alerting: 30, normal: 4970 },
          alerts: alerts(5000),
        },
        { name: "Quiet", state: "inactive", health: "ok", query: "x", alerts: [] },
      ],
    },
    {
      name: "many",
      file: "Flood",
      folderUid: "flood",
      rules: Array.from({ length: 4000 }, (_, index) => ({
        name: `Rule ${index}`,
        state: "pending",
        health: "ok",
        query: "x",
        annotations: { summary: "s".repeat(200) },
        alerts: [],
      })),
    },
  ],
};

let fake: FakeGrafana;
const opened: OpenModule[] = [];
const principals: Principals[] = [];

/** Opens the tools with the token that the emitted README leaves. */
async function accountFor(
  word: "read" | "write",
): Promise<{ module: OpenModule; token: string; mode: number }> {
  const { emitted, file, token } = await makeAccount(stackOf(fake.port, word), ADMIN);
  principals.push(emitted);
  const module = openModule(tools, {
    MCP_GRAFANA_URL: `http://127.0.0.1:${fake.port}`,
    MCP_GRAFANA_TOKEN: token,
  });
  opened.push(module);
  return { module, token, mode: statSync(file).mode & 0o777 };
}

let viewer: OpenModule;
let editor: OpenModule;

const callOf =
  (module: () => OpenModule) =>
  async (tool: string, args: Record<string, unknown> = {}) => {
    const started = performance.now();
    const result = await module().call(tool, args);
    expect(performance.now() - started, tool).toBeLessThan(2000);
    expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
    return result;
  };
const call = callOf(() => viewer);

beforeAll(async () => {
  expect(liveVersion("grafana"), "run: bash templates/grafana/live.sh install").toContain("fake");
  fake = await startFakeGrafana(CONTENT, ADMIN);
  const read = await accountFor("read");
  viewer = read.module;
  expect([read.token.startsWith("glsa_"), read.mode]).toEqual([true, 0o600]);
  editor = (await accountFor("write")).module;
});

afterAll(async () => {
  for (const module of opened) await module.close();
  for (const each of principals) each.remove();
  await fake?.stop();
});

describe("every tool with data, on the fake under the emitted accounts", () => {
  it("S32: grafana_list_dashboards finds by words, tags and folder", async () => {
    const { data, page } = await call("grafana_list_dashboards", {
      query: "shop",
      tag: ["prod", "shop"],
      folder_uid: "team",
    });
    expect(data).toEqual({
      dashboards: [
        {
          uid: "shop",
          title: "Shop overview",
          folder: "Team",
          folder_uid: "team",
          tags: ["prod", "shop"],
          path: "/d/shop/dashboard",
        },
      ],
    });
    expect(page).toEqual({ returned: 1, total: 1, next_cursor: null });
    expect((await call("grafana_list_dashboards", { query: "nothing" })).page?.total).toBe(0);
  });

  it("grafana_get_dashboard shows each view, and an absent one is not found", async () => {
    const view = async (args: object) => (await call("grafana_get_dashboard", { uid: "shop", ...args })).data;
    expect(await view({})).toMatchObject({
      title: "Shop overview",
      panels: 3,
      panel_types: { stat: 2, timeseries: 1 },
      datasources: ["metrics"],
      variables: ["app"],
    });
    expect(JSON.stringify(await view({})), "no names of people").not.toContain("somebody");
    expect(await view({ view: "panels" })).toMatchObject({
      panels: [{ id: 1 }, { queries: [{ ref: "A", query: expect.stringContaining("rate(") }] }, {}],
    });
    expect(await view({ view: "variables" })).toMatchObject({
      variables: [{ name: "app", query: "label_values(app)" }],
    });
    expect(await view({ view: "panel", panel_id: 2 })).toMatchObject({
      panel: { title: "Panel 2", type: "timeseries" },
    });
    await expect(call("grafana_get_dashboard", { uid: "absent" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("grafana_get_alerts gives the rules that speak", async () => {
    const { data } = await call("grafana_get_alerts", { folder: "Team" });
    expect(data).toMatchObject({
      rules: [
        {
          rule: "TooManyErrors",
          state: "firing",
          folder: "Team",
          totals: { alerting: 30, normal: 4970 },
          instances: [{}, {}, {}, {}, {}],
        },
      ],
    });
    expect((await call("grafana_get_alerts", { state: "nodata" })).page?.total).toBe(0);
  });

  it("grafana_list_folders goes down", async () => {
    expect((await call("grafana_list_folders", { parent_uid: "team" })).data).toEqual({
      folders: [{ uid: "orders", title: "Orders", parent: "team" }],
    });
  });

  it("grafana_list_datasources is denied to this account, with what it lacks", async () => {
    await expect(call("grafana_list_datasources")).rejects.toMatchObject({
      code: "denied",
      hint: expect.stringContaining("datasources:read"),
    });
    const admin = openModule(tools, {
      MCP_GRAFANA_URL: `http://127.0.0.1:${fake.port}`,
      MCP_GRAFANA_USER: "admin",
      MCP_GRAFANA_PASSWORD: ADMIN,
    });
    opened.push(admin);
    const { data } = await callOf(() => admin)("grafana_list_datasources");
    expect(data).toEqual({
      datasources: [
        { uid: "metrics", name: "Metrics", type: "prometheus", is_default: false, read_only: false },
      ],
    });
  });

  it("S10: grafana_create_annotation writes with the account of a link that writes, and with no other", async () => {
    await expect(viewer.call("grafana_create_annotation", NOTE)).rejects.toMatchObject({
      code: "denied",
      hint: expect.stringContaining("annotations:create"),
    });
    expect(fake.annotations).toEqual([]);
    const { data } = await callOf(() => editor)("grafana_create_annotation", {
      ...NOTE,
      dashboard_uid: "shop",
      panel_id: 2,
    });
    expect(data).toEqual({ id: 1, tags: ["deploy", "mcp"] });
    expect(fake.annotations).toEqual([
      {
        text: NOTE.text,
        tags: ["deploy", "mcp"],
        dashboardUID: "shop",
        panelId: 2,
        time: expect.any(Number),
      },
    ]);
    expect(Math.abs(Number(fake.annotations[0]?.["time"]) - Date.now())).toBeLessThan(60_000);
  });
});

describe("floods", () => {
  it("6 000 dashboards: pages do not overlap, and the end of what Grafana lists is said", async () => {
    const many = { tag: ["many"], limit: 200 };
    const seen: string[] = [];
    let cursor: string | null | undefined;
    let last;
    do {
      last = await call("grafana_list_dashboards", { ...many, ...(cursor ? { cursor } : {}) });
      seen.push(...(last.data as { dashboards: { uid: string }[] }).dashboards.map(({ uid }) => uid));
      cursor = last.page?.next_cursor;
    } while (cursor);
    expect([seen.length, new Set(seen).size]).toEqual([5000, 5000]);
    expect(last.truncation).toMatchObject({ by: "upstream", limit: 5000 });
  }, 60_000);

  it("3 000 panels, 4 000 rules and 1 200 folders are pages", async () => {
    expect((await call("grafana_get_dashboard", { uid: "flood", view: "panels" })).page).toMatchObject({
      returned: 50,
      total: 3000,
      next_cursor: expect.any(String),
    });
    expect((await call("grafana_get_dashboard", { uid: "flood" })).data).toMatchObject({ panels: 3000 });
    expect((await call("grafana_get_alerts", { limit: 200 })).page).toMatchObject({
      total: 4001,
      next_cursor: expect.any(String),
    });
    expect((await call("grafana_list_folders", { limit: 500 })).page).toMatchObject({
      returned: 500,
      total: null,
    });
  });

  it("a dashboard of more than 8 MiB is too_large", async () => {
    await expect(call("grafana_get_dashboard", { uid: "huge" })).rejects.toMatchObject({ code: "too_large" });
  });
});

describe("attacks", () => {
  it("S4: no argument reaches anything but the fixed paths", async () => {
    const before = fake.strays();
    for (const uid of ["../../admin/settings", "..", "a/b", "a%2fb", "a?b", "", "x".repeat(41)]) {
      await expect(viewer.call("grafana_get_dashboard", { uid }), uid).rejects.toThrow("invalid arguments");
      await expect(viewer.call("grafana_list_folders", { parent_uid: uid }), uid).rejects.toThrow(
        "invalid arguments",
      );
    }
    for (const query of ["x&orgId=2", "x\r\nX-Grafana-Org-Id: 2", "../datasources/proxy/1"])
      expect((await call("grafana_list_dashboards", { query })).page?.total, query).toBe(0);
    expect(fake.strays()).toBe(before);
  });

  it("S5: a wrong token is denied, and is nowhere in the answer", async () => {
    const wrong = openModule(tools, {
      MCP_GRAFANA_URL: `http://127.0.0.1:${fake.port}`,
      MCP_GRAFANA_TOKEN: "not-this-one",
    });
    opened.push(wrong);
    const failure: unknown = await wrong.call("grafana_list_folders").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure)).not.toContain("not-this-one");
  });

  it("aborting ends the call at once, and the request reaches its end at the service", async () => {
    const before = fake.cancelled();
    const controller = new AbortController();
    const started = performance.now();
    const slow = viewer.call("grafana_list_dashboards", { query: "slow" }, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(fake.cancelled, { timeout: 3000 }).toBe(before + 1);
  });
});
