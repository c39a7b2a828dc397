import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { PolicyGrant } from "#runtime/policy/document";
import { ask, boot } from "./boot.ts";
import type { Json } from "./boot.ts";
import { faultOf, note, openStage, valkeySet } from "./governed.ts";
import type { Governed, Stage } from "./governed.ts";

let stage: Stage;
let shared: Governed;
beforeAll(async () => {
  stage = await openStage();
  shared = await stage.start();
});
afterAll(async () => {
  await shared.process.stop();
  stage.remove();
});

const FULL = { MCP_AUDIT_FILE: "/dev/full" };
const GRANT: PolicyGrant = {
  name: "g",
  agent_id: "*",
  max_trust: "high",
  allowed_side_effects: ["read", "write", "destructive"],
};
const REVOKED = { name: "g", agent_id: "*", consented_trust: "high", revoked: true } as const;
const post = async (key: string, body: string, type = "application/json"): Promise<Json> => {
  const headers = { authorization: `Bearer ${key}`, "content-type": type };
  const { status } = await ask(shared.port, { method: "POST", headers, body });
  return { status, ...(await shared.lastRow()) };
};
const called = async (on: Governed, name: string, args: Json): Promise<unknown> => {
  await on.as("agent").rpc("tools/call", { name, arguments: args });
  return (await on.lastRow())["reason"];
};
const under = async (
  change: Parameters<Stage["setPolicy"]>[0],
  name: string,
  args: Json,
): Promise<unknown> => {
  stage.setPolicy(change);
  try {
    return await called(shared, name, args);
  } finally {
    stage.setPolicy();
  }
};

/** Of two steps that would both refuse, the earlier one is heard. The order is that of the front door and the pipeline. */
describe("D.5: the gate order, pair by pair", () => {
  it("D.5 A11: kill switch before authentication, and before anything is read", async () => {
    writeFileSync(shared.switchesFile, "MCP_GATEWAY_ENABLED=false\n");
    const off = await post("nobody", "{");
    rmSync(shared.switchesFile);
    expect(off).toMatchObject({ status: 503, reason: "feature-disabled", key_id: null });
  });

  it("D.5: authentication before the body is inspected: of a stranger nothing is read", async () => {
    expect(await post("nobody", "{")).toMatchObject({ status: 401, reason: "unauthenticated" });
    expect(await post("nobody", "hello", "text/plain")).toMatchObject({ reason: "unauthenticated" });
  });

  it("D.5: an inspectable request before the allow-list", async () => {
    const twice = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"nothing"}}';
    expect(await post(stage.keyOf("agent"), twice)).toMatchObject({
      status: 400,
      reason: "rpc_inspection_failed",
    });
  });

  it("D.5: the allow-list before the write flag", async () => {
    // An emitted server holds no write tool that is not allowed: one is taken off the list by hand here.
    const server = await boot("sdk", { MCP_NOTES_WRITE_ACCESS: "false" }, (registry) => {
      const { notes_clear: _taken, ...allowList } = registry.allowList;
      return { ...registry, allowList };
    });
    await server.rpc("tools/call", { name: "notes_clear", arguments: {} });
    expect((await server.newRows()).at(-1)).toMatchObject({ reason: "tool_not_allowed" });
    await server.close();
  });

  it("D.5 D.8: the write flags, then the tool pins, then the policy: a server with a wrong pin takes no call at all", async () => {
    const lock = join(stage.folder, "server/surface.lock.json");
    const kept = readFileSync(lock, "utf8");
    writeFileSync(lock, kept.replace("Use to", "Use now to"));
    stage.setPolicy({ schema_version: "v0" });
    const failure = async (flag: string): Promise<string> =>
      await stage.run({ MCP_VALKEY_WRITE_ACCESS: flag }, async () => "it started").catch(String);
    const [both, pins] = [await failure("perhaps"), await failure("true")];
    writeFileSync(lock, kept);
    stage.setPolicy();
    expect(both).toContain("MCP_VALKEY_WRITE_ACCESS must be true or false");
    expect(both).not.toContain("surface.lock.json");
    expect(pins).toContain("surface.lock.json");
  });

  it("D.5: the write flag before session and grant", async () => {
    await stage.run({ MCP_VALKEY_WRITE_ACCESS: "false" }, async (gated) => {
      stage.setPolicy({ session: { required: true }, grants: [], sessions: [REVOKED] });
      expect(await called(gated, "valkey_set", valkeySet("a"))).toBe("write_disabled");
      stage.setPolicy();
    });
  });

  it("D.5 R22: identity, session, grant, side effect, trust, each before the next", async () => {
    const required = { session: { required: true } };
    const set = valkeySet("a");
    const read: PolicyGrant = { ...GRANT, allowed_side_effects: ["read"], max_trust: "low" };
    expect(await under({ ...required, grants: [], sessions: [REVOKED] }, "valkey_set", set)).toBe(
      "session_revoked",
    );
    expect(await under({ grants: [{ ...read, agent_id: "another" }] }, "valkey_set", set)).toBe(
      "no_matching_grant",
    );
    const deny = [{ name: "valkey_set", decision: "deny" }] as const;
    expect(await under({ grants: [{ ...read, tool_rules: deny }] }, "valkey_set", set)).toBe("tool_denied");
    expect(await under({ grants: [read] }, "valkey_set", set)).toBe("side_effect_not_allowed");
    expect(await under({ grants: [{ ...GRANT, max_trust: "low" }] }, "valkey_set", set)).toBe(
      "trust_too_low",
    );
  });

  it("D.5: session and grant before the rules, those that hide a tool too", async () => {
    expect(await under({ grants: [] }, "grafana_list_folders", {})).toBe("no_matching_grant");
    expect(await under({ grants: [] }, "valkey_set", valkeySet("admin:x"))).toBe("no_matching_grant");
  });

  it("D.5: the rules before the rate limit, and a call that they deny costs nothing", async () => {
    const one = { MCP_RATE_LIMIT_WRITE_PER_MIN: "1", MCP_RATE_LIMIT_BURST: "1" };
    await stage.run(one, async (limited) => {
      for (let at = 0; at < 3; at += 1)
        expect(await called(limited, "valkey_set", valkeySet("admin:x"))).toBe("denied");
      expect(await called(limited, "valkey_set", valkeySet("a"))).toBe("allowed");
      expect(await called(limited, "valkey_set", valkeySet("a"))).toBe("rate_limited");
      expect(await called(limited, "valkey_set", valkeySet("admin:x"))).toBe("denied");
    });
  });

  it("D.5: the rate limit before approval: who asks too often makes no proposal", async () => {
    const one = { MCP_RATE_LIMIT_WRITE_PER_MIN: "1", MCP_RATE_LIMIT_BURST: "1" };
    await stage.run(one, async (limited) => {
      const propose = async (text: string): Promise<unknown> =>
        await called(limited, "grafana_create_annotation", note(text));
      expect(await propose("one")).toBe("approval_required");
      expect(await propose("two")).toBe("rate_limited");
      expect((await limited.api("ada", "proposals")).json["proposals"]).toHaveLength(1);
    });
  });

  it("D.5: approval before the record of the attempt: a target that was drawn for reading is denied without one", async () => {
    const read = { MCP_NOTES_WRITE_ACCESS: "true", ...FULL };
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const server = await boot("sdk", read, (registry) => {
      const { notes_put: allowed } = registry.allowList;
      if (allowed === undefined) throw new Error("no notes");
      const target = { parameter: "book", access: { journal: "read", ledger: "propose" } } as const;
      return { ...registry, allowList: { ...registry.allowList, notes_put: { ...allowed, target } } };
    });
    const put = async (book: string): Promise<string> =>
      faultOf(await server.call("notes_put", { book, name: "a", body: "b" })).code;
    expect([await put("journal"), await put("ledger")]).toEqual(["denied", "audit_unavailable"]);
    await server.close();
    vi.restoreAllMocks();
  });

  it("D.5 P2: the durable record before execution: nothing reaches the service, directly or as a proposal", async () => {
    await stage.run(FULL, async (full) => {
      const agent = full.as("agent");
      // There is no Valkey, which is what an execution would have said.
      expect(faultOf(await agent.call("valkey_set", valkeySet("a"))).code).toBe("audit_unavailable");
      const proposed = await agent.call("grafana_create_annotation", note("unrecorded"));
      expect(faultOf(proposed).code).toBe("audit_unavailable");
      expect((await full.api("ada", "proposals")).json["proposals"]).toEqual([]);
      const body = { provider: "grafana", tool: "grafana_create_annotation", args: note("unrecorded") };
      const refused = await full.api("agent", "propose", body);
      expect([refused.status, refused.json["error"]]).toEqual([503, "audit_unavailable"]);
      expect((await agent.call("list_components"))["isError"]).toBeUndefined();
    });
  });

  it("D.5 P2: what was approved is not executed while the audit is full, and is once it is not", async () => {
    const MCP_STATE_DIR = stage.path();
    const before = stage.upstream.annotations.length;
    const approved = await stage.run({ MCP_STATE_DIR }, async (open) => {
      const said = faultOf(await open.as("agent").call("grafana_create_annotation", note("later")));
      await open.api("ada", "approve", { proposal_id: said.proposal_id });
      return { proposal_id: said.proposal_id, argsSha: said.argsSha };
    });
    await stage.run({ MCP_STATE_DIR, ...FULL }, async (full) => {
      const refused = await full.api("ben", "execute", approved);
      expect([refused.status, refused.json["error"]]).toEqual([503, "audit_unavailable"]);
    });
    expect(stage.upstream.annotations).toHaveLength(before);
    await stage.run({ MCP_STATE_DIR }, async (open) => {
      expect((await open.api("ben", "execute", approved)).json).toMatchObject({ ok: true, replayed: false });
    });
    expect(stage.upstream.annotations).toHaveLength(before + 1);
  });
});
