/** R25 oauth: a real Keycloak signs, and the emitted server holds its tokens to the drawing. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { revisionOf } from "#runtime/policy/document";
import { administrator, makeAccount } from "../../../templates/keycloak/live.ts";
import type { Administrator } from "../../../templates/keycloak/live.ts";
import { bootServer, callTool, connectClient, workspace } from "../../harness/emitted.ts";
import type { BootedServer, ToolAnswer } from "../../harness/emitted.ts";
import { INITIALIZE, ask, connectAs } from "../../server/boot.ts";
import type { HttpAnswer, Json } from "../../server/boot.ts";
import { freePort, liveVersion, startLive } from "../server.ts";
import type { LiveServer } from "../server.ts";
import { PASSWORD, REALM, makeRealm, rotateKeys, tokenOf } from "./realm.ts";

const AUDIENCE = "https://mcp.example.com/mcp";
const LINK_SECRET = "s3cret-of-the-link's-own";
const ANN = { grant_type: "password", username: "ann", password: PASSWORD, scope: "openid" };
const stack = (port: number): string => `apiVersion: topology/v1
stack: tokens
domain: example.com
components:
  traefik:
  keycloak: {host: 127.0.0.1, port: ${port}, realms: [${REALM}]}
links:
  traefik: {mcp: {subdomain: mcp}}
  mcp: {stack_agent: read, keycloak: write}
access:
  oauth:
    issuer: keycloak/${REALM}
    scopes: [mcp]
    claims: {human: preferred_username, agent: azp, team: groups, role: realm_access.roles}
    roles: {mcp-operator: operator}
  grants:
    oncall: {subject: {team: sre}, maxTrust: high}
    ann: {subject: {human: ann}, maxTrust: low}
`;

const work = workspace();
let keycloak: LiveServer;
let issuer: string;
let url: string;
let admin: Administrator;
let server: BootedServer;

const policyFile = (): string => work.path("out/tokens/governance/policy.json");
const auditFile = (): string => work.path("audit.jsonl");
const tokenFor = async (client: string, more = {}): Promise<string> =>
  (await tokenOf(url, client, more)).access_token;
const port = (): number => Number(server.url.port);
const answerTo = async (token: string): Promise<HttpAnswer> =>
  await ask(port(), {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE }),
  });
async function namesFor(token: string): Promise<readonly string[]> {
  const { result } = await connectAs(port(), token).rpc("tools/list");
  return ((result as Json)["tools"] as readonly { name: string }[]).map(({ name }) => name);
}
async function callWith(token: string): Promise<ToolAnswer> {
  const client = await connectClient({ url: server.url, key: token });
  try {
    return await callTool(client, "keycloak_realm_summary", { realm: REALM });
  } finally {
    await client.close();
  }
}

beforeAll(async () => {
  expect(liveVersion("oauth"), "run: bash templates/keycloak/live.sh install").toMatch(/^26\.\d+/);
  keycloak = await startLive("oauth", { MANAGEMENT_PORT: String(await freePort()) });
  url = `http://127.0.0.1:${keycloak.port}`;
  issuer = `${url}/realms/${REALM}`;
  admin = administrator(url);
  await makeRealm(admin, AUDIENCE);
  await makeAccount(url, "write", LINK_SECRET);
  work.draw("tokens", stack(keycloak.port));
  work.generate();
  const config = parse(readFileSync(work.path("out/tokens/k8s/configmap.yaml"), "utf8")) as {
    data: Readonly<Record<string, string>>;
  };
  const { MCP_OAUTH_JWKS_URL = "", MCP_KEYCLOAK_URL = "" } = config.data;
  server = await bootServer(work.path("out/tokens"), {
    MCP_OAUTH_JWKS_URL,
    MCP_KEYCLOAK_URL,
    MCP_KEYCLOAK_CLIENT_SECRET: LINK_SECRET,
    MCP_KEYCLOAK_WRITE_ACCESS: "true",
    MCP_AUDIT_FILE: auditFile(),
    MCP_API_KEY_TEAM_ID: "",
  });
});
afterAll(async () => {
  await server?.stop();
  await keycloak?.stop();
  work.remove();
});

describe("R25 oauth: tokens of a real Keycloak", () => {
  it("RFC 9728: from a refusal to the issuer, without a word of configuration", async () => {
    const refused = await ask(port(), { method: "POST" });
    expect(refused.status).toBe(401);
    const [, described = ""] =
      /resource_metadata="([^"]+)"/.exec(refused.headers["www-authenticate"] ?? "") ?? [];
    expect(described).toBe("https://mcp.example.com/.well-known/oauth-protected-resource/mcp");
    const { json } = await ask(port(), { path: new URL(described).pathname });
    expect(json).toMatchObject({
      resource: AUDIENCE,
      authorization_servers: [issuer],
      scopes_supported: ["mcp"],
    });
    const found = await fetch(`${issuer}/.well-known/openid-configuration`);
    expect(await found.json()).toMatchObject({ issuer });
  });

  it("lists what the grant of the team, of a person and of nobody comes to", async () => {
    const team = await namesFor(await tokenFor("ops-agent"));
    expect(team).toEqual(expect.arrayContaining(["keycloak_realm_summary", "keycloak_set_user_enabled"]));
    const ann = await namesFor(await tokenFor("outsider", ANN));
    expect(ann).toContain("keycloak_realm_summary");
    expect(ann).not.toContain("keycloak_set_user_enabled");
    expect(await namesFor(await tokenFor("outsider"))).toEqual([]);
  });

  it("calls Keycloak with the link's own account, never with the token", async () => {
    const token = await tokenFor("ops-agent");
    const { isError, content } = await callWith(token);
    expect([isError, content]).toMatchObject([false, { tool: "keycloak_realm_summary" }]);
    const audit = readFileSync(auditFile(), "utf8");
    expect(audit).toMatch(/"agent_id":"ops-agent"[^\n]*"key_id":"oauth:[0-9a-f]{16}"/);
    const [, payload = "", signature = ""] = token.split(".");
    for (const part of [payload, signature]) expect(audit + server.stderr()).not.toContain(part);
  });

  it("refuses a token for somebody else, one without the scope, and one that only says who logged in", async () => {
    expect((await answerTo(await tokenFor("elsewhere"))).status).toBe(401);
    const unscoped = await answerTo(await tokenFor("unscoped"));
    expect([unscoped.status, unscoped.headers["www-authenticate"]]).toEqual([
      403,
      expect.stringContaining('error="insufficient_scope"'),
    ]);
    const { id_token: idToken = "" } = await tokenOf(url, "outsider", ANN);
    expect((await answerTo(idToken)).status).toBe(401);
    const rows = readFileSync(auditFile(), "utf8");
    for (const reason of ["token_audience", "insufficient_scope"])
      expect(rows).toContain(`"reason":"${reason}"`);
  });

  it("a session that is revoked takes the next call, of a token that is still good", async () => {
    const token = await tokenFor("ops-agent");
    expect((await callWith(token)).isError).toBe(false);
    const before = readFileSync(policyFile(), "utf8");
    const policy = JSON.parse(before) as { sessions: readonly Json[] };
    const sessions = policy.sessions.map((session) => ({ ...session, revoked: true }));
    const revoked = { ...policy, sessions };
    const put = (text: string): void => {
      writeFileSync(`${policyFile()}.new`, text);
      renameSync(`${policyFile()}.new`, policyFile());
    };
    put(JSON.stringify({ ...revoked, revision: revisionOf(revoked) }));
    await expect(callWith(token)).rejects.toThrow("Unknown tool");
    put(before);
    expect((await callWith(token)).isError).toBe(false);
  });

  it("follows new keys, and the old ones are worth nothing", async () => {
    const old = await tokenFor("ops-agent");
    expect((await answerTo(old)).status).toBe(200);
    await rotateKeys(admin);
    const fresh = await tokenFor("ops-agent");
    // Within ten seconds of the last question the issuer is not asked again.
    await expect
      .poll(async () => (await answerTo(fresh)).status, { timeout: 15_000, interval: 500 })
      .toBe(200);
    expect((await answerTo(old)).status).toBe(401);
  });

  it("keys that are drawn beside tokens still work", async () => {
    expect((await answerTo(server.key)).status).toBe(200);
  });

  it("the issuer may be away for a while; what is not known by then is refused", async () => {
    const token = await tokenFor("ops-agent");
    await rotateKeys(admin);
    const fresh = await tokenFor("ops-agent");
    await keycloak.stop();
    expect((await answerTo(token)).status).toBe(200);
    expect((await answerTo(fresh)).status).toBe(401);
  });
});
