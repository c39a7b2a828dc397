import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkModule } from "../../../generator/emit/link-module.ts";
import { seed, seedMetrics } from "../../../templates/kubernetes/live-data.ts";
import { declaredPermissions, ownPermissions, rulesFor } from "../../../templates/kubernetes/live-rights.ts";
import {
  DRAWING,
  builtProgram,
  environmentOf,
  startCluster,
  startFakeKubelet,
} from "../../../templates/kubernetes/live.ts";
import type { Cluster } from "../../../templates/kubernetes/live.ts";
import { rightsOf } from "../../../templates/kubernetes/reach.ts";
import { bootServer, callTool, connectClient, workspace } from "../../harness/emitted.ts";
import { catalog } from "../../harness/in-process.ts";
import { matrix } from "../../manifests/matrix.ts";
import { at, isBlock, kindOf, manifestsIn, namespaceOf, ofKind } from "../../manifests/object.ts";
import type { Manifest } from "../../manifests/object.ts";
import { applied, exampleOutputs, outputOfText } from "../../manifests/stacks.ts";
import type { Output } from "../../manifests/stacks.ts";
import { liveVersion } from "../server.ts";
import { DEFINITIONS } from "./definitions.ts";
import { SCHEMA_PATH, writeSchemas } from "./schemas.ts";

const OUT = new URL("../../../out/", import.meta.url).pathname;
const PUBLISHED = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "topogate/definitions");
const OWN = "app.kubernetes.io/managed-by=topogate";

const POD_SECURITY = "pod-security.kubernetes.io/enforce";

const work = mkdtempSync(join(tmpdir(), "topogate-cluster-"));
const drawings = await exampleOutputs();
const outputs = new Map<string, Output>([
  ...drawings,
  ["a link to the cluster", await outputOfText(DRAWING)],
]);
let cluster: Cluster;

/** Objects as one stream, each without what only SOPS reads: a controller takes that away before it applies them. */
function streamOf(manifests: readonly Manifest[]): string {
  return manifests
    .map(({ object }) => {
      const { sops: _, ...rest } = object;
      return JSON.stringify(rest);
    })
    .join("\n---\n");
}

/** The committed output where there is one, else the same files written anew. */
function folderOf(name: string, output: Output): string {
  if (existsSync(join(OUT, name, "kustomization.yaml"))) return join(OUT, name);
  const folder = join(work, name.replaceAll(/[^a-z0-9.]+/g, "-"));
  for (const [path, { text }] of output.tree) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function kustomized(name: string): readonly Manifest[] {
  const output = outputs.get(name);
  if (output === undefined) throw new Error(`no output ${name}`);
  const run = spawnSync(builtProgram("kustomize"), ["build", folderOf(name, output)], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  expect(run.stderr).toBe("");
  return manifestsIn(name, run.stdout);
}

/** What the server thinks of an object that it takes all the same. */
function warningsIn(said: string): readonly string[] {
  return [...new Set(said.split("\n").filter((line) => line.startsWith("Warning:")))];
}

const APPLY = ["apply", "--server-side", "--validate=strict", "-f", "-"];

/** Namespaces cannot be tried out: what is in them needs them to be there. */
async function ensureNamespaces(manifests: readonly Manifest[]): Promise<void> {
  await cluster.ensureNamespaces(new Set(manifests.map(namespaceOf).filter((name) => name !== "")));
  const own = ofKind(manifests, "Namespace");
  if (own.length > 0) cluster.kubectl([...APPLY, "--force-conflicts"], streamOf(own));
}

interface Checked {
  readonly summary: {
    readonly valid: number;
    readonly invalid: number;
    readonly errors: number;
    readonly skipped: number;
  };
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly status: string;
    readonly msg: string;
  }[];
}

function kubeconform(manifests: readonly Manifest[]): Checked {
  const schemas = join(work, "schemas", SCHEMA_PATH);
  const run = spawnSync(
    builtProgram("kubeconform"),
    ["-strict", "-summary", "-output", "json", "-schema-location", schemas, "-"],
    { input: streamOf(manifests), encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(run.stdout) as Checked;
}

function expectValid(manifests: readonly Manifest[]): void {
  const { summary, resources } = kubeconform(manifests);
  expect(resources ?? []).toEqual([]);
  expect(summary).toEqual({ valid: manifests.length, invalid: 0, errors: 0, skipped: 0 });
}

beforeAll(async () => {
  expect(liveVersion("cluster"), "run: bash test/live/cluster/live.sh install").toMatch(/^\d+\.\d+/);
  cluster = await startCluster();
  for (const folder of readdirSync(PUBLISHED))
    cluster.kubectl(["apply", "--server-side", "-f", join(PUBLISHED, folder)]);
  cluster.kubectl(
    ["apply", "--server-side", "-f", "-"],
    DEFINITIONS.map((each) => JSON.stringify(each)).join("\n---\n"),
  );
  cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
  expect(await writeSchemas(cluster, join(work, "schemas"))).toBeGreaterThan(100);
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(work, { recursive: true, force: true });
});

describe.each([...outputs.keys()])("%s on a real API server", (name) => {
  let manifests: readonly Manifest[];
  beforeAll(async () => {
    manifests = kustomized(name);
    cluster.kubectl(["delete", "roles,rolebindings", "--all-namespaces", "-l", OWN]);
    await ensureNamespaces(manifests);
  });

  it("kustomize's result passes a strict dry run on the server, without a warning", () => {
    expect(manifests.length).toBeGreaterThan(6);
    const said = cluster.kubectl([...APPLY, "--dry-run=server", "--force-conflicts"], streamOf(manifests));
    expect(warningsIn(said)).toEqual([]);
    expect(said.match(/serverside-applied \(server dry run\)/g)).toHaveLength(manifests.length);
  });

  it("every object is of a schema that the server serves, with no field too many", () => {
    expectValid(manifests);
  });

  it("is applied as it is, and applying it again changes nothing", () => {
    cluster.kubectl([...APPLY, "--force-conflicts"], streamOf(manifests));
    const before = versionsOf(manifests);
    cluster.kubectl([...APPLY, "--force-conflicts"], streamOf(manifests));
    expect(versionsOf(manifests)).toEqual(before);
  });

  it("R22: its pods are admitted where Pod Security is restricted", async () => {
    for (const { object } of ofKind(manifests, "Deployment")) {
      const namespace = String(at(object, "metadata", "namespace"));
      // A namespace that the stack shares with others is not its own to label.
      cluster.kubectl(["label", "namespace", namespace, "--overwrite", `${POD_SECURITY}=restricted`]);
      const { spec, metadata } = at(object, "spec", "template") as { spec: object; metadata: object };
      const pod = { metadata: { ...metadata, name: "tried" }, spec };
      await cluster.ask("POST", `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
    }
  });

  it("P16: its account may do what the tools of its links declare, and nothing else", async () => {
    const output = outputs.get(name);
    if (output === undefined) throw new Error(`no output ${name}`);
    const { topology } = output;
    const rights = topology.mcpLinks.flatMap((link) => {
      const { family, tools } = linkModule(catalog, topology, link);
      return (
        family.rbac?.(
          link,
          tools.map((tool) => tool.name),
          topology,
        ) ?? []
      );
    });
    const spaces = new Set([...manifests.map(namespaceOf), ...rights.map(({ namespace }) => namespace)]);
    const places = {
      namespaces: [...spaces].filter((space) => space !== ""),
      names: ["web", "queue", "other"],
    };
    const stranger = await cluster.tokenOf("default", "stranger");
    const granted: string[] = [];
    for (const account of ofKind(manifests, "ServiceAccount")) {
      const accountName = String(at(account.object, "metadata", "name"));
      const token = await cluster.tokenOf(namespaceOf(account), accountName);
      if (rights.length > 0) granted.push(...(await ownPermissions(cluster, token, places)));
      for (const namespace of rights.length > 0 ? [] : places.namespaces)
        expect(await rulesFor(cluster, token, namespace)).toEqual(
          await rulesFor(cluster, stranger, namespace),
        );
    }
    const declared = await declaredPermissions(cluster, rights, places);
    expect(granted.sort()).toEqual(declared);
    expect(declared.length > 0).toBe(name === "a link to the cluster");
  });
});

/** The version of each object, which the server changes with every change. */
function versionsOf(manifests: readonly Manifest[]): readonly string[] {
  const found = cluster.kubectl(["get", "-f", "-", "-o", "json"], streamOf(manifests));
  const { items } = JSON.parse(found) as { items: readonly unknown[] };
  return items.map(
    (item) => `${String(at(item, "kind"))} ${String(at(item, "metadata", "resourceVersion"))}`,
  );
}

describe("every route, delivery and number of pods", () => {
  let distinct: readonly Manifest[];
  beforeAll(async () => {
    const all = await Promise.all(
      matrix().map(async ({ text }) => applied((await outputOfText(text)).manifests)),
    );
    distinct = [...new Map(all.flat().map((each) => [JSON.stringify(each.object), each])).values()];
    await ensureNamespaces(distinct);
  });

  it("gives objects that pass a strict dry run on the server", () => {
    expect(distinct.length).toBeGreaterThan(60);
    const kinds = new Set(distinct.map(kindOf));
    for (const kind of [
      "ApisixRoute",
      "HTTPRoute",
      "Ingress",
      "Middleware",
      "ExternalSecret",
      "MCPServer",
      "PodDisruptionBudget",
    ])
      expect([...kinds]).toContain(kind);
    const said = cluster.kubectl([...APPLY, "--dry-run=server", "--force-conflicts"], streamOf(distinct));
    // Istio finds its Ingresses by this annotation and makes no IngressClass.
    expect(warningsIn(said)).toEqual([
      "Warning: annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead",
    ]);
  });

  it("gives objects of schemas that the server serves", () => {
    expectValid(distinct);
  });
});

describe("these checks see what is wrong", () => {
  const broken = (kind: string, change: (object: Record<string, unknown>) => void): readonly Manifest[] => {
    const drawing = matrix().find(({ name }) =>
      name.startsWith(kind === "HTTPRoute" ? "gateway_api ·" : "apisix ·"),
    );
    const found = drawn.get(drawing?.text ?? "")?.find((each) => kindOf(each) === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    const object = structuredClone(found.object);
    change(object);
    return [{ ...found, object }];
  };
  const drawn = new Map<string, readonly Manifest[]>();
  beforeAll(async () => {
    for (const way of ["apisix ·", "gateway_api ·"]) {
      const text = matrix().find(({ name }) => name.startsWith(way))?.text ?? "";
      drawn.set(text, applied((await outputOfText(text)).manifests));
    }
    await ensureNamespaces([...drawn.values()].flat());
  });
  const set = (object: unknown, path: readonly string[], value: unknown): void => {
    const parent = at(object, ...path.slice(0, -1));
    if (!isBlock(parent)) throw new Error(`nothing at ${path.join(".")}`);
    parent[path.at(-1) ?? ""] = value;
  };

  it.each([
    ["Deployment", ["spec", "template", "spec", "hostNetwrok"], true],
    ["Deployment", ["spec", "replicas"], "two"],
    ["NetworkPolicy", ["spec", "policyTypes"], "Egress"],
    ["ApisixRoute", ["spec", "ingressClas"], "apisix"],
    ["ApisixRoute", ["spec", "http"], {}],
    ["HTTPRoute", ["spec", "hostnames"], "x"],
    ["HTTPRoute", ["spec", "rule"], []],
  ])("%s with %j = %j is refused by the server and by the schema", (kind, path, value) => {
    const manifests = broken(kind, (object) => set(object, path, value));
    expect(() =>
      cluster.kubectl([...APPLY, "--dry-run=server", "--force-conflicts"], streamOf(manifests)),
    ).toThrow(/kubectl apply/);
    expect(kubeconform(manifests).summary).toMatchObject({ valid: 0, invalid: 1 });
  });

  it("a container that may become root is warned about, and its pod is not admitted", async () => {
    const manifests = broken("Deployment", (object) =>
      set(object, ["spec", "template", "spec", "hostPID"], true),
    );
    const said = cluster.kubectl([...APPLY, "--dry-run=server", "--force-conflicts"], streamOf(manifests));
    expect(said).toContain("Warning: would violate PodSecurity");
    const object = manifests[0]?.object;
    const pod = { metadata: { name: "tried" }, spec: at(object, "spec", "template", "spec") };
    const namespace = String(at(object, "metadata", "namespace"));
    await expect(
      cluster.ask("POST", `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod),
    ).rejects.toMatchObject({ code: "denied" });
  });

  it("one right too many is found", async () => {
    const token = await cluster.tokenOf("default", "generous");
    const stranger = await cluster.tokenOf("default", "stranger");
    const common = await rulesFor(cluster, stranger, "default");
    expect(await rulesFor(cluster, token, "default")).toEqual(common);
    cluster.kubectl(["create", "role", "generous", "--verb=get", "--resource=secrets"]);
    cluster.kubectl([
      "create",
      "rolebinding",
      "generous",
      "--role=generous",
      "--serviceaccount=default:generous",
    ]);
    await expect
      .poll(async () => await rulesFor(cluster, token, "default"), { timeout: 30_000 })
      .not.toEqual(common);
    const places = { namespaces: ["default"], names: [] };
    expect(await ownPermissions(cluster, token, places)).toEqual(["default get /secrets "]);
  });
});

describe("another cluster", () => {
  it("P15: its administrator's file makes an account with the rights of the link, and no others", async () => {
    const output = await outputOfText(`apiVersion: topology/v1
stack: near
components:
  fastapi: {namespace: app}
  far: {type: kubernetes, external: {stack: other, component: kubernetes}, host: k.example.com, cidr: 203.0.113.1/32, namespaces: [far-a, far-b], workloads: {web: {namespace: far-a, max: 3}}}
links:
  mcp: {stack_agent: read, far: {only: {far-a: write, far-b: read}}}
`);
    const file = "principals/far/rbac.yaml";
    const manifests = manifestsIn(file, output.tree.get(file)?.text ?? "");
    await ensureNamespaces(manifests);
    expect(warningsIn(cluster.kubectl(APPLY, streamOf(manifests)))).toEqual([]);
    expectValid(manifests);
    const [link] = output.topology.mcpLinks.filter(({ component }) => component.name === "far");
    if (link === undefined) throw new Error("no link");
    const names = linkModule(catalog, output.topology, link).tools.map(({ name }) => name);
    const places = { namespaces: ["far-a", "far-b", "app"], names: ["web", "other"] };
    const token = await cluster.tokenOf("far-a", "near-mcp");
    const declared = await declaredPermissions(cluster, rightsOf(link, names, output.topology), places);
    expect(await ownPermissions(cluster, token, places)).toEqual(declared);
    expect(declared).toContain("far-a patch apps/deployments web");
    expect(output.manifests.filter((each) => kindOf(each) === "Role")).toEqual([]);
  });
});

describe("the emitted server with the emitted rights", () => {
  const files = workspace();
  afterAll(() => files.remove());

  it("P15: reaches everything that its tools are for, and only that", async () => {
    files.draw("stack", DRAWING);
    files.generate();
    cluster.kubectl(["delete", "roles,rolebindings", "--all-namespaces", "-l", OWN]);
    const kubelet = await startFakeKubelet(cluster.server, {
      "crashing-1/main": "2026-01-01T00:00:00Z hello",
    });
    await seed(cluster, kubelet.port);
    await seedMetrics(cluster);
    cluster.kubectl(
      [...APPLY, "--force-conflicts"],
      streamOf(
        manifestsIn(
          "stack",
          spawnSync(builtProgram("kustomize"), ["build", files.path("out/stack")], {
            encoding: "utf8",
            maxBuffer: 1 << 26,
          }).stdout,
        ),
      ),
    );
    const token = await cluster.tokenOf("stack", "stack-mcp");
    const server = await bootServer(files.path("out/stack"), {
      ...environmentOf(cluster.server, token, "MCP_KUBERNETES"),
      MCP_KUBERNETES_WRITE_ACCESS: "true",
    });
    const client = await connectClient(server);
    try {
      const reason = "the live suite tries this";
      for (const [tool, args] of [
        ["get_pod_status", { pod_name: "crashing-1" }],
        ["list_failing_pods", {}],
        ["get_recent_events", {}],
        ["k8s_list_pods", {}],
        ["k8s_pod_logs", { pod: "crashing-1" }],
        ["k8s_list_workloads", {}],
        ["k8s_rollout_status", { name: "web" }],
        ["k8s_list_services", {}],
        ["k8s_top_pods", {}],
        ["k8s_get_resource", { kind: "clusters", name: "cluster-db" }],
        ["k8s_rollout_restart", { name: "web", reason, dry_run: false }],
        ["k8s_scale", { name: "web", replicas: 2, reason, dry_run: false }],
      ] as const) {
        const { isError, content } = await callTool(client, tool, { namespace: "app", ...args });
        expect(isError, `${tool}: ${JSON.stringify(content)}`).toBe(false);
      }
      expect((await callTool(client, "k8s_list_pods", { namespace: "other" })).isError).toBe(true);
    } finally {
      await client.close();
      await server.stop();
      kubelet.stop();
    }
  });
});
