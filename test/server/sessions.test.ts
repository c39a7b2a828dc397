import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAdapter } from "#runtime/protocol/adapter-sdk";
import { openAudit } from "#runtime/audit/audit";
import { readAuditSettings } from "#runtime/audit/settings";
import { createFrontDoor } from "#runtime/door/front-door";
import { presentedKey, principalOf } from "#runtime/identity/identity";
import { createInFlight } from "#runtime/call/in-flight";
import { createService } from "#runtime/protocol/mcp-service";
import { createPipeline } from "#runtime/pipeline";
import { createRedactor } from "#runtime/redactor";
import { readServerSettings } from "#runtime/server-settings";
import { createSessions } from "#runtime/protocol/sessions";
import { openTools } from "#runtime/surface/tool-index";
import { ask, INITIALIZE, newKey } from "./boot.ts";
import type { HttpAnswer } from "./boot.ts";
import { createWitness } from "./notes.ts";
import { everythingGranted, testRegistry, unhindered } from "./stack.ts";

/** A server with two principals, put together by hand because the environment holds one key. */
async function bootForTwo(): Promise<{
  port: number;
  keys: readonly [string, string];
  close(): Promise<void>;
}> {
  const registry = testRegistry(createWitness());
  const redactor = createRedactor();
  const tools = openTools(registry, {}, redactor.learn);
  const flags = new Set<string>();
  const audit = openAudit("test", readAuditSettings({ MCP_AUDIT_FILE: "/dev/null" }));
  const pipeline = createPipeline({
    flags,
    tools,
    policy: everythingGranted,
    ...unhindered,
    audit,
    redactor,
    approvalForWrites: false,
    maxResultBytes: 65_536,
  });
  const adapter = createAdapter(
    createService({
      registry,
      tools,
      flags,
      policy: everythingGranted,
      switches: unhindered.switches,
      pipeline,
      contentPipeline: pipeline,
      inFlight: createInFlight(),
      sealingKey: async () => new Uint8Array(32),
    }),
  );
  const keys = [newKey(), newKey()] as const;
  const apiKeys = keys.map((key, at) => ({
    digest: createHash("sha256").update(key).digest(),
    principal: {
      id: `key:${at}`,
      human: null,
      agent: null,
      team: null,
      role: "operator" as const,
      delegated: false,
      session: null,
    },
  }));
  const server = createFrontDoor({
    settings: readServerSettings({}),
    tls: undefined,
    callers: {
      identify: (request) => {
        const principal = principalOf(presentedKey(request) ?? "", apiKeys);
        return principal === undefined ? undefined : { principal, ignored: [] };
      },
    },
    audit,
    adapter,
    policy: everythingGranted,
    switches: unhindered.switches,
    approvals: async () => ({ status: 404, body: {} }),
    isOpen: () => true,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    await adapter.close();
    server.closeAllConnections();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, keys, close };
}

describe("a session of the 2025 era", () => {
  let server: Awaited<ReturnType<typeof bootForTwo>>;
  beforeEach(async () => {
    server = await bootForTwo();
  });
  afterEach(async () => await server.close());

  const send = async (
    who: 0 | 1,
    session: string | undefined,
    method: string,
    verb = "POST",
  ): Promise<HttpAnswer> =>
    await ask(server.port, {
      method: verb,
      headers: {
        authorization: `Bearer ${server.keys[who]}`,
        accept: "application/json, text/event-stream",
        ...(verb === "POST" ? { "content-type": "application/json" } : {}),
        ...(session === undefined ? {} : { "mcp-session-id": session }),
      },
      ...(verb === "POST"
        ? {
            body: JSON.stringify({
              jsonrpc: "2.0",
              id: 1,
              method,
              params: method === "initialize" ? INITIALIZE : {},
            }),
          }
        : {}),
    });
  const open = async (who: 0 | 1): Promise<string> =>
    String((await send(who, undefined, "initialize")).headers["mcp-session-id"]);

  it("S16: has an id with at least 122 random bits", async () => {
    const ids = await Promise.all([open(0), open(0), open(1)]);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("belongs to the principal that opened it", async () => {
    const session = await open(0);
    expect((await send(0, session, "tools/list")).status).toBe(200);
    for (const verb of ["POST", "GET", "DELETE"]) {
      const stolen = await send(1, session, "tools/list", verb);
      const invented = await send(1, "00000000-0000-4000-8000-000000000000", "tools/list", verb);
      expect([stolen.status, stolen.text]).toEqual([404, invented.text]);
    }
    expect((await send(0, session, "tools/list")).status).toBe(200);
  });

  it("is nothing without the key", async () => {
    const session = await open(0);
    const answer = await ask(server.port, { method: "GET", headers: { "mcp-session-id": session } });
    expect(answer.status).toBe(401);
  });

  it("is needed, and ends with DELETE", async () => {
    expect((await send(0, undefined, "tools/list")).status).toBe(400);
    expect((await send(0, undefined, "", "GET")).status).toBe(400);
    const session = await open(0);
    expect((await send(0, session, "", "DELETE")).status).toBe(200);
    expect((await send(0, session, "tools/list")).status).toBe(404);
  });

  it("is not opened twice with one transport", async () => {
    const session = await open(0);
    expect((await send(0, session, "initialize")).status).toBe(400);
  });
});

describe("sessions", () => {
  const closed: string[] = [];
  const close = async (name: string): Promise<void> => void closed.push(name);
  beforeEach(() => void closed.splice(0));
  afterEach(() => void vi.useRealTimers());

  it("expire when nobody uses them", () => {
    vi.useFakeTimers();
    const sessions = createSessions({ perOwner: 10, idleMs: 1_000 }, close);
    sessions.add("a", "me", "A");
    sessions.add("b", "me", "B");
    vi.advanceTimersByTime(900);
    expect(sessions.find("b", "me")).toBe("B");
    vi.advanceTimersByTime(900);
    expect(sessions.find("a", "me")).toBeUndefined();
    expect(sessions.find("b", "me")).toBe("B");
    expect(closed).toEqual(["A"]);
  });

  it("make room at the expense of the same owner's longest unused", () => {
    const sessions = createSessions({ perOwner: 2, idleMs: 60_000 }, close);
    sessions.add("other", "you", "Y");
    sessions.add("a", "me", "A");
    sessions.add("b", "me", "B");
    sessions.find("a", "me");
    sessions.add("c", "me", "C");
    expect(closed).toEqual(["B"]);
    expect([sessions.find("other", "you"), sessions.find("a", "me"), sessions.find("c", "me")]).toEqual([
      "Y",
      "A",
      "C",
    ]);
    expect(sessions.find("a", "you")).toBeUndefined();
  });

  it("may fail to end without harm to the others", async () => {
    const failing = createSessions({ perOwner: 1, idleMs: 60_000 }, async () => {
      throw new Error("already gone");
    });
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    failing.add("a", "me", "A");
    failing.add("b", "me", "B");
    await failing.closeAll();
    expect(process.stderr.write).toHaveBeenCalledTimes(2);
    vi.restoreAllMocks();
  });

  it("all end together", async () => {
    const sessions = createSessions({ perOwner: 2, idleMs: 60_000 }, close);
    sessions.add("a", "me", "A");
    sessions.add("b", "you", "B");
    await sessions.closeAll();
    expect(closed.sort()).toEqual(["A", "B"]);
  });
});
