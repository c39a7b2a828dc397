import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client as ModernClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ask, newKey, PASSWORD } from "./boot.ts";
import type { Json } from "./boot.ts";
import { ADAPTERS, emitServer } from "./emitted.ts";
import type { EmittedServer } from "./emitted.ts";

const INFO = { name: "suite", version: "1.0.0" };

describe.each(ADAPTERS)("an emitted server with %s", (adapter) => {
  let emitted: EmittedServer;
  beforeAll(() => {
    emitted = emitServer(adapter);
  });
  afterAll(() => emitted.remove());
  const auditFile = (): string => join(emitted.folder, "audit.jsonl");
  const rows = (): readonly Json[] =>
    readFileSync(auditFile(), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event_type: string; payload: Json })
      .filter(({ event_type: event }) => event === "mcp.request")
      .map(({ payload }) => payload);
  const traces = (): readonly { readonly method: unknown; readonly trace: unknown }[] =>
    rows().map((row) => ({ method: row["rpc_method"], trace: row["trace_id"] }));
  const environment = (): Record<string, string> => ({
    PATH: process.env["PATH"] ?? "",
    MCP_AUDIT_FILE: auditFile(),
    MCP_NOTES_PASSWORD: PASSWORD,
    MCP_NOTES_WRITE_ACCESS: "true",
    MCP_STDIO_HUMAN_ID: "ada",
    MCP_STDIO_ROLE: "operator",
  });
  const stdio = (): { command: string; args: string[]; env: Record<string, string>; stderr: "pipe" } => ({
    command: process.execPath,
    args: [emitted.start, "--stdio"],
    env: environment(),
    stderr: "pipe",
  });

  it("P9: serves the 1.x client over stdio, with the same rules and the same audit", async () => {
    const client = new Client(INFO);
    await client.connect(new StdioClientTransport(stdio()));
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("notes_put");
    const result = await client.callTool({ name: "notes_get", arguments: { name: "first" } });
    expect(result.structuredContent).toMatchObject({ link: "mcp->notes", data: { body: "hello" } });
    expect(result._meta).toEqual({ "governance/authority": "untrusted" });
    for (const name of ["notes_hidden", "memo_add"]) {
      await expect(client.callTool({ name, arguments: {} })).rejects.toMatchObject({ code: -32_602 });
    }
    const proposal = await client.callTool({
      name: "notes_put",
      arguments: { book: "ledger", name: "a", body: "b" },
    });
    expect(JSON.stringify(proposal.content)).toContain("approval_required");
    const cancel = new AbortController();
    const slow = client.callTool({ name: "notes_slow", arguments: { ms: 30_000 } }, undefined, {
      signal: cancel.signal,
    });
    setTimeout(() => cancel.abort("enough"), 200);
    await expect(slow).rejects.toThrow();
    await vi.waitFor(
      () => expect(rows().some(({ error_class: fault }) => fault === "cancelled")).toBe(true),
      1_000,
    );
    await client.close();
    const seen = rows().map((row) => [row["rpc_method"], row["reason"], row["human_id"]]);
    expect(seen.sort()).toEqual(
      [
        ["notifications/initialized", "allowed", "ada"],
        ["initialize", "allowed", "ada"],
        ["tools/list", "allowed", "ada"],
        ["tools/call", "allowed", "ada"],
        ["tools/call", "tool_not_allowed", "ada"],
        ["tools/call", "write_disabled", "ada"],
        ["tools/call", "approval_required", "ada"],
        ["tools/call", "allowed", "ada"],
        ["notifications/cancelled", "allowed", "ada"],
        ["tools/call", "allowed", "ada"],
      ].sort(),
    );
  });

  it(`P9: serves the 2.x client over stdio`, async () => {
    const client = new ModernClient(INFO, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernStdio(stdio()));
    expect(client.getNegotiatedProtocolVersion()).toBe(adapter === "sdk" ? "2026-07-28" : "2025-11-25");
    const result = await client.callTool({ name: "notes_leak", arguments: {} });
    expect(JSON.stringify(result)).not.toContain(PASSWORD.slice(0, 12));
    await client.close();
  });

  it("R24: a caller's trace over stdio is the trace of its row, and what is none is passed over", async () => {
    const client = new Client(INFO);
    await client.connect(new StdioClientTransport(stdio()));
    const call = async (traceparent: string): Promise<unknown> =>
      await client.callTool({ name: "notes_list", arguments: {}, _meta: { traceparent } });
    const before = traces().length;
    await call(`00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`);
    await call("00-nonsense");
    await client.close();
    const seen = traces()
      .slice(before)
      .filter(({ method }) => method === "tools/call");
    expect(seen.map(({ trace }) => trace)).toEqual([
      "ab".repeat(16),
      expect.stringMatching(/^[0-9a-f-]{36}$/),
    ]);
  });

  const started: ChildProcess[] = [];
  afterAll(() => started.forEach((child) => child.kill("SIGKILL")));

  async function startHttp(key: string): Promise<{ child: ChildProcess; port: number; log: () => string }> {
    const child = spawn(process.execPath, [emitted.start], {
      env: { ...environment(), MCP_API_KEY: key, MCP_PORT: "0" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(child);
    let log = "";
    let out = "";
    child.stderr?.on("data", (data: Buffer) => (log += String(data)));
    child.stdout?.on("data", (data: Buffer) => (out += String(data)));
    const port = await vi.waitFor(
      () => Number(/listening on port (\d+)/.exec(log)?.[1] ?? expect.fail(log)),
      20_000,
    );
    return { child, port, log: () => log + out };
  }

  const call = (
    key: string,
    port: number,
    session: string | undefined,
    name: string,
    args: Json,
  ): ReturnType<typeof ask> =>
    ask(port, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(session === undefined ? {} : { "mcp-session-id": session }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: name, params: args }),
    });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "lets a call in flight end after %s, and exits with 0",
    async (signal) => {
      const key = newKey();
      const { child, port, log } = await startHttp(key);
      const initialize = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: INFO };
      const opened = await call(key, port, undefined, "initialize", initialize);
      const session = opened.headers["mcp-session-id"];
      const id = typeof session === "string" ? session : undefined;
      const slow = call(key, port, id, "tools/call", { name: "notes_slow", arguments: { ms: 1_000 } });
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await expect(ask(port, { path: "/ready" })).rejects.toThrow("ECONNREFUSED");
      expect((await slow).text).toContain('"waited":1000');
      const [code] = child.exitCode === null ? ((await once(child, "exit")) as [number]) : [child.exitCode];
      expect(code).toBe(0);
      expect(log()).not.toContain(key);
    },
  );

  it("says why it does not start, without a stack, and exits with 1", async () => {
    const child = spawn(process.execPath, [emitted.start], {
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(child);
    let log = "";
    child.stderr.on("data", (data: Buffer) => (log += String(data)));
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(1);
    expect(log).toBe("test: cannot start: MCP_API_KEY is not set; make one with: openssl rand -hex 32\n");
  });
});
