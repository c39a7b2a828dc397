import { createHash, createHmac } from "node:crypto";
import { Client as ModernClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { newPair, openTestIssuer } from "../harness/test-issuer.ts";
import type { TestIssuer, TokenWish } from "../harness/test-issuer.ts";
import { ask, connectAs } from "./boot.ts";
import type { HttpAnswer, Json } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";
import { createWitness } from "./notes.ts";
import {
  AUDIENCE,
  CHALLENGE,
  METADATA,
  PERSON,
  POLICY,
  encoded,
  person,
  seconds,
  stage,
} from "./oauth-stage.ts";
import type { Stage } from "./oauth-stage.ts";
import { policyOf, testRegistry } from "./stack.ts";

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await openTestIssuer(AUDIENCE);
});
afterAll(async () => await issuer.close());

describe.each(ADAPTERS)("R25 oauth: tokens before %s", (adapter) => {
  let on: Stage;
  beforeEach(async () => {
    on = await stage(issuer, adapter);
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
    const on = await stage(issuer, "sdk", { takesKeys: false });
    expect((await on.post(`Bearer ${on.server.key}`)).status).toBe(401);
    expect((await on.post(`Bearer ${await issuer.token(person())}`)).status).toBe(200);
    await on.server.close();
    await expect(stage(issuer, "sdk", { takesKeys: false }, { MCP_APPROVALS_PORT: "0" })).rejects.toThrow(
      "MCP_APPROVALS_PORT",
    );
  });

  it("of several teams the first that is drawn counts", async () => {
    const on = await stage(issuer, "sdk", { teams: ["sre", "sales"] });
    await on.post(`Bearer ${await issuer.token(person({ groups: ["sales", "other", "sre"] }))}`);
    expect((await on.server.newRows()).at(-1)).toMatchObject({ subject_team_id: "sre" });
    await on.post(`Bearer ${await issuer.token(person({ groups: ["other"] }))}`);
    expect((await on.server.newRows()).at(-1)).toMatchObject({ subject_team_id: null });
    await on.server.close();
  });

  it("A7: an agent with a token proposes, and an admin with another one approves and executes", async () => {
    const on = await stage(issuer, "sdk", {}, { MCP_MEMO_WRITE_ACCESS: "true" });
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
});
