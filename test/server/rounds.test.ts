import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { CLIENT_CAPABILITIES_META_KEY } from "@modelcontextprotocol/server";
import type { ServerContext } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ToolFault } from "#runtime/fault";
import { createRounds } from "#runtime/protocol/adapter-sdk-rounds";
import type { Rounds } from "#runtime/protocol/adapter-sdk-rounds";
import type { Caller } from "#runtime/protocol/mcp-service";
import type { Json } from "./boot.ts";
import { faultOf, note, openStage } from "./governed.ts";
import type { Governed, SaidFault, Stage, Who } from "./governed.ts";
import { ACCEPT, INVALID, messageIn, proposalIn, stateIn, wireRound } from "./wire-round.ts";

const TOOL = "grafana_create_annotation";

let stage: Stage;
let server: Governed;
beforeAll(async () => {
  stage = await openStage();
  server = await stage.start();
});
afterAll(async () => {
  await server.process.stop();
  stage.remove();
});

const round = async (who: Who, args: Json, more: Json = {}, elicitation: Json | null = {}): Promise<Json> =>
  await wireRound({ port: server.port, key: stage.keyOf(who), tool: TOOL, args, more, elicitation });
const listed = async (): Promise<readonly Json[]> =>
  (await server.api("ada", "proposals")).json["proposals"] as readonly Json[];

describe("A7: a call that waits for a person, over rounds of revision 2026-07-28", () => {
  it("shows what is proposed, waits for somebody else's decision, and brings the answer of the one execution", async () => {
    const args = note("in rounds");
    const before = stage.upstream.annotations.length;
    const first = await round("agent", args);
    expect(first).toMatchObject({
      resultType: "input_required",
      inputRequests: { wait: { method: "elicitation/create" } },
    });
    expect(messageIn(first)).toContain('"text":"in rounds"');
    expect(messageIn(first)).toContain("An approver decides with a key of their own, and not here");
    const proposal_id = proposalIn(first);
    expect(await server.lastRow()).toMatchObject({ reason: "approval_required", proposal_id });

    // Whoever accepts here decides nothing.
    const second = await round("agent", args, { ...ACCEPT, requestState: stateIn(first) });
    expect(proposalIn(second)).toBe(proposal_id);
    expect((await listed()).find((each) => each["proposal_id"] === proposal_id)).toMatchObject({
      state: "proposed",
    });
    expect(stage.upstream.annotations).toHaveLength(before);

    const { argsSha } = (await listed()).find((each) => each["proposal_id"] === proposal_id) ?? {};
    await server.api("ada", "approve", { proposal_id });
    const third = await round("agent", args, { ...ACCEPT, requestState: stateIn(second) });
    expect(messageIn(third)).toContain("is approved and waits to be executed");
    expect(stage.upstream.annotations).toHaveLength(before);

    await server.api("ben", "execute", { proposal_id, argsSha });
    for (const state of [third, first]) {
      const last = await round("agent", args, { ...ACCEPT, requestState: stateIn(state) });
      expect(last).toMatchObject({ structuredContent: { tool: TOOL, data: { id: before + 1 } } });
      expect(await server.lastRow()).toMatchObject({ replayed: true, proposal_id, approved_by: "key:ada" });
    }
    expect(stage.upstream.annotations).toHaveLength(before + 1);
  });

  it("an admin on a server without the rule of two approves nothing here either", async () => {
    const args = note("alone");
    await stage.run({ MCP_APPROVAL_TWO_PERSON: "false" }, async (alone) => {
      const kept = server;
      server = alone;
      const first = await round("ada", args);
      const second = await round("ada", args, { ...ACCEPT, requestState: stateIn(first) });
      expect(second).toMatchObject({ resultType: "input_required" });
      expect(await listed()).toMatchObject([{ state: "proposed" }]);
      server = kept;
    });
  });

  it("ends with approval_required when the person declines, and with denied when an approver rejects", async () => {
    const args = note("declined");
    const first = await round("agent", args);
    for (const action of ["decline", "cancel"]) {
      const more = { inputResponses: { wait: { action } }, requestState: stateIn(first) };
      const ended = await round("agent", args, more);
      expect(ended["isError"]).toBe(true);
      expect(faultOf(ended)).toMatchObject({ code: "approval_required", proposal_id: proposalIn(first) });
    }
    await server.api("ada", "reject", { proposal_id: proposalIn(first) });
    const over = await round("agent", args, { ...ACCEPT, requestState: stateIn(first) });
    expect(faultOf(over).code).toBe("denied");
  });

  it("refuses a state that was changed, is another caller's, or of another call", async () => {
    const args = note("sealed");
    const first = await round("agent", args);
    const state = stateIn(first);
    const [version = "", body = "", seal = ""] = state.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Json;
    const forged = Buffer.from(JSON.stringify({ ...claims, exp: 99_999_999_999 })).toString("base64url");
    for (const bad of [`${version}.${forged}.${seal}`, `${state.slice(0, -4)}AAAA`, "v1..", "x"]) {
      expect(await round("agent", args, { ...ACCEPT, requestState: bad })).toMatchObject(INVALID);
      expect(await server.lastRow()).toMatchObject({ decision: "deny", reason: "protocol_error", ok: false });
    }
    expect(await round("ada", args, { ...ACCEPT, requestState: state })).toMatchObject(INVALID);
    const other = await round("agent", note("something else"), { ...ACCEPT, requestState: state });
    expect(faultOf(other)).toMatchObject({ code: "invalid_argument" });
    expect(await server.lastRow()).toMatchObject({ decision: "deny", reason: "invalid_argument" });
    expect(await listed()).not.toContainEqual(
      expect.objectContaining({
        preview: expect.objectContaining({ arguments: note("something else") }) as unknown,
      }),
    );
    // After a restart of one process alone the seal is another one.
    await stage.run({}, async (again) => {
      const kept = server;
      server = again;
      expect(await round("agent", args, { ...ACCEPT, requestState: state })).toMatchObject(INVALID);
      server = kept;
    });
  });

  it("the gates are asked again in every round", async () => {
    const args = note("gated");
    const first = await round("agent", args);
    stage.setPolicy({ grants: [] });
    const gated = await round("agent", args, { ...ACCEPT, requestState: stateIn(first) });
    stage.setPolicy();
    expect(gated).toMatchObject({ error: { code: -32_602, message: `Unknown tool: ${TOOL}` } });
  });

  it("a client that cannot ask anybody, and one of 2025, is answered approval_required as ever", async () => {
    const modern = await round("agent", note("mute"), {}, null);
    const urlOnly = await round("agent", note("mute"), {}, { url: {} });
    const legacy = await server.as("agent").call(TOOL, note("mute"));
    const said = [modern, urlOnly, legacy].map(faultOf);
    expect(new Set(said.map(({ code }) => code))).toEqual(new Set(["approval_required"]));
    expect(new Set(said.map(({ proposal_id }) => proposal_id)).size).toBe(1);
    for (const answer of [modern, legacy]) expect(answer).not.toHaveProperty("waits");
  });

  it("the official client of 2026-07-28 goes through the rounds by itself", async () => {
    const client = new Client(
      { name: "suite", version: "1.0.0" },
      { versionNegotiation: { mode: "auto" }, capabilities: { elicitation: { form: {} } } },
    );
    let asked: SaidFault = { code: "", proposal_id: "", argsSha: "" };
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      // Meanwhile two people elsewhere decide, and execute.
      const proposal_id = /as proposal ([0-9a-f]{16})/.exec(params.message)?.[1] ?? "";
      const { argsSha } = (await listed()).find((each) => each["proposal_id"] === proposal_id) ?? {};
      asked = { code: "", proposal_id, argsSha: String(argsSha) };
      await server.api("ada", "approve", { proposal_id });
      await server.api("ben", "execute", { proposal_id, argsSha });
      return { action: "accept" as const, content: {} };
    });
    const requestInit = { headers: { Authorization: `Bearer ${stage.keyOf("agent")}` } };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(server.process.url), { requestInit }) as never,
    );
    const result = await client.callTool({ name: TOOL, arguments: { ...note("by the client") } });
    await client.close();
    expect(asked.proposal_id).toMatch(/^[0-9a-f]{16}$/);
    expect(result).toMatchObject({ structuredContent: { tool: TOOL } });
    expect(result.isError).toBeUndefined();
  });
});

describe("the sealed state", () => {
  it("is good for whoever has the same key, and for nobody else", async () => {
    const exchange = { facts: () => ({ principal: { id: "key:agent" } }), note: () => undefined };
    const holding = (fill: number): Rounds =>
      createRounds(
        async () => new Uint8Array(32).fill(fill),
        () => ({ exchange }) as unknown as Caller,
      );
    const envelope = { [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} } };
    const mcpReq = { id: 1, method: "tools/call", requestState: () => undefined, envelope };
    const context = { mcpReq } as unknown as ServerContext;
    const claims = { proposal_id: "1", tool: TOOL, argsSha: "0".repeat(64) };
    const waits = { ...claims, provider: "grafana", expires_at: "", preview: {}, state: "proposed" } as const;
    const { requestState: state = "" } = (await holding(1).next(waits, context)) ?? {};
    expect(await holding(1).verify(state, context)).toEqual(claims);
    await expect(holding(2).verify(state, context)).rejects.toThrow();
  });

  it("is neither made nor looked at while nobody can be asked for the key", async () => {
    const notes: object[] = [];
    const exchange = { facts: () => ({}), note: (fact: object) => notes.push(fact) };
    const without = (problem: Error): Rounds =>
      createRounds(
        async () => await Promise.reject(problem),
        () => ({ exchange }) as unknown as Caller,
      );
    const rounds = without(new ToolFault("upstream_unavailable", "away"));
    const envelope = { [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} } };
    const mcpReq = { id: 1, method: "tools/call", requestState: () => undefined, envelope };
    const context = { mcpReq } as unknown as ServerContext;
    const claims = { proposal_id: "1", tool: TOOL, argsSha: "0".repeat(64) };
    const waits = { ...claims, provider: "grafana", expires_at: "", preview: {}, state: "proposed" } as const;
    expect(await rounds.next(waits, context)).toBeUndefined();
    expect(await rounds.verify("v1.anything.at-all", context)).toBeUndefined();
    expect(notes).toEqual([{ decision: "deny", reason: "upstream_unavailable", ok: false }]);
    // A fault of ours is not taken for the state's being away.
    await expect(without(new TypeError("ours")).next(waits, context)).rejects.toThrow("ours");
    await expect(without(new TypeError("ours")).verify("v1.x", context)).rejects.toThrow("ours");
  });

  it("is good for a quarter of an hour, and then for nothing", async () => {
    const notes: object[] = [];
    const exchange = {
      facts: () => ({ principal: { id: "key:agent" } }),
      note: (fact: object) => notes.push(fact),
    };
    const rounds = createRounds(
      async () => new Uint8Array(32),
      () => ({ exchange }) as unknown as Caller,
    );
    const envelope = { [CLIENT_CAPABILITIES_META_KEY]: { elicitation: {} } };
    const mcpReq = { id: 1, method: "tools/call", requestState: () => undefined, envelope };
    const context = { mcpReq } as unknown as ServerContext;
    const claims = { proposal_id: "1", tool: TOOL, argsSha: "0".repeat(64) };
    const waits = { ...claims, provider: "grafana", expires_at: "", preview: {}, state: "proposed" } as const;
    vi.useFakeTimers({ toFake: ["Date"] });
    const { requestState: state = "" } = (await rounds.next(waits, context)) ?? {};
    vi.setSystemTime(Date.now() + 14 * 60_000);
    expect(await rounds.verify(state, context)).toEqual(claims);
    vi.setSystemTime(Date.now() + 2 * 60_000);
    await expect(rounds.verify(state, context)).rejects.toThrow("expired");
    expect(notes).toEqual([{ decision: "deny", reason: "protocol_error", ok: false }]);
    vi.useRealTimers();
  });
});
