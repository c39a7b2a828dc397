import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PolicyDocument, PolicyGrant, PolicySession } from "#runtime/policy/document";
import { ask, boot } from "./boot.ts";
import type { Booted, Json } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";
import { createWitness } from "./notes.ts";
import { withShelf } from "./shelf.ts";
import { policyOf, testRegistry } from "./stack.ts";

const WRITES = { MCP_NOTES_WRITE_ACCESS: "true", MCP_MEMO_WRITE_ACCESS: "true" };
/** Whom the one key stands for where it names nobody. */
const ME = "key:mcp-api-key";
const ALL = ["read", "write", "destructive"] as const;
const GRANT: PolicyGrant = { name: "g", agent_id: ME, max_trust: "high", allowed_side_effects: ALL };
const SESSION: PolicySession = { name: "g", agent_id: ME, consented_trust: "high" };
const REQUIRED = { session: { required: true } };

const registry = withShelf(testRegistry(createWitness()));
const policy = (more: Partial<PolicyDocument>): string => JSON.stringify(policyOf(registry, more));

async function namesOf(
  server: Booted,
  what: "tools" | "resources" | "prompts" = "tools",
): Promise<readonly string[]> {
  const { result } = await server.rpc(`${what}/list`);
  return ((result as Json)[what] as readonly { name: string }[]).map(({ name }) => name);
}

describe.each(ADAPTERS)("the policy over %s", (adapter) => {
  let server: Booted;
  beforeEach(async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    server = await boot(adapter, WRITES, withShelf);
  });
  afterEach(async () => {
    await server.close();
    vi.restoreAllMocks();
  });
  const lastRow = async (): Promise<Json> => ({ ...(await server.newRows()).at(-1) });
  const clear = async (): Promise<Json> =>
    await server.rpc("tools/call", { name: "notes_clear", arguments: {} });
  const UNKNOWN = { code: -32_602, message: "Unknown tool: notes_clear" };

  const REASONS: readonly (readonly [string, Partial<PolicyDocument>])[] = [
    ["no_matching_grant", { grants: [{ ...GRANT, agent_id: "somebody-else" }] }],
    ["no_matching_grant", { grants: [{ ...GRANT, team_id: "sre" }] }],
    ["tool_not_granted", { grants: [{ ...GRANT, tool_rules: [{ name: "notes_get", decision: "allow" }] }] }],
    ["tool_not_granted", { grants: [{ ...GRANT, disabled: true }] }],
    ["tool_denied", { grants: [{ ...GRANT, tool_rules: [{ name: "notes_clear", decision: "deny" }] }] }],
    ["side_effect_not_allowed", { grants: [{ ...GRANT, allowed_side_effects: ["read", "write"] }] }],
    ["trust_too_low", { grants: [{ ...GRANT, max_trust: "medium" }] }],
    ["trust_too_low", { ...REQUIRED, grants: [GRANT], sessions: [{ ...SESSION, consented_trust: "low" }] }],
    ["grant_without_trust", { grants: [{ name: "g", agent_id: ME, allowed_side_effects: ALL }] }],
    ["tool_side_effect_unknown", { grants: [GRANT], tools: [] }],
    ["session_revoked", { ...REQUIRED, grants: [GRANT], sessions: [{ ...SESSION, revoked: true }] }],
    [
      "session_expired",
      { ...REQUIRED, grants: [GRANT], sessions: [{ ...SESSION, expires_at: "2020-01-01T00:00:00Z" }] },
    ],
  ];

  it.each(REASONS)("R22: %s: the caller is told nothing, the audit everything", async (reason, change) => {
    server.replacePolicy(policy(change));
    expect((await clear())["error"]).toEqual(UNKNOWN);
    expect(await lastRow()).toMatchObject({
      decision: "deny",
      reason,
      tool_name: "notes_clear",
      policy_revision: policyOf(registry, change).revision,
      policy_version: "v1",
    });
    expect(await namesOf(server)).not.toContain("notes_clear");
    expect(server.witness.ran).toEqual([]);
  });

  it("R2: the row of an allowed call says by which grant, session and trust", async () => {
    server.replacePolicy(policy({ ...REQUIRED, grants: [GRANT], sessions: [SESSION] }));
    expect((await server.call("notes_clear"))["isError"]).toBeUndefined();
    expect(await lastRow()).toMatchObject({
      decision: "allow",
      matched_grant: "g",
      matched_session: "g",
      required_trust: "high",
      required_side_effect: "destructive",
      risk_level: "high",
      effective_trust: "high",
    });
  });

  it("a caller without a session in the policy has one of its own", async () => {
    server.replacePolicy(policy({ ...REQUIRED, grants: [GRANT] }));
    expect((await server.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    expect(await lastRow()).toMatchObject({ matched_session: ME });
  });

  it("R3: what is revoked counts from the next call on, also within a session that is open", async () => {
    expect((await server.call("notes_clear"))["isError"]).toBeUndefined();
    server.replacePolicy(policy({ ...REQUIRED, grants: [GRANT], sessions: [{ ...SESSION, revoked: true }] }));
    expect((await clear())["error"]).toEqual(UNKNOWN);
    server.replacePolicy(policy({ ...REQUIRED, grants: [GRANT], sessions: [SESSION] }));
    expect((await server.call("notes_clear"))["isError"]).toBeUndefined();
    expect(server.witness.ran).toHaveLength(2);
  });

  it("a grant ends with the session of its name", async () => {
    const over = { ...SESSION, expires_at: "2020-01-01T00:00:00Z" };
    const narrow: PolicyGrant = {
      ...GRANT,
      name: "narrow",
      tool_rules: [{ name: "notes_get", decision: "allow" }],
    };
    const sessions = [over, { ...SESSION, name: "narrow" }];
    server.replacePolicy(policy({ ...REQUIRED, grants: [GRANT, narrow], sessions }));
    expect(await namesOf(server)).toEqual(["notes_get"]);
    expect((await clear())["error"]).toEqual(UNKNOWN);
  });

  it("the policy cannot make a write of the code a read", async () => {
    const tools = (policyOf(registry).tools ?? []).map((tool) => ({
      ...tool,
      side_effect: "read" as const,
      required_trust: "low" as const,
    }));
    server.replacePolicy(policy({ tools, grants: [{ ...GRANT, allowed_side_effects: ["read"] }] }));
    expect((await clear())["error"]).toEqual(UNKNOWN);
    expect(await lastRow()).toMatchObject({ reason: "side_effect_not_allowed" });
  });

  it("R27: a policy that only watches lets reads through, and no write", async () => {
    server.replacePolicy(
      policy({ policy: { mode: "observe", default_decision: "deny", policy_version: "v1" }, grants: [] }),
    );
    expect((await server.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    expect((await clear())["error"]).toEqual(UNKNOWN);
  });

  it("S10: what stands beside the tools is for those who may call one of them", async () => {
    expect(await namesOf(server, "resources")).toContain("guide");
    expect(await namesOf(server, "prompts")).toEqual(["review_book"]);
    server.replacePolicy(policy({ grants: [] }));
    expect(await namesOf(server, "resources")).toEqual([]);
    expect(await namesOf(server, "prompts")).toEqual([]);
    const { error } = await server.rpc("resources/read", { uri: "shelf://guide" });
    expect(error).toMatchObject({ code: -32_602 });
    expect(await lastRow()).toMatchObject({ reason: "no_matching_grant" });
  });

  it("design 6: the write flag is asked before the policy", async () => {
    const gated = await boot(adapter, {}, withShelf, { grants: [] });
    expect((await gated.rpc("tools/call", { name: "notes_clear", arguments: {} }))["error"]).toEqual(UNKNOWN);
    expect((await gated.newRows()).at(-1)).toMatchObject({ reason: "write_disabled" });
    await gated.close();
  });

  it("design 6: the policy is asked before the arguments are looked at", async () => {
    server.replacePolicy(policy({ grants: [] }));
    const { error } = await server.rpc("tools/call", { name: "notes_get", arguments: { wrong: 1 } });
    expect(error).toMatchObject({ message: "Unknown tool: notes_get" });
    expect(await lastRow()).toMatchObject({ reason: "no_matching_grant" });
  });

  it("R23: keeps the last good policy, and says why the new one is not in use", async () => {
    const auth = { authorization: `Bearer ${server.key}` };
    const status = async (): Promise<Json> =>
      (await ask(server.port, { path: "/config/status", headers: auth })).json;
    const before = await status();
    expect(before).toMatchObject({ ready: true, schema_version: "v1", last_reload_error: null });
    server.replacePolicy("{");
    expect((await server.call("notes_clear"))["isError"]).toBeUndefined();
    expect(await status()).toMatchObject({
      ready: true,
      revision: before["revision"],
      last_reload_error: "is not valid JSON",
    });
    expect((await ask(server.port, { path: "/ready" })).status).toBe(200);
    server.replacePolicy(policy({ grants: [] }));
    expect(await status()).toMatchObject({
      last_reload_error: null,
      revision: policyOf(registry, { grants: [] }).revision,
    });
    expect((await ask(server.port, { path: "/config/status" })).status).toBe(401);
  });

  it("T15 R23: is ready only with a policy, and lets nobody do anything before", async () => {
    const without = await boot(adapter, WRITES, withShelf, { schema_version: "v0" });
    expect((await ask(without.port, { path: "/ready" })).json).toEqual({ status: "no valid policy" });
    expect((await ask(without.port, { path: "/ready" })).status).toBe(503);
    expect((await ask(without.port, { path: "/health" })).status).toBe(200);
    expect(await namesOf(without)).toEqual([]);
    const { error } = await without.rpc("tools/call", { name: "notes_get", arguments: { name: "first" } });
    expect(error).toMatchObject({ message: "Unknown tool: notes_get" });
    expect((await without.newRows()).at(-1)).toMatchObject({
      decision: "deny",
      reason: "policy_unavailable",
    });
    without.replacePolicy(policy({}));
    expect((await ask(without.port, { path: "/ready" })).status).toBe(200);
    expect((await without.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    await without.close();
  });
});
