import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { operationTool, openService } from "#runtime/fastapi/service";
import { defineModule } from "#runtime/tool";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { document, get, query, rowsOf } from "./openapi/drawn.fixture.ts";
import { link, tools } from "./tools.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function serviceWith(
  documents: Record<string, string>,
  answer: (response: ServerResponse) => void = (response) => response.end("{}"),
  environment: Record<string, string> = {},
): Promise<{ readonly module: OpenModule; readonly seen: readonly Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      answer(response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`;
  const rows = await rowsOf(documents);
  const module = defineModule({
    link,
    open: (settings) => openService(link, settings, { keyHeader: "X-Key" }),
    close: async () => undefined,
    tools: rows.map(operationTool),
  });
  return { module: openModule(module, { MCP_FASTAPI_URL: url, ...environment }), seen };
}

describe("requests", () => {
  const documents = document({
    "/things/{id}": {
      get: {
        operationId: "thing",
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" } },
          query("tag", { type: "array", items: { type: "string" } }),
          query("ids", { type: "array", items: { type: "integer" } }, { explode: false }),
          query("on", { type: "boolean" }),
          { name: "X-Trace", in: "header", schema: { type: "string" } },
          { name: "Authorization", in: "header", required: true, schema: { type: "string" } },
        ],
      },
    },
    "/end/": get({ operationId: "end" }),
    "/list": get({ operationId: "list", "x-mcp-fields": ["id", "in.a"] }),
  });

  it("go where the document says, under the service's path", async () => {
    const { module, seen } = await serviceWith(documents);
    await module.call("fastapi_thing", {
      id: "a b?#ü",
      tag: ["x", "y&z"],
      ids: [1, 2],
      on: true,
      "X-Trace": "t",
    });
    await module.call("fastapi_end");
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET /base/things/a%20b%3F%23%C3%BC?tag=x&tag=y%26z&ids=1%2C2&on=true",
      "GET /base/end/",
    ]);
    expect(seen[0]?.headers["x-trace"]).toBe("t");
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  it("R5: a value cannot leave its segment", async () => {
    const { module, seen } = await serviceWith(documents);
    for (const id of [
      "..",
      ".",
      "",
      "a/b",
      "a\\b",
      "../x",
      "a%2fb",
      "%2e%2e",
      "a%5Cb",
      "http://x/y",
      "a\r\nb",
      "..;",
    ])
      await expect(module.call("fastapi_thing", { id }), id).rejects.toMatchObject({
        code: "invalid_argument",
      });
    await expect(
      module.call("fastapi_thing", { id: "a", "X-Trace": "a\r\nX-Admin: 1" }),
    ).rejects.toMatchObject({ code: "invalid_argument" });
    for (const extra of [{ Authorization: "Bearer x" }, { url: "http://x" }, { host: "x" }])
      await expect(module.call("fastapi_thing", { id: "a", ...extra })).rejects.toThrow("invalid arguments");
    expect(seen).toEqual([]);
  });

  it("R1: the link's own key and token go along, and a redirect takes them nowhere", async () => {
    const environment = { MCP_FASTAPI_API_KEY: "k3y-of-the-link", MCP_FASTAPI_TOKEN: "t0ken-of-the-link" };
    const { module, seen } = await serviceWith(
      documents,
      (response) => response.writeHead(307, { location: "/base/list" }).end(),
      environment,
    );
    await expect(module.call("fastapi_end")).rejects.toThrow("redirect (307)");
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers).toMatchObject({
      "x-key": "k3y-of-the-link",
      authorization: "Bearer t0ken-of-the-link",
    });
  });

  it.each([
    [{ MCP_FASTAPI_API_KEY: "a\nb" }, "holds a character"],
    [{ MCP_FASTAPI_API_KEY: "ab", MCP_FASTAPI_API_KEY_HEADER: "X Key" }, "must be the name of a header"],
  ])("R12: %j stops the start without saying the key", async (environment, problem) => {
    const { module } = await serviceWith(
      documents,
      undefined,
      environment as unknown as Record<string, string>,
    );
    const fault: unknown = await module.call("fastapi_end").catch((error: unknown) => error);
    expect(String(fault)).toContain(problem);
    expect(String(fault)).not.toContain("a\nb");
  });

  it("answers show the members of the document, lists are cut, texts too, and files are refused", async () => {
    let body = Buffer.from(JSON.stringify([{ id: 1, secret_sauce: 2, in: [{ a: 3, b: 4 }] }]));
    const { module } = await serviceWith(documents, (response) => response.end(body));
    expect((await module.call("fastapi_list")).data).toEqual([{ id: 1, in: [{ a: 3 }] }]);
    body = Buffer.from(JSON.stringify(Array.from({ length: 600 }, (_, id) => ({ id }))));
    expect(await module.call("fastapi_list")).toMatchObject({
      page: { returned: 500, total: 600 },
      truncation: { by: "rows", limit: 500 },
    });
    body = Buffer.from("x".repeat(20_000));
    expect(await module.call("fastapi_end")).toMatchObject({
      data: { text: "x".repeat(16_384) },
      truncation: { by: "bytes" },
    });
    body = Buffer.from([0x89, 0x50, 0xff, 0x00]);
    await expect(module.call("fastapi_end")).rejects.toThrow("neither JSON nor text");
    body = Buffer.from("");
    expect((await module.call("fastapi_end")).data).toBeNull();
    body = Buffer.from('{"__proto__": {"id": 1}, "id": 2}');
    expect((await module.call("fastapi_list")).data).toEqual({ id: 2 });
  });
});

describe("the module's own tools", () => {
  it("health tells a service that is down from one that is ill", async () => {
    let status = 503;
    const server = createServer((_request, response) =>
      response.writeHead(status).end('{"detail": "database is away"}'),
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const module = openModule(tools, {
      MCP_FASTAPI_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    expect((await module.call("fastapi_health")).data).toEqual({
      healthy: false,
      status: "503",
      says: "the service answered 503: database is away",
    });
    status = 200;
    expect((await module.call("fastapi_health")).data).toMatchObject({ healthy: true });
    const away = openModule(tools, { MCP_FASTAPI_URL: "http://127.0.0.1:1" });
    await expect(away.call("fastapi_health")).rejects.toMatchObject({ code: "upstream_unavailable" });
  });
});
