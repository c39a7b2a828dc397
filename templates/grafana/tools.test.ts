import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { alertsOf } from "#runtime/grafana/alerts";
import { panelWith, panelsOf, summaryOf, variablesOf } from "#runtime/grafana/dashboard";
import { treeOf } from "../../test/harness/in-process.ts";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const moduleAt = (url: string, environment: Record<string, string> = {}): OpenModule =>
  openModule(tools, { MCP_GRAFANA_URL: url, MCP_GRAFANA_TOKEN: "t0ken", ...environment });
const answering = async (body: unknown, status = 200): Promise<OpenModule> =>
  moduleAt(
    await upstream((_request, response) =>
      response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body)),
    ),
  );
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

const NOTE = { text: "deployed", tags: ["deploy"], reason: "release 1.2 went out" };
const READS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["grafana_list_dashboards", {}],
  ["grafana_get_dashboard", { uid: "abc" }],
  ["grafana_list_datasources", {}],
  ["grafana_get_alerts", {}],
  ["grafana_list_folders", {}],
];

describe("the tools as data", () => {
  it("S10 S32: the five reads and the one write", () => {
    expect(tools.tools.map(({ name, effect }) => [name, effect])).toEqual([
      ...READS.map(([name]) => [name, "read"]),
      ["grafana_create_annotation", "additive"],
    ]);
  });

  it("P7: a description says when to use the tool, and a tool takes at most 1.4 KB of the list", () => {
    for (const { name, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const listed = JSON.stringify({ name, description, inputSchema, outputSchema, annotations });
      expect(listed.length, name).toBeLessThanOrEqual(1400);
    }
  });

  it("R5: no parameter names a host, an organisation or a credential", () => {
    for (const { inputSchema } of tools.tools)
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|url|org|user|password|token|header/i);
  });

  it.each([
    ["grafana_list_dashboards", { limit: 201 }],
    ["grafana_list_dashboards", { folder_uid: "a/b" }],
    ["grafana_list_dashboards", { org_id: 2 }],
    ["grafana_get_dashboard", { uid: "../../admin" }],
    ["grafana_get_dashboard", { uid: "" }],
    ["grafana_get_dashboard", { uid: "a", view: "json" }],
    ["grafana_get_alerts", { state: "normal" }],
    ["grafana_list_folders", { parent_uid: ".." }],
    ["grafana_create_annotation", { ...NOTE, text: "x".repeat(2001) }],
    ["grafana_create_annotation", { ...NOTE, tags: [] }],
    ["grafana_create_annotation", { ...NOTE, tags: Array.from({ length: 11 }, String) }],
    ["grafana_create_annotation", { ...NOTE, reason: "short" }],
    ["grafana_create_annotation", { text: "x", tags: ["y"] }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("invalid arguments");
  });
});

describe("lists", () => {
  it("ask for one more than the page, and say when Grafana itself stops", async () => {
    const asked: number[] = [];
    const url = await upstream((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
      const limit = Number(searchParams.get("limit"));
      asked.push(limit);
      const count = pathname.endsWith("folders") ? Math.min(limit, 1000) : Math.min(limit, 60);
      response.end(
        JSON.stringify(
          Array.from({ length: count }, (_, index) => ({ uid: `u${index}`, title: `t${index}` })),
        ),
      );
    });
    const first = await moduleAt(url).call("grafana_list_dashboards");
    expect(first).toMatchObject({
      page: { returned: 50, total: null },
      truncation: { by: "rows", limit: 50 },
    });
    const second = await moduleAt(url).call("grafana_list_dashboards", { cursor: first.page?.next_cursor });
    expect(second.page).toEqual({ returned: 10, total: 60, next_cursor: null });
    expect(second.truncation).toBeUndefined();
    expect(asked).toEqual([51, 101]);
    let cursor: string | null | undefined;
    let last;
    do {
      last = await moduleAt(url).call("grafana_list_folders", { limit: 500, ...(cursor ? { cursor } : {}) });
      cursor = last.page?.next_cursor;
    } while (cursor);
    expect(last).toMatchObject({ page: { total: null }, truncation: { by: "upstream", limit: 1000 } });
    await expect(
      moduleAt(url).call("grafana_list_dashboards", { query: "x", cursor: first.page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });

  it("data sources come without what says where and how", async () => {
    const module = await answering([
      {
        id: 1,
        uid: "p",
        name: "Metrics",
        type: "prometheus",
        url: "http://10.0.0.1",
        user: "admin",
        database: "db",
        isDefault: true,
        readOnly: true,
        jsonData: { httpHeaderName1: "X-Key" },
        secureJsonFields: { password: true },
      },
      { uid: "l", name: "Logs", type: "loki" },
    ]);
    const { data } = await module.call("grafana_list_datasources");
    expect(data).toEqual({
      datasources: [
        { uid: "l", name: "Logs", type: "loki", is_default: false, read_only: false },
        { uid: "p", name: "Metrics", type: "prometheus", is_default: true, read_only: true },
      ],
    });
    expect((await module.call("grafana_list_datasources", { type: "loki" })).page?.total).toBe(1);
  });
});

describe("a dashboard", () => {
  const dashboard = {
    uid: "abc",
    title: "Shop",
    tags: ["prod"],
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        {
          name: "app",
          type: "query",
          query: "label_values(app)",
          current: { value: ["api"] },
          datasource: { uid: "p" },
        },
        { name: "level", type: "custom", query: { a: 1 }, current: { value: "error" } },
      ],
    },
    panels: [
      {
        id: 1,
        title: "Rate",
        type: "timeseries",
        datasource: { type: "prometheus", uid: "p" },
        targets: [{ refId: "A", expr: "rate(x[5m])" }],
        fieldConfig: { defaults: { unit: "reqps", thresholds: { steps: [1] } } },
        transformations: [{ id: "reduce" }],
      },
      {
        id: 2,
        type: "row",
        title: "More",
        panels: [
          {
            id: 3,
            title: "Sales",
            type: "table",
            datasource: "old",
            targets: [
              { refId: "B", rawSql: "select 1" },
              { refId: "C", other: { deep: true } },
            ],
          },
        ],
      },
      { id: 4, title: "Words", type: "text", datasource: null },
    ],
  };

  it("is a summary, panels in and outside of rows, variables, or one panel", () => {
    expect(summaryOf(dashboard, { folderTitle: "Team", updatedBy: "somebody" })).toEqual({
      uid: "abc",
      title: "Shop",
      description: "",
      folder: "Team",
      updated: "",
      version: 0,
      tags: ["prod"],
      time: { from: "now-6h", to: "now" },
      panels: 3,
      panel_types: { timeseries: 1, table: 1, text: 1 },
      datasources: ["p", "old"],
      variables: ["app", "level"],
    });
    expect(panelsOf(dashboard)).toMatchObject([
      { id: 1, datasource: "p", queries: [{ ref: "A", query: "rate(x[5m])" }] },
      { id: 3, datasource: "old", queries: [{ query: "select 1" }, { query: '{"other":{"deep":true}}' }] },
      { id: 4, datasource: "", queries: [] },
    ]);
    expect(variablesOf(dashboard)).toMatchObject([
      { name: "app", query: "label_values(app)", current: '["api"]', datasource: "p" },
      { query: '{"a":1}', current: "error" },
    ]);
    expect(panelWith(dashboard, 1)).toMatchObject({
      unit: "reqps",
      thresholds: '{"steps":[1]}',
      transformations: ["reduce"],
    });
    expect(panelWith(dashboard, 9)).toBeUndefined();
  });

  it("a panel needs its number, and 500 panels are pages", async () => {
    const panels = Array.from({ length: 500 }, (_, id) => ({
      id,
      title: "t".repeat(5000),
      type: "x",
      targets: Array.from({ length: 50 }, () => ({ expr: "q".repeat(5000) })),
    }));
    const module = await answering({ dashboard: { panels: panels.slice(0, 20) } });
    await expect(module.call("grafana_get_dashboard", { uid: "a", view: "panel" })).rejects.toThrow(
      "needs panel_id",
    );
    await expect(
      module.call("grafana_get_dashboard", { uid: "a", view: "panel", panel_id: 77 }),
    ).rejects.toMatchObject({ code: "not_found" });
    const page = await module.call("grafana_get_dashboard", { uid: "a", view: "panels" });
    expect(page).toMatchObject({
      page: { total: 20, next_cursor: expect.any(String) },
      truncation: { by: "bytes" },
    });
    expect(JSON.stringify(page).length).toBeLessThan(60_000);
    const small = await answering({ dashboard: { panels: panels.map(({ id }) => ({ id })) } });
    expect(await small.call("grafana_get_dashboard", { uid: "a", view: "panels" })).toMatchObject({
      page: { returned: 50, total: 500 },
    });
  });
});

describe("alerts", () => {
  const rule = (name: string, state: string, alerts: readonly string[], more: object = {}): object => ({
    name,
    state,
    health: "ok",
    query: "x",
    labels: { severity: "high", __private__: "y" },
    annotations: { summary: `${name} is wrong` },
    alerts: alerts.map((each) => ({
      state: each,
      labels: { alertname: name },
      activeAt: "2026-01-31T12:00:00Z",
      value: "1",
    })),
    ...more,
  });
  const data = {
    groups: [
      {
        name: "g",
        file: "Team",
        folderUid: "team",
        rules: [
          rule("quiet", "inactive", ["Normal", "Normal (NoData)"]),
          rule("waits", "pending", ["Pending"]),
          rule("burns", "firing", ["Alerting", "Error", "Normal"]),
        ],
      },
      {
        name: "h",
        file: "Other",
        rules: [
          rule("blind", "inactive", ["NoData"]),
          rule("broken", "inactive", [], { health: "error", lastError: "no such series" }),
          rule("turns", "recovering", ["Alerting (NoData)"], { totals: { alerting: 900 } }),
        ],
      },
    ],
  };
  const names = (wanted: Parameters<typeof alertsOf>[1]): string[] =>
    alertsOf(data, wanted).map(({ rule }) => rule);

  it("are the rules that speak, the most urgent first", () => {
    expect(names({})).toEqual(["turns", "burns", "broken", "blind", "waits"]);
    expect(names({ state: "error" })).toEqual(["burns", "broken"]);
    expect(names({ state: "nodata" })).toEqual(["blind"]);
    expect(names({ folder: "Team" })).toEqual(["burns", "waits"]);
    expect(names({ folder: "team" })).toEqual(["burns", "waits"]);
    const [turns, burns, broken] = alertsOf(data, {});
    expect(turns).toMatchObject({ state: "firing", totals: { alerting: 900 } });
    expect(burns).toMatchObject({
      summary: "burns is wrong",
      labels: { severity: "high" },
      totals: { alerting: 1, error: 1, normal: 1 },
      instances: [{ state: "Alerting", since: "2026-01-31T12:00:00Z" }, { state: "Error" }],
    });
    expect(burns?.labels).not.toHaveProperty("__private__");
    expect(broken).toMatchObject({ last_error: "no such series", instances: [] });
  });

  it("5 000 rules are pages of 48 KiB", async () => {
    const rules = Array.from({ length: 5000 }, (_, index) => rule(`rule ${index}`, "firing", ["Alerting"]));
    const module = await answering({
      status: "success",
      data: { groups: [{ name: "g", file: "f", rules }] },
    });
    const page = await module.call("grafana_get_alerts", { limit: 200 });
    expect(page).toMatchObject({ page: { total: 5000, next_cursor: expect.any(String) } });
    expect(JSON.stringify(page).length).toBeLessThan(60_000);
  });
});

describe("an annotation", () => {
  it("says what was asked for, when, and that AI wrote it", async () => {
    const sent: { headers: IncomingMessage["headers"]; body: unknown }[] = [];
    const url = await upstream((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        sent.push({
          headers: request.headers,
          body: { method: request.method, url: request.url, ...(JSON.parse(text) as object) },
        });
        response.end('{"message":"Annotation added","id":7}');
      });
    });
    const args = {
      ...NOTE,
      tags: ["deploy", "mcp", "deploy"],
      dashboard_uid: "abc",
      panel_id: 3,
      time: "1700000000",
      time_end: "2023-11-14T22:14:20Z",
    };
    expect((await moduleAt(url).call("grafana_create_annotation", args)).data).toEqual({
      id: 7,
      tags: ["deploy", "mcp"],
    });
    expect(sent[0]?.body).toEqual({
      method: "POST",
      url: "/api/annotations",
      text: "deployed",
      tags: ["deploy", "mcp"],
      dashboardUID: "abc",
      panelId: 3,
      time: 1_700_000_000_000,
      timeEnd: 1_700_000_060_000,
    });
    await moduleAt(url).callApproved("grafana_create_annotation", args);
    expect(sent[1]?.body).toMatchObject({ text: `deployed\n\napproved by key:ada ${MARKER.text}` });
    await moduleAt(url, { MCP_GRAFANA_ORG_ID: "4" }).call("grafana_create_annotation", NOTE);
    expect(sent[2]?.headers).toMatchObject({ authorization: "Bearer t0ken", "x-grafana-org-id": "4" });
    expect(JSON.stringify(sent)).not.toContain("went out");
  });

  it.each([
    [{ panel_id: 3 }, "panel_id needs dashboard_uid"],
    [{ time: "now", time_end: "now-1h" }, "time_end is before time"],
    [{ time: "yesterday" }, "time is not a time"],
  ])("%j: %s, before anything is written", async (wrong, message) => {
    const call = moduleAt("http://127.0.0.1:1").call("grafana_create_annotation", { ...NOTE, ...wrong });
    await expect(call).rejects.toThrow(message);
  });
});

describe("the service", () => {
  it.each([
    ["no JSON", "<html>"],
    ["null", "null"],
    ["another type", '"x"'],
    ["items of another type", "[1]"],
    ["members of another type", { status: "success", data: { groups: 1 }, dashboard: 1 }],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const module = await answering(body);
    for (const [tool, args] of READS)
      expect(await faultOf(module.call(tool, args)), tool).toMatchObject({ code: "upstream_unavailable" });
    expect(await faultOf(module.call("grafana_create_annotation", NOTE))).toMatchObject({
      code: "upstream_unavailable",
    });
  });

  it("S5: a right that is missing is named, and nothing else of an answer that refuses", async () => {
    const message =
      "You'll need additional permissions to perform this action. Permissions needed: datasources:read";
    expect(
      await faultOf((await answering({ message, title: "x" }, 403)).call("grafana_list_datasources")),
    ).toMatchObject({ code: "denied", hint: "the operator can give it the right datasources:read" });
    for (const [status, code] of [
      [302, "upstream_unavailable"],
      [401, "denied"],
      [403, "denied"],
      [404, "not_found"],
      [412, "invalid_argument"],
      [500, "upstream_unavailable"],
    ] as const) {
      const fault = await faultOf(
        (await answering("<p>admin@10.0.0.1</p>", status)).call("grafana_list_folders"),
      );
      expect(fault).toMatchObject({ code, message: expect.not.stringContaining("10.0.0.1") });
    }
  });

  it("an organisation that is no number stops the start", async () => {
    for (const value of ["main", "0"])
      await expect(
        moduleAt("http://127.0.0.1:1", { MCP_GRAFANA_ORG_ID: value }).call("grafana_list_folders"),
      ).rejects.toThrow("MCP_GRAFANA_ORG_ID must be");
  });
});

describe("what is emitted", () => {
  const stack = (word: string): string =>
    `apiVersion: topology/v1\nstack: stack\ncomponents: {grafana: {org_id: 3}}\nlinks: {mcp: {grafana: ${word}}}\n`;

  it("S8 S10: read keeps neither the write tool nor the rights for it", async () => {
    const read = await treeOf(stack("read"));
    const write = await treeOf(stack("write"));
    for (const [tree, has] of [
      [read, false],
      [write, true],
    ] as const) {
      const source = tree.get("server/tools/grafana.ts")?.text ?? "";
      for (const word of ["grafana_create_annotation", "addAnnotation", "momentsOf"])
        expect(source.includes(word), word).toBe(has);
      expect(tree.get("k8s/configmap.yaml")?.text.includes('"MCP_GRAFANA_WRITE_ACCESS": "true"')).toBe(has);
      expect(tree.get("principals/grafana/README.md")?.text).toContain(
        `"role":"${has ? "Editor" : "Viewer"}"`,
      );
      expect(tree.get("k8s/configmap.yaml")?.text).toContain('"MCP_GRAFANA_ORG_ID": "3"');
    }
  });
});
