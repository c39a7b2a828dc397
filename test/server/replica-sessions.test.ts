import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sessionNames } from "#runtime/protocol/session-names";
import { stateProbe } from "#runtime/door/state-probe";
import { ask, boot, INITIALIZE, newKey } from "./boot.ts";
import type { Booted, HttpAnswer } from "./boot.ts";
import { sharedFake } from "./shared-state.ts";

describe("a session of the 2025 era with several replicas", () => {
  const [key, other] = [newKey(), newKey()];
  const folder = mkdtempSync(join(tmpdir(), "topogate-sessions-"));
  const keysFile = join(folder, "keys.json");
  const row = (id: string, value: string): object => ({
    id,
    sha256: createHash("sha256").update(value).digest("hex"),
    role: "operator",
  });
  writeFileSync(keysFile, JSON.stringify([row("me", key), row("you", other)]));
  afterAll(() => rmSync(folder, { recursive: true }));
  let shared: ReturnType<typeof sharedFake>;
  let one: Booted;
  let two: Booted;
  const start = async (): Promise<Booted> =>
    await boot("sdk", { MCP_KEYS_FILE: keysFile }, (registry) => ({ ...registry, state: shared.open }));
  beforeEach(async () => {
    shared = sharedFake();
    [one, two] = [await start(), await start()];
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await one.close();
    await two.close();
  });

  const send = async (
    { port }: Booted,
    session: string | undefined,
    method: string,
    more: { readonly verb?: string; readonly as?: string; readonly params?: object } = {},
  ): Promise<HttpAnswer> => {
    const { verb = "POST", as = key, params = {} } = more;
    const message = { jsonrpc: "2.0", id: 1, method, params: method === "initialize" ? INITIALIZE : params };
    return await ask(port, {
      method: verb,
      headers: {
        authorization: `Bearer ${as}`,
        accept: "application/json, text/event-stream",
        ...(verb === "POST" ? { "content-type": "application/json" } : {}),
        ...(session === undefined ? {} : { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }),
      },
      ...(verb === "POST" ? { body: JSON.stringify(message) } : {}),
    });
  };
  const open = async (server: Booted): Promise<string> =>
    String((await send(server, undefined, "initialize")).headers["mcp-session-id"]);

  it("S16: goes on with any of them, whichever opened it, and after that one is gone", async () => {
    const session = await open(one);
    const call = { params: { name: "notes_list", arguments: {} } };
    for (const server of [two, one, two]) {
      const { status, json } = await send(server, session, "tools/call", call);
      expect([status, JSON.stringify(json)]).toEqual([200, expect.not.stringContaining("isError")]);
    }
    expect((await send(two, session, "initialize")).status).toBe(400);
    await one.close();
    expect((await send(two, session, "tools/list")).status).toBe(200);
    one = await start();
    expect((await send(one, session, "tools/list")).status).toBe(200);
  });

  it("is taken over once by requests that arrive together", async () => {
    const session = await open(one);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => await send(two, session, "tools/list")),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });

  it("belongs to its principal on every replica, and cannot be made up", async () => {
    const session = await open(one);
    const invented = await send(two, "00000000-0000-4000-8000-000000000000", "tools/list", { as: other });
    const stolen = await send(two, session, "tools/list", { as: other });
    expect([stolen.status, stolen.text]).toEqual([404, invented.text]);
    for (const forged of [
      `${session.slice(0, -1)}${session.endsWith("A") ? "B" : "A"}`,
      session.replace("2025-11-25", "2025-06-18"),
      session.replace(/~\d{10}~/, "~9999999999~"),
      session.slice(0, -1),
      `${session}~`,
    ])
      expect((await send(two, forged, "tools/list")).status, forged).toBe(404);
  });

  it("ends with DELETE where that arrived, also when another one opened it", async () => {
    const session = await open(one);
    expect((await send(two, session, "", { verb: "DELETE" })).status).toBe(200);
    expect((await send(two, session, "tools/list")).status).toBe(404);
  });

  it("is opened while the shared state is away, and then this replica's own", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    shared.isAway = true;
    const session = await open(one);
    expect((await send(one, session, "tools/list")).status).toBe(200);
    expect((await send(two, session, "tools/list")).status).toBe(404);
    shared.isAway = false;
    expect((await send(two, session, "tools/list")).status).toBe(404);
  });
});

describe("the name of a session", () => {
  it("S16: runs out after a day, is ended here, and says nothing of a revision that is none", async () => {
    let now = 1_800_000_000;
    const secret = Buffer.alloc(32, 7);
    const names = sessionNames(
      async () => secret,
      () => now,
    );
    const name = await names.create("me", "2025-06-18");
    expect(name).toMatch(/^[\x21-\x7e]+$/);
    expect(await names.versionOf(name, "me")).toBe("2025-06-18");
    expect(await names.versionOf(name, "you")).toBeUndefined();
    expect(await names.versionOf(await names.create("me", "../x~1"), "me")).toBe("unknown");
    now += 86_401;
    expect(await names.versionOf(name, "me")).toBeUndefined();
    now -= 2;
    expect(await names.versionOf(name, "me")).toBe("2025-06-18");
    names.end(name);
    expect(await names.versionOf(name, "me")).toBeUndefined();
    expect(
      new Set([await names.create("me", "2025-06-18"), await names.create("me", "2025-06-18")]).size,
    ).toBe(2);
  });
});

describe("readiness of a replica", () => {
  it("R23: is 503 while the shared state is away, says no more than that, and comes back", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const shared = sharedFake();
    const server = await boot("sdk", {}, (registry) => ({ ...registry, state: shared.open }));
    const ready = async (): Promise<readonly unknown[]> => {
      const { status, text } = await ask(server.port, { path: "/ready" });
      return [status, text];
    };
    expect(await ready()).toEqual([200, '{"status":"ready"}']);
    shared.isAway = true;
    const away = [503, '{"status":"the shared state does not answer"}'];
    await expect.poll(ready, { timeout: 5_000 }).toEqual(away);
    expect((await ask(server.port, { path: "/health" })).status).toBe(200);
    shared.isAway = false;
    await expect.poll(ready, { timeout: 5_000 }).toEqual([200, '{"status":"ready"}']);
    await server.close();
    vi.restoreAllMocks();
  });

  it("asks once for a flood of probes, and does not wait for whoever is silent", async () => {
    let asked = 0;
    let now = 0;
    const probe = stateProbe(
      async () => {
        asked += 1;
        return true;
      },
      () => now,
    );
    await Promise.all(Array.from({ length: 1_000 }, async () => await probe()));
    expect(asked).toBe(1);
    now = 2_001;
    await probe();
    expect(asked).toBe(2);
    const started = performance.now();
    expect(await stateProbe(async () => await new Promise(() => undefined))()).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_500);
  });
});
