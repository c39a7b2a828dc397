import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { boot, PASSWORD } from "./boot.ts";
import type { Booted, Json } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const WRITES = { MCP_NOTES_WRITE_ACCESS: "true", MCP_MEMO_WRITE_ACCESS: "TRUE" };
const READS = ["broken", "deaf", "dirty", "flood", "get", "leak", "list", "slow"].map(
  (name) => `notes_${name}`,
);

/** What the text of a result or a fault says; a result says the same as data, and a fault has no other form. */
function structured(result: Json): Json {
  const [{ text } = { text: "{}" }] = (result["content"] ?? []) as readonly { text: string }[];
  const said = JSON.parse(text) as Json;
  expect(result["structuredContent"]).toEqual(result["isError"] === true ? undefined : said);
  return said;
}
async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5_000, interval: 10 });
}
async function namesOf(server: Booted): Promise<readonly string[]> {
  const { result } = await server.rpc("tools/list");
  return ((result as Json)["tools"] as readonly { name: string }[]).map(({ name }) => name);
}

describe.each(ADAPTERS)("calls over %s", (adapter) => {
  let server: Booted;
  let reader: Booted;
  beforeAll(async () => {
    server = await boot(adapter, WRITES);
    reader = await boot(adapter);
  });
  afterAll(async () => {
    await server.close();
    await reader.close();
  });
  const lastRow = async (of: Booted = server): Promise<Json> => ({ ...(await of.newRows()).at(-1) });

  it("S8: lists what allow-list and flags permit, sorted, and the same every time", async () => {
    expect(await namesOf(reader)).toEqual(READS);
    expect(await namesOf(server)).toEqual(["memo_add", ...READS, "notes_put", "notes_clear"].sort());
    expect(JSON.stringify(await server.rpc("tools/list", {}, { id: 7 }))).toBe(
      JSON.stringify(await server.rpc("tools/list", {}, { id: 7 })),
    );
  });

  it("lists everything that a model needs, and nothing else", async () => {
    const { result } = await server.rpc("tools/list");
    const get = ((result as Json)["tools"] as readonly Json[]).find(({ name }) => name === "notes_get");
    expect(get).toEqual({
      name: "notes_get",
      title: "Get a note",
      description: "Reads one note.",
      inputSchema: {
        type: "object",
        properties: { name: { type: "string", maxLength: 40 } },
        required: ["name"],
        additionalProperties: false,
      },
      outputSchema: {
        type: "object",
        properties: { data: {}, truncated: { type: "boolean" } },
        required: ["data", "truncated"],
      },
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    });
  });

  it("answers a call with one envelope, as data and as the same JSON in text", async () => {
    const result = await server.call("notes_get", { name: "first" });
    expect(structured(result)).toEqual({
      service: "notes",
      link: "mcp->notes",
      tool: "notes_get",
      data: { name: "first", body: "hello" },
      page: null,
      truncated: false,
      truncation: null,
      elapsed_ms: expect.any(Number) as number,
      redactions: 0,
      warnings: [],
    });
    expect(result["content"]).toEqual([{ type: "text", text: JSON.stringify(result["structuredContent"]) }]);
    expect(result["_meta"]).toEqual({ "governance/authority": "untrusted" });
    expect(result).not.toHaveProperty("isError");
  });

  it("P8, A5: a tool that is unknown, hidden or gated answers the same; only the audit knows the reason", async () => {
    const reasons: Record<string, string> = {
      nothing: "tool_not_allowed",
      notes_hidden: "tool_not_allowed",
      notes_clear: "write_disabled",
      notes_put: "write_disabled",
      memo_add: "write_disabled",
      __proto__x: "tool_not_allowed",
      constructor: "tool_not_allowed",
      toString: "tool_not_allowed",
      "": "tool_not_allowed",
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const { error, result } = await reader.rpc("tools/call", { name, arguments: {} });
      expect(result).toBeUndefined();
      expect(error, name).toEqual({ code: -32_602, message: `Unknown tool: ${name}` });
      expect(await lastRow(reader)).toMatchObject({ decision: "deny", reason, ok: false, tool_name: name });
    }
    expect(reader.witness.ran).toEqual([]);
  });

  it("fills in defaults, and converts nothing", async () => {
    await server.call("notes_list");
    expect(server.witness.ran.at(-1)).toBe("notes_list 50");
    const refused = await server.call("notes_list", { limit: "50" });
    expect(refused["isError"]).toBe(true);
    expect(structured(refused)["message"]).toBe("limit must be integer");
  });

  it.each([
    [{}, "name is required"],
    [{ name: 5 }, "name must be string"],
    [{ name: null }, "name must be string"],
    [{ name: "x".repeat(41) }, "name must NOT have more than 40 characters"],
    [{ name: "first", evil: 1 }, "evil is not a parameter; there is name"],
    [{ name: "first", constructor: 1 }, "constructor is not a parameter; there is name"],
  ])("refuses the arguments %j as a result that says what is allowed", async (args, message) => {
    const before = server.witness.ran.length;
    const result = await server.call("notes_get", args);
    expect(result["isError"]).toBe(true);
    expect(structured(result)).toMatchObject({ code: "invalid_argument", message });
    expect(server.witness.ran).toHaveLength(before);
    expect(await lastRow()).toMatchObject({
      decision: "deny",
      reason: "invalid_argument",
      error_class: "invalid_argument",
    });
  });

  it("names the allowed values of a closed list", async () => {
    const result = await server.call("notes_put", { book: "diary", name: "a", body: "b" });
    expect(structured(result)["message"]).toBe('book must be one of "journal", "ledger"');
  });

  it("A6: executes a write that was drawn, and one that was drawn as a proposal never", async () => {
    expect(
      structured(await server.call("notes_put", { book: "journal", name: "a", body: "b" }))["data"],
    ).toEqual({ written: "a" });
    const rows = await server.newRows();
    expect(rows.slice(-2).map(({ phase }) => phase)).toEqual(["attempt", "result"]);
    expect(rows.at(-2)).toMatchObject({ tool_name: "notes_put", argsSha: rows.at(-1)?.["argsSha"] });
    expect(rows.at(-1)).not.toHaveProperty("args_redacted");

    const before = server.witness.ran.length;
    for (const [tool, args] of [
      ["notes_put", { book: "ledger", name: "a", body: "b" }],
      ["memo_add", { body: "b" }],
    ] as const) {
      const result = await server.call(tool, args);
      expect(result["isError"]).toBe(true);
      expect(structured(result)["code"]).toBe("approval_required");
      expect(await lastRow()).toMatchObject({ decision: "deny", reason: "approval_required" });
    }
    expect(server.witness.ran).toHaveLength(before);
  });

  it("MCP_APPROVAL_MODE=required turns every write into a proposal", async () => {
    const careful = await boot(adapter, { ...WRITES, MCP_APPROVAL_MODE: "required" });
    expect(structured(await careful.call("notes_clear"))["code"]).toBe("approval_required");
    expect(structured(await careful.call("notes_get", { name: "first" }))["data"]).toBeDefined();
    await careful.close();
    expect(careful.witness.ran).toEqual(["notes_get"]);
  });

  it("does not execute a write that cannot be recorded, and goes on reading", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const full = await boot(adapter, { ...WRITES, MCP_AUDIT_FILE: "/dev/full" });
    expect(structured(await full.call("notes_clear"))["code"]).toBe("audit_unavailable");
    expect(structured(await full.call("notes_get", { name: "first" }))["data"]).toMatchObject({
      body: "hello",
    });
    expect(full.witness.ran).toEqual(["notes_get"]);
    vi.restoreAllMocks();
    await full.close();
  });

  it.each(["rows", "cell", "nested", "members"])(
    "cuts a flood of %s to the budget and says so",
    async (shape) => {
      const result = await server.call("notes_flood", { shape });
      const envelope = structured(result);
      const bytes = Buffer.byteLength(JSON.stringify(envelope));
      expect(bytes).toBeLessThanOrEqual(65_536);
      expect(envelope["truncated"]).toBe(true);
      expect(envelope["truncation"]).toMatchObject({
        by: shape === "cell" ? "cells" : "bytes",
        limit: shape === "cell" ? 2_048 : 65_536,
      });
      if (shape !== "cell") {
        expect(bytes).toBeGreaterThan(60_000);
        expect(envelope["page"]).toMatchObject({ next_cursor: null });
      } else expect((envelope["data"] as { text: string }).text).toMatch(/^€+\.\.\. \[cut\]$/);
    },
  );

  it("takes every form of its own credential, and what looks like one, out of a result", async () => {
    const result = await server.call("notes_leak");
    const text = JSON.stringify(result);
    const forms = [
      PASSWORD,
      JSON.stringify(PASSWORD).slice(1, -1),
      Buffer.from(PASSWORD).toString("base64").slice(4, 20),
      Buffer.from(`user:${PASSWORD}`).toString("base64").slice(12, 28),
      Buffer.from(PASSWORD).toString("base64url").slice(4, 20),
      Buffer.from(PASSWORD).toString("hex"),
      Buffer.from(PASSWORD).toString("hex").toUpperCase(),
      encodeURIComponent(PASSWORD),
      "MIIEow",
      "hunter22",
      "AKIAIOSFODNN7EXAMPLE",
      "eyJzdWIi",
      "s3cr3t-plain",
      "k-123",
      "opensesame",
    ];
    for (const form of forms) expect(text.includes(form), form.slice(0, 4)).toBe(false);
    const { data, redactions } = structured(result) as { data: Json; redactions: number };
    expect(data["settings"]).toEqual({
      db_password: "[redacted]",
      apiKey: "[redacted]",
      secretName: "db-creds",
      token_count: 5,
    });
    expect(data["line"]).toBe("level=info password=[redacted] user=bob");
    expect(data["raw"]).toBe("before [redacted] after");
    expect(data["split"]).toBe("[redacted]");
    expect(redactions).toBeGreaterThanOrEqual(17);
  });

  it("takes out characters that nobody sees", async () => {
    expect(structured(await server.call("notes_dirty"))["data"]).toEqual({
      text: "abredcd\nnext\tcell\ufffd",
    });
  });

  it("passes on a fault that was meant for the caller, redacted", async () => {
    expect(structured(await server.call("notes_broken", { how: "fault" }))).toEqual({
      code: "not_found",
      message: "there is no such note",
      hint: "list the notes first",
    });
    expect(structured(await server.call("notes_broken", { how: "faultWithSecret" }))).toEqual({
      code: "upstream_unavailable",
      message: "login failed for [redacted]",
    });
  });

  it.each(["error", "text", "nothing", "hostile"])(
    "tells the caller nothing about an unexpected %s",
    async (how) => {
      let stderr = "";
      vi.spyOn(process.stderr, "write").mockImplementation((text) => {
        stderr += String(text);
        return true;
      });
      const result = await server.call("notes_broken", { how });
      vi.restoreAllMocks();
      expect(result["isError"]).toBe(true);
      expect(structured(result)).toMatchObject({ code: "internal", message: "the tool failed unexpectedly" });
      expect(JSON.stringify(result)).not.toMatch(/internal:5432|admin|ECONNREFUSED|\.ts|plain string/);
      expect(stderr).toContain("notes_broken failed unexpectedly");
      expect(stderr).not.toContain(PASSWORD);
      expect(await lastRow()).toMatchObject({ decision: "allow", ok: false, error_class: "internal" });
    },
  );

  it("ends a call at its time limit and tells the handler", async () => {
    const result = await server.call("notes_slow", { ms: 30_000, tag: "timed out" });
    expect(structured(result)["code"]).toBe("timeout");
    await until(() => server.witness.aborted.includes("timed out"));
  });

  it("lets a cancellation reach the handler, and answers the request all the same", async () => {
    const call = server.call("notes_slow", { ms: 30_000, tag: "cancelled" }, { id: 4_711 });
    await until(() => server.witness.ran.includes("slow cancelled"));
    expect(await server.notify("notifications/cancelled", { requestId: 4_711, reason: "enough" })).toBe(202);
    expect(structured(await call)["code"]).toBe("cancelled");
    expect(server.witness.aborted).toContain("cancelled");
  });

  it("lets a disconnect reach the handler", async () => {
    const leaving = new AbortController();
    const call = server.call("notes_slow", { ms: 30_000, tag: "left" }, { signal: leaving.signal });
    await until(() => server.witness.ran.includes("slow left"));
    leaving.abort();
    await expect(call).rejects.toThrow("abort");
    await until(() => server.witness.aborted.includes("left"));
    await until(() =>
      server.audit().some(({ status, error_class: fault }) => status === 499 && fault === "cancelled"),
    );
  });

  it("runs four calls of a link at once, lets sixteen wait, and turns the rest away", async () => {
    const calls = Array.from({ length: 25 }, (_, at) =>
      server.call("notes_slow", { ms: 1_000, tag: `crowd ${at}` }),
    );
    const codes = (await Promise.all(calls)).map((result) => structured(result)["code"] ?? "done");
    expect(codes.filter((code) => code === "done")).toHaveLength(20);
    expect(codes.filter((code) => code === "busy")).toHaveLength(5);
  });

  it("keeps the place of a handler that ignores its time limit", async () => {
    const deaf = Array.from(
      { length: 4 },
      async () => structured(await server.call("notes_deaf", { ms: 700 }))["code"],
    );
    await until(() => server.witness.ran.filter((name) => name === "deaf").length >= 4);
    expect(await Promise.all(deaf)).toEqual(["timeout", "timeout", "timeout", "timeout"]);
    const started = performance.now();
    await server.call("notes_get", { name: "first" });
    expect(performance.now() - started).toBeGreaterThan(300);
  });

  it("S13: records reads with redacted arguments and a digest", async () => {
    await server.newRows();
    await server.call("notes_get", { name: "first" });
    const [row] = await server.newRows();
    expect(row).toMatchObject({
      phase: "result",
      rpc_method: "tools/call",
      tool_name: "notes_get",
      link: "mcp->notes",
      key_id: "key:mcp-api-key",
      args_redacted: { name: "first" },
      argsSha: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      decision: "allow",
      reason: "allowed",
      ok: true,
      status: 200,
    });
    await server.call("notes_get", { name: PASSWORD.slice(0, 40) });
    await server.call("notes_get", { name: "password=opensesame" });
    expect(JSON.stringify(await server.newRows())).not.toContain("opensesame");
  });
});
