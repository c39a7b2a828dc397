import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { startProxy } from "./live.ts";
import type { Proxy } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const PASSWORD = "p w:é;'#of-the-account";
const USER = "mcp_alertmanager";
const FLOOD = 2000;
const reason = "a test of the tool";

let server: LiveServer;
let proxy: Proxy;
let reading: Proxy;
let alertmanager: OpenModule;

const moduleAt = (port: number, password = PASSWORD): OpenModule =>
  openModule(tools, {
    MCP_ALERTMANAGER_URL: `http://127.0.0.1:${port}`,
    MCP_ALERTMANAGER_USER: USER,
    MCP_ALERTMANAGER_PASSWORD: password,
  });

async function admin(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/v2/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

interface Sent {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly generatorURL?: string;
}

const send = async (alerts: readonly Sent[]): Promise<unknown> => {
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  return await admin(
    "POST",
    "alerts",
    alerts.map((alert) => ({ ...alert, endsAt })),
  );
};

const call = async (tool: string, args: Record<string, unknown> = {}, withinMs = 4000) => {
  const started = performance.now();
  const result = await alertmanager.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(withinMs);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};

const labelsIn = (result: { readonly data: unknown }): readonly string[] =>
  (result.data as { alerts: { labels: Record<string, string> }[] }).alerts.map(
    ({ labels }) => `${labels["alertname"] ?? ""} ${labels["severity"] ?? ""}`,
  );

beforeAll(async () => {
  expect(liveVersion("alertmanager"), "run: bash templates/alertmanager/live.sh install").toMatch(
    /^\d+\.\d+/,
  );
  server = await startLive("alertmanager");
  [proxy, reading] = await Promise.all([
    startProxy(server.port, PASSWORD, "write"),
    startProxy(server.port, PASSWORD, "read"),
  ]);
  alertmanager = moduleAt(proxy.port);
  await send([
    {
      labels: { alertname: "Down", severity: "critical", team: "db", instance: "10.0.0.1:9" },
      annotations: { summary: "does not answer", description: "since a while" },
      generatorURL: "http://prometheus.internal:9090/graph?g0.expr=up",
    },
    { labels: { alertname: "Down", severity: "warning" } },
    { labels: { alertname: "Slow", severity: "warning", path: 'a"b\\c\nd' } },
  ]);
});

afterAll(async () => {
  await alertmanager?.close();
  await Promise.all([proxy?.stop(), reading?.stop()]);
  await server?.stop();
});

describe("every tool with data", () => {
  it("S32: am_list_alerts shows what is active, and the rest when asked", async () => {
    const active = await call("am_list_alerts");
    expect(labelsIn(active).toSorted()).toEqual(["Down critical", "Slow warning"]);
    expect(active.page).toEqual({ returned: 2, total: 2, next_cursor: null });
    const { alerts } = active.data as { alerts: Record<string, unknown>[] };
    expect(alerts.find(({ receivers }) => String(receivers) === "team-db")).toEqual({
      state: "active",
      labels: { alertname: "Down", severity: "critical", team: "db", instance: "10.0.0.1:9" },
      since: expect.any(String),
      summary: "does not answer",
      receivers: ["team-db"],
      silenced_by: [],
      inhibited_by: 0,
    });
    expect(JSON.stringify(active)).not.toContain("prometheus.internal");
    const inhibited = await call("am_list_alerts", { active: false, inhibited: true });
    expect(inhibited.data).toMatchObject({
      alerts: [{ state: "inhibited", labels: { severity: "warning" }, inhibited_by: 1 }],
    });
    const of = async (args: object) => labelsIn(await call("am_list_alerts", { inhibited: true, ...args }));
    const matching = async (name: string, op: string, value: string) =>
      await of({ matchers: [{ name, op, value }] });
    expect(await matching("severity", "=", "critical")).toEqual(["Down critical"]);
    expect(await matching("alertname", "=~", "S(low|top)")).toEqual(["Slow warning"]);
    expect(await matching("alertname", "!~", "D.*")).toEqual(["Slow warning"]);
    expect(await matching("path", "=", 'a"b\\c\nd')).toEqual(["Slow warning"]);
    expect(await matching("severity", "=", 'critical",alertname="Down')).toEqual([]);
    expect(await of({ receiver: "team-db" })).toEqual(["Down critical"]);
    expect(await of({ receiver: "team-.*" })).toEqual([]);
  });

  it("am_alert_groups counts by state and does not repeat what is shared", async () => {
    const { data, page } = await call("am_alert_groups");
    expect(page?.total).toBe(3);
    expect(data).toMatchObject({
      groups: expect.arrayContaining([
        {
          group: { alertname: "Down" },
          receiver: "team-db",
          active: 1,
          silenced: 0,
          inhibited: 0,
          alerts: [
            {
              labels: { severity: "critical", team: "db", instance: "10.0.0.1:9" },
              state: "active",
              since: expect.any(String),
              summary: "does not answer",
            },
          ],
        },
      ]),
    });
    const first = await call("am_alert_groups", { limit: 2 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 2 });
    const rest = await call("am_alert_groups", { limit: 2, cursor: first.page?.next_cursor });
    expect(rest.page).toEqual({ returned: 1, total: 3, next_cursor: null });
  });

  it("am_status and am_list_receivers say nothing of the configuration", async () => {
    const { data } = await call("am_status");
    expect(data).toEqual({
      version: liveVersion("alertmanager"),
      started_at: expect.stringMatching(/^\d{4}-/),
      cluster: { enabled: false, members: null, health_score: null },
      configuration: { reload_succeeded: true, reloaded_at: expect.stringMatching(/^\d{4}-/) },
    });
    const receivers = await call("am_list_receivers");
    expect(receivers.data).toEqual({ receivers: ["team-web", "team-db"] });
    expect(JSON.stringify([data, receivers])).not.toContain("key-of-the-receiver");
    expect(JSON.stringify(await admin("GET", "status"))).toContain("key-of-the-receiver");
  });

  it("S10: am_create_silence previews, then silences; am_expire_silence ends it", async () => {
    const matchers = [
      { name: "alertname", op: "=", value: "Slow" },
      { name: "severity", op: "!=", value: "critical" },
      { name: "team", op: "!~", value: "d.+" },
    ];
    const preview = await call("am_create_silence", { matchers, duration: "30m", reason });
    expect(preview.data).toMatchObject({ dry_run: true, matches_now: 1, id: null });
    expect(await admin("GET", "silences")).toEqual([]);

    const made = await call("am_create_silence", { matchers, duration: "30m", dry_run: false, reason });
    const { id, ends_at } = made.data as { id: string; ends_at: string };
    expect(Date.parse(ends_at) - Date.now()).toBeGreaterThan(29 * 60_000);
    const listed = await call("am_list_silences");
    expect(listed.data).toMatchObject({
      silences: [
        { id, state: "active", matchers, created_by: "mcp->alertmanager", comment: reason, ends_at },
      ],
    });
    expect(labelsIn(await call("am_list_alerts"))).toEqual(["Down critical"]);
    const silenced = await call("am_list_alerts", { active: false, silenced: true });
    expect(silenced.data).toMatchObject({ alerts: [{ state: "silenced", silenced_by: [id] }] });

    expect((await call("am_expire_silence", { id, reason })).data).toMatchObject({
      dry_run: true,
      expired: false,
      silence: { state: "active" },
    });
    expect((await call("am_list_silences")).page?.total).toBe(1);
    await call("am_expire_silence", { id, dry_run: false, reason });
    expect((await call("am_list_silences")).page?.total).toBe(0);
    expect((await call("am_list_silences", { state: "expired" })).page?.total).toBe(1);
    expect((await call("am_list_silences", { state: "all" })).page?.total).toBe(1);
    expect(labelsIn(await call("am_list_alerts")).toSorted()).toEqual(["Down critical", "Slow warning"]);
    await expect(alertmanager.call("am_expire_silence", { id, dry_run: false, reason })).rejects.toThrow(
      "has ended already",
    );
  });

  it("a silence for something that is drawn needs no name of an alert", async () => {
    const matchers = [{ name: "namespace", op: "=", value: "shop" }];
    expect((await call("am_create_silence", { matchers, reason })).data).toMatchObject({ matches_now: 0 });
  });

  it("what is wrong is said: an expression, an id that is not there", async () => {
    const matchers = [{ name: "alertname", op: "=~", value: "(" }];
    await expect(alertmanager.call("am_list_alerts", { matchers })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("missing closing )"),
    });
    const id = "00000000-0000-0000-0000-000000000000";
    await expect(alertmanager.call("am_expire_silence", { id, reason })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("the account in front of the server", () => {
  const SILENCE = "19fe8749-c5bb-4f17-aa51-4996e47827a8";
  /** What an open Alertmanager answers and the account must never be answered. */
  const FORBIDDEN: readonly (readonly [method: string, path: string])[] = [
    ["GET", "/api/v2/status"],
    ["POST", "/api/v2/alerts"],
    ["GET", "/api/v1/status"],
    ["POST", "/api/v1/alerts"],
    ["POST", "/-/reload"],
    ["GET", "/-/healthy"],
    ["GET", "/-/ready"],
    ["GET", "/debug/pprof/cmdline"],
    ["GET", "/"],
    ["DELETE", "/api/v2/silences"],
    ["PUT", "/api/v2/silences"],
    ["DELETE", "/api/v2/silence/x"],
    ["POST", `/api/v2/silence/${SILENCE}`],
    ["OPTIONS", "/api/v2/alerts"],
    ["GET", "/api/v2/silence/../status"],
    ["GET", "/api/v2/alerts/../status"],
    ["GET", "/api/v2/alerts/%2e%2e/status"],
    ["GET", "/api/v2/alerts%2f..%2fstatus"],
    ["GET", "//api/v2/status"],
    ["GET", "/api/v2/./status"],
    ["GET", "/metrics/../api/v2/status"],
  ];

  /** As written, dots and percent signs included, which `fetch` would tidy up. */
  async function ask(port: number, method: string, path: string, password?: string): Promise<number> {
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

  it("S4: refuses what the tools never ask for, wherever an address seems to lead", async () => {
    for (const [method, path] of FORBIDDEN)
      expect(await ask(proxy.port, method, path, PASSWORD), `${method} ${path}`).toBe(403);
    expect(await ask(server.port, "GET", "/api/v2/status")).toBe(200);
  });

  it("S10: that of a link that reads makes and ends no silence", async () => {
    const reader = moduleAt(reading.port);
    for (const tool of tools.tools.filter(({ effect }) => effect === "read"))
      expect(await reader.call(tool.name), tool.name).toBeDefined();
    const matchers = [{ name: "alertname", op: "=", value: "Slow" }];
    await expect(
      reader.call("am_create_silence", { matchers, dry_run: false, reason }),
    ).rejects.toMatchObject({ code: "denied" });
    const made = await call("am_create_silence", { matchers, dry_run: false, reason });
    const { id } = made.data as { id: string };
    await expect(reader.call("am_expire_silence", { id, dry_run: false, reason })).rejects.toMatchObject({
      code: "denied",
    });
    await call("am_expire_silence", { id, dry_run: false, reason });
  });

  it("S5: nobody reads without the password, and a tool says no more than denied", async () => {
    expect(await ask(proxy.port, "GET", "/api/v2/alerts")).toBe(401);
    expect(await ask(proxy.port, "GET", "/api/v2/alerts", "another")).toBe(401);
    const wrong = moduleAt(proxy.port, "not-this-one");
    const failure: unknown = await wrong.call("am_list_alerts").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure) + proxy.log()).not.toMatch(
      /not-this-one|of-the-account/,
    );
  });
});

describe("floods", () => {
  beforeAll(async () => {
    const names = Array.from({ length: FLOOD }, (_, index) => `Flood${String(index).padStart(4, "0")}`);
    for (let start = 0; start < FLOOD; start += 1000)
      await send(
        names.slice(start, start + 1000).map((alertname) => ({
          labels: { alertname, severity: "info", flood: "true" },
          annotations: { summary: "s".repeat(500) },
        })),
      );
    for (let index = 0; index < 500; index += 1)
      await admin("POST", "silences", {
        matchers: [{ name: "alertname", value: `None${index}`, isRegex: false, isEqual: true }],
        startsAt: new Date().toISOString(),
        endsAt: new Date(Date.now() + 3_600_000).toISOString(),
        createdBy: "flood",
        comment: "c".repeat(2000),
      });
  });

  const matchers = [{ name: "flood", op: "=", value: "true" }];

  it("2000 alerts: pages hold every one once", async () => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const result = await call("am_list_alerts", {
        matchers,
        limit: 100,
        ...(cursor === null ? {} : { cursor }),
      });
      expect(result.page?.total).toBe(FLOOD);
      for (const name of labelsIn(result)) {
        expect(seen.has(name), name).toBe(false);
        seen.add(name);
      }
      cursor = result.page?.next_cursor ?? null;
    } while (cursor !== null && seen.size < 1000);
    expect(seen.size).toBeGreaterThanOrEqual(1000);
  });

  it("2000 groups and 500 silences: a page of each, and the total", async () => {
    const groups = await call("am_alert_groups", { limit: 20 });
    expect(groups.page).toMatchObject({ returned: 20, next_cursor: expect.any(String) });
    expect(groups.page?.total).toBeGreaterThan(FLOOD);
    const silences = await call("am_list_silences", { limit: 100 });
    expect(silences.page).toMatchObject({ total: 500, next_cursor: expect.any(String) });
    expect(silences.truncation?.by).toMatch(/rows|bytes/);
    const preview = await call("am_create_silence", {
      matchers: [...matchers, { name: "namespace", op: "=", value: "shop" }],
      reason,
    });
    expect(preview.data).toMatchObject({ matches_now: 0 });
  });

  it("an expression that backtracking would never end is answered at once", async () => {
    const evil = [{ name: "alertname", op: "=~", value: "(a|a)*(.*)*(.+)+x" }];
    expect((await call("am_list_alerts", { matchers: evil })).page?.total).toBe(0);
  });
});

describe("cancellation", () => {
  it("ends the call at once, and a write that was not sent is not made", async () => {
    const before = ((await admin("GET", "silences")) as unknown[]).length;
    const controller = new AbortController();
    const matchers = [{ name: "alertname", op: "=", value: "Slow" }];
    controller.abort(new Error("caller went away"));
    await expect(
      alertmanager.call("am_create_silence", { matchers, dry_run: false, reason }, controller.signal),
    ).rejects.toThrow("caller went away");
    expect(((await admin("GET", "silences")) as unknown[]).length).toBe(before);
  });
});
