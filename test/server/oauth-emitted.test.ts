import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, callTool, connectClient, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { openTestIssuer } from "../harness/test-issuer.ts";
import type { TestIssuer } from "../harness/test-issuer.ts";
import { ask } from "./boot.ts";

const AUDIENCE = "https://mcp.example.com/ai/mcp";
const work = workspace();
let issuer: TestIssuer;

const stack = (name: string, framework: string, oauth: string): string => `apiVersion: topology/v1
stack: ${name}
domain: example.com
components:
  mcp: {framework: ${framework}}
  nginx:
  idp: {type: resource, host: 127.0.0.1, port: 8443}
links:
  nginx: {mcp: {path: /ai}}
  mcp: {stack_agent: read}
access:
  oauth:
    issuer: ${issuer.issuer}
    ${oauth}
    claims: {human: preferred_username}
  grants:
    ada: {subject: {human: ada}, maxTrust: low}
`;

beforeAll(async () => {
  issuer = await openTestIssuer(AUDIENCE);
  const fetched = "keys: {from: idp, path: /jwks}";
  work.draw("tokens", stack("tokens", "sdk", fetched));
  work.draw("tokens-fastmcp", stack("tokens-fastmcp", "fastmcp", fetched));
  work.draw("filed", stack("filed", "sdk", "keys: {file: keys.json}"));
  writeFileSync(work.path("stacks/keys.json"), JSON.stringify(await issuer.keySet()));
  work.generate();
});
afterAll(async () => {
  await issuer.close();
  work.remove();
});

describe.each(["tokens", "tokens-fastmcp", "filed"])("R25 oauth: the emitted server of %s", (name) => {
  let server: BootedServer;
  beforeAll(async () => {
    server = await bootServer(work.path(`out/${name}`), {
      MCP_OAUTH_JWKS_URL: issuer.jwksUrl,
      MCP_AUDIT_FILE: work.path(`${name}.jsonl`),
      MCP_API_KEY_TEAM_ID: "",
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  it("serves a caller with a token as its grant says", async () => {
    const key = await issuer.token({ claims: { preferred_username: "ada" } });
    const client = await connectClient({ url: server.url, key });
    expect((await client.listTools()).tools.map((tool) => tool.name)).toContain("list_components");
    expect(await callTool(client, "list_components")).toMatchObject({ isError: false });
    await client.close();
    const stranger = await connectClient({ url: server.url, key: await issuer.token() });
    expect((await stranger.listTools()).tools).toEqual([]);
    await stranger.close();
    const seen = readFileSync(work.path(`${name}.jsonl`), "utf8") + server.stderr();
    expect(seen).toContain('"human_id":"ada"');
    for (const part of key.split(".").slice(1)) expect(seen).not.toContain(part);
  });

  it("refuses a token for its address within the cluster, and says where to look", async () => {
    const token = await issuer.token({ claims: { aud: server.url.href, preferred_username: "ada" } });
    const port = Number(server.url.port);
    const { status, headers } = await ask(port, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
    });
    expect([status, headers["www-authenticate"]]).toEqual([
      401,
      'Bearer error="invalid_token", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/ai/mcp"',
    ]);
    const { json } = await ask(port, { path: "/.well-known/oauth-protected-resource/ai/mcp" });
    expect(json).toMatchObject({ resource: AUDIENCE, authorization_servers: [issuer.issuer] });
  });

  it("is sound TypeScript", () => {
    const config = work.path(`out/${name}/server/tsconfig.json`);
    const run = spawnSync("node_modules/.bin/tsc", ["-p", config], { encoding: "utf8" });
    expect([run.status, run.stdout]).toEqual([0, ""]);
  });
});
