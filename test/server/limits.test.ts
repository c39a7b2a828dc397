import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Registry } from "#runtime/registry";
import { drawnRate, memoryRates } from "#runtime/policy/rate-limits";
import { ask, boot, connectAs, newKey } from "./boot.ts";
import type { Booted, Json, TestClient } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const WRITES = { MCP_NOTES_WRITE_ACCESS: "true" };
const DEFAULTS = {
  MCP_RATE_LIMIT_READ_PER_MIN: "",
  MCP_RATE_LIMIT_WRITE_PER_MIN: "",
  MCP_RATE_LIMIT_GLOBAL_PER_MIN: "",
};

function faultOf(result: Json): Json {
  const [{ text } = { text: "{}" }] = (result["content"] ?? []) as readonly { text: string }[];
  return result["isError"] === true ? (JSON.parse(text) as Json) : {};
}

/** The registry with limits on one tool, as a drawing has them. */
const limited =
  (name: string, limits: { perTool?: string; perSession?: string }) =>
  (registry: Registry): Registry => {
    const allowed = registry.allowList[name];
    if (allowed === undefined) throw new Error(`no tool ${name}`);
    return { ...registry, allowList: { ...registry.allowList, [name]: { ...allowed, limits } } };
  };

describe.each(ADAPTERS)("P3: limits over %s", (adapter) => {
  let folder: string;
  const key = newKey();
  let keysFile: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "topogate-limits-"));
    keysFile = join(folder, "keys.json");
    const sha256 = createHash("sha256").update(key).digest("hex");
    writeFileSync(keysFile, JSON.stringify([{ id: "other", sha256, role: "operator" }]));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const limitedBy = async (
    client: TestClient,
    tool: string,
    args: Json,
    count: number,
  ): Promise<readonly Json[]> => {
    const faults: Json[] = [];
    for (let at = 0; at < count; at += 1) faults.push(faultOf(await client.call(tool, args)));
    return faults;
  };

  it("1 000 calls of a runaway client are limited, and another caller is not disturbed", async () => {
    const server = await boot(adapter, { ...DEFAULTS, MCP_KEYS_FILE: keysFile });
    const other = connectAs(server.port, key);
    const read = { name: "first" };
    await server.rpc("tools/list");
    let sent = 0;
    const runaway = async (): Promise<void> => {
      while (sent < 1_000) {
        sent += 1;
        await server.call("notes_get", read);
      }
    };
    const calm: Json[] = [];
    const neighbour = async (): Promise<void> => {
      for (let at = 0; at < 15; at += 1) calm.push(faultOf(await other.call("notes_get", read)));
    };
    await Promise.all([runaway(), runaway(), runaway(), runaway(), neighbour()]);
    expect(calm).toEqual(Array.from({ length: 15 }, () => ({})));
    const rows = server
      .audit()
      .filter(({ key_id: id, tool_name: tool }) => id === "key:mcp-api-key" && tool === "notes_get");
    const let_through = rows.filter(({ reason }) => reason === "allowed").length;
    expect(rows).toHaveLength(1_000);
    expect(let_through).toBeGreaterThanOrEqual(20);
    // 20 at once and one a second: whatever the machine does, a minute is not over.
    expect(let_through).toBeLessThanOrEqual(80);
    expect(rows.filter(({ reason }) => reason === "rate_limited")).toHaveLength(1_000 - let_through);
    await server.close();
  }, 60_000);

  it("says how long to wait, and lets the call through afterwards", async () => {
    const server = await boot(adapter, {
      ...DEFAULTS,
      MCP_RATE_LIMIT_READ_PER_MIN: "600",
      MCP_RATE_LIMIT_BURST: "1",
    });
    const [first, second] = await limitedBy(server, "notes_get", { name: "first" }, 2);
    expect(first).toEqual({});
    expect(second).toMatchObject({
      code: "rate_limited",
      message: expect.stringContaining("notes_get") as string,
    });
    const wait = Number(second?.["retry_after_ms"]);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(100);
    expect((await server.newRows()).at(-1)).toMatchObject({ decision: "deny", reason: "rate_limited" });
    await new Promise((resolve) => setTimeout(resolve, wait + 20));
    expect(faultOf(await server.call("notes_get", { name: "first" }))).toEqual({});
    await server.close();
  });

  it("counts reads and writes apart, and writes more strictly", async () => {
    const server = await boot(adapter, { ...WRITES, ...DEFAULTS });
    const writes = await limitedBy(server, "notes_clear", {}, 12);
    expect(writes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => ({})));
    expect(writes[11]).toMatchObject({ code: "rate_limited" });
    expect(faultOf(await server.call("notes_get", { name: "nothing" }))["code"]).toBe("not_found");
    await server.close();
  });

  it("what was drawn is the ceiling: no variable lifts it, and one may lower it", async () => {
    const drawn = limited("notes_get", { perTool: "2/min" });
    for (const [set, allowed] of [
      ["0", 2],
      ["500", 2],
      ["1", 1],
    ] as const) {
      const server = await boot(adapter, { ...DEFAULTS, MCP_RATE_LIMIT_READ_PER_MIN: set }, drawn);
      const faults = await limitedBy(server, "notes_get", { name: "first" }, 3);
      expect(
        faults.filter(({ code }) => code === undefined),
        set,
      ).toHaveLength(allowed);
      await server.close();
    }
  });

  it("the caller's whole share is one for all tools, and the server's for all callers", async () => {
    const session = await boot(adapter, DEFAULTS, (registry) =>
      limited("notes_list", { perSession: "3/min" })(limited("notes_get", { perSession: "3/min" })(registry)),
    );
    await limitedBy(session, "notes_get", { name: "first" }, 2);
    const faults = await limitedBy(session, "notes_list", {}, 2);
    expect(faults.map(({ code }) => code)).toEqual([undefined, "rate_limited"]);
    await session.close();
    const all = await boot(adapter, {
      ...DEFAULTS,
      MCP_KEYS_FILE: keysFile,
      MCP_RATE_LIMIT_GLOBAL_PER_MIN: "3",
    });
    await limitedBy(all, "notes_get", { name: "first" }, 3);
    expect(faultOf(await connectAs(all.port, key).call("notes_get", { name: "first" }))["code"]).toBe(
      "rate_limited",
    );
    await all.close();
  });

  it("design 6: the policy and the arguments come before the limit, and cost nothing; approval comes after it", async () => {
    const server = await boot(
      adapter,
      { ...WRITES, MCP_MEMO_WRITE_ACCESS: "true", ...DEFAULTS },
      (registry) =>
        limited("memo_add", { perTool: "1/min" })(limited("notes_get", { perTool: "1/min" })(registry)),
    );
    for (let at = 0; at < 3; at += 1)
      expect(faultOf(await server.call("notes_get"))["code"]).toBe("invalid_argument");
    expect(faultOf(await server.call("notes_get", { name: "first" }))).toEqual({});
    expect(faultOf(await server.call("memo_add", { body: "a" }))["code"]).toBe("approval_required");
    expect(faultOf(await server.call("memo_add", { body: "a" }))["code"]).toBe("rate_limited");
    await server.close();
  });
});

describe("the rates", () => {
  it.each([
    ["60/min", 60],
    ["2/s", 120],
    ["30/h", 0.5],
    [undefined, undefined],
  ] as const)("%s", (text, perMinute) => expect(drawnRate(text)).toBe(perMinute));

  it("takes of all buckets or of none, and fills them again with time", async () => {
    let now = 0;
    const rates = memoryRates(() => now);
    const [wide, narrow] = [
      { key: "wide", perMinute: 60, burst: 3 },
      { key: "narrow", perMinute: 60, burst: 1 },
    ];
    expect(await rates.take([wide, narrow])).toBe(0);
    expect(await rates.take([wide, narrow])).toBe(1_000);
    expect(await rates.take([wide])).toBe(0);
    expect(await rates.take([wide])).toBe(0);
    expect(await rates.take([wide])).toBe(1_000);
    now = 999;
    expect(await rates.take([narrow])).toBe(1);
    now = 1_000;
    expect(await rates.take([wide, narrow])).toBe(0);
    now = 1_000_000;
    for (let at = 0; at < 3; at += 1) expect(await rates.take([wide])).toBe(0);
    expect(await rates.take([wide])).toBeGreaterThan(0);
  });
});

describe.each(ADAPTERS)("A11: the kill switches over %s", (adapter) => {
  let server: Booted;
  let file: string;
  beforeEach(async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    file = join(mkdtempSync(join(tmpdir(), "topogate-switches-")), "switches");
    server = await boot(adapter, { ...WRITES, MCP_SWITCHES_FILE: file });
  });
  afterEach(async () => {
    await server.close();
    vi.restoreAllMocks();
  });
  const answered = async (): Promise<readonly unknown[]> => {
    const { status, json } = await ask(server.port, {
      method: "POST",
      headers: { authorization: `Bearer ${server.key}`, "content-type": "application/json" },
      body: "{}",
    });
    return [status, json["error"]];
  };

  it("stop everything from the next call on, before anybody's key is looked at, and let it go on again", async () => {
    expect((await server.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
    writeFileSync(file, "# an incident\nMCP_GATEWAY_ENABLED=false\n");
    expect(await answered()).toEqual([503, "feature-disabled"]);
    expect((await server.newRows()).at(-1)).toMatchObject({
      decision: "deny",
      reason: "feature-disabled",
      key_id: null,
    });
    expect((await ask(server.port, { path: "/health" })).status).toBe(200);
    expect((await ask(server.port, { path: "/ready" })).status).toBe(200);
    writeFileSync(file, "MCP_AGENT_DISPATCH_ENABLED=false\n");
    expect(await answered()).toEqual([403, "agent_dispatch_disabled"]);
    expect((await server.newRows()).at(-1)).toMatchObject({ reason: "agent_dispatch_disabled", status: 403 });
    rmSync(file);
    expect((await server.call("notes_get", { name: "first" }))["isError"]).toBeUndefined();
  });

  it("a line that nobody understands stops everything", async () => {
    for (const line of ["MCP_GATEWAY_ENABLED=off", "GATEWAY=false", "stop!"]) {
      writeFileSync(file, `${line}\n`);
      expect(await answered(), line).toEqual([503, "feature-disabled"]);
    }
    writeFileSync(file, "MCP_GATEWAY_ENABLED=true\n");
    expect((await answered())[0]).not.toBe(503);
  });

  it("the environment switches off as well, and the file cannot switch on again", async () => {
    const off = await boot(adapter, { MCP_GATEWAY_ENABLED: "false", MCP_SWITCHES_FILE: file });
    writeFileSync(file, "MCP_GATEWAY_ENABLED=true\n");
    const { status } = await ask(off.port, {
      method: "POST",
      headers: { authorization: `Bearer ${off.key}` },
    });
    expect(status).toBe(503);
    await off.close();
    await expect(boot(adapter, { MCP_GATEWAY_ENABLED: "maybe" })).rejects.toThrow(
      "MCP_GATEWAY_ENABLED must be true or false",
    );
  });
});
