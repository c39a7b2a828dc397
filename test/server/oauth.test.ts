import { createHash, createHmac } from "node:crypto";
import { Client as ModernClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openTokens } from "#runtime/oauth/tokens";
import type { OAuthSettings } from "#runtime/oauth/settings";
import type { PolicyDocument } from "#runtime/policy-document";
import { newPair, openTestIssuer } from "../harness/test-issuer.ts";
import type { TestIssuer, TokenWish } from "../harness/test-issuer.ts";
import { ask, boot, connectAs, INITIALIZE } from "./boot.ts";
import type { Booted, HttpAnswer, Json } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const AUDIENCE = "https://mcp.example.com/tools/mcp";
const METADATA = "/.well-known/oauth-protected-resource";
const CHALLENGE = `resource_metadata="https://mcp.example.com${METADATA}/tools/mcp", scope="mcp"`;
const ALL = ["read", "write", "destructive"] as const;
const POLICY: Partial<PolicyDocument> = {
  session: { required: true },
  grants: [
    { name: "sre", team_id: "sre", max_trust: "high", allowed_side_effects: ALL },
    { name: "ada", human_id: "ada", max_trust: "low", allowed_side_effects: ["read"] },
  ],
  sessions: [{ name: "sre-session", team_id: "sre", consented_trust: "high" }],
};

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await openTestIssuer(AUDIENCE);
});
afterAll(async () => await issuer.close());

function settings(more: Partial<OAuthSettings> = {}): OAuthSettings {
  return {
    issuer: issuer.issuer,
    audience: AUDIENCE,
    resource: AUDIENCE,
    name: "test",
    scopes: ["mcp"],
    claims: { human: "preferred_username", agent: "azp", team: "groups", role: "realm_access.roles" },
    roles: { "mcp-operator": "operator", "mcp-admin": "admin" },
    teams: [],
    delegates: ["gateway"],
    takesKeys: true,
    keys: issuer.jwksUrl,
    ...more,
  };
}

const PERSON = {
  scope: "openid mcp",
  preferred_username: "ada",
  azp: "claude",
  groups: ["sre"],
  realm_access: { roles: ["mcp-operator", "offline_access"] },
};
const person = (
  more: Readonly<Record<string, unknown>> = {},
  rest: Omit<TokenWish, "claims"> = {},
): TokenWish => ({
  claims: { ...PERSON, ...more },
  ...rest,
});
const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

interface Stage {
  readonly server: Booted;
  readonly stderr: () => string;
  post(authorization: string, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  reason(): Promise<unknown>;
}

async function stage(
  adapter: (typeof ADAPTERS)[number],
  more: Partial<OAuthSettings> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  let stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  const server = await boot(
    adapter,
    { MCP_NOTES_WRITE_ACCESS: "true", ...environment },
    (registry) => ({ ...registry, tokens: openTokens(settings(more)) }),
    POLICY,
  );
  return {
    server,
    stderr: () => stderr,
    post: async (authorization, headers = {}) =>
      await ask(server.port, {
        method: "POST",
        headers: {
          authorization,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE }),
      }),
    reason: async () => (await server.newRows()).at(-1)?.["reason"],
  };
}

describe.each(ADAPTERS)("R25 oauth: tokens before %s", (adapter) => {
  let on: Stage;
  beforeEach(async () => {
    on = await stage(adapter);
  });
  afterEach(async () => {
    issuer.answer(undefined);
    await on.server.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const lastRow = async (): Promise<Json> => ({ ...(await on.server.newRows()).at(-1) });
  const namesFor = async (wish: TokenWish, headers = {}): Promise<readonly string[]> => {
    const { result } = await connectAs(on.server.port, await issuer.token(wish), headers).rpc("tools/list");
    return ((result as Json)["tools"] as readonly { name: string }[]).map(({ name }) => name);
  };

  it("a good token lists what its grants come to, calls, and is on record by a digest", async () => {
    const token = await issuer.token(person());
    const client = connectAs(on.server.port, token);
    expect(JSON.stringify(await client.rpc("tools/list"))).toContain("notes_clear");
    expect((await client.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    expect((await client.call("notes_clear"))["isError"]).toBeUndefined();
    const digest = createHash("sha256").update(`${issuer.issuer}\0ada-4711`).digest("hex").slice(0, 16);
    expect(await lastRow()).toMatchObject({
      decision: "allow",
      key_id: `oauth:${digest}`,
      human_id: "ada",
      agent_id: "claude",
      subject_team_id: "sre",
      matched_session: "sre-session",
    });
  });

  it.each([
    ["token_issuer", person({ iss: "https://evil.example.com/realms/test" })],
    ["token_issuer", person({ iss: undefined })],
    ["token_audience", person({ aud: "https://mcp.example.com" })],
    ["token_audience", person({ aud: ["account", `${AUDIENCE}/`] })],
    ["token_audience", person({ aud: undefined })],
    ["token_expired", person({ exp: seconds(-31) })],
    ["token_claims", person({ exp: undefined })],
    ["token_not_yet_valid", person({ nbf: seconds(3_600) })],
    ["token_claims", person({ sub: undefined })],
    ["token_claims", person({ sub: "" })],
    ["token_claims", person({ preferred_username: "a\nb" })],
    ["token_claims", person({ preferred_username: { evil: true } })],
    ["token_claims", person({ groups: ["sre", "sales"] })],
    ["token_malformed", person({}, { header: { typ: "logout+jwt" } })],
    ["token_malformed", person({}, { header: { typ: 7 as never } })],
    ["token_malformed", person({ typ: "ID" })],
    ["token_malformed", person({ cnf: { jkt: "thumb" } })],
    ["token_signature", person({}, { header: { kid: "nobody" } })],
  ])("%s: refused, and told no more than that it is invalid", async (reason, wish) => {
    const answer = await on.post(`Bearer ${await issuer.token(wish)}`);
    expect([answer.status, answer.text]).toEqual([401, '{"error":"Unauthorised"}']);
    expect(answer.headers["www-authenticate"]).toBe(`Bearer error="invalid_token", ${CHALLENGE}`);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason, key_id: null });
  });

  it("a clock that is a little off is forgiven, and other honest forms of a token are read", async () => {
    const honest = [
      person({ exp: seconds(-20) }),
      person({ nbf: seconds(20) }),
      person({ aud: ["account", AUDIENCE] }),
      person({ scope: undefined, scp: ["mcp"] }),
      person({ typ: "Bearer" }, { header: { typ: "JWT" } }),
      person({}, { header: { kid: undefined as never } }),
    ];
    for (const wish of honest) expect((await on.post(`Bearer ${await issuer.token(wish)}`)).status).toBe(200);
  });

  it("a signature that anybody could make is none: alg none, a shared secret, another's key, a key in the header", async () => {
    const { iss, aud } = { iss: issuer.issuer, aud: AUDIENCE };
    const payload = encoded({ iss, aud, sub: "ada", exp: seconds(60), ...PERSON });
    const none = ["none", "None", "NONE"].map((alg) => `${encoded({ alg, typ: "JWT" })}.${payload}.`);
    const { kid } = issuer.pair();
    const shared = [await issuer.publicText(), JSON.stringify((await issuer.keySet()).keys[0])].map(
      (secret) => {
        const head = `${encoded({ alg: "HS256", kid, typ: "JWT" })}.${payload}`;
        return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
      },
    );
    const evil = await newPair();
    const foreign = await issuer.token(person({}, { by: { ...evil, kid } }));
    const { jwk } = { jwk: { kty: "RSA", n: "AQAB", e: "AQAB" } };
    const carried = await issuer.token(
      person({}, { by: { ...evil, kid }, header: { jwk, jku: issuer.jwksUrl } }),
    );
    const [head = "", , signature = ""] = (await issuer.token(person())).split(".");
    const swapped = `${head}.${payload}.${signature}`;
    const critical = await issuer.token(person({}, { by: evil, header: { kid } }));
    for (const token of [
      ...none,
      ...shared,
      foreign,
      carried,
      swapped,
      critical,
      "eyJ.e.",
      "eyJhbGciOiJSUzI1NiJ9..",
    ]) {
      const answer = await on.post(`Bearer ${token}`);
      expect(answer.status).toBe(401);
      expect(await on.reason()).toMatch(/^token_(malformed|signature)$/);
    }
  });

  it("a huge token is not looked at", async () => {
    const before = issuer.fetches();
    const answer = await on.post(`Bearer ${await issuer.token(person({ filler: "x".repeat(8_000) }))}`);
    expect([answer.status, await on.reason()]).toEqual([401, "token_malformed"]);
    expect(issuer.fetches()).toBe(before);
  });

  it("a token and a key at once, or two tokens, are none", async () => {
    const token = await issuer.token(person());
    expect((await on.post(`Bearer ${token}`, { "x-api-key": on.server.key })).status).toBe(401);
    expect(await on.reason()).toBe("unauthenticated");
    const { status } = await ask(on.server.port, {
      method: "POST",
      headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] as never },
    });
    expect(status).toBe(401);
    expect((await on.post("", { "x-api-key": token })).status).toBe(401);
  });

  it("a missing scope is said, so that the client can ask for it", async () => {
    const answer = await on.post(`Bearer ${await issuer.token(person({ scope: "openid mcpx" }))}`);
    expect([answer.status, answer.text]).toEqual([403, '{"error":"Forbidden"}']);
    expect(answer.headers["www-authenticate"]).toBe(`Bearer error="insufficient_scope", ${CHALLENGE}`);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "insufficient_scope", status: 403 });
  });

  it("a token without the drawn claims stands for its subject only, and reads", async () => {
    expect(await namesFor({ claims: { scope: "mcp" } })).toEqual([]);
    expect(await lastRow()).toMatchObject({ human_id: null, agent_id: null, subject_team_id: null });
    const viewer = await namesFor(person({ realm_access: { roles: ["admin", "mcp-Admin", "toString"] } }));
    expect(viewer).toContain("notes_get");
    const writes = await connectAs(
      on.server.port,
      await issuer.token(person({ realm_access: {}, groups: undefined })),
    ).call("notes_clear");
    expect(JSON.stringify(writes)).toContain("Unknown tool");
  });

  it("grants tell people and teams apart, and one that is revoked counts from the next call on", async () => {
    const ada = await namesFor(person({ groups: [] }));
    expect(ada).toContain("notes_get");
    expect(ada).not.toContain("notes_clear");
    expect(await namesFor(person({ groups: [], preferred_username: "eve" }))).toEqual([]);
    const { policyOf, testRegistry } = await import("./stack.ts");
    const { createWitness } = await import("./notes.ts");
    const client = connectAs(on.server.port, await issuer.token(person()));
    expect((await client.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    const sessions = [{ name: "sre-session", team_id: "sre", revoked: true }];
    on.server.replacePolicy(
      JSON.stringify(
        policyOf(testRegistry(createWitness()), {
          ...POLICY,
          grants: POLICY.grants?.slice(0, 1) ?? [],
          sessions,
        }),
      ),
    );
    expect(JSON.stringify(await client.call("notes_get", { name: "first" }))).toContain("Unknown tool");
    expect(await lastRow()).toMatchObject({ reason: "session_revoked", human_id: "ada" });
  });

  it("R7: headers that name somebody are believed from drawn delegates alone", async () => {
    const spoof = { "x-mcp-human-id": "grace", "x-mcp-team-id": "sre" };
    expect(await namesFor(person({ groups: [], preferred_username: "eve" }), spoof)).toEqual([]);
    expect(await lastRow()).toMatchObject({
      human_id: "eve",
      header_ignored: ["x-mcp-human-id", "x-mcp-team-id"],
    });
    const session = { ...spoof, "x-mcp-agent-session": "sre-session" };
    expect(await namesFor(person({ azp: "gateway", groups: [] }), session)).toContain("notes_clear");
    const row = await lastRow();
    expect(row).toMatchObject({ human_id: "grace", subject_team_id: "sre" });
    expect(row["key_id"]).toMatch(/^oauth:[0-9a-f]{16}\/grace\/\/sre$/);
  });

  it("P12: keys work beside tokens, and a key that looks like none is no token", async () => {
    expect((await on.post(`Bearer ${on.server.key}`)).status).toBe(200);
    expect((await on.post("Bearer eyJust-a-word")).headers["www-authenticate"]).toBe(`Bearer ${CHALLENGE}`);
    expect(await on.reason()).toBe("unauthenticated");
  });

  it("RFC 9728: describes itself from what is drawn, whatever Host says, and keeps its guards", async () => {
    for (const path of [METADATA, `${METADATA}/tools/mcp`]) {
      const { status, json, headers } = await ask(on.server.port, {
        path,
        headers: { host: "localhost:1234" },
      });
      expect([status, headers["content-type"]]).toEqual([200, "application/json"]);
      expect(json).toEqual({
        resource: AUDIENCE,
        authorization_servers: [issuer.issuer],
        bearer_methods_supported: ["header"],
        scopes_supported: ["mcp"],
        resource_name: "test",
      });
      expect((await ask(on.server.port, { path, headers: { host: "evil.example.com" } })).status).toBe(403);
      expect(
        (await ask(on.server.port, { path, headers: { origin: "https://evil.example.com" } })).status,
      ).toBe(403);
      expect((await ask(on.server.port, { path, method: "POST" })).status).toBe(405);
    }
    expect((await ask(on.server.port, { path: `${METADATA}/other` })).status).toBe(404);
    const { status, headers } = await ask(on.server.port, { method: "POST" });
    expect([status, headers["www-authenticate"]]).toEqual([401, `Bearer ${CHALLENGE}`]);
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

  it("S9: no token gets into log, audit or answer", async () => {
    const tokens = [
      await issuer.token(person()),
      await issuer.token(person({ aud: "x" })),
      await issuer.token(person({ exp: seconds(-90) })),
      `${encoded({ alg: "none" })}.${encoded({ sub: "x" })}.`,
    ];
    const seen: string[] = [];
    for (const token of tokens) {
      const client = connectAs(on.server.port, token);
      seen.push((await on.post(`Bearer ${token}`)).text, JSON.stringify(await client.rpc("tools/list")));
      seen.push(JSON.stringify(await client.call("notes_get", { name: token })));
    }
    const everything = [...seen, on.stderr(), JSON.stringify(on.server.audit())].join("\n");
    for (const token of tokens) {
      const [, payload = "", signature = ""] = token.split(".");
      expect(everything).not.toContain(payload);
      if (signature !== "") expect(everything).not.toContain(signature);
    }
  });

  it("S18: the 2.x client comes in with a token", async () => {
    const client = new ModernClient(
      { name: "suite", version: "1.0.0" },
      { versionNegotiation: { mode: "auto" } },
    );
    const url = new URL(`http://127.0.0.1:${on.server.port}/mcp`);
    const headers = { authorization: `Bearer ${await issuer.token(person())}` };
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
    expect(client.getNegotiatedProtocolVersion()).toBe(adapter === "sdk" ? "2026-07-28" : "2025-11-25");
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("notes_clear");
    await client.close();
  });
});

describe("R25 oauth: what is drawn otherwise", () => {
  afterEach(() => vi.restoreAllMocks());

  it("where keys are not drawn, none is taken, and none is left in the environment", async () => {
    const on = await stage("sdk", { takesKeys: false });
    expect((await on.post(`Bearer ${on.server.key}`)).status).toBe(401);
    expect((await on.post(`Bearer ${await issuer.token(person())}`)).status).toBe(200);
    await on.server.close();
    await expect(stage("sdk", { takesKeys: false }, { MCP_APPROVALS_PORT: "0" })).rejects.toThrow(
      "MCP_APPROVALS_PORT",
    );
  });

  it("of several teams the first that is drawn counts", async () => {
    const on = await stage("sdk", { teams: ["sre", "sales"] });
    await on.post(`Bearer ${await issuer.token(person({ groups: ["sales", "other", "sre"] }))}`);
    expect((await on.server.newRows()).at(-1)).toMatchObject({ subject_team_id: "sre" });
    await on.post(`Bearer ${await issuer.token(person({ groups: ["other"] }))}`);
    expect((await on.server.newRows()).at(-1)).toMatchObject({ subject_team_id: null });
    await on.server.close();
  });

  it("A7: an agent with a token proposes, and an admin with another one approves and executes", async () => {
    const on = await stage("sdk", {}, { MCP_MEMO_WRITE_ACCESS: "true" });
    const as = async (path: string, wish: TokenWish, body: Json): Promise<HttpAnswer> =>
      await ask(on.server.port, {
        method: "POST",
        path: `/api/mcp/${path}`,
        headers: { authorization: `Bearer ${await issuer.token(wish)}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const admin = person({
      sub: "grace-1",
      preferred_username: "grace",
      realm_access: { roles: ["mcp-admin"] },
    });
    const call = { provider: "memo", tool: "memo_add", args: { body: "hello" } };
    const { json, text } = await as("propose", person(), call);
    expect(json["proposal_id"], text).toBeTypeOf("string");
    const { proposal_id, argsSha } = json;
    expect((await as("approve", person(), { proposal_id })).json["error"]).toBe("role_not_allowed");
    expect((await as("approve", admin, { proposal_id })).status).toBe(200);
    expect((await as("execute", admin, { proposal_id, argsSha })).json).toMatchObject({
      ok: true,
      replayed: false,
    });
    await on.server.close();
  });

  it.each([
    ["http://idp.example.com/jwks", "must be an https URL"],
    ["https://user:word@idp.example.com/jwks", "must be an https URL"],
    ["file:///etc/passwd", "must be an https URL"],
  ])("MCP_OAUTH_JWKS_URL=%s stops the start", async (url, message) => {
    await expect(stage("sdk", {}, { MCP_OAUTH_JWKS_URL: url })).rejects.toThrow(
      `MCP_OAUTH_JWKS_URL ${message}`,
    );
  });
});
