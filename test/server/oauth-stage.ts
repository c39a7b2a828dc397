import { vi } from "vitest";
import { openTokens } from "#runtime/oauth/tokens";
import type { OAuthSettings } from "#runtime/oauth/settings";
import type { PolicyDocument } from "#runtime/policy/document";
import type { TestIssuer, TokenWish } from "../harness/test-issuer.ts";
import { ask, boot, INITIALIZE } from "./boot.ts";
import type { Booted, HttpAnswer } from "./boot.ts";
import type { AdapterName } from "./emitted.ts";

export const AUDIENCE = "https://mcp.example.com/tools/mcp";
export const METADATA = "/.well-known/oauth-protected-resource";
export const CHALLENGE = `resource_metadata="https://mcp.example.com${METADATA}/tools/mcp", scope="mcp"`;
const ALL = ["read", "write", "destructive"] as const;
export const POLICY: Partial<PolicyDocument> = {
  session: { required: true },
  grants: [
    { name: "sre", team_id: "sre", max_trust: "high", allowed_side_effects: ALL },
    { name: "ada", human_id: "ada", max_trust: "low", allowed_side_effects: ["read"] },
  ],
  sessions: [{ name: "sre-session", team_id: "sre", consented_trust: "high" }],
};

function settings(issuer: TestIssuer, more: Partial<OAuthSettings>): OAuthSettings {
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

export const PERSON = {
  scope: "openid mcp",
  preferred_username: "ada",
  azp: "claude",
  groups: ["sre"],
  realm_access: { roles: ["mcp-operator", "offline_access"] },
};
export const person = (
  more: Readonly<Record<string, unknown>> = {},
  rest: Omit<TokenWish, "claims"> = {},
): TokenWish => ({
  claims: { ...PERSON, ...more },
  ...rest,
});
export const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;
export const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export interface Stage {
  readonly server: Booted;
  readonly stderr: () => string;
  post(authorization: string, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  reason(): Promise<unknown>;
}

/** A server that takes tokens of the test issuer. */
export async function stage(
  issuer: TestIssuer,
  adapter: AdapterName,
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
    (registry) => ({ ...registry, tokens: openTokens(settings(issuer, more)) }),
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
