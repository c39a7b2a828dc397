import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseKeys } from "#runtime/identity/key-table";
import type { PolicyDocument, PolicyGrant, PolicySession } from "#runtime/policy/document";
import { ask, boot, connectAs, INITIALIZE, newKey } from "./boot.ts";
import type { Booted, Json, TestClient } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const ALL = ["read", "write", "destructive"] as const;
const GRANT: PolicyGrant = { name: "sre", team_id: "sre", max_trust: "high", allowed_side_effects: ALL };
const SESSION: PolicySession = { name: "sre-session", team_id: "sre", consented_trust: "high" };
const POLICY: Partial<PolicyDocument> = {
  session: { required: true },
  grants: [GRANT, { ...GRANT, name: "ada", team_id: "", human_id: "ada", max_trust: "low" }],
  sessions: [SESSION],
};
const KEYS = Object.fromEntries(
  ["viewer", "operator", "old", "over", "auditor", "admin", "gateway"].map((name) => [name, newKey()]),
);
const keyOf = (name: string): string => KEYS[name] ?? "";
const row = (name: string, more: object = {}): object => ({
  id: name,
  sha256: createHash("sha256").update(keyOf(name)).digest("hex"),
  team_id: "sre",
  role: "operator",
  ...more,
});
const TABLE = [
  row("viewer", { role: "viewer" }),
  row("operator"),
  row("old", { not_after: "2999-01-01T00:00:00Z" }),
  row("over", { not_after: "2020-01-01T00:00:00Z" }),
  row("auditor", { role: "auditor" }),
  row("admin", { role: "admin", human_id: "grace" }),
  row("gateway", { delegate: true }),
];

describe.each(ADAPTERS)("who is calling over %s", (adapter) => {
  let server: Booted;
  let folder: string;
  const write = (table: unknown): void => {
    writeFileSync(join(folder, "next"), typeof table === "string" ? table : JSON.stringify(table));
    renameSync(join(folder, "next"), join(folder, "keys.json"));
  };
  beforeEach(async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    folder = mkdtempSync(join(tmpdir(), "topogate-keys-"));
    write(TABLE);
    const environment = { MCP_NOTES_WRITE_ACCESS: "true", MCP_KEYS_FILE: join(folder, "keys.json") };
    server = await boot(adapter, environment, undefined, POLICY);
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
    vi.restoreAllMocks();
  });
  const as = (name: string, headers: OutgoingHttpHeaders = {}): TestClient =>
    connectAs(server.port, keyOf(name), headers);
  const lastRow = async (): Promise<Json> => ({ ...(await server.newRows()).at(-1) });
  const namesOf = async (client: TestClient): Promise<readonly string[]> => {
    const { result } = await client.rpc("tools/list");
    return ((result as Json)["tools"] as readonly { name: string }[]).map(({ name }) => name);
  };
  const statusOf = async (headers: OutgoingHttpHeaders): Promise<number> =>
    (
      await ask(server.port, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE }),
      })
    ).status;
  const bearer = (name: string): OutgoingHttpHeaders => ({ authorization: `Bearer ${keyOf(name)}` });

  it("R2: each key sees what its grants and its role come to", async () => {
    expect(await namesOf(as("operator"))).toContain("notes_clear");
    const reading = await namesOf(as("viewer"));
    expect(reading).toContain("notes_get");
    expect(reading).not.toContain("notes_put");
    expect(await namesOf(as("auditor"))).toEqual(reading);
    expect(await namesOf(server)).toEqual([]);
    expect((await as("viewer").rpc("tools/call", { name: "notes_clear", arguments: {} }))["error"]).toEqual({
      code: -32_602,
      message: "Unknown tool: notes_clear",
    });
    expect(await lastRow()).toMatchObject({
      reason: "trust_too_low",
      key_id: "key:viewer",
      subject_team_id: "sre",
      matched_session: "sre-session",
      consented_trust: "low",
    });
  });

  it("P12: a key of the table comes as a bearer or as X-API-Key, never as both", async () => {
    expect(await statusOf(bearer("operator"))).toBe(200);
    expect(await statusOf({ "x-api-key": keyOf("operator") })).toBe(200);
    expect(await statusOf({ ...bearer("operator"), "x-api-key": keyOf("operator") })).toBe(401);
    expect(await statusOf(bearer("over"))).toBe(401);
    expect(await lastRow()).toMatchObject({ reason: "unauthenticated", key_id: null });
  });

  it("rotates without a gap: two keys are good at once, and a row that goes takes its key with it", async () => {
    const [old, fresh] = [as("old"), as("operator")];
    expect((await old.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    expect((await fresh.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    write(TABLE.filter((each) => (each as { id: string }).id !== "old"));
    expect(await statusOf(bearer("old"))).toBe(401);
    expect((await fresh.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    write(TABLE);
    expect(await statusOf(bearer("old"))).toBe(200);
  });

  it("a key ends at its instant", async () => {
    write([row("old", { not_after: new Date(Date.now() + 400).toISOString() })]);
    expect(await statusOf(bearer("old"))).toBe(200);
    await vi.waitFor(async () => expect(await statusOf(bearer("old"))).toBe(401), {
      timeout: 5_000,
      interval: 50,
    });
  });

  it("a table that cannot be used changes nothing", async () => {
    for (const broken of ["[", "{}", [row("operator"), row("operator")], [{ id: "x" }]]) {
      write(broken);
      expect(await statusOf(bearer("operator"))).toBe(200);
    }
  });

  it("R7: a key that speaks for others speaks for whom it names, and each of them is a caller of its own", async () => {
    const session = { "x-mcp-agent-session": "sre-session" };
    const mary = as("gateway", { ...session, "x-mcp-human-id": "mary", "x-mcp-team-id": "sre" });
    expect((await mary.call("notes_clear"))["isError"]).toBeUndefined();
    expect(await lastRow()).toMatchObject({
      key_id: "key:gateway/mary//sre",
      human_id: "mary",
      subject_team_id: "sre",
      matched_session: "sre-session",
    });
    const other = as("gateway", { ...session, "x-mcp-human-id": "mary", "x-mcp-team-id": "sales" });
    expect(await namesOf(other)).toEqual([]);
  });

  it.each([
    ["missing_identity", { "x-mcp-agent-session": "sre-session" }],
    ["missing_session", { "x-mcp-team-id": "sre" }],
    ["session_not_found", { "x-mcp-team-id": "sre", "x-mcp-agent-session": "another" }],
    ["session_not_found", { "x-mcp-team-id": "sales", "x-mcp-agent-session": "sre-session" }],
  ])("R22: %s", async (reason, headers) => {
    const { error } = await as("gateway", headers).rpc("tools/call", {
      name: "notes_get",
      arguments: { name: "first" },
    });
    expect(error).toEqual({ code: -32_602, message: "Unknown tool: notes_get" });
    expect(await lastRow()).toMatchObject({ decision: "deny", reason });
  });

  it("a name that is repeated or no name is no identity", async () => {
    for (const human of [["mary", "ada"], "", "x".repeat(200)])
      expect(await statusOf({ ...bearer("gateway"), "x-mcp-human-id": human })).toBe(401);
  });

  it("D.12: nobody becomes somebody else by a header, and the attempt is on record", async () => {
    const spoof = { "x-mcp-human-id": "ada", "X-MCP-Team-ID": "sre", "x-mcp-agent-session": "sre-session" };
    expect(await namesOf(as("viewer", spoof))).not.toContain("notes_clear");
    expect(await lastRow()).toMatchObject({
      key_id: "key:viewer",
      human_id: null,
      header_ignored: ["x-mcp-human-id", "x-mcp-team-id", "x-mcp-agent-session"],
    });
    const single = connectAs(server.port, server.key, spoof);
    expect(await namesOf(single)).toEqual([]);
  });

  it("the one key may be said to be somebody's; the second of an admin must be another one", async () => {
    const named = await boot(adapter, { MCP_API_KEY_TEAM_ID: "sre" }, undefined, POLICY);
    expect(await namesOf(named)).toContain("notes_get");
    await named.close();
    const key = newKey();
    await expect(boot(adapter, { MCP_API_KEY: key, MCP_ADMIN_API_KEY: key })).rejects.toThrow(
      "MCP_ADMIN_API_KEY must differ from MCP_API_KEY",
    );
  });
});

describe("keys.json", () => {
  const digest = "0".repeat(64);
  it.each<[unknown, string]>([
    [[{ sha256: digest, role: "admin" }], "key 1 needs an id"],
    [[{ id: "a", sha256: "x", role: "admin" }], "key 1 needs sha256"],
    [[{ id: "a", sha256: digest, role: "root" }], "key 1 needs a role: viewer, operator, admin, auditor"],
    [[{ id: "a", sha256: digest, role: "admin", key: "plain" }], "key 1 has an unknown member key"],
    [
      [{ id: "a", sha256: digest, role: "admin", not_after: "tomorrow" }],
      "key 1 has a not_after that is no instant",
    ],
    [[{ id: "a", sha256: digest, role: "admin", delegate: "yes" }], "key 1 has a delegate"],
    [
      [{ id: "a", sha256: digest, role: "admin", human_id: "\u0000" }],
      "key 1 has a human_id that is no name",
    ],
  ])("%j is refused", (table, message) => {
    expect(() => parseKeys(JSON.stringify(table))).toThrow(message);
  });
});
