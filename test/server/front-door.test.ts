import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ask, boot, INITIALIZE, newKey } from "./boot.ts";
import type { Booted, HttpAnswer, HttpQuestion } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const MEBIBYTE = 1024 * 1024;

describe.each(ADAPTERS)("front door before %s", (adapter) => {
  let server: Booted;
  let stderr = "";
  beforeAll(async () => {
    server = await boot(adapter, {
      MCP_ALLOWED_HOSTS: "mcp.example.com, inner:8443",
      MCP_ALLOWED_ORIGINS: "https://app.example.com",
    });
  });
  afterAll(async () => await server.close());
  afterEach(() => {
    vi.restoreAllMocks();
    stderr = "";
  });

  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const withKey = (): Record<string, string> => ({ authorization: `Bearer ${server.key}`, ...json });
  const initialize = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE });
  const post = async (question: HttpQuestion = {}): Promise<HttpAnswer> => {
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
    return await ask(server.port, { method: "POST", headers: withKey(), body: initialize, ...question });
  };
  const lastRow = async (): Promise<Record<string, unknown>> => ({ ...(await server.newRows()).at(-1) });

  it("S17: answers POST /mcp, GET /health and GET /ready, and nothing else", async () => {
    expect((await post()).status).toBe(200);
    expect((await ask(server.port, { path: "/health" })).json).toEqual({ status: "ok" });
    expect((await ask(server.port, { path: "/ready" })).status).toBe(200);
    for (const path of [
      "/",
      "/sse",
      "/ping",
      "/messages",
      "/mcp/",
      "/mcp/sse",
      "/.well-known/oauth-protected-resource",
      "//mcp",
    ]) {
      expect((await ask(server.port, { path, headers: withKey() })).status, path).toBe(404);
      expect(await lastRow()).toMatchObject({ decision: "deny", reason: "no_such_route", status: 404 });
    }
  });

  it.each(["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE"])("refuses %s", async (method) => {
    const answer = await ask(server.port, { method, headers: withKey() });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("POST, GET, DELETE");
    expect((await ask(server.port, { method, path: "/health" })).status).toBe(405);
  });

  it("refuses a foreign Host on every route, before it looks at the key", async () => {
    for (const path of ["/mcp", "/health", "/ready", "/nothing"]) {
      for (const host of [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil",
      ]) {
        const answer = await ask(server.port, { path, headers: { ...withKey(), host } });
        expect([answer.status, answer.headers["access-control-allow-origin"]], `${path} ${host}`).toEqual([
          403,
          undefined,
        ]);
      }
      expect(await lastRow()).toMatchObject({
        decision: "deny",
        reason: "host_not_allowed",
        status: 403,
        key_id: null,
      });
    }
  });

  it.each([
    "localhost",
    "localhost:1",
    "127.0.0.1:65535",
    "[::1]",
    "[::1]:9",
    "MCP.example.com",
    "mcp.example.com:444",
    "inner:8443",
  ])("accepts Host %s", async (host) =>
    expect((await post({ headers: { ...withKey(), host } })).status).toBe(200),
  );

  it("holds a listed Host to its port", async () => {
    expect((await post({ headers: { ...withKey(), host: "inner:8444" } })).status).toBe(403);
    expect((await post({ headers: { ...withKey(), host: "inner" } })).status).toBe(403);
  });

  it("refuses a foreign Origin", async () => {
    const foreign = [
      "https://evil.example",
      "null",
      "https://app.example.com.evil.example",
      "https://app.example.com:444",
      "http://app.example.com",
      "file://",
      "https://localhost/@evil",
      "",
    ];
    for (const origin of foreign) {
      expect((await post({ headers: { ...withKey(), origin } })).status, origin).toBe(403);
      expect(await lastRow()).toMatchObject({ reason: "origin_not_allowed" });
    }
    for (const origin of ["https://app.example.com", "http://localhost:3000", "http://[::1]:8080"]) {
      expect((await post({ headers: { ...withKey(), origin } })).status, origin).toBe(200);
    }
  });

  it("S16, P12: takes the key as bearer token or as X-API-Key", async () => {
    for (const headers of [{ authorization: `bearer ${server.key}` }, { "x-api-key": server.key }]) {
      expect((await post({ headers: { ...json, ...headers } })).status).toBe(200);
    }
  });

  it("P12: answers 401 to everything but exactly one right key", async () => {
    const { key } = server;
    const wrong: readonly Record<string, string | string[]>[] = [
      {},
      { authorization: `Bearer ${newKey()}` },
      { authorization: key },
      { authorization: `Basic ${key}` },
      { authorization: `Bearer  ${key}` },
      { authorization: `Bearer ${key.slice(0, -1)}` },
      { authorization: `Bearer ${key}x` },
      { authorization: `Bearer ${"a".repeat(600)}` },
      { authorization: [`Bearer ${key}`, `Bearer ${key}`] },
      { authorization: `Bearer ${key}`, "x-api-key": key },
      { "x-api-key": newKey() },
      { "x-api-key": [key, key] },
    ];
    for (const headers of wrong) {
      const answer = await post({ headers: { ...json, ...headers } });
      expect(answer.status, JSON.stringify(Object.keys(headers))).toBe(401);
      expect(answer.text).toBe('{"error":"Unauthorised"}');
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
      expect(await lastRow()).toMatchObject({
        decision: "deny",
        reason: "unauthenticated",
        status: 401,
        key_id: null,
      });
    }
    expect(stderr).toBe("");
  });

  it("answers 401 before it has read the body", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
    );
    const answer = await new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    const ended = await new Promise<string>((resolve) => socket.once("close", () => resolve("cut")));
    expect(ended).toBe("cut");
  });

  it("refuses two Host headers", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n");
    const answer = await new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 40[03] /);
    socket.destroy();
  });

  it("does not invite the body of a stranger", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n",
    );
    const answer = await new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
    expect((await post({ headers: { ...withKey(), expect: "100-continue" } })).status).toBe(200);
  });

  it("refuses a body of one byte more than a mebibyte, with and without a length", async () => {
    const padding = (size: number): string => `${initialize}${" ".repeat(size - initialize.length)}`;
    expect((await post({ body: padding(MEBIBYTE) })).status).toBe(200);
    for (const chunked of [false, true]) {
      expect((await post({ body: padding(MEBIBYTE + 1), chunked })).status).toBe(413);
      expect(await lastRow()).toMatchObject({
        decision: "deny",
        reason: "body_too_large",
        status: 413,
        key_id: "key:mcp-api-key",
      });
    }
  });

  it.each([
    ["not JSON", "{", -32_700],
    ["nothing", "", -32_700],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]), -32_700],
    ["a text", '"text"', -32_600],
    ["a batch", `[${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })}]`, -32_600],
    ["an empty batch", "[]", -32_600],
    ["a deep object", `{"a":${"[".repeat(64)}${"]".repeat(64)}}`, -32_600],
    ["bottomless nesting", `${"[".repeat(500_000)}${"]".repeat(500_000)}`, -32_600],
    ["unclosed nesting", "[".repeat(500_000), -32_700],
    ["a key twice", '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', -32_600],
    ["a prototype", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"a":1}}}', -32_600],
  ])("refuses %s with 400", async (_, body, code) => {
    const answer = await post({ body });
    expect(answer.status).toBe(400);
    expect(answer.json["error"]).toMatchObject({ code });
    expect(answer.text).not.toMatch(/ at |node_modules|\.ts/);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "rpc_inspection_failed", status: 400 });
    expect(stderr).toBe("");
  });

  it("refuses another content type", async () => {
    for (const type of [
      "text/plain",
      "application/jsonx",
      "multipart/form-data; boundary=application/json",
    ]) {
      expect((await post({ headers: { ...withKey(), "content-type": type } })).status, type).toBe(415);
    }
    expect(
      (await post({ headers: { ...withKey(), "content-type": "application/json; charset=utf-8" } })).status,
    ).toBe(200);
  });

  it("S13: records what the protocol library turns away", async () => {
    const answer = await post({ headers: { ...withKey(), accept: "text/html" } });
    expect(answer.status).toBe(406);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "protocol_error", status: 406 });
  });

  it("S13: leaves exactly one audit row for every request, and none for a probe", async () => {
    await server.newRows();
    await ask(server.port, { path: "/health" });
    await post({ headers: json });
    await post();
    const methods = (await server.newRows()).map(({ rpc_method: method, status }) => [method, status]);
    expect(methods).toEqual([
      ["POST /mcp", 401],
      ["initialize", 200],
    ]);
    expect(JSON.stringify(server.audit())).not.toContain(server.key);
  });
});
