import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, boot, connectAs, newKey } from "./boot.ts";
import type { Booted, HttpAnswer, Json, TestClient } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";
import { createWitness } from "./notes.ts";
import type { Witness } from "./notes.ts";
import { withPlay } from "./stage-play.ts";
import { policyOf, testRegistry } from "./stack.ts";

const ROLES = { agent: "operator", ada: "admin", ben: "admin", eve: "admin", audit: "auditor" } as const;
const TEAMS: Readonly<Record<string, string>> = { ada: "sre", ben: "sre", eve: "sales" };
const KEYS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(ROLES).map((name) => [name, newKey()]),
);
const rowsFor = (names: readonly string[]): string =>
  JSON.stringify(
    names.map((name) => ({
      id: name,
      sha256: createHash("sha256")
        .update(KEYS[name] ?? "")
        .digest("hex"),
      role: ROLES[name as keyof typeof ROLES],
      ...(TEAMS[name] === undefined ? {} : { human_id: name, team_id: TEAMS[name] }),
    })),
  );

interface Fault {
  readonly code: string;
  readonly proposal_id: string;
  readonly argsSha: string;
}
function faultOf(result: Json): Fault {
  const [{ text } = { text: "{}" }] = (result["content"] ?? []) as readonly { text: string }[];
  return JSON.parse(text) as Fault;
}

describe.each(ADAPTERS)("A7: propose, approve, execute over %s", (adapter) => {
  let folder: string;
  let witness: Witness;
  let server: Booted;
  let environment: Readonly<Record<string, string>>;
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<Booted> =>
    await boot(adapter, { ...environment, ...more }, withPlay(witness));
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "topogate-approvals-"));
    writeFileSync(join(folder, "keys.json"), rowsFor(Object.keys(ROLES)));
    environment = {
      MCP_PLAY_WRITE_ACCESS: "true",
      MCP_KEYS_FILE: join(folder, "keys.json"),
      MCP_STATE_DIR: folder,
      MCP_SWITCHES_FILE: join(folder, "switches"),
    };
    witness = createWitness();
    server = await start();
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const as = (name: string): TestClient => connectAs(server.port, KEYS[name] ?? "");
  const api = async (who: string, path: string, body?: Json, of: Booted = server): Promise<HttpAnswer> =>
    await ask(of.port, {
      method: body === undefined ? "GET" : "POST",
      path: `/api/mcp/${path}`,
      headers: { authorization: `Bearer ${KEYS[who]}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const propose = async (act = "one"): Promise<Fault> =>
    faultOf(await as("agent").call("play_run", { act, dry_run: false }));
  const lastRow = async (): Promise<Json> => ({ ...(await server.newRows()).at(-1) });
  const said = ({ status, json }: HttpAnswer): readonly unknown[] => [status, json["error"]];

  it("the flow of the runbook: proposed by a model, shown, approved by somebody else, executed once, replayed", async () => {
    const fault = await propose();
    expect(fault.code).toBe("approval_required");
    expect(fault.proposal_id).toMatch(/^[0-9a-f]{16}$/);
    expect(await lastRow()).toMatchObject({ reason: "approval_required", proposal_id: fault.proposal_id });
    const { proposal_id, argsSha } = fault;

    const [shown] = (await api("ada", "proposals")).json["proposals"] as readonly Json[];
    expect(shown).toMatchObject({
      v: 1,
      proposal_id,
      provider: "play",
      tool: "play_run",
      argsSha,
      marker: `<!-- mcp:${argsSha} -->`,
      state: "proposed",
      preview: { arguments: { act: "one", dry_run: false }, dry_run: { would: "one" } },
    });
    expect(shown).not.toHaveProperty("args");
    expect(witness.ran).toEqual([]);

    expect(said(await api("ada", "execute", { proposal_id, argsSha }))).toEqual([409, "not_approved"]);
    expect(said(await api("agent", "approve", { proposal_id }))).toEqual([403, "role_not_allowed"]);
    expect(said(await api("eve", "approve", { proposal_id }))).toEqual([403, "not_an_approver"]);
    expect((await api("ada", "approve", { proposal_id })).json).toMatchObject({
      state: "approved",
      approved_by: "key:ada",
    });
    expect(said(await api("agent", "execute", { proposal_id, argsSha }))).toEqual([403, "role_not_allowed"]);
    expect(said(await api("ben", "execute", { proposal_id, argsSha: "0".repeat(64) }))).toEqual([
      409,
      "args_sha_mismatch",
    ]);
    expect(witness.ran).toEqual([]);

    const executed = await api("ben", "execute", { proposal_id, argsSha });
    expect(executed.status).toBe(200);
    expect(executed.json).toMatchObject({
      ok: true,
      replayed: false,
      approved_by: "key:ada",
      answer: { tool: "play_run", data: { did: "one", times: 1 } },
    });
    const rows = (await server.newRows()).slice(-2);
    expect(rows).toEqual([
      expect.objectContaining({
        phase: "attempt",
        tool_name: "play_run",
        proposal_id,
        approved_by: "key:ada",
      }),
      expect.objectContaining({ phase: "result", key_id: "key:ben", argsSha, ok: true, decision: "allow" }),
    ]);
    const again = await api("ada", "execute", { proposal_id, argsSha });
    expect(again.json).toEqual({ ...executed.json, replayed: true });
    expect(witness.ran).toEqual(["play one"]);
    expect(said(await api("ada", "approve", { proposal_id }))).toEqual([409, "not_open"]);
  });

  it("A2: execute by the call itself: recomputed, and 409 when it is another one", async () => {
    const { proposal_id, argsSha } = await propose();
    await api("ada", "approve", { proposal_id });
    const call = { provider: "play", tool: "play_run", argsSha };
    const other = { act: "two", dry_run: false };
    expect(said(await api("ada", "execute", { ...call, args: other }))).toEqual([409, "args_sha_mismatch"]);
    expect(said(await api("ada", "execute", { ...call, proposal_id, args: other }))).toEqual([
      409,
      "args_sha_mismatch",
    ]);
    const done = await api("ada", "execute", { ...call, args: { dry_run: false, act: "one" } });
    expect(done.json).toMatchObject({ ok: true, replayed: false });
  });

  it("A1: a proposal over HTTP is side-effect-free, exact, and the same when it is made again", async () => {
    const body = { provider: "play", tool: "play_run", args: { act: "one", dry_run: false } };
    const first = await api("agent", "propose?tenant=test", body);
    expect(first.status).toBe(200);
    expect(first.json).toMatchObject({ provider: "play", tool: "play_run", state: "proposed" });
    expect((await api("agent", "propose", body)).json["proposal_id"]).toBe(first.json["proposal_id"]);
    expect((await propose()).proposal_id).toBe(first.json["proposal_id"]);
    expect(witness.ran).toEqual([]);
    expect(said(await api("agent", "propose?tenant=other", body))).toEqual([404, "unknown_tenant"]);
    expect(said(await api("audit", "propose", body))).toEqual([403, "role_not_allowed"]);
    expect((await api("agent", "propose", { ...body, args: { evil: 1 } })).status).toBe(400);
    expect((await api("agent", "propose", { ...body, tool: "notes_get" })).json["error"]).toBe(
      "tool_not_allowed",
    );
    const read = { provider: "notes", tool: "notes_get", args: { name: "first" } };
    expect((await api("agent", "propose", read)).json["error"]).toBe("invalid_argument");
  });

  it("A5: an unknown, hidden or gated tool is 403 all the same, to propose and to execute", async () => {
    for (const tool of ["nothing", "notes_hidden", "notes_clear"]) {
      const body = { provider: "notes", tool, args: {} };
      expect(said(await api("agent", "propose", body)), tool).toEqual([403, "tool_not_allowed"]);
    }
    const execute = { provider: "play", tool: "nothing", args: {}, argsSha: "0".repeat(64) };
    expect(said(await api("ada", "execute", execute))).toEqual([403, "tool_not_allowed"]);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "tool_not_allowed" });
  });

  it("nobody approves what they proposed themselves", async () => {
    const body = { provider: "play", tool: "play_run", args: { act: "mine", dry_run: false } };
    const { proposal_id } = (await api("ada", "propose", body)).json;
    expect(said(await api("ada", "approve", { proposal_id }))).toEqual([403, "two_person"]);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "two_person" });
    expect((await api("ben", "approve", { proposal_id })).status).toBe(200);
  });

  it("32 parallel executions of one approval have one effect", async () => {
    const { proposal_id, argsSha } = await propose("crowd");
    await api("ada", "approve", { proposal_id });
    const answers = await Promise.all(
      Array.from({ length: 32 }, async () => await api("ben", "execute", { proposal_id, argsSha })),
    );
    expect(witness.ran).toEqual(["play crowd"]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.filter(({ json }) => json["replayed"] === false)).toHaveLength(1);
    expect(new Set(answers.map(({ json }) => JSON.stringify(json["answer"])))).toHaveProperty("size", 1);
  });

  it("an execution that fails is an execution: recorded, and not tried again", async () => {
    const { proposal_id, argsSha } = await propose("fail");
    await api("ada", "approve", { proposal_id });
    const failed = await api("ben", "execute", { proposal_id, argsSha });
    expect(failed.json).toMatchObject({ ok: false, replayed: false, answer: { code: "internal" } });
    expect(await lastRow()).toMatchObject({ ok: false, error_class: "internal", approved_by: "key:ada" });
    expect((await api("ben", "execute", { proposal_id, argsSha })).json).toMatchObject({
      ok: false,
      replayed: true,
    });
    expect(witness.ran).toEqual(["play fail"]);
  });

  it("the guards are asked again at execution: policy, switch and the proposer's key", async () => {
    const { proposal_id, argsSha } = await propose();
    await api("ada", "approve", { proposal_id });
    writeFileSync(environment["MCP_SWITCHES_FILE"] ?? "", "MCP_GATEWAY_ENABLED=false\n");
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([503, "feature-disabled"]);
    rmSync(environment["MCP_SWITCHES_FILE"] ?? "");
    writeFileSync(join(folder, "keys.json"), rowsFor(["ada", "ben"]));
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([403, "proposer_gone"]);
    writeFileSync(join(folder, "keys.json"), rowsFor(Object.keys(ROLES)));
    const registry = withPlay(witness)(testRegistry(witness));
    server.replacePolicy(JSON.stringify(policyOf(registry, { grants: [] })));
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([409, "stale_proposal"]);
    server.replacePolicy(JSON.stringify(policyOf(registry)));
    expect((await api("ben", "execute", { proposal_id, argsSha })).json).toMatchObject({
      ok: true,
      replayed: false,
    });
    expect(witness.ran).toEqual(["play one"]);
  });

  it("a grant that has ended since refuses the execution, and the approval stays", async () => {
    const registry = withPlay(witness)(testRegistry(witness));
    const ends = new Date(Date.now() + 1_500).toISOString();
    const grant = {
      name: "g",
      agent_id: "*",
      max_trust: "high",
      allowed_side_effects: ["destructive"],
    } as const;
    const session = { name: "g", agent_id: "*", consented_trust: "high", expires_at: ends } as const;
    const policy = { session: { required: true }, grants: [grant], sessions: [session] };
    server.replacePolicy(JSON.stringify(policyOf(registry, policy)));
    const { proposal_id, argsSha } = faultOf(await server.call("play_run", { act: "late", dry_run: false }));
    expect((await api("ada", "approve", { proposal_id })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, Date.parse(ends) - Date.now() + 50));
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([403, "tool_not_allowed"]);
    expect(await lastRow()).toMatchObject({ decision: "deny", reason: "session_expired" });
    expect(witness.ran).toEqual([]);
  });

  it("is rejected for good, and waits no longer than was drawn", async () => {
    const { proposal_id, argsSha } = await propose("no");
    expect((await api("ada", "reject", { proposal_id })).json).toMatchObject({ state: "rejected" });
    expect(said(await api("ben", "approve", { proposal_id }))).toEqual([409, "proposal_rejected"]);
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([409, "proposal_rejected"]);
    expect(said(await api("ben", "approve", { proposal_id: "0000000000000000" }))).toEqual([
      404,
      "unknown_proposal",
    ]);

    const brief = await boot(adapter, { ...environment, MCP_STATE_DIR: "" }, (registry) => {
      const played = withPlay(witness)(registry);
      const { play_run: allowed } = played.allowList;
      if (allowed === undefined) throw new Error("no play");
      return { ...played, allowList: { ...played.allowList, play_run: { ...allowed, ttl: "1s" } } };
    });
    const late = faultOf(
      await connectAs(brief.port, KEYS["agent"] ?? "").call("play_run", { act: "a", dry_run: false }),
    );
    expect((await api("ada", "approve", { proposal_id: late.proposal_id }, brief)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const body = { proposal_id: late.proposal_id, argsSha: late.argsSha };
    expect(said(await api("ben", "execute", body, brief))).toEqual([410, "proposal_expired"]);
    await brief.close();
  });

  it("design 7: a dry run waits for nobody, and what was approved survives a restart", async () => {
    const rehearsed = await as("agent").call("play_run", { act: "one" });
    expect(rehearsed["structuredContent"]).toMatchObject({ data: { would: "one" } });
    const { proposal_id, argsSha } = await propose();
    await api("ada", "approve", { proposal_id });
    await server.close();
    server = await start();
    expect((await api("ben", "execute", { proposal_id, argsSha })).json).toMatchObject({
      ok: true,
      replayed: false,
    });
    await server.close();
    server = await start();
    expect((await api("ben", "execute", { proposal_id, argsSha })).json).toMatchObject({
      ok: true,
      replayed: true,
    });
    expect(witness.ran).toEqual(["play one"]);
    expect(readFileSync(join(folder, "proposals.jsonl"), "utf8")).not.toContain(KEYS["ada"]);
  });

  it("nobody executes again what a crash cut off", async () => {
    const { proposal_id, argsSha } = await propose("cut");
    await api("ada", "approve", { proposal_id });
    await server.close();
    const journal = join(folder, "proposals.jsonl");
    const [line = "{}"] = readFileSync(journal, "utf8").trim().split("\n").slice(-1);
    const cut = {
      ...(JSON.parse(line) as Json),
      state: "executing",
      executing_since: "2020-01-01T00:00:00.000Z",
    };
    writeFileSync(journal, `${JSON.stringify(cut)}\n{"v":1,"proposal_id":"half`);
    server = await start();
    expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([409, "execution_unknown"]);
    expect(witness.ran).toEqual([]);
  });

  it("one caller cannot fill the list, and sees no other's proposals", async () => {
    for (let at = 0; at < 50; at += 1) await propose(`act ${at}`);
    expect((await propose("one more")).code).toBe("busy");
    const own = (await api("agent", "proposals")).json["proposals"] as readonly unknown[];
    expect(own).toHaveLength(50);
    expect((await api("audit", "proposals")).json["proposals"]).toHaveLength(50);
    expect((await api("eve", "proposals")).status).toBe(200);
    const stranger = await ask(server.port, {
      path: "/api/mcp/proposals",
      headers: { authorization: `Bearer ${server.key}` },
    });
    expect(stranger.json).toEqual({ proposals: [] });
    expect((await ask(server.port, { path: "/api/mcp/proposals" })).status).toBe(401);
  });

  const topogate = async (
    args: readonly string[],
    key: string,
  ): Promise<readonly [number | null, string]> => {
    const child = spawn(process.execPath, ["dist/topogate.cjs", "approve", ...args], {
      env: { PATH: process.env["PATH"], TOPOGATE_API_KEY: key },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data: Buffer) => (output += String(data)));
    return await new Promise((resolve) => child.once("close", (code) => resolve([code, output])));
  };

  it("topogate approve lists, approves and executes, and says why not", async () => {
    const { proposal_id } = await propose("by hand");
    const url = `http://127.0.0.1:${server.port}/mcp`;
    const [listed, list] = await topogate(["--server", url], KEYS["ada"] ?? "");
    expect(listed).toBe(0);
    expect(list).toContain(`${proposal_id}  play_run on play  proposed`);
    expect(list).toContain('"would": "by hand"');
    const [refused, why] = await topogate([proposal_id, "--server", url], KEYS["agent"] ?? "");
    expect([refused, why]).toEqual([2, "error: the server answered 403 role_not_allowed\n"]);
    const [done, how] = await topogate([proposal_id, "--server", url, "--execute"], KEYS["ada"] ?? "");
    expect(done).toBe(0);
    expect(how).toMatch(/^executed: .*"did":"by hand"/);
    const [open] = await topogate(["--server", "http://mcp.example.com/mcp"], KEYS["ada"] ?? "");
    expect(open).toBe(2);
    expect(witness.ran).toEqual(["play by hand"]);
  });
});
