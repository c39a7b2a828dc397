import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { FLOOD, FLOOD_NAMESPACE, commit, floodStackOf, stackOf, startArgo } from "./live.ts";
import type { RealArgo } from "./live.ts";
import { application, apply, manifest, project, seed } from "./live-data.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const reason = "a test of the tool";

let argo: RealArgo;
let token: string;
let many: string;
let module: OpenModule;
let open: OpenModule;
let first: string;

const environment = (of: string) => ({
  MCP_ARGOCD_URL: `http://127.0.0.1:${argo.server.port}`,
  MCP_ARGOCD_TOKEN: of,
});

/** Bounded in size always, and in time unless it waits for a sync. */
const call = async (tool: string, args: Record<string, unknown> = {}, within: OpenModule = module) => {
  const started = performance.now();
  const result = await within.call(tool, args);
  if (!tool.includes("sync")) expect(performance.now() - started, tool).toBeLessThan(2000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};

/** Applications that nothing reconciles: their state is written as the controller would write it. */
function floodApplications(): readonly object[] {
  return FLOOD.map((name, index) => ({
    ...application(argo, name, "flood", "x"),
    metadata: { name, namespace: FLOOD_NAMESPACE },
    spec: {
      project: "flood",
      source: {
        repoURL: "https://git.example.com/x",
        chart: "x",
        targetRevision: "1.0.0",
        helm: { values: `text: ${"v".repeat(8000)}\n` },
      },
      destination: { server: "https://kubernetes.default.svc", namespace: `team-${index % 10}` },
    },
    status: {
      sync: {
        status: index % 7 === 0 ? "OutOfSync" : "Synced",
        revision: "1.0.0",
        comparedTo: { source: { repoURL: "x" }, destination: {} },
      },
      health: { status: index % 100 === 0 ? "Degraded" : "Healthy" },
      summary: { images: Array.from({ length: 20 }, (__, image) => `registry.example.com/image-${image}:1`) },
    },
  }));
}

beforeAll(async () => {
  expect(liveVersion("kubernetes"), "run: bash templates/kubernetes/live.sh install").toMatch(/^\d+\.\d+/);
  expect(liveVersion("argo-cd"), "run: bash templates/argo-cd/live.sh install").toMatch(/^\d+\.\d+/);
  argo = await startArgo();
  argo.kubectl(["create", "namespace", FLOOD_NAMESPACE]);
  first = seed(argo);
  apply(argo, [project("other"), project("flood", { sourceNamespaces: [FLOOD_NAMESPACE] })]);
  apply(argo, [application(argo, "hidden", "other", "shop")]);
  token = await argo.accountOf(stackOf(argo.server.port), "stack-mcp");
  many = await argo.accountOf(floodStackOf(argo.server.port), "flood-mcp");
  module = openModule(tools, environment(token));
  // The same module as it is emitted for the other drawing.
  const drawn = {
    applications: FLOOD.map((name) => ({ name, namespace: FLOOD_NAMESPACE, project: "flood" })),
    projects: ["flood"],
    writable: [],
  };
  vi.resetModules();
  vi.doMock("#runtime/slot", () => ({
    named: (name: string) => name,
    slot: (name: string, sample: unknown) =>
      Object.hasOwn(drawn, name) ? drawn[name as keyof typeof drawn] : sample,
  }));
  open = openModule((await import("./tools.ts")).tools, environment(many));
  await vi.waitFor(
    async () => {
      const { data } = await module.call("argocd_get_application", { name: "shop" });
      expect(data).toMatchObject({ sync: "OutOfSync", health: "Missing" });
    },
    { timeout: 120_000, interval: 500 },
  );
}, 300_000);

afterAll(async () => {
  await module.close();
  await argo.stop();
});

describe("every tool with data", () => {
  it("S32: argocd_list_applications shows the drawn ones, and filters", async () => {
    const { data, page } = await call("argocd_list_applications");
    expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
    expect(data).toMatchObject({
      applications: [
        {
          name: "shop",
          project: "default",
          destination: { namespace: "app" },
          sync: "OutOfSync",
          health: "Missing",
          revision: "main",
        },
        { name: "shop-infra", project: "platform" },
      ],
    });
    const only = async (args: Record<string, unknown>) =>
      (await call("argocd_list_applications", args)).page?.total;
    expect(await only({ project: "platform" })).toBe(1);
    expect(await only({ sync: "OutOfSync" })).toBe(1);
    expect(await only({ health: "Degraded" })).toBe(0);
    expect(await only({ namespace: "app" })).toBe(2);
    expect(await only({ namespace: "other" })).toBe(0);
    expect(await only({ name_contains: "infra" })).toBe(1);
  });

  it("argocd_get_application tells why a comparison fails", async () => {
    await vi.waitFor(
      async () => {
        const { data } = await call("argocd_get_application", { name: "shop-infra", view: "conditions" });
        expect(data, JSON.stringify(data)).toMatchObject({
          name: "shop-infra",
          conditions: [
            {
              type: "ComparisonError",
              message: expect.stringContaining("broken.yaml"),
              since: expect.any(String),
            },
          ],
        });
      },
      { timeout: 30_000, interval: 500 },
    );
  });

  it("argocd_list_projects shows what was drawn, without accounts in addresses", async () => {
    const { data, page } = await call("argocd_list_projects");
    expect(page?.total).toBe(2);
    expect(JSON.stringify(data)).not.toContain("geheim");
    expect(data).toMatchObject({
      projects: [
        { name: "default", source_repos: ["*"] },
        {
          name: "platform",
          description: "what carries the rest",
          source_repos: [expect.stringContaining("/git/shop"), "https://git.example.com/x"],
          windows: [{ kind: "deny", duration: "1h", applications: ["*"], manual_sync: false }],
        },
      ],
    });
  });

  it("S10: argocd_sync_application tries first, and changes nothing by that", async () => {
    const { data } = await call("argocd_sync_application", { name: "shop", reason });
    expect(data, JSON.stringify(data)).toMatchObject({
      name: "shop",
      dry_run: true,
      finished: true,
      operation: { phase: "Succeeded", dry_run: true, automated: false, revision: first, resources_total: 3 },
    });
    expect(argo.kubectl(["-n", "app", "get", "configmap,deployment", "-o", "name"])).not.toMatch(
      /settings|web/,
    );
  });

  it("S10: argocd_sync_application applies what stands in Git", async () => {
    const { data } = await call("argocd_sync_application", { name: "shop", dry_run: false, reason });
    expect(data).toMatchObject({
      finished: true,
      dry_run: false,
      operation: { phase: "Succeeded", dry_run: false },
    });
    expect(
      argo.kubectl(["-n", "app", "get", "configmap", "settings", "-o", "jsonpath={.data.version}"]),
    ).toBe("1");
    await vi.waitFor(
      async () =>
        expect((await call("argocd_get_application", { name: "shop" })).data).toMatchObject({
          sync: "Synced",
        }),
      { timeout: 30_000, interval: 500 },
    );
  });

  it("argocd_get_app_resources: what runs, what is unwell, and of Secrets the name only", async () => {
    const { data, page } = await call("argocd_get_app_resources", { name: "shop" });
    expect(page?.total).toBeGreaterThanOrEqual(3);
    const rows = (data as { resources: Record<string, unknown>[] }).resources;
    expect(rows.find(({ kind }) => kind === "Secret")).toEqual({
      kind: "Secret",
      namespace: "app",
      name: "database",
    });
    expect(rows.find(({ kind }) => kind === "Deployment")).toMatchObject({
      group: "apps",
      name: "web",
      sync: "Synced",
      health: "Progressing",
    });
    expect(JSON.stringify(rows)).not.toContain("hunter2");
    const unwell = await call("argocd_get_app_resources", { name: "shop", only_unhealthy: true });
    expect((unwell.data as { resources: { kind: string }[] }).resources.map(({ kind }) => kind)).toContain(
      "Deployment",
    );
    expect(
      (await call("argocd_get_app_resources", { name: "shop", kind: "ConfigMap", limit: 1 })).page?.total,
    ).toBe(1);
    expect((await call("argocd_get_app_resources", { name: "shop", health: "Degraded" })).page?.total).toBe(
      0,
    );
  });

  it("argocd_get_app_events: what happened to it, and to one resource", async () => {
    const { data } = await call("argocd_get_app_events", { name: "shop" });
    const events = (data as { events: { reason: string; message: string }[] }).events;
    expect(events.map((event) => event.reason)).toEqual(
      expect.arrayContaining(["OperationStarted", "OperationCompleted"]),
    );
    const { uid } = JSON.parse(argo.kubectl(["-n", "app", "get", "deployment", "web", "-o", "json"]))
      .metadata as { uid: string };
    const now = new Date().toISOString();
    argo.kubectl(
      ["apply", "-f", "-"],
      JSON.stringify({
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "web.1", namespace: "app" },
        involvedObject: { kind: "Deployment", name: "web", namespace: "app", uid },
        type: "Warning",
        reason: "FailedCreate",
        message: "no room",
        count: 3,
        firstTimestamp: now,
        lastTimestamp: now,
      }),
    );
    const one = await call("argocd_get_app_events", { name: "shop", resource: "Deployment/web" });
    expect(one.data).toMatchObject({
      events: [{ type: "Warning", reason: "FailedCreate", message: "no room", count: 3 }],
    });
    await expect(call("argocd_get_app_events", { name: "shop", resource: "Pod/none" })).rejects.toMatchObject(
      { code: "not_found" },
    );
  });

  it("a revision of the history can be synced again, and no other", async () => {
    const second = commit(
      argo,
      {
        "shop/all.yaml": manifest("2"),
        "shop/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
      },
      "second",
    );
    // Argo CD remembers what a branch points to for minutes.
    argo.kubectl([
      "-n",
      "argocd",
      "annotate",
      "application",
      "shop",
      "argocd.argoproj.io/refresh=hard",
      "--overwrite",
    ]);
    await vi.waitFor(
      async () =>
        expect((await call("argocd_get_application", { name: "shop" })).data).toMatchObject({
          sync: "OutOfSync",
        }),
      { timeout: 60_000, interval: 500 },
    );
    await expect(
      call("argocd_sync_application", { name: "shop", revision: second, reason }),
    ).rejects.toMatchObject({ code: "invalid_argument" });
    await call("argocd_sync_application", { name: "shop", dry_run: false, reason });
    const { data } = await call("argocd_get_application", { name: "shop", view: "history" });
    expect(data).toMatchObject({ history: [{ revision: second }, { revision: first }] });
    const back = await call("argocd_sync_application", {
      name: "shop",
      revision: first,
      dry_run: false,
      prune: true,
      reason,
    });
    expect(back.data).toMatchObject({ prune: true, operation: { phase: "Succeeded", revision: first } });
    // Deleted, and only waiting for a garbage collector, which this cluster has not.
    const more = argo.kubectl([
      "-n",
      "app",
      "get",
      "configmap",
      "more",
      "-o",
      "jsonpath={.metadata.deletionTimestamp}",
    ]);
    expect(more).toMatch(/^20\d\d-/);
    const shown = await call("argocd_get_application", { name: "shop", view: "operation" });
    expect((shown.data as { operation: { resources: object[] } }).operation.resources.length).toBeGreaterThan(
      2,
    );
  });
});

describe("the account", () => {
  /** What an administrator could do, and this account must not. */
  it.each([
    ["GET", "/api/v1/applications/hidden?project=other&appNamespace=argocd"],
    ["GET", "/api/v1/applications/hidden"],
    ["GET", "/api/v1/applications/hidden/resource-tree"],
    ["GET", "/api/v1/applications/hidden/events"],
    ["POST", "/api/v1/applications/hidden/sync", { name: "hidden" }],
    ["POST", "/api/v1/applications/shop-infra/sync", { name: "shop-infra" }],
    ["POST", "/api/v1/applications/shop/sync", { name: "shop", manifests: ["{}"] }],
    ["PATCH", "/api/v1/applications/shop", { name: "shop", patch: "[]", patchType: "json" }],
    ["DELETE", "/api/v1/applications/shop"],
    [
      "DELETE",
      "/api/v1/applications/shop/resource?resourceName=web&namespace=app&kind=Deployment&group=apps&version=v1",
    ],
    ["POST", "/api/v1/applications", { metadata: { name: "made-by-ai" }, spec: { project: "default" } }],
    ["GET", "/api/v1/applications/shop/pods/web/logs"],
    ["GET", "/api/v1/projects/other"],
    ["POST", "/api/v1/projects", { project: { metadata: { name: "made-by-ai" } } }],
    ["GET", "/api/v1/certificates"],
    ["POST", "/api/v1/repositories", { repo: "https://x" }],
    ["POST", "/api/v1/clusters", { server: "https://x" }],
    ["POST", "/api/v1/account/admin/token", { name: "admin" }],
    ["PUT", "/api/v1/account/password", { name: "admin", currentPassword: "x", newPassword: "yyyyyyyyyyyy" }],
  ])("S4: may not %s %s", async (method, path, body?: object) => {
    const { status, text } = await argo.ask(token, method, path, body);
    expect([401, 403, 404], `${status} ${text}`).toContain(status);
  });

  it("S4: lists hold nothing of others", async () => {
    for (const path of [
      "/api/v1/applications",
      "/api/v1/projects",
      "/api/v1/clusters",
      "/api/v1/repositories",
    ]) {
      const { text } = await argo.ask(token, "GET", path);
      const names = (
        (JSON.parse(text) as { items: { metadata?: { name: string } }[] | null }).items ?? []
      ).map(({ metadata }) => metadata?.name);
      expect(
        names.filter((name) => !["shop", "shop-infra", "default", "platform"].includes(String(name))),
        path,
      ).toEqual([]);
    }
  });

  it("a token that is none is a refusal that says what to do", async () => {
    await expect(
      openModule(tools, environment("no.token.at-all")).call("argocd_list_projects"),
    ).rejects.toMatchObject({ code: "denied" });
  });

  it("what was not drawn is unreachable through the tools as well", async () => {
    await expect(call("argocd_get_application", { name: "hidden" })).rejects.toThrow("invalid arguments");
    await expect(call("argocd_get_application", { name: "shop" }, open)).rejects.toThrow("invalid arguments");
    await expect(call("argocd_get_application", { name: "../projects/default" })).rejects.toThrow(
      "invalid arguments",
    );
  });
});

describe("floods", () => {
  beforeAll(() => {
    const all = floodApplications();
    for (let at = 0; at < FLOOD.length; at += 200)
      argo.kubectl(
        ["create", "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "List", items: all.slice(at, at + 200) }),
      );
  }, 300_000);

  it(`${FLOOD.length} applications with 11 MB of Helm values: pages are bounded, and neither overlap nor leave out`, async () => {
    // The first time Argo CD checks the rights on each application, which takes it seconds; then it remembers.
    await vi.waitFor(
      async () => expect((await open.call("argocd_list_applications")).page?.total).toBe(FLOOD.length),
      { timeout: 60_000, interval: 500 },
    );
    const seen = new Set<string>();
    let cursor: string | null | undefined;
    while (cursor !== null) {
      const { data, page } = await call(
        "argocd_list_applications",
        { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
        open,
      );
      const rows = (data as { applications: { name: string }[] }).applications;
      const before = seen.size;
      for (const { name } of rows) seen.add(name);
      expect(seen.size - before).toBe(rows.length);
      cursor = page?.next_cursor;
    }
    expect(seen.size).toBe(FLOOD.length);
  });

  it("filters find the few among the many", async () => {
    const degraded = await call(
      "argocd_list_applications",
      { health: "Degraded", project: "flood", limit: 50 },
      open,
    );
    expect(degraded.page).toEqual({ returned: 14, total: 14, next_cursor: null });
    const [row] = (degraded.data as { applications: { images: string[]; revision: string }[] }).applications;
    expect(row).toMatchObject({
      namespace: FLOOD_NAMESPACE,
      project: "flood",
      revision: "1.0.0",
      destination: { namespace: "team-0" },
    });
    expect(row?.images).toHaveLength(5);
    const few = await call(
      "argocd_list_applications",
      { name_contains: "flood-01", sync: "OutOfSync", limit: 1 },
      open,
    );
    expect(few.truncation).toMatchObject({ by: "rows", limit: 1 });
  });

  it("a filter that needs every spec says when there are too many", async () => {
    await expect(call("argocd_list_applications", { namespace: "team-1" }, open)).rejects.toMatchObject({
      code: "too_large",
    });
  });
});
