import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openHttp, requestJson, requestText } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { settingsOf } from "#runtime/settings";
import { openCertificates } from "../harness/authority.ts";

const link = {
  id: "mcp->api",
  component: "api",
  type: "api",
  env: "MCP_API",
  host: "127.0.0.1",
  port: 443,
};

const certificates = openCertificates();
const { at } = certificates;
const servers: Server[] = [];
const learned: string[] = [];

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const read = (name: string): Buffer => readFileSync(at(name));
  const server = createServer(
    {
      key: read("server.key"),
      cert: read("server.pem"),
      ca: read("authority.pem"),
      requestCert: true,
      rejectUnauthorized: false,
    },
    answer,
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(url: string, variables: Readonly<Record<string, string>> = {}): HttpService {
  const environment = Object.fromEntries(
    Object.entries({ URL: url, ...variables }).map(([name, value]) => [`MCP_API_${name}`, value]),
  );
  return openHttp(
    link,
    settingsOf(link, environment, (value) => learned.push(value)),
  );
}

const signal = (): AbortSignal => new AbortController().signal;
const ask = async (service: HttpService): Promise<unknown> =>
  await requestJson(service, { path: ["x"], signal: signal() });
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

beforeAll(() => {
  for (const name of ["stranger", "authority"]) certificates.authority(name);
  for (const name of ["server", "client"]) certificates.signed(name, "authority", "IP:127.0.0.1");
});

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

afterAll(() => certificates.remove());

describe("a private authority", () => {
  it("is trusted when CA_FILE names it, and no other is", async () => {
    const url = await serve((_request, response) => response.end('{"ok":true}'));
    expect(await ask(open(url, { CA_FILE: at("authority.pem") }))).toEqual({ ok: true });
    for (const variables of [{}, { CA_FILE: at("stranger.pem") }])
      expect(await faultOf(ask(open(url, variables)))).toMatchObject({
        code: "upstream_unavailable",
        message: "the service's certificate is not trusted",
      });
  });

  it("a file that is not there is a fault that names the variable and not the path", async () => {
    const url = await serve((_request, response) => response.end("{}"));
    const fault = await faultOf(ask(open(url, { CA_FILE: at("absent.pem") })));
    expect(fault).toMatchObject({ code: "upstream_unavailable", hint: /MCP_API_CA_FILE/ });
    expect(String(fault) + JSON.stringify(fault)).not.toContain(at(""));
  });

  it("P11: the certificate of this server is shown, and half of a pair stops the start", async () => {
    const shown: unknown[] = [];
    const url = await serve((request, response) => {
      const socket = request.socket as TLSSocket;
      shown.push([socket.authorized, socket.getPeerCertificate().subject?.CN]);
      response.end("{}");
    });
    const files = {
      CA_FILE: at("authority.pem"),
      CERT_FILE: at("client.pem"),
      KEY_FILE: at("client.key"),
    };
    await ask(open(url, files));
    await ask(open(url, { CA_FILE: files.CA_FILE }));
    expect(shown).toEqual([
      [true, "client"],
      [false, undefined],
    ]);
    expect(() => open(url, { CERT_FILE: files.CERT_FILE })).toThrow("MCP_API_KEY_FILE is missing");
    expect(() => open(url, { KEY_FILE: files.KEY_FILE })).toThrow("MCP_API_CERT_FILE is missing");
  });
});

describe("over such a connection", () => {
  const trusting = (url: string): HttpService => open(url, { CA_FILE: at("authority.pem") });

  it("R5: a redirect is an error", async () => {
    const url = await serve((_request, response) =>
      response.writeHead(302, { location: "https://127.0.0.1:1/" }).end(),
    );
    expect(await faultOf(ask(trusting(url)))).toMatchObject({
      message: "the service answered with a redirect (302)",
    });
  });

  it("R7: a body of 100 MB is not read to its end", async () => {
    let sent = 0;
    const url = await serve((_request, response) => {
      const chunk = Buffer.alloc(1_000_000, "x");
      const push = (): void => {
        while (sent < 100 && !response.destroyed) {
          sent += 1;
          if (!response.write(chunk)) return;
        }
        response.end();
      };
      response.on("drain", push);
      push();
    });
    expect(await faultOf(ask(trusting(url)))).toMatchObject({ code: "too_large" });
    expect(sent).toBeLessThan(40);
  });

  it("a cancelled call ends the request", async () => {
    let closed = false;
    const controller = new AbortController();
    const url = await serve((request) => {
      request.on("close", () => (closed = true));
      controller.abort(new Error("caller went away"));
    });
    const call = requestJson(trusting(url), { path: ["x"], signal: controller.signal });
    await expect(call).rejects.toThrow("caller went away");
    await expect.poll(() => closed).toBe(true);
  });

  it("methods, bodies and special kinds of JSON arrive as they were meant", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push([request.method, request.url, request.headers["content-type"], body]);
        response.end("plain text");
      });
    });
    const patch = { json: { a: "ü" }, contentType: "application/merge-patch+json" } as const;
    const sent = { path: ["a/b", "c"], method: "PATCH", signal: signal(), ...patch } as const;
    expect(await requestText(trusting(url), sent)).toBe("plain text");
    expect(seen).toEqual([["PATCH", "/a%2Fb/c", "application/merge-patch+json", '{"a":"ü"}']]);
  });

  it("a body is one request, whatever the method", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push([request.method, body]);
        response.end("{}");
      });
    });
    const service = trusting(url);
    for (const method of ["DELETE", "PUT", "PATCH", "POST"] as const)
      await requestJson(service, {
        path: ["x"],
        method,
        json: { smuggled: "GET / HTTP/1.1" },
        signal: signal(),
      });
    await ask(service);
    const body = '{"smuggled":"GET / HTTP/1.1"}';
    expect(seen).toEqual([
      ["DELETE", body],
      ["PUT", body],
      ["PATCH", body],
      ["POST", body],
      ["GET", ""],
    ]);
  });

  it("a connection that breaks in the middle of an answer is a fault", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 50);
    });
    expect(await faultOf(ask(trusting(url)))).toMatchObject({ code: "upstream_unavailable" });
  });
});

describe("a mounted token", () => {
  it("S5: is read for every request, and every value is registered with the redactor", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end("{}");
    });
    writeFileSync(at("token"), "first-token\n");
    const service = open(url, { CA_FILE: at("authority.pem"), TOKEN_FILE: at("token") });
    learned.splice(0);
    await ask(service);
    writeFileSync(at("token"), "second-token");
    await ask(service);
    await ask(service);
    expect(seen).toEqual(["Bearer first-token", "Bearer second-token", "Bearer second-token"]);
    expect(learned).toEqual(["first-token", "second-token"]);
  });

  it.each(["", "two\nlines", "grüße"])("%j in the file is a fault that does not show it", async (text) => {
    const url = await serve((_request, response) => response.end("{}"));
    writeFileSync(at("token"), text);
    const fault = await faultOf(ask(open(url, { CA_FILE: at("authority.pem"), TOKEN_FILE: at("token") })));
    expect(fault).toMatchObject({ code: "upstream_unavailable", hint: /MCP_API_TOKEN_FILE/ });
    if (text !== "") expect(String(fault)).not.toContain(text);
  });

  it("a token in the environment goes before one in a file", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end("{}");
    });
    const variables = { CA_FILE: at("authority.pem"), TOKEN_FILE: at("absent"), TOKEN: "given" };
    await ask(open(url, variables));
    expect(seen).toEqual(["Bearer given"]);
  });
});
