/**
 * A fake of Grafana, after the HTTP API that its vendor describes for 12.0: no Grafana can be had where these tests
 * run.
 *
 * It knows service accounts and their roles, as the open source edition has them: a Viewer reads dashboards, folders
 * and alerts, an Editor also writes annotations, and only an Admin lists data sources. Everything else that a Grafana
 * offers, such as the proxy to data sources, is open to each of them, and only counted.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeContent {
  readonly dashboards: readonly {
    readonly uid: string;
    readonly title: string;
    readonly tags: readonly string[];
    readonly folder: string;
    readonly model: Readonly<Record<string, unknown>>;
  }[];
  readonly folders: readonly { readonly uid: string; readonly title: string; readonly parentUid?: string }[];
  readonly datasources: readonly Readonly<Record<string, unknown>>[];
  readonly groups: readonly Readonly<Record<string, unknown>>[];
}

export interface FakeGrafana {
  readonly port: number;
  readonly annotations: readonly Readonly<Record<string, unknown>>[];
  /** Requests for something that no tool has any business with. */
  readonly strays: () => number;
  /** Requests that the client ended before their answer. */
  readonly cancelled: () => number;
  stop(): Promise<void>;
}

type Role = "Viewer" | "Editor" | "Admin";

const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

const lacking = (response: ServerResponse, right: string): void =>
  json(
    response,
    {
      accessErrorId: "ACE0000000000",
      message: `You'll need additional permissions to perform this action. Permissions needed: ${right}`,
      title: "Access denied",
    },
    403,
  );

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

/** Serves the content on a free port of loopback to `admin` with the password, and to service accounts. */
export async function startFakeGrafana(content: FakeContent, adminPassword: string): Promise<FakeGrafana> {
  const accounts: { readonly name: string; readonly role: Role }[] = [];
  const tokens = new Map<string, Role>();
  const annotations: Readonly<Record<string, unknown>>[] = [];
  let strays = 0;
  let cancelled = 0;

  function roleOf({ headers }: IncomingMessage): Role | undefined {
    const [, scheme, value = ""] = /^(Basic|Bearer) (.*)$/.exec(headers.authorization ?? "") ?? [];
    if (scheme === "Bearer") return tokens.get(value);
    return Buffer.from(value, "base64").toString() === `admin:${adminPassword}` ? "Admin" : undefined;
  }

  function search(url: URL, response: ServerResponse): void {
    const [words, limit, folder] = ["query", "limit", "folderUIDs"].map((name) => url.searchParams.get(name));
    const tags = url.searchParams.getAll("tag");
    const found = content.dashboards.filter(
      (each) =>
        each.title.toLowerCase().includes((words ?? "").toLowerCase()) &&
        tags.every((tag) => each.tags.includes(tag)) &&
        (folder ?? each.folder) === each.folder,
    );
    const hits = found
      .slice(0, Math.min(Number(limit ?? 1000), 5000))
      .map(({ uid, title, tags, folder }, index) => ({
        id: index + 1,
        uid,
        title,
        url: `/d/${uid}/dashboard`,
        type: "dash-db",
        tags,
        isStarred: false,
        folderUid: folder,
        folderTitle: content.folders.find((each) => each.uid === folder)?.title,
      }));
    const timer = setTimeout(() => json(response, hits), words === "slow" ? 5000 : 0);
    response.on("close", () => {
      clearTimeout(timer);
      if (!response.writableFinished) cancelled += 1;
    });
  }

  function dashboard(uid: string, response: ServerResponse): void {
    const found = content.dashboards.find((each) => each.uid === uid);
    if (found === undefined) return json(response, { message: "Dashboard not found" }, 404);
    const { title, tags, folder, model } = found;
    const folderTitle = content.folders.find((each) => each.uid === folder)?.title ?? "";
    const meta = {
      slug: "dashboard",
      updated: "2026-01-31T12:00:00Z",
      updatedBy: "somebody@example.com",
      folderTitle,
    };
    return json(response, { meta, dashboard: { uid, title, tags, version: 3, ...model } });
  }

  function rules(url: URL, response: ServerResponse): void {
    const limit = Number(url.searchParams.get("limit_alerts") ?? Number.MAX_SAFE_INTEGER);
    const groups = content.groups.map((group) => ({
      ...group,
      rules: (group["rules"] as Readonly<Record<string, unknown>>[]).map((rule) => ({
        ...rule,
        alerts: ((rule["alerts"] ?? []) as unknown[]).slice(0, limit),
      })),
    }));
    json(response, { status: "success", data: { groups } });
  }

  function folders(url: URL, response: ServerResponse): void {
    const parent = url.searchParams.get("parentUid") ?? undefined;
    const found = content.folders.filter(({ parentUid }) => parentUid === parent);
    json(response, found.slice(0, Math.min(Number(url.searchParams.get("limit") ?? 1000), 1000)));
  }

  async function post(
    path: string,
    role: Role,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await bodyOf(request);
    const [, id] = /^\/api\/serviceaccounts\/(\d+)\/tokens$/.exec(path) ?? [];
    if (path === "/api/annotations") {
      if (role === "Viewer") return lacking(response, "annotations:create");
      annotations.push(body);
      return json(response, { message: "Annotation added", id: annotations.length });
    }
    if (role !== "Admin") return lacking(response, "serviceaccounts:create");
    if (path === "/api/serviceaccounts") {
      accounts.push({ name: String(body["name"]), role: body["role"] as Role });
      return json(response, { id: accounts.length, name: body["name"], orgId: 1, role: body["role"] }, 201);
    }
    const account = accounts[Number(id) - 1];
    if (account === undefined) return json(response, { message: "service account not found" }, 404);
    const key = `glsa_${"x".repeat(32)}_${tokens.size}`;
    tokens.set(key, account.role);
    return json(response, { id: tokens.size, name: body["name"], key });
  }

  function get(url: URL, role: Role, response: ServerResponse): void {
    const { pathname } = url;
    const [, uid] = /^\/api\/dashboards\/uid\/([^/]+)$/.exec(pathname) ?? [];
    if (uid !== undefined) return dashboard(decodeURIComponent(uid), response);
    if (pathname === "/api/search") return search(url, response);
    if (pathname === "/api/folders") return folders(url, response);
    if (pathname === "/api/prometheus/grafana/api/v1/rules") return rules(url, response);
    if (pathname === "/api/datasources")
      return role === "Admin" ? json(response, content.datasources) : lacking(response, "datasources:read");
    strays += 1;
    return json(response, { message: "something else that a Grafana does" });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://fake");
    const role = roleOf(request);
    if (role === undefined) return json(response, { message: "Unauthorized" }, 401);
    if (request.method === "GET") return get(url, role, response);
    if (request.method === "POST" && /^\/api\/(annotations|serviceaccounts.*)$/.test(url.pathname))
      return await post(url.pathname, role, request, response);
    strays += 1;
    return json(response, { message: "changed" });
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    annotations,
    strays: () => strays,
    cancelled: () => cancelled,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
