import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openCertificates } from "../harness/authority.ts";
import { bootServer, callTool, connectClient, workspace } from "../harness/emitted.ts";
import type { BootedServer, ToolAnswer } from "../harness/emitted.ts";
import { openTestIssuer } from "../harness/test-issuer.ts";
import type { TestIssuer } from "../harness/test-issuer.ts";
import { AUDIENCE, person, stage } from "./oauth-stage.ts";
import type { Stage } from "./oauth-stage.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const certificates = openCertificates();
const servers: Server[] = [];
let issuer: TestIssuer;
let on: Stage | undefined;

beforeAll(async () => {
  for (const name of ["authority", "stranger"]) certificates.authority(name);
  certificates.signed("issuer", "authority", "IP:127.0.0.1");
  certificates.signed("elsewhere", "authority", "DNS:elsewhere.example.com");
  writeFileSync(certificates.at("none.pem"), "no certificate\n");
  issuer = await openTestIssuer(AUDIENCE);
});
afterEach(async () => {
  await on?.server.close();
  on = undefined;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  vi.useRealTimers();
  vi.restoreAllMocks();
});
afterAll(async () => {
  await issuer.close();
  certificates.remove();
});

interface Keys {
  readonly url: string;
  /** Requests that came through the handshake. */
  fetches(): number;
  answer(by: Answer | undefined): void;
}
/** The issuer's keys over TLS. */
async function keysOverTls(certificate = "issuer"): Promise<Keys> {
  let count = 0;
  let special: Answer | undefined;
  const set = JSON.stringify(await issuer.keySet());
  const [cert, key] = ["pem", "key"].map((end) => readFileSync(certificates.at(`${certificate}.${end}`)));
  const server = createServer({ cert, key }, (request, response) => {
    count += 1;
    if (special !== undefined) special(request, response);
    else response.setHeader("content-type", "application/json").end(set);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  return { url, fetches: () => count, answer: (by) => (special = by) };
}
async function started(keys: string, authority?: string): Promise<Stage> {
  const variables = authority === undefined ? {} : { MCP_OAUTH_CA_FILE: certificates.at(authority) };
  on = await stage(issuer, "sdk", { keys }, variables);
  return on;
}
const bearer = async (): Promise<string> => `Bearer ${await issuer.token(person())}`;

/** Nobody comes in by a token, whoever has a key does, and the operator learns why and no more. */
async function expectNoKeys(server: Stage, why: RegExp): Promise<void> {
  const token = await bearer();
  const { status, headers, text } = await server.post(token);
  expect([status, headers["retry-after"], text]).toEqual([503, "5", '{"error":"Unavailable"}']);
  expect(await server.reason()).toBe("issuer_unavailable");
  const told = /^MCP_OAUTH_JWKS_URL: the issuer's keys are not to be had \((.+)\)$/m.exec(server.stderr());
  expect(told?.[1]).toMatch(why);
  for (const part of [...token.split(/[ .]/).slice(2), certificates.at("")])
    expect(server.stderr()).not.toContain(part);
  expect((await server.post(`Bearer ${server.server.key}`)).status).toBe(200);
}

const UNTRUSTED =
  /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/;

describe("R25 oauth: an issuer with an authority of its own", () => {
  it("is believed when MCP_OAUTH_CA_FILE names that authority", async () => {
    const keys = await keysOverTls();
    const server = await started(keys.url, "authority.pem");
    for (let count = 0; count < 3; count += 1) expect((await server.post(await bearer())).status).toBe(200);
    expect(keys.fetches()).toBe(1);
    expect(server.stderr()).not.toContain("MCP_OAUTH");
  });

  it.each([
    ["no file", undefined, UNTRUSTED],
    ["another authority", "stranger.pem", UNTRUSTED],
    ["no certificate in the file", "none.pem", UNTRUSTED],
    [
      "a file that is not there",
      "absent.pem",
      /^the operator must provide the file that MCP_OAUTH_CA_FILE names$/,
    ],
  ])("is asked nothing with %s, and the server goes on", async (_what, authority, why) => {
    const keys = await keysOverTls();
    await expectNoKeys(await started(keys.url, authority), why);
    expect(keys.fetches()).toBe(0);
  });

  it("is asked nothing under another name, whoever signed that", async () => {
    const keys = await keysOverTls("elsewhere");
    await expectNoKeys(await started(keys.url, "authority.pem"), /^ERR_TLS_CERT_ALTNAME_INVALID$/);
    expect(keys.fetches()).toBe(0);
  });

  it("is followed to no other place, though the same authority signed for it", async () => {
    const [keys, other] = [await keysOverTls(), await keysOverTls()];
    keys.answer((_, response) => response.writeHead(302, { location: other.url }).end());
    await expectNoKeys(await started(keys.url, "authority.pem"), /^status 302$/);
    expect([keys.fetches(), other.fetches()]).toEqual([1, 0]);
  });

  it("is believed once the file is there, and no longer when it names another authority", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const keys = await keysOverTls();
    rmSync(certificates.at("later.pem"), { force: true });
    const server = await started(keys.url, "later.pem");
    expect((await server.post(await bearer())).status).toBe(503);
    copyFileSync(certificates.at("authority.pem"), certificates.at("later.pem"));
    vi.advanceTimersByTime(2_100);
    expect((await server.post(await bearer())).status).toBe(200);
    copyFileSync(certificates.at("stranger.pem"), certificates.at("later.pem"));
    // What was had counts for ten minutes.
    vi.advanceTimersByTime(11 * 60_000);
    expect((await server.post(await bearer())).status).toBe(503);
    expect(keys.fetches()).toBe(1);
  });

  it("whatever it answers over TLS, the server goes on, and asks again", { timeout: 20_000 }, async () => {
    const keys = await keysOverTls();
    const server = await started(keys.url, "authority.pem");
    const broken: readonly (readonly [Answer, RegExp])[] = [
      [(_, response) => response.destroy(), /^ECONNRESET$/],
      [(_, response) => response.writeHead(503).end("a secret of the issuer"), /^status 503$/],
      [(_, response) => response.end("<html>"), /^SyntaxError$/],
      [(_, response) => response.end('{"keys": 1}'), /^ERR_JWKS_INVALID$/],
      [
        (_, response) => response.end(`{"keys": [], "filler": "${"x".repeat(300_000)}"}`),
        /^more than 262144 bytes$/,
      ],
      [
        (_, response) =>
          response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
        /^ECONNRESET$/,
      ],
      [(_, response) => response.writeHead(200).write("{"), /^no answer in 3000 ms$/],
      [(_, response) => response.writeHead(404).end(), /^status 404$/],
      [() => undefined, /^no answer in 3000 ms$/],
    ];
    vi.useFakeTimers({ toFake: ["performance"] });
    for (const [answer, why] of broken) {
      keys.answer(answer);
      const [before, said] = [keys.fetches(), server.stderr().length];
      vi.advanceTimersByTime(2_100);
      expect((await server.post(await bearer())).status).toBe(503);
      expect(keys.fetches() - before).toBe(1);
      const [, told = ""] = /not to be had \((.+)\)/.exec(server.stderr().slice(said)) ?? [];
      expect(told).toMatch(why);
    }
    expect(server.stderr()).not.toContain("a secret of the issuer");
    keys.answer(undefined);
    vi.advanceTimersByTime(2_100);
    expect((await server.post(await bearer())).status).toBe(200);
  });
});

describe("R25 oauth: MCP_OAUTH_CA_FILE and the other hosts of the emitted server", () => {
  const work = workspace();
  let keys: Keys;
  let prometheus: Keys;
  const running: BootedServer[] = [];

  beforeAll(() => {
    work.draw(
      "owned",
      `apiVersion: topology/v1
stack: owned
domain: example.com
components:
  nginx:
  idp: {type: resource, host: 127.0.0.1, port: 8443}
  prometheus: {host: 127.0.0.1}
links:
  nginx: {mcp: {path: /tools}}
  mcp: {stack_agent: read, prometheus: read}
access:
  oauth:
    issuer: ${issuer.issuer}
    keys: {from: idp, path: /jwks}
    claims: {human: preferred_username}
  grants:
    ada: {subject: {human: ada}, maxTrust: high}
`,
    );
    work.generate();
  });
  beforeEach(async () => {
    [keys, prometheus] = [await keysOverTls(), await keysOverTls()];
    const data = { resultType: "vector", result: [{ metric: { job: "a" }, value: [1, "1"] }] };
    prometheus.answer((_, response) =>
      response.setHeader("content-type", "application/json").end(JSON.stringify({ status: "success", data })),
    );
  });
  afterEach(async () => {
    for (const server of running.splice(0)) expect(await server.stop()).toBe(0);
  });
  afterAll(() => work.remove());

  async function bootWith(files: Readonly<Record<string, string>>): Promise<BootedServer> {
    const named = Object.entries(files).map(([name, file]) => [name, certificates.at(file)]);
    const server = await bootServer(work.path("out/owned"), {
      MCP_OAUTH_JWKS_URL: keys.url,
      MCP_PROMETHEUS_URL: new URL(prometheus.url).origin,
      MCP_API_KEY_TEAM_ID: "",
      ...(Object.fromEntries(named) as Record<string, string>),
    });
    running.push(server);
    return server;
  }
  async function query(server: BootedServer): Promise<ToolAnswer> {
    const key = await issuer.token({ claims: { preferred_username: "ada" } });
    const client = await connectClient({ url: server.url, key });
    try {
      return await callTool(client, "prom_query", { query: "up" });
    } finally {
      await client.close();
    }
  }

  it("lets nobody else in: a service with the same authority needs its own file", async () => {
    const files = { MCP_OAUTH_CA_FILE: "authority.pem" };
    expect(await query(await bootWith(files))).toMatchObject({
      isError: true,
      content: { code: "upstream_unavailable", message: "the service's certificate is not trusted" },
    });
    expect([keys.fetches(), prometheus.fetches()]).toEqual([1, 0]);
    const both = await bootWith({ ...files, MCP_PROMETHEUS_CA_FILE: "authority.pem" });
    expect(await query(both)).toMatchObject({ isError: false, content: { tool: "prom_query" } });
  });

  it("stands in place of what the process trusts, and a service's file says nothing of the issuer", async () => {
    const trusting = { NODE_EXTRA_CA_CERTS: "authority.pem" };
    expect(await query(await bootWith(trusting))).toMatchObject({ isError: false });
    const before = keys.fetches();
    for (const files of [
      { ...trusting, MCP_OAUTH_CA_FILE: "stranger.pem" },
      { MCP_PROMETHEUS_CA_FILE: "authority.pem" },
    ]) {
      const server = await bootWith(files);
      await expect(query(server)).rejects.toThrow("Unavailable");
      expect(server.stderr()).toMatch(/the issuer's keys are not to be had \([A-Z_]+\)/);
    }
    expect(keys.fetches()).toBe(before);
  });
});
