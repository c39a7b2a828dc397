import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { withoutAccount } from "#runtime/argo-cd/api";
import { findApplications, rowsOf } from "#runtime/argo-cd/list";
import { openHttp } from "#runtime/http";
import { settingsOf } from "#runtime/settings";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
  readonly authorization: string | undefined;
}

/** Answers in ways that no Argo CD does, and remembers what it was asked. */
async function upstream(answer: (asked: Asked, response: ServerResponse) => void) {
  const asked: Asked[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method = "", headers } = request;
      const one = {
        method,
        body,
        url: new URL(request.url ?? "", "http://x"),
        authorization: headers.authorization,
      };
      asked.push(one);
      answer(one, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, url, module: openModule(tools, { MCP_ARGOCD_URL: url, MCP_ARGOCD_TOKEN: "t0ken-geheim" }) };
}

const answering = async (body: unknown, status = 200) =>
  await upstream((_asked, response) =>
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body)),
  );
const closed = (): OpenModule => openModule(tools, { MCP_ARGOCD_URL: "http://127.0.0.1:1" });
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);
const reason = "a test of the tool";

const application = (name: string, namespace: string, more: object = {}) => ({
  metadata: { name, namespace },
  status: { sync: { status: "Synced" }, health: { status: "Healthy" }, ...more },
});
const spec = {
  project: "default",
  source: { repoURL: "https://x", targetRevision: "main" },
  destination: { namespace: "app" },
};

describe("the tools as data", () => {
  it("S32: five read tools and one that syncs", () => {
    const of = (isRead: boolean) =>
      tools.tools.filter(({ effect }) => (effect === "read") === isRead).map(({ name }) => name);
    expect(of(true)).toEqual([
      "argocd_list_applications",
      "argocd_get_application",
      "argocd_get_app_resources",
      "argocd_list_projects",
      "argocd_get_app_events",
    ]);
    expect(of(false)).toEqual(["argocd_sync_application"]);
  });

  it("P7: every description says when to use the tool, and a tool is at most 1.4 KB", () => {
    for (const { handler: _, effect: __, ...tool } of tools.tools) {
      expect(tool.description).toMatch(/^Use /);
      expect(tool.description.length).toBeLessThan(260);
      expect(JSON.stringify(tool).length, tool.name).toBeLessThan(1400);
    }
  });

  it("R5: no parameter names a host, a cluster or a credential", () => {
    for (const { inputSchema } of tools.tools)
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|url|cluster|server|user|password|header|token/i);
  });
});

describe("arguments", () => {
  it.each([
    ["argocd_list_applications", { project: "other" }],
    ["argocd_list_applications", { sync: "Bad" }],
    ["argocd_list_applications", { health: "healthy" }],
    ["argocd_list_applications", { limit: 201 }],
    ["argocd_list_applications", { search: "x" }],
    ["argocd_get_application", {}],
    ["argocd_get_application", { name: "other" }],
    ["argocd_get_application", { name: "shop", view: "manifest" }],
    ["argocd_get_app_resources", { name: "shop", kind: "../Secret" }],
    ["argocd_get_app_events", { name: "shop", resource: "../x" }],
    ["argocd_get_app_events", { name: "shop", resource: "Pod/x/y" }],
    ["argocd_sync_application", { name: "shop-infra", reason }],
    ["argocd_sync_application", { name: "shop", reason: "short" }],
    ["argocd_sync_application", { name: "shop", reason, revision: "--upload-pack=x" }],
    ["argocd_sync_application", { name: "shop", reason, manifests: ["{}"] }],
    ["argocd_sync_application", { name: "shop", reason, resources: [{ kind: "Pod" }] }],
    ["argocd_sync_application", { name: "shop", reason, resources: [{ kind: "Pod", name: "a/b" }] }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(closed().call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it("a since that is no duration is refused before anything is asked", async () => {
    await expect(
      closed().call("argocd_get_app_events", { name: "shop", since: "yesterday" }),
    ).rejects.toThrow("not a duration");
  });
});

describe("what is asked", () => {
  it("R1: one application by its name, its namespace and its project, with the link's own token", async () => {
    const { asked, module } = await answering({ spec, status: {} });
    await module.call("argocd_get_application", { name: "shop-infra" });
    expect(asked.map(({ url }) => url.pathname + url.search)).toEqual([
      "/api/v1/applications/shop-infra?appNamespace=argocd&project=platform",
    ]);
    expect(asked[0]?.authorization).toBe("Bearer t0ken-geheim");
  });

  it("a few applications are asked for one by one, and filtered here", async () => {
    const items = [
      application("shop", "argocd"),
      application("shop", "elsewhere"),
      application("shop-infra", "argocd", { health: { status: "Degraded" } }),
    ].map((each) => ({ ...each, spec }));
    const { asked, module } = await upstream(({ url }, response) =>
      response.end(
        JSON.stringify({
          items: items.filter(({ metadata }) => metadata.name === url.searchParams.get("name")),
        }),
      ),
    );
    const { data, page } = await module.call("argocd_list_applications", { health: "Degraded" });
    expect(page).toEqual({ returned: 1, total: 1, next_cursor: null });
    expect(data).toEqual({
      applications: [
        {
          name: "shop-infra",
          namespace: "argocd",
          project: "default",
          destination: { namespace: "app" },
          sync: "Synced",
          health: "Degraded",
          revision: "main",
          images: [],
          last_operation: {},
        },
      ],
    });
    expect(asked.map(({ url }) => url.searchParams.get("name"))).toEqual(["shop", "shop-infra"]);
    const all = await module.call("argocd_list_applications", { limit: 1 });
    expect(all).toMatchObject({
      data: { applications: [{ name: "shop" }] },
      page: { total: 2 },
      truncation: { by: "rows" },
    });
    const second = await module.call("argocd_list_applications", { limit: 1, cursor: all.page?.next_cursor });
    expect(second).toMatchObject({
      data: { applications: [{ name: "shop-infra" }] },
      page: { next_cursor: null },
    });
    expect(second.truncation).toBeUndefined();
    const other = module.call("argocd_list_applications", { sync: "Synced", cursor: all.page?.next_cursor });
    await expect(other).rejects.toThrow("does not belong");
  });

  it("many are asked for at once, by small fields, and the specs only of a short page", async () => {
    const drawn = Array.from({ length: 120 }, (_, index) => ({
      name: `a${index}`,
      namespace: "argocd",
      project: "default",
    }));
    const items = [...drawn, { name: "foreign" }].map(({ name }) => application(name, "argocd"));
    const many = await upstream(({ url }, response) =>
      response.end(JSON.stringify({ items: url.searchParams.has("name") ? [{ spec }] : items })),
    );
    const { asked } = many;
    const { url } = many;
    const link = {
      id: "mcp->argo_cd",
      component: "argo_cd",
      type: "argo_cd",
      env: "MCP_ARGOCD",
      host: "127.0.0.1",
      port: 1,
    };
    const argo = openHttp(
      link,
      settingsOf(link, { MCP_ARGOCD_URL: url }, () => undefined),
    );
    const access = { argo, signal: new AbortController().signal };
    const found = await findApplications(access, {}, drawn);
    expect(found).toHaveLength(120);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url.searchParams.get("fields")).not.toContain("spec");
    expect((await rowsOf(access, found.slice(0, 50)))[0]).toMatchObject({ revision: "main" });
    expect(asked).toHaveLength(51);
    expect((await rowsOf(access, found.slice(0, 51)))[0]).not.toHaveProperty("revision");
    expect(asked).toHaveLength(51);
  });

  it("of a Secret only the name comes back, whatever Argo CD says about it", async () => {
    const node = {
      kind: "Secret",
      name: "db",
      namespace: "app",
      health: { status: "Degraded", message: "password=hunter2" },
    };
    const { module } = await answering({
      spec,
      nodes: [node],
      status: { resources: [{ ...node, status: "OutOfSync" }] },
    });
    const { data } = await module.call("argocd_get_app_resources", { name: "shop" });
    expect(data).toEqual({ resources: [{ kind: "Secret", name: "db", namespace: "app" }] });
  });

  it("Helm values, managed fields and the whole history never come back", async () => {
    const history = Array.from({ length: 50 }, (_, id) => ({
      id,
      revision: `r${id}`,
      source: { helm: { values: "v".repeat(9000) } },
    }));
    const { module } = await answering({
      metadata: { managedFields: ["m"] },
      spec: {
        ...spec,
        source: { repoURL: "https://user:pw@git.example.com/x", helm: { values: "v".repeat(100_000) } },
      },
      status: {
        history,
        operationState: { phase: "Failed", message: "m".repeat(10_000), syncResult: { resources: [] } },
      },
    });
    for (const view of ["summary", "history", "conditions", "operation"]) {
      const text = JSON.stringify(await module.call("argocd_get_application", { name: "shop", view }));
      expect(text.length, view).toBeLessThan(4000);
      expect(text).not.toMatch(/vvvv|managedFields|user:pw/);
    }
    const { data } = await module.call("argocd_get_application", { name: "shop", view: "history" });
    expect((data as { history: { id: number }[] }).history.map(({ id }) => id)).toEqual([
      49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
    ]);
  });
});

describe("a sync", () => {
  const running = { phase: "Running", startedAt: "2026-01-01T00:00:00Z" };

  it("S10: asks once, by default for a dry run, and tells how it ended", async () => {
    let polls = 0;
    const { asked, module } = await upstream(({ method }, response) => {
      if (method === "POST") response.end("{}");
      else {
        polls += 1;
        const state =
          polls === 1
            ? { phase: "Succeeded" }
            : polls < 4
              ? running
              : { phase: "Succeeded", message: "done", operation: { sync: { dryRun: true } } };
        response.end(JSON.stringify({ spec, status: { operationState: state } }));
      }
    });
    const { data } = await module.call("argocd_sync_application", { name: "shop", reason });
    expect(data).toMatchObject({
      name: "shop",
      dry_run: true,
      prune: false,
      finished: true,
      operation: { phase: "Succeeded", dry_run: true },
    });
    const posts = asked.filter(({ method }) => method === "POST");
    expect(posts.map(({ url, body }) => [url.pathname, JSON.parse(body) as object])).toEqual([
      [
        "/api/v1/applications/shop/sync",
        { name: "shop", appNamespace: "argocd", project: "default", dryRun: true, prune: false },
      ],
    ]);
  });

  it.each(["feature/x", "HEAD~1", "0000000"])(
    "the revision %s, which nobody drew or deployed, is refused",
    async (revision) => {
      const { asked, module } = await answering({ spec, status: { history: [{ revision: "00000001" }] } });
      const error = await faultOf(module.call("argocd_sync_application", { name: "shop", revision, reason }));
      expect(String(error)).toMatch(/neither follows this revision|invalid arguments/);
      expect(asked.filter(({ method }) => method === "POST")).toEqual([]);
    },
  );

  it("is not started over another one", async () => {
    const { asked, module } = await answering({ spec, status: { operationState: running } });
    expect(await faultOf(module.call("argocd_sync_application", { name: "shop", reason }))).toMatchObject({
      code: "busy",
    });
    expect(asked).toHaveLength(1);
  });

  it("a caller that goes away stops the waiting", async () => {
    const { asked, module } = await upstream(({ method }, response) => {
      const state = asked.some((one) => one.method === "POST") ? running : {};
      response.end(method === "POST" ? "{}" : JSON.stringify({ spec, status: { operationState: state } }));
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 700);
    await expect(
      module.call("argocd_sync_application", { name: "shop", reason }, controller.signal),
    ).rejects.toThrow("enough");
    const after = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(asked.length).toBe(after);
  });
});

describe("hostile upstream", () => {
  it.each([
    ["no JSON", "<html>"],
    ["another shape", "[]"],
    ["items of another type", { items: 1 }],
    [
      "a status of another type",
      {
        items: [{ metadata: { name: "shop", namespace: "argocd" }, status: 1 }],
        status: 1,
        nodes: 1,
        spec: 1,
      },
    ],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const { module } = await answering(body);
    for (const [tool, args] of [
      ["argocd_list_applications", {}],
      ["argocd_get_application", { name: "shop" }],
      ["argocd_get_app_resources", { name: "shop" }],
    ] as const)
      expect(await faultOf(module.call(tool, args)), tool).toMatchObject({ code: "upstream_unavailable" });
  });

  it("S5: a refusal names neither the account nor the host, and says what to do", async () => {
    const { module } = await answering(
      { error: "permission denied: applications, get, default/shop, sub: stack-mcp", code: 7 },
      403,
    );
    const error = await faultOf(module.call("argocd_get_application", { name: "shop" }));
    expect(error).toMatchObject({ code: "denied", hint: expect.stringContaining("project") });
    expect(String(error)).not.toMatch(/stack-mcp|127\.0\.0\.1|geheim/);
  });

  it("R5: the redirect of a server that wants TLS is an error, and the token goes nowhere", async () => {
    const elsewhere = await answering({ items: [] });
    const { module } = await upstream((_asked, response) =>
      response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
    );
    expect(await faultOf(module.call("argocd_list_projects"))).toMatchObject({
      code: "upstream_unavailable",
    });
    expect(elsewhere.asked).toEqual([]);
  });

  it("the account in a repository's address is left out", () => {
    expect(withoutAccount("https://user:p@ss@git.example.com/a@b")).toBe("https://git.example.com/a@b");
    expect(withoutAccount("git@git.example.com:a/b")).toBe("git@git.example.com:a/b");
    expect(withoutAccount("ssh://git@host/x")).toBe("ssh://host/x");
  });
});

describe("the account", () => {
  const rulesOf = async (applications: string, link: string) => {
    const tree = await treeOf(`apiVersion: topology/v1
stack: my_shop
components: {argo_cd: {namespace: argocd${applications}}}
links: {mcp: {argo_cd: ${link}}}
`);
    const text = tree.get("principals/argo_cd/argocd-rbac-cm.yaml")?.text ?? "";
    expect(tree.get("principals/argo_cd/argocd-cm.yaml")?.text).toContain('"accounts.my-shop-mcp": apiKey');
    return text
      .split("\n")
      .filter((line) => /^ {4}[pg],/.test(line))
      .map((line) => line.trim());
  };
  const ROLE = "role:my-shop-mcp";
  const G = `g, my-shop-mcp, ${ROLE}`;

  it("reads what was drawn, and syncs what was drawn for writing", async () => {
    const drawn = ", applications: {shop: , infra: {project: platform, namespace: apps}}";
    const reading = [
      `p, ${ROLE}, applications, get, platform/apps/infra, allow`,
      `p, ${ROLE}, applications, get, default/shop, allow`,
      `p, ${ROLE}, projects, get, default, allow`,
      `p, ${ROLE}, projects, get, platform, allow`,
    ];
    expect(await rulesOf(drawn, "read")).toEqual([...reading, G]);
    expect(await rulesOf(drawn, "{only: {shop: propose, infra: read}}")).toEqual([
      ...reading,
      `p, ${ROLE}, applications, sync, default/shop, allow`,
      G,
    ]);
    expect(await rulesOf(drawn, "{access: write, tools: []}")).toEqual([...reading, G]);
  });

  it("sees nothing when nothing was drawn", async () => {
    expect(await rulesOf("", "read")).toEqual([G]);
  });
});
