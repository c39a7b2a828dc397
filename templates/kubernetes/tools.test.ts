import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { podStatusOf } from "#runtime/kubernetes/pod";
import { withoutValues } from "#runtime/kubernetes/resource";
import { quantityOf } from "#runtime/kubernetes/usage";
import type { NamespaceRights } from "../../generator/catalog/contract.ts";
import type { McpLink, Topology } from "../../generator/model/topology.ts";
import { topologyOf, treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import kubernetes from "./component.ts";
import { DRAWING } from "./live.ts";
import { rightsOf } from "./reach.ts";
import * as samples from "./tools.ts";

const { tools } = samples;
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers in ways that no API server does. */
async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const moduleAt = (url: string): OpenModule => openModule(tools, { MCP_KUBERNETES_URL: url });
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

async function drawn(text: string, name = "kubernetes"): Promise<readonly [McpLink, Topology]> {
  const topology = await topologyOf(text);
  const link = topology.mcpLinks.find(({ component }) => component.name === name);
  if (link === undefined) throw new Error(`no link to ${name}`);
  return [link, topology];
}

const stack = (components: string, links: string): string => `apiVersion: topology/v1
stack: stack
components: {fastapi: {namespace: app}, cnpg: {namespace: db}, ${components}}
links:
  fastapi: {cnpg: readwrite}
  mcp: {stack_agent: read, ${links}}
`;

const READS = [
  "k8s_get_pod_status",
  "k8s_list_failing_pods",
  "k8s_get_recent_events",
  "k8s_list_pods",
  "k8s_pod_logs",
  "k8s_list_workloads",
  "k8s_rollout_status",
  "k8s_list_services",
  "k8s_top_pods",
  "k8s_get_resource",
  "k8s_detect_drift",
];
const WRITES = ["k8s_rollout_restart", "k8s_scale"];

describe("the tools as data", () => {
  it("P6: eleven reads, two writes, and the names of the article", async () => {
    const effects = tools.tools.map(({ name, effect }) => [name, effect]);
    expect(effects).toEqual([
      ...READS.map((name) => [name, "read"]),
      ...WRITES.map((name) => [name, "destructive"]),
    ]);
    const tree = await treeOf(DRAWING);
    const module = tree.get("server/tools/kubernetes.ts")?.text ?? "";
    expect(module.match(/(?<=^ {2}name: ")\w+/gm)?.slice(0, 3)).toEqual([
      "get_pod_status",
      "list_failing_pods",
      "get_recent_events",
    ]);
  });

  it("P7: every description says when to use the tool and stays short", () => {
    for (const { name, description, inputSchema } of tools.tools) {
      expect(description, name).toMatch(/^Use /);
      expect(description.length, name).toBeLessThan(200);
      expect(JSON.stringify(inputSchema).length, name).toBeLessThan(1000);
    }
  });

  it("R5: no parameter names a host, a tenant or a credential", () => {
    for (const { inputSchema } of tools.tools) {
      const { properties } = inputSchema as { properties: object };
      for (const name of Object.keys(properties))
        expect(name).not.toMatch(/host|url|tenant|user|password|header|token/i);
    }
  });

  it("the samples of the slots are what the drawing of the live suite gives", async () => {
    const slots = kubernetes.tools?.slots(...(await drawn(DRAWING)));
    const { namespaces, writable, workloads, expected, kinds } = samples;
    expect(slots).toEqual({ namespaces, writable, workloads, expected, kinds });
  });

  it("S35: expected are the pods of drawn components in reach, with what was drawn of them", async () => {
    const text = stack(
      "nightly: {type: cronjob, namespace: app, schedule: '0 3 * * *'}, far: {type: worker, namespace: other}, kubernetes: {cidr: 192.0.2.1/32, namespaces: [app, db]}",
      "kubernetes: read",
    );
    const slots = kubernetes.tools?.slots(...(await drawn(text))) as { expected: readonly object[] };
    expect(slots.expected).toEqual([
      { component: "cnpg", namespace: "db", labels: "cnpg.io/cluster=cluster-db", image: "", pods: 1 },
      {
        component: "fastapi",
        namespace: "app",
        labels: "app.kubernetes.io/name=fastapi",
        image: "",
        pods: 1,
      },
      {
        component: "nightly",
        namespace: "app",
        labels: "app.kubernetes.io/name=nightly",
        image: "",
        pods: 0,
      },
    ]);
  });

  it("S35: a namespace that is not read to its end proves no pod missing, but an image changed", async () => {
    const pod = {
      metadata: { name: "consumer-1", labels: { "app.kubernetes.io/name": "consumer" } },
      spec: { containers: [{ name: "main", image: "registry.test/consumer:2.0" }] },
      status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    };
    const url = await upstream((request, response) => {
      const isPods = request.url?.includes("/pods") === true;
      const wait = isPods ? 400 : 0;
      response.statusCode = isPods ? 200 : 404;
      setTimeout(
        () => response.end(JSON.stringify({ metadata: { continue: "more" }, items: isPods ? [pod] : [] })),
        wait,
      );
    });
    const result = await moduleAt(url).call("k8s_detect_drift", { namespace: "app" });
    expect(result.data).toMatchObject({ drift: [{ kind: "changed_image", component: "consumer" }] });
    expect(result).toMatchObject({ truncation: { by: "time" }, page: { total: null } });
    expect(result.warnings).toEqual(["there are no certificates of cert-manager in app"]);
  });
});

describe("arguments", () => {
  const reason = "a reason that is long enough";
  it.each([
    ["k8s_get_pod_status", { namespace: "app" }],
    ["k8s_get_pod_status", { namespace: "other", pod_name: "x" }],
    ["k8s_list_failing_pods", { namespace: "kube-system" }],
    ["k8s_list_pods", { namespace: "app", limit: 501 }],
    ["k8s_list_pods", { namespace: "app", all_namespaces: true }],
    ["k8s_get_recent_events", { namespace: "app", type: "Error" }],
    ["k8s_pod_logs", { namespace: "app", pod: "x", tail: 501 }],
    ["k8s_pod_logs", { namespace: "app", pod: "x", container: "a/b" }],
    ["k8s_list_workloads", { namespace: "app", kind: "pod" }],
    ["k8s_get_resource", { namespace: "app", kind: "secret", name: "x" }],
    ["k8s_rollout_restart", { namespace: "db", name: "web", reason }],
    ["k8s_rollout_restart", { namespace: "app", name: "web" }],
    ["k8s_rollout_restart", { namespace: "app", name: "web", reason: "short" }],
    ["k8s_scale", { namespace: "app", name: "web", replicas: -1, reason }],
    ["k8s_scale", { namespace: "app", name: "web", replicas: 1.5, reason }],
    ["k8s_scale", { namespace: "app", kind: "daemonset", name: "web", replicas: 1, reason }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it.each(["", "1", "0s", "1y", "-1h", "1h ago"])("since=%j is no duration", async (since) => {
    for (const [tool, args] of [
      ["k8s_get_recent_events", {}],
      ["k8s_pod_logs", { pod: "x" }],
    ] as const) {
      const call = moduleAt("http://127.0.0.1:1").call(tool, { namespace: "app", since, ...args });
      await expect(call).rejects.toMatchObject({ code: "invalid_argument" });
    }
  });
});

describe("hostile upstream", () => {
  const ARGUMENTS: Readonly<Record<string, Record<string, unknown>>> = {
    k8s_get_pod_status: { pod_name: "x" },
    k8s_rollout_status: { name: "x" },
    k8s_get_resource: { kind: "service", name: "x" },
    k8s_rollout_restart: { name: "web", reason: "a reason that is long enough" },
    k8s_scale: { name: "web", replicas: 2, reason: "a reason that is long enough" },
  };
  const callAll = async (url: string): Promise<readonly (readonly [string, unknown])[]> => {
    const names = [...READS, ...WRITES].filter((name) => name !== "k8s_pod_logs");
    const calls = names.map(async (name) => {
      const args = { namespace: "app", ...ARGUMENTS[name] };
      return [name, await faultOf(moduleAt(url).call(name, args))] as const;
    });
    return await Promise.all(calls);
  };

  it.each([
    ["no JSON", "<html>nginx</html>"],
    ["a list", "[]"],
    ["nothing", ""],
    ["null", "null"],
    ["items of another type", '{"items":1,"rows":1,"columnDefinitions":1,"metadata":1,"spec":1}'],
    ["rows of another type", '{"items":[1],"rows":[1],"columnDefinitions":[1],"metadata":[],"spec":[]}'],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const url = await upstream((_request, response) => response.end(body));
    for (const [name, outcome] of await callAll(url)) {
      // The object of any drawn kind may hold anything; it only has to be one.
      if (name === "k8s_get_resource" && body.startsWith("{")) continue;
      expect(outcome, name).toMatchObject({ code: "upstream_unavailable" });
    }
  });

  it("R5: a redirect is an error for every tool", async () => {
    const url = await upstream((_request, response) => response.writeHead(307, { location: "/x" }).end());
    for (const [name, outcome] of await callAll(url))
      expect(outcome, name).toMatchObject({ message: "the service answered with a redirect (307)" });
  });

  it("names of the prototype are data", async () => {
    const row = { cells: ["__proto__", "constructor"] };
    const columnDefinitions = [{ name: "Name" }, { name: "__proto__" }];
    const url = await upstream((_request, response) =>
      response.end(JSON.stringify({ metadata: {}, columnDefinitions, rows: [row] })),
    );
    const { data } = await moduleAt(url).call("k8s_list_pods", { namespace: "app" });
    expect(JSON.stringify(data)).toBe('{"pods":[{"name":"__proto__"}]}');
    expect(Object.prototype).not.toHaveProperty("ready");
  });

  it("R7: a batch that is too large is asked for again in smaller ones", async () => {
    const limits: number[] = [];
    const url = await upstream((request, response) => {
      const { searchParams } = new URL(request.url ?? "", "http://x");
      const limit = Number(searchParams.get("limit"));
      limits.push(limit);
      const items = Array.from({ length: Math.min(limit, 20) }, (_, index) => ({
        involvedObject: { kind: "Pod", name: `pod-${limits.length}-${index}` },
        message: "m".repeat(1_100_000),
        lastTimestamp: new Date().toISOString(),
      }));
      const more = limits.length < 8 ? { continue: "token" } : {};
      response.end(JSON.stringify({ metadata: more, items }));
    });
    const { page } = await moduleAt(url).call("k8s_get_recent_events", { namespace: "app" });
    expect(limits.slice(0, 4)).toEqual([500, 63, 8, 1]);
    // A slow machine stops after a while, but never asks for more than fitted.
    expect(limits.slice(4).every((limit) => limit === 1)).toBe(true);
    expect(page?.returned).toBe(limits.length - 3);
  });

  it("a server that never comes to an end is left after a while, and that is said", async () => {
    const url = await upstream((_request, response) => {
      setTimeout(() => response.end(JSON.stringify({ metadata: { continue: "again" }, items: [] })), 100);
    });
    const started = performance.now();
    const result = await moduleAt(url).call("k8s_get_recent_events", { namespace: "app" });
    expect(performance.now() - started).toBeLessThan(3000);
    expect(result).toMatchObject({ page: { total: null }, truncation: { by: "time" } });
  });

  it("S5: a refusal names no address and no account", async () => {
    const url = await upstream((_request, response) =>
      response
        .writeHead(403)
        .end(JSON.stringify({ message: 'pods is forbidden: User "system:serviceaccount:mcp:x"' })),
    );
    for (const [name, outcome] of await callAll(url)) {
      expect(outcome, name).toMatchObject({ code: "denied" });
      expect(String(outcome), name).not.toMatch(/serviceaccount|127\.0\.0\.1/);
    }
  });
});

describe("pages", () => {
  it("that their bytes end go on in the middle of a batch, through all batches, and lose nothing", async () => {
    const names = Array.from({ length: 300 }, (_, index) => `pod-${index}`);
    const url = await upstream((request, response) => {
      const { searchParams } = new URL(request.url ?? "", "http://x");
      const start = Number(searchParams.get("continue") ?? 0);
      const end = start + Number(searchParams.get("limit"));
      const rows = names.slice(start, end).map((name) => ({ cells: [name, "s".repeat(600)] }));
      const left = Math.max(0, names.length - end);
      const metadata = left === 0 ? {} : { continue: String(end), remainingItemCount: left };
      response.end(
        JSON.stringify({ metadata, columnDefinitions: [{ name: "Name" }, { name: "Status" }], rows }),
      );
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    let calls = 0;
    do {
      const args = { namespace: "app", limit: 100, ...(cursor === null ? {} : { cursor }) };
      const { data, page, truncation } = await moduleAt(url).call("k8s_list_pods", args);
      seen.push(...(data as { pods: { name: string }[] }).pods.map(({ name }) => name));
      expect(page?.total).toBe(300);
      cursor = page?.next_cursor ?? null;
      expect(truncation === undefined).toBe(cursor === null);
      calls += 1;
    } while (cursor !== null);
    expect(seen).toEqual(names);
    expect(calls).toBe(4);
  });
});

describe("what is left out", () => {
  it("S5: values of env, wherever they stand, and copies of the object", () => {
    const value = fc.string({ minLength: 12, maxLength: 20 }).map((text) => `hidden-${text}`);
    const variable = value.map((text) => ({ name: "PASSWORD", value: text }));
    const inner = fc
      .array(variable, { maxLength: 3 })
      .map((env) => ({ spec: { containers: [{ name: "a", env }] } }));
    fc.assert(
      fc.property(
        fc.oneof(inner, fc.array(inner), fc.record({ deep: inner, env: fc.array(variable) })),
        (object) => {
          expect(JSON.stringify(withoutValues(object))).not.toContain("hidden-");
        },
      ),
    );
    const copies = {
      metadata: {
        managedFields: [1],
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", keep: "x" },
      },
    };
    expect(withoutValues(copies)).toEqual({ metadata: { annotations: { keep: "x" } } });
    const reference = { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] };
    expect(withoutValues(reference)).toEqual(reference);
  });

  it("a pod that nobody has reported on yet has no containers and no error", () => {
    expect(podStatusOf({ metadata: { name: "a" }, spec: { containers: [{ name: "c" }] } })).toEqual({
      name: "a",
      conditions: [],
      container_statuses: [],
    });
  });

  it.each([
    ["250m", 0.25],
    ["1", 1],
    ["125000000n", 0.125],
    ["64Mi", 67_108_864],
    ["1e3", 1000],
    ["1.5G", 1.5e9],
    ["", 0],
    ["x", 0],
    ["1 0", 0],
  ])("the quantity %j is %d", (text, number) => {
    expect(quantityOf(text)).toBeCloseTo(number, 6);
  });
});

describe("P15: the rights that follow from a drawing", () => {
  const rightsIn = async (components: string, links: string, names = [...READS, ...WRITES]) =>
    rightsOf(
      ...(await drawn(stack(components, links)).then(([link, topology]) => [link, names, topology] as const)),
    );
  const verbsOf = (rights: readonly NamespaceRights[]): readonly string[] =>
    [...new Set(rights.flatMap(({ rules }) => rules.flatMap(({ verbs }) => verbs)))].sort();

  it("without drawn namespaces, those of the stack's components and no other", async () => {
    const rights = await rightsIn("kubernetes: {cidr: 192.0.2.1/32}", "kubernetes: read", READS);
    expect(rights.map(({ namespace }) => namespace)).toEqual(expect.arrayContaining(["app", "db"]));
    expect(rights.map(({ namespace }) => namespace)).not.toContain("kubernetes");
    expect(verbsOf(rights)).toEqual(["get", "list"]);
  });

  it("only narrows the namespaces", async () => {
    const rights = await rightsIn(
      "kubernetes: {cidr: 192.0.2.1/32, namespaces: [app, db]}",
      "kubernetes: {only: [db]}",
      READS,
    );
    expect(rights.map(({ namespace }) => namespace)).toEqual(["db"]);
  });

  it("a workload that is named like a component is where that component is", async () => {
    const rights = await rightsIn(
      "kubernetes: {cidr: 192.0.2.1/32, workloads: {fastapi: {max: 3}}}",
      "kubernetes: write",
    );
    const patching = rights.flatMap(({ namespace, rules }) =>
      rules.filter(({ verbs }) => verbs.includes("patch")).map((rule) => ({ namespace, ...rule })),
    );
    expect(patching).toEqual([
      {
        namespace: "app",
        apiGroups: ["apps"],
        resources: ["deployments/scale"],
        resourceNames: ["fastapi"],
        verbs: ["get", "patch"],
      },
      {
        namespace: "app",
        apiGroups: ["apps"],
        resources: ["deployments"],
        resourceNames: ["fastapi"],
        verbs: ["patch"],
      },
    ]);
  });

  it("a right goes with the tool that needs it", async () => {
    const components = "kubernetes: {cidr: 192.0.2.1/32, workloads: {fastapi: {max: 3}}}";
    const restarting = await rightsIn(
      components,
      "kubernetes: {access: write, tools: [k8s_rollout_restart]}",
      [...READS, "k8s_rollout_restart"],
    );
    expect(JSON.stringify(restarting)).toContain("patch");
    expect(JSON.stringify(restarting)).not.toContain("/scale");
    expect(verbsOf(await rightsIn(components, "kubernetes: write", READS))).toEqual(["get", "list"]);
  });

  it("a component with a name of its own has tools of its own, and the same rights", async () => {
    const text = stack(
      "edge: {type: kubernetes, cidr: 192.0.2.1/32, namespaces: [app]}, kubernetes: {cidr: 192.0.2.1/32, namespaces: [app]}",
      "edge: read, kubernetes: read",
    );
    const tree = await treeOf(text);
    const lock = JSON.parse(tree.get("server/surface.lock.json")?.text ?? "") as {
      tools: { name: string }[];
    };
    const names = lock.tools.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(["get_pod_status", "edge_get_pod_status", "edge_list_pods", "k8s_list_pods"]),
    );
    const [edge, topology] = await drawn(text, "edge");
    const [own] = await drawn(text);
    const namesOf = (prefix: string): string[] => names.filter((name) => name.startsWith(prefix));
    const article = ["get_pod_status", "list_failing_pods", "get_recent_events", "detect_drift"];
    expect(rightsOf(edge, namesOf("edge_"), topology)).toEqual(
      rightsOf(own, [...namesOf("k8s_"), ...article], topology),
    );
  });

  it("another cluster gets no rights here, and its token must be given", async () => {
    const text = stack(
      "far: {type: kubernetes, external: {stack: other, component: kubernetes}, host: k.example.com, cidr: 203.0.113.1/32, namespaces: [app]}",
      "far: read",
    );
    const [link, topology] = await drawn(text, "far");
    expect(kubernetes.tools?.rbac?.(link, READS, topology)).toEqual([]);
    expect(rightsOf(link, READS, topology)).toMatchObject([{ namespace: "app" }]);
    expect(kubernetes.tools?.settings(link)).toEqual([{ name: "URL", value: "https://k.example.com:443" }]);
    expect(kubernetes.tools?.credentials(link)).toMatchObject([{ name: "TOKEN", issued: true }]);
  });

  it("P5: in the cluster, the account of the pod is used as Kubernetes mounts it", async () => {
    const [link] = await drawn(DRAWING);
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    expect(kubernetes.tools?.settings(link)).toEqual([
      { name: "URL", value: "https://kubernetes.default.svc.cluster.local:443" },
      { name: "CA_FILE", value: `${account}/ca.crt` },
      { name: "TOKEN_FILE", value: `${account}/token` },
    ]);
    expect(kubernetes.tools?.credentials(link)).toMatchObject([{ name: "TOKEN", optional: true }]);
  });

  it("whatever is drawn, nothing reaches Secrets, and changes are bound to names", async () => {
    const word = fc.constantFrom("read", "propose", "write");
    const kind = fc.constantFrom("deployment", "statefulset", "daemonset");
    const drawing = fc.record({
      app: word,
      db: word,
      kind,
      max: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(drawing, async ({ app, db, kind, max }) => {
        const bound = max === undefined ? "" : `, max: ${max}`;
        const components = `kubernetes: {cidr: 192.0.2.1/32, namespaces: [app, db], workloads: {fastapi: {kind: ${kind}${bound}}}}`;
        const rights = await rightsIn(components, `kubernetes: {only: {app: ${app}, db: ${db}}}`);
        for (const { namespace, rules } of rights)
          for (const { apiGroups, resources, verbs, resourceNames } of rules) {
            expect(["app", "db"]).toContain(namespace);
            expect(apiGroups).not.toContain("*");
            for (const resource of resources)
              expect(resource).not.toMatch(/secret|configmap|exec|attach|proxy|token|\*/);
            for (const verb of verbs) expect(["get", "list", "patch"]).toContain(verb);
            if (!verbs.includes("patch")) continue;
            expect(resourceNames).toEqual(["fastapi"]);
            expect([namespace, app === "read"]).toEqual(["app", false]);
          }
      }),
      { numRuns: 60 },
    );
  });
});

describe("programs of tests in the image", () => {
  const dockerfileOf = async (links: string): Promise<string> => {
    const components = "{cnpg: {}, valkey: {}, kubernetes: {cidr: 192.0.2.1/32}}";
    const tree = await treeOf(
      `apiVersion: topology/v1\nstack: stack\ncomponents: ${components}\nlinks:\n  mcp: {${links}}\n`,
    );
    return tree.get("server/Dockerfile")?.text ?? "";
  };

  it("S24: come with the links whose types declare them, and go with them", async () => {
    const all = await dockerfileOf("stack_agent: read, cnpg: read, valkey: read, kubernetes: read");
    expect(all).toContain("install -y --no-install-recommends postgresql-client redis-tools &&");
    expect(all).toMatch(/^COPY --from=\S+kubectl:v[\d.]+ \/bin\/kubectl \/usr\/local\/bin\/kubectl$/m);
    const some = await dockerfileOf("stack_agent: read, valkey: read");
    expect(some).toContain("install -y --no-install-recommends redis-tools &&");
    expect(some).not.toMatch(/kubectl|postgresql/);
  });

  it("S24: without a link to the agent nothing is tested, and nothing installed", async () => {
    for (const links of ["cnpg: read, kubernetes: read", "governance: read, cnpg: read"])
      expect(await dockerfileOf(links)).not.toMatch(/apt-get|kubectl/);
  });
});
