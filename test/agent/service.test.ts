import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newKey, ROOT } from "../harness/emitted.ts";
import { ask } from "../server/boot.ts";
import type { HttpAnswer, HttpQuestion } from "../server/boot.ts";
import { bootAgent, emitStack } from "./folder.ts";
import type { BootedAgent, EmittedStack } from "./folder.ts";

let shop: EmittedStack;
let agent: BootedAgent;
beforeAll(async () => {
  shop = await emitStack("shop");
  agent = await bootAgent(shop);
});
afterAll(async () => {
  await agent.stop();
  shop.remove();
});

type Headers = Readonly<Record<string, string | string[]>>;

const bearer = (): Headers => ({ authorization: `Bearer ${agent.token}` });
const get = async (path: string, headers: Headers = bearer()): Promise<HttpAnswer> =>
  await ask(agent.port, { path, headers });
const post = async (body: string | Buffer, more: Partial<HttpQuestion> = {}): Promise<HttpAnswer> =>
  await ask(agent.port, {
    method: "POST",
    path: "/metadata/q",
    headers: { ...bearer(), "content-type": "application/json" },
    body,
    ...more,
  });
const query = async (body: object): Promise<HttpAnswer> => await post(JSON.stringify(body));

describe("the emitted agent of shop, over HTTP", () => {
  it("S22: answers the source's query", async () => {
    const select = ["database", "username", "consumers"];
    const answer = await query({ source: "type:cnpg", target: "sub_components", select });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.json).toEqual({
      rows: [
        { database: "app_db", username: "app_user", consumers: ["fastapi"] },
        { database: "keycloak_db", username: "keycloak", consumers: ["keycloak"] },
      ],
      total: 2,
      next_cursor: null,
      warnings: [],
    });
  });

  it("S22: pages with limit and cursor", async () => {
    const whole = (await query({ source: "all" })).json["rows"] as unknown[];
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const page = await query({ source: "all", limit: 5, ...(cursor === null ? {} : { cursor }) });
      seen.push(...(page.json["rows"] as unknown[]));
      cursor = page.json["next_cursor"];
    } while (cursor !== null);
    expect(whole.length).toBeGreaterThan(15);
    expect(seen).toEqual(whole);
  });

  it("S21: structure, whole and in pages", async () => {
    const whole = await get("/metadata/structure");
    expect(whole.json).toMatchObject({ stack: "shop", total: 16, next_cursor: null });
    const first = await get("/metadata/structure?limit=10");
    const cursor = encodeURIComponent(String(first.json["next_cursor"]));
    const second = await get(`/metadata/structure?limit=10&cursor=${cursor}`);
    expect([...(first.json["components"] as []), ...(second.json["components"] as [])]).toEqual(
      whole.json["components"],
    );
  });

  it("S21: the fields of a component, with secrets by name only", async () => {
    const answer = await get("/metadata/fields/cnpg");
    expect(answer.json).toMatchObject({
      component: "cnpg",
      variables: { host: "cluster-db-rw.db.svc.cluster.local", admin_password: "***" },
      sub_components: { database: { password: "***" } },
    });
  });

  it("T3: the inventory, whole and one category; the summary", async () => {
    const categories = (await get("/metadata/profile")).json["categories"] as { category: string }[];
    expect(categories.map(({ category }) => category)).toContain("databases");
    const one = await get("/metadata/profile?category=databases");
    expect(one.json["categories"]).toMatchObject([{ components: [{ name: "cnpg" }] }]);
    expect((await get("/metadata/summary")).json).toMatchObject({ stack: "shop", types: { kafka: 1 } });
  });

  it.each([
    ["/metadata/fields/cnpgg", 'did you mean "cnpg"?'],
    ["/metadata/fields/%ff", "UTF-8"],
    ["/metadata/structure?limit=0", "leave it out"],
    ["/metadata/structure?limit=1&limit=2", "once"],
    ["/metadata/structure?limits=1", "limit, cursor"],
    ["/metadata/structure?cursor=AAAA", "without cursor"],
    ["/metadata/profile?category=databses", 'did you mean "databases"?'],
  ])("S21: GET %s is refused with what to do instead", async (path, hint) => {
    const answer = await get(path);
    expect(answer.status).toBe(400);
    expect(answer.json["code"]).toBe("invalid_argument");
    expect(answer.json["hint"]).toContain(hint);
  });

  it.each([
    [{ source: "all", select: ["password"] }, "secret"],
    [{ source: "all", where: { password: "x" } }, "secret"],
    [{ source: "all", where: { password__startswith: "a" } }, "secret"],
    [{ source: "all", where: { linked_password__exists: true }, target: "links_to" }, "secret"],
    [{ source: "nowhere" }, "no component"],
    [{ source: "all", where: { port__around: 5 } }, "unknown operator"],
    [{ source: "all", colour: "red" }, "unknown key"],
    [{ source: "all", limit: 0 }, "limit"],
    [{}, "source is missing"],
  ])("S22: %j is refused", async (body, reason) => {
    const answer = await query(body);
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ code: "invalid_argument", message: expect.stringContaining(reason) });
  });

  it("S25: a dry run shows commands with secrets as ***", async () => {
    const command = "PGPASSWORD={password} psql -h {host} -d {database}";
    const answer = await query({ source: "cnpg", target: "sub_components", command, dry_run: true });
    expect(answer.json["rows"]).toMatchObject([
      { command: "PGPASSWORD=*** psql -h cluster-db-rw.db.svc.cluster.local -d app_db" },
      { command: "PGPASSWORD=*** psql -h cluster-db-rw.db.svc.cluster.local -d keycloak_db" },
    ]);
  });
});

describe("who may ask", () => {
  it("probes need no token", async () => {
    expect((await get("/health", {})).json).toEqual({ status: "ok" });
    expect((await get("/ready", {})).json).toEqual({ status: "ready" });
  });

  it.each<[string, () => Headers]>([
    ["no token", () => ({})],
    ["another token", () => ({ authorization: `Bearer ${newKey()}` })],
    ["a prefix of the token", () => ({ authorization: `Bearer ${agent.token.slice(0, -1)}` })],
    ["the token without its scheme", () => ({ authorization: agent.token })],
    ["two tokens", () => ({ authorization: `Bearer ${agent.token}`, "x-api-key": agent.token })],
    ["the token in the query", () => ({})],
  ])("S21: %s is not enough", async (_name, headers) => {
    for (const path of [
      "/metadata/structure",
      "/metadata/fields/cnpg",
      "/metadata/summary",
      "/metadata/dna",
    ]) {
      const answer = await get(`${path}?token=${agent.token}`, headers());
      expect(answer.status).toBe(401);
      expect(answer.json).toEqual({ code: "denied", message: "Unauthorised" });
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
    }
    expect((await post("{}", { headers: { "content-type": "application/json", ...headers() } })).status).toBe(
      401,
    );
  });

  it.each([
    ["evil.example", 403],
    ["shop-agent.shop.svc.cluster.local.evil.example", 403],
    ["shop-agent.shop.svc.cluster.local:8090", 200],
    ["shop-agent.shop:8090", 200],
    ["localhost", 200],
  ])("host %s is answered %i", async (host, status) => {
    expect((await get("/metadata/summary", { ...bearer(), host })).status).toBe(status);
  });

  it("a page's request is refused, token or not", async () => {
    const origin = "https://evil.example";
    expect((await get("/metadata/summary", { ...bearer(), origin })).status).toBe(403);
  });
});

describe("hostile requests", () => {
  it.each([
    ["not JSON", "{", 400],
    ["a list", "[]", 400],
    ["a text", '"all"', 400],
    ["null", "null", 400],
    ["nothing", "", 400],
    ["a key twice", '{"source":"all","source":"kafka"}', 400],
    ["a prototype", '{"source":"all","__proto__":{"limit":1}}', 400],
    ["too deep", `{"source":"all","where":${'{"a":'.repeat(100)}1${"}".repeat(100)}}`, 400],
    ["a lone surrogate", '{"source":"\\ud800"}', 400],
    ["a huge number", '{"source":"all","limit":1e999}', 400],
    ["a large body", `{"source":"${"x".repeat(300_000)}"}`, 413],
  ])("%s", async (_name, body, status) => {
    for (const chunked of [false, true]) {
      const answer = await post(body, { chunked });
      expect(answer.status).toBe(status);
      expect(answer.json["code"]).toBe(status === 413 ? "too_large" : "invalid_argument");
    }
  });

  it("bytes that are no UTF-8", async () => {
    expect((await post(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))).status).toBe(400);
  });

  it("another content type", async () => {
    const headers = { ...bearer(), "content-type": "text/plain" };
    expect((await post('{"source":"all"}', { headers })).status).toBe(400);
  });

  it.each([
    ["GET", "/metadata/q", 405],
    ["POST", "/metadata/structure", 405],
    ["DELETE", "/metadata/q", 405],
    ["OPTIONS", "/metadata/q", 405],
    ["GET", "/metadata", 404],
    ["GET", "/metadata/fields/", 404],
    ["GET", "/metadata/q/", 404],
    ["GET", "/topology.json", 404],
    ["GET", "/metadata/../topology.json", 404],
    ["GET", "/", 404],
  ])("%s %s is answered %i", async (method, path, status) => {
    const answer = await ask(agent.port, { method, path, headers: bearer() });
    expect(answer.status).toBe(status);
  });

  it("a name in the path names a component and nothing else", async () => {
    for (const name of ["..%2f..%2fetc%2fpasswd", "__proto__", "constructor", "all", "type:kafka"]) {
      expect((await get(`/metadata/fields/${name}`)).status).toBe(400);
    }
  });

  it("a body that never ends is not waited for without a token", async () => {
    const socket = connect(agent.port, "127.0.0.1");
    const answered = new Promise<string>((resolve) =>
      socket.once("data", (data: Buffer) => resolve(String(data))),
    );
    socket.write("POST /metadata/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{");
    expect(await answered).toContain("401");
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => undefined);
    await closed;
  });

  it("two requests in one header do not pass for one", async () => {
    const socket = connect(agent.port, "127.0.0.1");
    let text = "";
    socket.on("data", (data: Buffer) => (text += String(data)));
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const smuggled = "GET /metadata/summary HTTP/1.1\r\nHost: localhost\r\n\r\n";
    socket.write(
      `POST /metadata/q HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${agent.token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    );
    await closed;
    expect(text).toContain("400");
    expect(text).not.toContain('"stack":"shop"');
  });

  it("many at once are all answered, each its own", async () => {
    const names = ["cnpg", "kafka", "valkey", "fastapi", "grafana", "loki", "apisix", "rabbitmq"];
    const asked = Array.from({ length: 200 }, (_, at) => names[at % names.length] ?? "");
    const answers = await Promise.all(asked.map(async (source) => (await query({ source })).json["rows"]));
    expect(answers).toMatchObject(asked.map((name) => [{ name }]));
  });
});

describe("the process", () => {
  it.each<[string, Record<string, string>, string]>([
    ["no token", { MCP_AGENT_TOKEN: "" }, "MCP_AGENT_TOKEN is not set"],
    ["a weak token", { MCP_AGENT_TOKEN: "changeme" }, "MCP_AGENT_TOKEN must hold 32 random bytes"],
    ["a port that is none", { AGENT_PORT: "http" }, "AGENT_PORT must be a whole number"],
  ])("does not start with %s, and says what to set", async (_name, environment, reason) => {
    await expect(bootAgent(shop, environment)).rejects.toThrow(reason);
  });

  it("never says its token", async () => {
    const weak = "changeme-changeme-changeme-changeme-changeme";
    await expect(bootAgent(shop, { MCP_AGENT_TOKEN: weak })).rejects.toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(weak) }),
    );
    expect(agent.stderr()).not.toContain(agent.token);
  });

  it("lets an answer end before it stops, and then is gone", async () => {
    const own = await bootAgent(shop);
    const idle = connect(own.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    idle.on("error", () => undefined);
    expect(await own.stop()).toBe(0);
    await expect(ask(own.port, { path: "/health" })).rejects.toThrow("ECONNREFUSED");
  });

  it("type-checks with its own strict configuration", () => {
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const run = spawnSync(process.execPath, [tsc, "-p", join(shop.folder, "agent")], { encoding: "utf8" });
    expect(run.stdout).toBe("");
    expect(run.status).toBe(0);
  });
});
