import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { getObject, PODS } from "#runtime/kubernetes/api";
import type { NamespaceRights } from "../../generator/catalog/contract.ts";
import { topologyOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { FLOOD, HIDDEN, PROGRESSING, eventOf, flood, seed, seedMetrics } from "./live-data.ts";
import {
  DRAWING,
  askCluster,
  clientOf,
  environmentOf,
  grantRights,
  startCluster,
  startFakeKubelet,
} from "./live.ts";
import type { Cluster, FakeKubelet } from "./live.ts";
import { declaredPermissions, ownPermissions } from "./live-rights.ts";
import { rightsOf } from "./reach.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const ACCOUNT = { namespace: "mcp", name: "stack-mcp" };
const MERGE = "application/merge-patch+json";
const REASON = "the live suite tries this";

let cluster: Cluster;
let kubelet: FakeKubelet;
let rights: readonly NamespaceRights[];
let tokenFile: string;
let module: OpenModule;

const LOGS = {
  "web-1/web": Array.from({ length: 7000 }, (_, line) => `2026-01-01T00:00:00Z line ${line}`).join("\n"),
  "web-1/sidecar": `2026-01-01T00:00:00Z ${"y".repeat(5000)}`,
  "crashing-1/main": "2026-01-01T00:00:01Z now",
  "crashing-1/main/previous": "2026-01-01T00:00:00Z out of memory",
  "pending-1/main": "endless",
  "evicted-1/main": "hostile",
  "done-1/main": `${`2026-01-01T00:00:00Z ${"z".repeat(1800)}\n`.repeat(5000)}2026-01-01T00:00:00Z the last line`,
} as const;

const CERTIFICATE = { apiVersion: "cert-manager.io/v1", kind: "Certificate" };
/** Of cert-manager's definition what the API server needs to keep its objects. */
const CERTIFICATE_DEFINITION = {
  metadata: { name: "certificates.cert-manager.io" },
  spec: {
    group: "cert-manager.io",
    names: { kind: "Certificate", plural: "certificates" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

const openAs = (file: string): OpenModule =>
  openModule(tools, environmentOf(cluster.server, file, "MCP_KUBERNETES"));

const call = async (tool: string, args: Record<string, unknown> = {}, by = module) => {
  const started = performance.now();
  const result = await by.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(5000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  expect(JSON.stringify(result), tool).not.toContain(HIDDEN);
  return result;
};

beforeAll(async () => {
  expect(liveVersion("kubernetes"), "run: bash templates/kubernetes/live.sh install").toMatch(/^\d+\.\d+/);
  cluster = await startCluster();
  kubelet = await startFakeKubelet(cluster.server, LOGS);
  await seed(cluster, kubelet.port);
  const topology = await topologyOf(DRAWING);
  const [link] = topology.mcpLinks.filter(({ component }) => component.type === "kubernetes");
  if (link === undefined) throw new Error("the drawing has no link to the cluster");
  module = openModule(tools, {});
  rights = rightsOf(link, module.names, topology);
  tokenFile = await cluster.tokenOf(ACCOUNT.namespace, ACCOUNT.name);
  await grantRights(cluster, ACCOUNT, rights);
  module = openAs(tokenFile);
  await vi.waitFor(async () => await module.call("k8s_list_pods", { namespace: "db" }), { timeout: 20_000 });
});

afterAll(async () => {
  await module?.close();
  kubelet?.stop();
  await cluster?.stop();
});

describe("every tool with data, with the link's own account", () => {
  it("P6: get_pod_status gives what the article names, and why a pod does not work", async () => {
    const { data } = await call("k8s_get_pod_status", { namespace: "app", pod_name: "crashing-1" });
    expect(data).toMatchObject({
      name: "crashing-1",
      namespace: "app",
      phase: "Running",
      conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady" }],
      container_statuses: [
        {
          name: "main",
          ready: false,
          restart_count: 7,
          state: "waiting",
          reason: "CrashLoopBackOff",
          last_termination: { state: "terminated", reason: "OOMKilled", exit_code: 137 },
        },
      ],
    });
  });

  it("S35: detect_drift finds missing pods, changed images and certificates, and is silent without any", async () => {
    const pods = "/api/v1/namespaces/app/pods";
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const certificates = "/apis/cert-manager.io/v1/namespaces/app/certificates";
    const run = async (index: number, image: string): Promise<void> => {
      const name = `consumer-${index}`;
      const metadata = { name, labels: { "app.kubernetes.io/name": "consumer" } };
      await cluster.ask("POST", pods, { metadata, spec: { containers: [{ name: "main", image }] } });
      const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
      await cluster.ask("PATCH", `${pods}/${name}/status`, { status }, MERGE);
    };
    const drift = async (): Promise<unknown> =>
      ((await call("k8s_detect_drift", { namespace: "app" })).data as { drift: unknown }).drift;
    const inDays = (days: number): string =>
      `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
    const about = { component: "consumer", namespace: "app" };

    expect(await drift()).toEqual([{ ...about, kind: "missing_pods", expected: 2, found: 0 }]);
    await run(1, "registry.test/consumer:2.0@sha256:0000");
    await run(2, "registry.test/consumer:1.0@sha256:1111");
    const found = ["registry.test/consumer:2.0@sha256:0000"];
    expect(await drift()).toEqual([
      { ...about, kind: "changed_image", expected: "registry.test/consumer:1.0", found, pods: 1 },
    ]);
    await cluster.ask("DELETE", `${pods}/consumer-1?gracePeriodSeconds=0`);
    await run(1, "registry.test/consumer:1.0");
    expect(await drift()).toEqual([]);

    await cluster.ask("POST", definitions, CERTIFICATE_DEFINITION);
    await vi.waitFor(async () => await cluster.ask("GET", certificates), { timeout: 20_000 });
    for (const [name, days] of [
      ["old", -1],
      ["near", 3],
      ["far", 60],
    ] as const) {
      const spec = { dnsNames: [`${name}.example.com`], secretName: name };
      await cluster.ask("POST", certificates, { ...CERTIFICATE, metadata: { name }, spec });
      await cluster.ask(
        "PATCH",
        `${certificates}/${name}/status`,
        { status: { notAfter: inDays(days) } },
        MERGE,
      );
    }
    expect(await drift()).toMatchObject([
      { kind: "certificate_expires_soon", certificate: "near", hosts: ["near.example.com"] },
      { kind: "certificate_expired", certificate: "old" },
    ]);
    await cluster.ask("DELETE", `${definitions}/certificates.cert-manager.io`);
    for (const index of [1, 2]) await cluster.ask("DELETE", `${pods}/consumer-${index}?gracePeriodSeconds=0`);
  });

  it("S5: the environment is there by name, and neither its values nor a probe's command", async () => {
    const { data } = await call("k8s_get_pod_status", { namespace: "app", pod_name: "web-1" });
    expect(data).toMatchObject({
      node: "node-1",
      init_container_statuses: [{ name: "migrate", state: "terminated", exit_code: 0 }],
      container_statuses: [
        {
          name: "web",
          env: ["DATABASE_PASSWORD", "FROM_SECRET"],
          resources: { limits: { memory: "128Mi" } },
          probes: {
            readiness: "httpGet :8080 /ready, every 5s, fails after 3",
            liveness: expect.stringMatching(/^exec, /),
          },
        },
        { name: "sidecar", state: "running" },
      ],
    });
  });

  it("P6: list_failing_pods finds pending, failed, crashing and leaving ones, and no others", async () => {
    const { data, page } = await call("k8s_list_failing_pods");
    const { pods } = data as { pods: Record<string, string>[] };
    expect(pods.map(({ name, namespace, phase, reason }) => [namespace, name, phase, reason])).toEqual([
      ["app", "crashing-1", "Running", "CrashLoopBackOff"],
      ["app", "evicted-1", "Failed", "Evicted"],
      ["app", "leaving-1", "Running", "Terminating"],
      ["app", "pending-1", "Pending", "Pending"],
    ]);
    expect(page).toEqual({ returned: 4, total: 4, next_cursor: null });
    expect((await call("k8s_list_failing_pods", { namespace: "db" })).data).toEqual({ pods: [] });
  });

  it("pages of a list hold every item once, and a cursor belongs to its arguments", async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const args = { namespace: "app", limit: 2, ...(cursor === null ? {} : { cursor }) };
      const { data, page } = await call("k8s_list_pods", args);
      expect(page?.total).toBe(6);
      seen.push(...(data as { pods: { name: string }[] }).pods.map(({ name }) => name));
      cursor = page?.next_cursor ?? null;
    } while (cursor !== null);
    expect(seen).toEqual(["crashing-1", "done-1", "evicted-1", "leaving-1", "pending-1", "web-1"]);
    const { page } = await call("k8s_list_pods", { namespace: "app", limit: 2 });
    const foreign = call("k8s_list_pods", { namespace: "db", limit: 2, cursor: page?.next_cursor });
    await expect(foreign).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("k8s_list_pods selects by label", async () => {
    const { data } = await call("k8s_list_pods", { namespace: "app", selector: "app in (web),tier!=back" });
    expect(data).toMatchObject({
      pods: [{ name: "web-1", ready: "2/2", status: "Running", node: "node-1" }],
    });
  });

  it("P6: get_recent_events is newest first, counts repeats and keeps both kinds of event", async () => {
    const { data } = await call("k8s_get_recent_events", { namespace: "app" });
    const { events } = data as { events: Record<string, unknown>[] };
    expect(events.map(({ reason, involved_object, count }) => [reason, involved_object, count])).toEqual([
      ["FailedScheduling", "Pod/pending-1", 12],
      ["BackOff", "Pod/crashing-1", 7],
      ["Pulled", "Pod/web-1", 1],
    ]);
    const warnings = await call("k8s_get_recent_events", { namespace: "app", type: "Warning", limit: 1 });
    expect(warnings.page).toMatchObject({ returned: 1, total: 2 });
    const old = await call("k8s_get_recent_events", { namespace: "app", involved: "web-1", since: "4h" });
    expect(old.page?.total).toBe(2);
  });

  it("k8s_pod_logs reads the end of a log, the previous container, and lines that hold a text", async () => {
    const log = async (args: Record<string, unknown>) =>
      await call("k8s_pod_logs", { namespace: "app", pod: "web-1", container: "web", ...args });
    const end = await log({ tail: 2 });
    expect(end.data).toMatchObject({
      lines: ["2026-01-01T00:00:00Z line 6998", "2026-01-01T00:00:00Z line 6999"],
    });
    expect(end.truncation).toMatchObject({ by: "rows", limit: 2 });
    const found = await log({ grep: "line 250" });
    expect((found.data as { lines: string[] }).lines).toHaveLength(10);
    expect(found.truncation).toMatchObject({ by: "rows", limit: 5000 });
    const before = await call("k8s_pod_logs", { namespace: "app", pod: "crashing-1", previous: true });
    expect(before).toMatchObject({ data: { lines: [expect.stringContaining("out of memory")] } });
    expect(before.truncation).toBeUndefined();
    const long = await log({ container: "sidecar" });
    expect((long.data as { lines: string[] }).lines[0]).toHaveLength(1025);
    await expect(log({ container: undefined })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/container name must be specified.*web sidecar/),
    });
  });

  it("k8s_list_workloads shows every kind with the server's own summary", async () => {
    const { data } = await call("k8s_list_workloads", { namespace: "app" });
    const { workloads } = data as { workloads: Record<string, unknown>[] };
    expect(workloads.map(({ kind, name }) => `${String(kind)}/${String(name)}`)).toEqual([
      "deployment/web",
      "statefulset/queue",
      "daemonset/agent",
      "job/import",
      "cronjob/nightly",
    ]);
    expect(workloads[0]).toMatchObject({ ready: "3/3", images: "registry.test/web:1.0" });
    const one = await call("k8s_list_workloads", { namespace: "app", kind: "job" });
    expect(one.page?.total).toBe(1);
  });

  it("k8s_rollout_status decides as kubectl does, and shows the revisions that belong to it", async () => {
    const status = async (kind: string, name: string) =>
      (await call("k8s_rollout_status", { namespace: "app", kind, name })).data;
    expect(await status("deployment", "web")).toMatchObject({
      state: "progressing",
      why: "2 of 3 pods have the newest revision",
      desired: 3,
      updated: 2,
      revision: "2",
      revisions: [
        { revision: 2, replica_set: "web-2" },
        { revision: 1, replica_set: "web-1" },
      ],
    });
    expect(await status("statefulset", "queue")).toMatchObject({ state: "complete", desired: 2 });
    const patchStatus = async (status: object): Promise<void> => {
      await cluster.ask("PATCH", "/apis/apps/v1/namespaces/app/deployments/web/status", { status }, MERGE);
    };
    await patchStatus({ replicas: 3, updatedReplicas: 3, availableReplicas: 3 });
    expect(await status("deployment", "web")).toMatchObject({ state: "complete" });
    const stuck = {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: "timed out",
    };
    await patchStatus({ ...PROGRESSING, conditions: [stuck] });
    expect(await status("deployment", "web")).toMatchObject({ state: "failed", why: "timed out" });
    await patchStatus(PROGRESSING);
  });

  it("k8s_list_services counts the endpoints of all slices", async () => {
    const { data } = await call("k8s_list_services", { namespace: "app" });
    expect(data).toEqual({
      services: [
        {
          name: "elsewhere",
          type: "ExternalName",
          external_name: "api.example.com",
          ports: [],
          endpoints: { ready: 0, not_ready: 0 },
        },
        {
          name: "web",
          type: "ClusterIP",
          ports: ["http 80→8080/TCP"],
          selector: "app=web",
          endpoints: { ready: 2, not_ready: 1 },
        },
      ],
    });
  });

  it("k8s_top_pods says when there are no figures, and else sorts and adds them up", async () => {
    await expect(call("k8s_top_pods", { namespace: "app" })).rejects.toMatchObject({
      code: "not_found",
      hint: expect.stringContaining("metrics-server"),
    });
    await seedMetrics(cluster);
    const { data, page } = await call("k8s_top_pods", { namespace: "app", limit: 2 });
    expect(data).toEqual({
      pods: [
        { pod: "crashing-1", cpu_millicores: 1000, memory_mib: 1024 },
        { pod: "web-1", cpu_millicores: 375, memory_mib: 128 },
      ],
    });
    expect(page).toMatchObject({ returned: 2, total: 3 });
    const web = await call("k8s_top_pods", { namespace: "app", sort: "memory", selector: "app=web" });
    expect(web.page?.total).toBe(1);
  });

  it("k8s_get_resource shows drawn kinds, an operator's among them, without values of env", async () => {
    const read = async (kind: string, name: string) =>
      (await call("k8s_get_resource", { namespace: "app", kind, name })).data;
    expect(await read("clusters", "cluster-db")).toMatchObject({
      spec: { instances: 3, env: [{ name: "PASSPHRASE", value: "***" }] },
      status: { phase: "Cluster in healthy state" },
    });
    const deployment = await read("deployment", "web");
    expect(deployment).toMatchObject({ kind: "Deployment", metadata: { name: "web" } });
    expect(JSON.stringify(deployment)).not.toContain("managedFields");
    await expect(read("service", "absent")).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining('services "absent" not found'),
    });
  });
});

describe("write tools", () => {
  const web = { namespace: "app", kind: "deployment", name: "web", reason: REASON };
  const deployment = async (
    name = "web",
  ): Promise<{ metadata: { generation: number }; spec: { replicas: number } }> =>
    (await cluster.ask("GET", `/apis/apps/v1/namespaces/app/deployments/${name}`)) as never;

  it("P18: k8s_rollout_restart asks the server first, and changes the pod template when told to", async () => {
    const before = await deployment();
    expect((await call("k8s_rollout_restart", web)).data).toMatchObject({ dry_run: true });
    expect((await deployment()).metadata.generation).toBe(before.metadata.generation);
    const { data } = await call("k8s_rollout_restart", { ...web, dry_run: false });
    const { restarted_at } = data as { restarted_at: string };
    const after = await deployment();
    expect(after.metadata.generation).toBe(before.metadata.generation + 1);
    expect(JSON.stringify(after.spec)).toContain(`"kubectl.kubernetes.io/restartedAt":"${restarted_at}"`);
    expect(JSON.stringify(after)).toContain('"manager":"topogate"');
    await call("k8s_rollout_restart", { ...web, kind: "statefulset", name: "queue", dry_run: false });
  });

  it("A3: an approved restart leaves its marker on the pod template", async () => {
    await module.callApproved("k8s_rollout_restart", { ...web, dry_run: false });
    const { spec } = await deployment();
    expect(JSON.stringify(spec)).toMatch(/"topogate\/marker":"mcp:[0-9a-f]{64} approved by key:ada"/);
  });

  it("k8s_scale stays within the drawn bounds", async () => {
    expect((await call("k8s_scale", { ...web, replicas: 4 })).data).toMatchObject({
      from: 3,
      to: 4,
      dry_run: true,
    });
    expect((await deployment()).spec.replicas).toBe(3);
    await call("k8s_scale", { ...web, replicas: 4, dry_run: false });
    expect((await deployment()).spec.replicas).toBe(4);
    for (const replicas of [0, 5])
      await expect(call("k8s_scale", { ...web, replicas, dry_run: false })).rejects.toMatchObject({
        code: "invalid_argument",
        message: "replicas must be within 1 and 4, as drawn",
      });
    const queue = { ...web, kind: "statefulset", name: "queue", replicas: 1 };
    await expect(call("k8s_scale", queue)).rejects.toMatchObject({ code: "denied" });
    await call("k8s_scale", { ...web, replicas: 3, dry_run: false });
  });

  it("nothing but a drawn workload can be changed", async () => {
    for (const name of ["elsewhere", "agent"])
      await expect(call("k8s_rollout_restart", { ...web, name })).rejects.toMatchObject({
        code: "not_linked",
        hint: "drawn here: statefulset queue, deployment web",
      });
    await expect(call("k8s_rollout_restart", { ...web, namespace: "db" })).rejects.toThrow(
      "invalid arguments",
    );
    await expect(call("k8s_rollout_restart", { ...web, kind: "daemonset" })).rejects.toMatchObject({
      code: "not_linked",
    });
  });
});

describe("P16: the rights of the account", () => {
  it("P15: are exactly those of the drawing, asked verb by verb for everything that the server has", async () => {
    const places = { namespaces: ["app", "db", "other", "kube-system"], names: ["web", "queue", "other"] };
    const own = await ownPermissions(cluster, tokenFile, places);
    expect(own).toEqual(await declaredPermissions(cluster, rights, places));
    expect(own.length).toBeGreaterThan(60);
    for (const line of own) {
      expect(line).not.toMatch(
        /secrets|configmaps|exec|attach|portforward|proxy|token|watch|create|delete|rbac/,
      );
      expect(line).toMatch(/^(app|db) /);
    }
    for (const line of own.filter((each) => / (patch|update) /.test(each)))
      expect(line).toMatch(/ (web|queue)$/);
  });

  it("are all needed: without any one of them, some tool is refused", async () => {
    const all = [
      ["k8s_get_pod_status", { pod_name: "web-1" }],
      ["k8s_list_failing_pods", {}],
      ["k8s_get_recent_events", {}],
      ["k8s_pod_logs", { pod: "crashing-1" }],
      ["k8s_list_workloads", {}],
      ["k8s_rollout_status", { name: "web" }],
      ["k8s_rollout_status", { name: "queue", kind: "statefulset" }],
      ["k8s_rollout_status", { name: "agent", kind: "daemonset" }],
      ["k8s_list_services", {}],
      ["k8s_top_pods", {}],
      ["k8s_detect_drift", {}],
      ...[
        ["backups", "x"],
        ["clusters", "cluster-db"],
        ["poolers", "x"],
        ["cronjob", "nightly"],
        ["job", "import"],
        ["replicaset", "web-1"],
        ["service", "web"],
      ].map(([kind, name]) => ["k8s_get_resource", { kind, name }] as const),
      ["k8s_rollout_restart", { name: "web", reason: REASON }],
      ["k8s_rollout_restart", { name: "queue", kind: "statefulset", reason: REASON }],
      ["k8s_scale", { name: "web", replicas: 2, reason: REASON }],
    ] as const;
    const refusedOf = async (by: OpenModule): Promise<number> => {
      const outcomes = await Promise.allSettled(
        all.map(([tool, args]) => by.call(tool, { namespace: "app", ...args })),
      );
      return outcomes.filter((outcome) =>
        outcome.status === "rejected"
          ? (outcome.reason as { code?: string }).code === "denied"
          : outcome.value.warnings?.some((warning) => warning.endsWith("may not be read")),
      ).length;
    };
    expect(await refusedOf(module)).toBe(0);
    const app = rights.find(({ namespace }) => namespace === "app")?.rules ?? [];
    const single = app.flatMap((rule) =>
      rule.resources.flatMap((resource) =>
        rule.verbs.map((verb) => ({ ...rule, resources: [resource], verbs: [verb] })),
      ),
    );
    expect(single.length).toBeGreaterThan(25);
    const account = { namespace: "mcp", name: "narrower" };
    const narrower = openAs(await cluster.tokenOf(account.namespace, account.name));
    for (const left of single) {
      const rules = single.filter((rule) => rule !== left);
      await grantRights(cluster, account, [{ namespace: "app", rules }]);
      const what = `${left.verbs.join()} ${left.apiGroups.join()}/${left.resources.join()}`;
      await vi.waitFor(async () => expect(await refusedOf(narrower), what).toBeGreaterThan(0), {
        timeout: 10_000,
        interval: 100,
      });
    }
  });
});

describe("attacks", () => {
  it("no Secret and no ConfigMap can be read with the account, whatever is asked", async () => {
    const http = clientOf(cluster.server, tokenFile);
    for (const path of [
      "/api/v1/namespaces/app/secrets",
      "/api/v1/namespaces/app/secrets/credentials",
      "/api/v1/secrets",
      "/api/v1/namespaces/app/configmaps/settings",
      "/api/v1/namespaces/other/pods",
      "/api/v1/pods",
      "/api/v1/nodes",
      "/api/v1/namespaces",
      "/api/v1/namespaces/app/pods/web-1/exec?command=id",
      "/api/v1/namespaces/app/pods/web-1/proxy",
      "/api/v1/namespaces/app/services/web/proxy",
      "/apis/apps/v1/namespaces/app/controllerrevisions",
      "/metrics",
      "/logs",
    ])
      await expect(askCluster(http, "GET", path), path).rejects.toMatchObject({ code: "denied" });
    for (const [method, path] of [
      ["DELETE", "/api/v1/namespaces/app/pods/web-1"],
      ["POST", "/api/v1/namespaces/app/pods"],
      ["PATCH", "/apis/apps/v1/namespaces/app/daemonsets/agent"],
      ["PATCH", "/apis/apps/v1/namespaces/app/statefulsets/queue/scale"],
      ["PUT", "/apis/apps/v1/namespaces/app/deployments/web"],
      ["POST", "/api/v1/namespaces/mcp/serviceaccounts/stack-mcp/token"],
      ["POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/app/rolebindings"],
    ] as const)
      await expect(askCluster(http, method, path, {}, MERGE), path).rejects.toMatchObject({
        code: expect.stringMatching(/denied|invalid_argument/),
      });
    expect((await cluster.ask("GET", "/api/v1/namespaces/app/pods/web-1"))["kind"]).toBe("Pod");
  });

  it.each([
    "../secrets/credentials",
    "..%2fsecrets%2fcredentials",
    "web-1/exec",
    "web-1?x=1",
    ".",
    "..",
    "Web",
    "-x",
    "",
    "a\u0000",
  ])("a name %j never reaches the server", async (name) => {
    for (const [tool, args] of [
      ["k8s_get_pod_status", { pod_name: name }],
      ["k8s_pod_logs", { pod: name }],
      ["k8s_rollout_status", { name }],
      ["k8s_get_resource", { kind: "service", name }],
      ["k8s_get_recent_events", { involved: name }],
      ["k8s_rollout_restart", { name, reason: REASON }],
      ["k8s_scale", { name, replicas: 1, reason: REASON }],
    ] as const)
      await expect(module.call(tool, { namespace: "app", ...args }), tool).rejects.toThrow(
        "invalid arguments",
      );
  });

  it("a name that came through all the same is one segment of the path", async () => {
    const access = {
      cluster: clientOf(cluster.server, join(cluster.server.folder, "admin.token")),
      signal: AbortSignal.timeout(5000),
    };
    for (const name of [
      "../secrets/credentials",
      "x/../../secrets/credentials",
      "..%2fsecrets%2fcredentials",
    ])
      await expect(getObject(access, PODS, "app", name), name).rejects.toMatchObject({
        code: expect.stringMatching(/not_found|invalid_argument/),
      });
    await expect(getObject(access, PODS, "app", "..")).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it.each(["app=web&fieldSelector=metadata.name%3Dx", "app=web&limit=1", "a b c", "=", "app in ("])(
    "a selector %j is a selector, or refused by the server",
    async (selector) => {
      await expect(call("k8s_list_pods", { namespace: "app", selector })).rejects.toMatchObject({
        code: "invalid_argument",
      });
    },
  );

  it.each(["other", "kube-system", "app/../other", "*", ""])(
    "namespace %j is not drawn",
    async (namespace) => {
      for (const tool of [
        "k8s_list_pods",
        "k8s_list_failing_pods",
        "k8s_get_recent_events",
        "k8s_list_services",
      ])
        await expect(module.call(tool, { namespace })).rejects.toThrow("invalid arguments");
    },
  );

  it("kinds that are not drawn cannot be named", async () => {
    for (const kind of ["secret", "secrets", "configmap", "pod", "role", "serviceaccount"])
      await expect(
        module.call("k8s_get_resource", { namespace: "app", kind, name: "credentials" }),
      ).rejects.toThrow("invalid arguments");
  });

  it("T16: what stands in an event is data, and long text is cut", async () => {
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    const hostile = eventOf(
      "hostile.1",
      "hostile",
      at,
      { type: "Warning", reason: "x".repeat(128), message: "y".repeat(100_000), count: 1 },
      "db",
    );
    await cluster.ask("POST", "/api/v1/namespaces/db/events", hostile);
    const { data } = await call("k8s_get_recent_events", { namespace: "db" });
    expect(JSON.stringify(data).length).toBeLessThan(1000);
    await cluster.ask("DELETE", "/api/v1/namespaces/db/events/hostile.1");
  });

  it("S5: a token that the server refuses is denied, and is not in the answer", async () => {
    const refused = openModule(tools, {
      ...environmentOf(cluster.server, "", "MCP_KUBERNETES"),
      MCP_KUBERNETES_TOKEN: "not-a-token-of-anybody",
    });
    const error: unknown = await refused
      .call("k8s_list_pods", { namespace: "app" })
      .catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: "denied" });
    expect(String(error) + JSON.stringify(error)).not.toMatch(/not-a-token|127\.0\.0\.1/);
  });

  it("a server whose certificate another authority signed is not asked", async () => {
    const environment = {
      ...environmentOf(cluster.server, tokenFile, "MCP_KUBERNETES"),
      MCP_KUBERNETES_CA_FILE: "",
    };
    await expect(
      openModule(tools, environment).call("k8s_list_pods", { namespace: "app" }),
    ).rejects.toMatchObject({
      code: "upstream_unavailable",
      message: "the service's certificate is not trusted",
    });
    expect(readFileSync(tokenFile, "utf8")).toMatch(/^eyJ/);
  });
});

describe("cancellation", () => {
  it("of a log that never ends reaches the kubelet", async () => {
    const before = kubelet.dropped();
    const controller = new AbortController();
    const endless = module.call("k8s_pod_logs", { namespace: "app", pod: "pending-1" }, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(endless).rejects.toThrow("caller went away");
    await expect.poll(() => kubelet.dropped(), { timeout: 10_000 }).toBeGreaterThan(before);
  });
});

describe("floods", () => {
  const timed = async (tool: string, args: Record<string, unknown>) => {
    const started = performance.now();
    const result = await module.call(tool, { namespace: "db", ...args });
    const elapsed = performance.now() - started;
    expect(elapsed, `${tool} took ${Math.round(elapsed)} ms`).toBeLessThan(2000);
    expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
    return result;
  };

  beforeAll(async () => {
    await flood(cluster);
  });

  it("6000 pods: pages of k8s_list_pods hold every one once", async () => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const { data, page } = await timed("k8s_list_pods", {
        limit: 500,
        ...(cursor === null ? {} : { cursor }),
      });
      expect(page?.total).toBe(FLOOD.pods);
      for (const { name } of (data as { pods: { name: string }[] }).pods) {
        expect(seen.has(name)).toBe(false);
        seen.add(name);
      }
      cursor = page?.next_cursor ?? null;
    } while (cursor !== null);
    expect(seen.size).toBe(FLOOD.pods);
  });

  it("6000 failing pods: what was not looked at is said, and a selection by label has no total", async () => {
    const result = await timed("k8s_list_failing_pods", { limit: 500 });
    expect(result.page).toMatchObject({ total: null, next_cursor: expect.any(String) });
    expect(result.truncation).toBeDefined();
    const odd = await timed("k8s_list_pods", { selector: "half=odd", limit: 10 });
    expect(odd).toMatchObject({ page: { returned: 10, total: null }, truncation: { by: "rows", limit: 10 } });
  });

  it("6000 events and 30 of a megabyte each", async () => {
    const result = await timed("k8s_get_recent_events", { limit: 500 });
    expect(result.page).toMatchObject({ total: null, next_cursor: expect.any(String) });
    const large = await timed("k8s_get_recent_events", { involved: "large-7" });
    expect(large.page).toEqual({ returned: 1, total: 1, next_cursor: null });
    const { events } = large.data as { events: { message: string }[] };
    expect(events[0]?.message).toHaveLength(501);
  });

  it("600 services of 20 ports and 1400 deployments", async () => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const { data, page } = await timed("k8s_list_services", {
        limit: 500,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { name } of (data as { services: { name: string }[] }).services) seen.add(name);
      cursor = page?.next_cursor ?? null;
    } while (cursor !== null);
    expect(seen.size).toBe(FLOOD.services);
    const workloads = await timed("k8s_list_workloads", { limit: 500 });
    expect(workloads.page).toMatchObject({ total: FLOOD.deployments });
  });

  it("one object of many hundred kilobytes", async () => {
    const pod = await timed("k8s_get_pod_status", { pod_name: "flood-00000" });
    expect(JSON.stringify(pod).length).toBeLessThan(65_536);
    await timed("k8s_get_resource", { kind: "deployment", name: "flood-00000" });
  });

  it("a log of 9 MB is read from its end, and a kubelet that ignores every bound is not read to its end", async () => {
    const log = await timed("k8s_pod_logs", { namespace: "app", pod: "done-1", grep: "last" });
    expect(log.data).toMatchObject({ searched: 1251, lines: [expect.stringContaining("the last line")] });
    expect(log.truncation).toMatchObject({ by: "bytes" });
    const hostile = timed("k8s_pod_logs", { namespace: "app", pod: "evicted-1" });
    await expect(hostile).rejects.toMatchObject({ code: "too_large" });
  });
});
