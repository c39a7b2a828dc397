import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ask, boot, INITIALIZE } from "./boot.ts";
import type { Booted } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

const INFO = { name: "suite", version: "1.0.0" };

describe.each(ADAPTERS)("official clients of %s", (adapter) => {
  let server: Booted;
  beforeAll(async () => {
    server = await boot(adapter);
  });
  afterAll(async () => await server.close());
  const url = (): URL => new URL(`http://127.0.0.1:${server.port}/mcp`);
  const requestInit = (): RequestInit => ({ headers: { authorization: `Bearer ${server.key}` } });

  const legacy = async (): Promise<Client> => {
    const client = new Client(INFO);
    // The library's own types disagree under exactOptionalPropertyTypes.
    await client.connect(
      new StreamableHTTPClientTransport(url(), { requestInit: requestInit() }) as unknown as Transport,
    );
    return client;
  };

  it("S18: speaks to the 1.x client", async () => {
    const client = await legacy();
    expect((await client.listTools()).tools).toHaveLength(8);
    const result = await client.callTool({ name: "notes_get", arguments: { name: "first" } });
    expect(result.structuredContent).toMatchObject({ data: { name: "first", body: "hello" } });
    await expect(client.callTool({ name: "notes_clear", arguments: {} })).rejects.toMatchObject({
      code: -32_602,
      message: "MCP error -32602: Unknown tool: notes_clear",
    });
    expect((await client.callTool({ name: "notes_get", arguments: {} })).isError).toBe(true);
    await client.ping();
    await client.close();
  });

  it("lets the 1.x client cancel", async () => {
    const client = await legacy();
    const cancel = new AbortController();
    const call = client.callTool({ name: "notes_slow", arguments: { ms: 30_000, tag: "1.x" } }, undefined, {
      signal: cancel.signal,
    });
    await vi.waitFor(() => expect(server.witness.ran).toContain("slow 1.x"), 5_000);
    cancel.abort("enough");
    await expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(server.witness.aborted).toContain("1.x"), 1_000);
    await client.close();
  });

  it("keeps the answers of many clients apart", async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, legacy));
    const rounds = clients.map(async (client, at) => {
      const result = await client.callTool({ name: "notes_get", arguments: { name: `nonce-${at}` } });
      expect(JSON.stringify(result.content)).toContain(`there is no note nonce-${at}`);
    });
    await Promise.all(rounds);
    await Promise.all(clients.map(async (client) => await client.close()));
  });

  it.each(["2025-03-26", "2025-06-18", "2025-11-25"])("S18: negotiates %s", async (protocolVersion) => {
    const answer = await ask(server.port, {
      method: "POST",
      headers: {
        authorization: `Bearer ${server.key}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { ...INITIALIZE, protocolVersion },
      }),
    });
    expect(answer.status).toBe(200);
    expect(answer.json["result"]).toMatchObject({
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "test" },
    });
  });

  it(`S18: speaks to the 2.x client in revision ${adapter === "sdk" ? "2026-07-28" : "2025-11-25"}`, async () => {
    const client = new ModernClient(INFO, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernTransport(url(), { requestInit: requestInit() }));
    expect(client.getNegotiatedProtocolVersion()).toBe(adapter === "sdk" ? "2026-07-28" : "2025-11-25");
    expect((await client.listTools()).tools).toHaveLength(8);
    const result = await client.callTool({ name: "notes_get", arguments: { name: "first" } });
    expect(result.structuredContent).toMatchObject({ data: { name: "first", body: "hello" } });
    await expect(client.callTool({ name: "notes_clear", arguments: {} })).rejects.toMatchObject({
      code: -32_602,
      message: "Unknown tool: notes_clear",
    });
    const refused = await client.callTool({ name: "notes_get", arguments: { name: "first", evil: 1 } });
    expect(refused.isError).toBe(true);
    await client.close();
  });

  it("lets the 2.x client cancel", async () => {
    const client = new ModernClient(INFO, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernTransport(url(), { requestInit: requestInit() }));
    const cancel = new AbortController();
    const call = client.callTool(
      { name: "notes_slow", arguments: { ms: 30_000, tag: "2.x" } },
      { signal: cancel.signal },
    );
    await vi.waitFor(() => expect(server.witness.ran).toContain("slow 2.x"), 5_000);
    cancel.abort("enough");
    await expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(server.witness.aborted).toContain("2.x"), 1_000);
    await client.close();
  });
});
