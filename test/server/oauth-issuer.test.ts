import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { newPair, openTestIssuer } from "../harness/test-issuer.ts";
import type { TestIssuer } from "../harness/test-issuer.ts";
import { AUDIENCE, person, stage } from "./oauth-stage.ts";
import type { Stage } from "./oauth-stage.ts";

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await openTestIssuer(AUDIENCE);
});
afterAll(async () => await issuer.close());

describe("R25 oauth: the issuer's keys", () => {
  let on: Stage;
  beforeEach(async () => {
    on = await stage(issuer, "sdk");
  });
  afterEach(async () => {
    issuer.answer(undefined);
    await on.server.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("1000 made-up keys make the issuer be asked once, and others are served meanwhile", async () => {
    await on.post(`Bearer ${await issuer.token(person())}`);
    const before = issuer.fetches();
    const evil = await newPair();
    const flood = await Promise.all(
      Array.from(
        { length: 1000 },
        async (_, at) => await issuer.token(person({}, { by: { ...evil, kid: `x${at}` } })),
      ),
    );
    const statuses = new Set<number>();
    for (let at = 0; at < flood.length; at += 50) {
      const answers = flood.slice(at, at + 50).map(async (token) => await on.post(`Bearer ${token}`));
      for (const { status } of await Promise.all(answers)) statuses.add(status);
    }
    expect([...statuses]).toEqual([401]);
    expect(issuer.fetches() - before).toBeLessThanOrEqual(1);
    expect((await on.post(`Bearer ${await issuer.token(person())}`)).status).toBe(200);
  });

  it("follows a rotation, and what the issuer took back counts no longer", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const old = await issuer.token(person());
    expect((await on.post(`Bearer ${old}`)).status).toBe(200);
    await issuer.rotate("ES256");
    vi.advanceTimersByTime(11_000);
    expect((await on.post(`Bearer ${await issuer.token(person())}`)).status).toBe(200);
    expect((await on.post(`Bearer ${old}`)).status).toBe(401);
    expect(await on.reason()).toBe("token_signature");
  });

  it("without the issuer's keys nobody comes in, and they are tried again", async () => {
    const token = await issuer.token(person());
    const broken: Parameters<TestIssuer["answer"]>[0][] = [
      (_, response) => response.destroy(),
      (_, response) => response.writeHead(503).end("token secrets of the issuer"),
      (_, response) => response.writeHead(302, { location: issuer.jwksUrl }).end(),
      (_, response) => response.end("<html>"),
      (_, response) => response.end('{"keys": 1}'),
      (_, response) => response.end(`{"keys": [], "filler": "${"x".repeat(300_000)}"}`),
    ];
    vi.useFakeTimers({ toFake: ["performance"] });
    for (const answer of broken) {
      issuer.answer(answer);
      const before = issuer.fetches();
      vi.advanceTimersByTime(2_100);
      for (let count = 0; count < 5; count += 1) {
        const { status, headers, text } = await on.post(`Bearer ${token}`);
        expect([status, headers["retry-after"], text]).toEqual([503, "5", '{"error":"Unavailable"}']);
      }
      expect(issuer.fetches() - before).toBe(1);
      expect(await on.reason()).toBe("issuer_unavailable");
    }
    expect((await on.post(`Bearer ${on.server.key}`)).status).toBe(200);
    expect(on.stderr()).toContain("MCP_OAUTH_JWKS_URL: the issuer's keys are not to be had (status 503)");
    expect(on.stderr()).not.toContain("token secrets");
    issuer.answer(undefined);
    vi.advanceTimersByTime(2_100);
    expect((await on.post(`Bearer ${token}`)).status).toBe(200);
  });

  it("keys that were had go on for ten minutes without the issuer, and no longer", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const token = await issuer.token(person());
    expect((await on.post(`Bearer ${token}`)).status).toBe(200);
    issuer.answer((_, response) => response.destroy());
    vi.advanceTimersByTime(9 * 60_000);
    expect((await on.post(`Bearer ${token}`)).status).toBe(200);
    vi.advanceTimersByTime(61_000);
    expect((await on.post(`Bearer ${token}`)).status).toBe(503);
  });

  it("an issuer that never answers is given up", { timeout: 15_000 }, async () => {
    issuer.answer(() => undefined);
    const { status } = await on.post(`Bearer ${await issuer.token(person())}`);
    expect(status).toBe(503);
  });

  it.each([
    ["http://idp.example.com/jwks", "must be an https URL"],
    ["https://user:word@idp.example.com/jwks", "must be an https URL"],
    ["file:///etc/passwd", "must be an https URL"],
  ])("MCP_OAUTH_JWKS_URL=%s stops the start", async (url, message) => {
    await expect(stage(issuer, "sdk", {}, { MCP_OAUTH_JWKS_URL: url })).rejects.toThrow(
      `MCP_OAUTH_JWKS_URL ${message}`,
    );
  });
});
