import { once } from "node:events";
import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bootServer, callTool, connectClient } from "../harness/emitted.ts";
import { ask } from "../server/boot.ts";
import type { HttpAnswer } from "../server/boot.ts";
import { bootAgent, emitDrawing } from "./folder.ts";
import type { BootedAgent, EmittedStack } from "./folder.ts";

/** What the tests of the drawing reach: a web server on loopback that is slow, fails or answers as asked. */
let web: Server;
const waiting: ServerResponse[] = [];
let stack: EmittedStack;
let agent: BootedAgent;

const drawing = (port: number): string => `apiVersion: topology/v1
stack: probes
components:
  prometheus: {namespace: monitoring, host: 127.0.0.1, port: ${port}}
  other: {type: prometheus, namespace: monitoring, host: 127.0.0.1, port: ${port}}
  valkey: {namespace: cache}
links:
  mcp: {stack_agent: read, prometheus: read}
`;

beforeAll(async () => {
  web = createServer((request, response) => {
    if (request.url === "/slow") waiting.push(response);
    else response.writeHead(request.url === "/missing" ? 404 : 200).end(`you asked for ${request.url}\n`);
  });
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  stack = await emitDrawing("probes", drawing((web.address() as AddressInfo).port));
  agent = await bootAgent(stack);
});
afterAll(async () => {
  await agent.stop();
  web.closeAllConnections();
  web.close();
  stack.remove();
});

const post = async (path: string, body: object, signal?: AbortSignal): Promise<HttpAnswer> =>
  await ask(agent.port, {
    method: "POST",
    path,
    headers: { authorization: `Bearer ${agent.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });

const get = (path: string): string => `curl -sf http://{host}:{port}${path}`;
const UP = { source: "prometheus", command: get("/up") };

describe("commands of queries, run by the emitted agent", () => {
  it("S24: POST /metadata/q runs the command and answers with its output", async () => {
    const { status, json } = await post("/metadata/q", UP);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: "passed",
      results: [{ name: "prometheus", status: "passed", output: "you asked for /up", exit_code: 0 }],
      total: 1,
      next_cursor: null,
      warnings: [],
    });
  });

  it("S24: exit 0 waits for verify_delay and runs on_success, anything else on_failure at once", async () => {
    const pipeline = { on_success: get("/after"), on_failure: get("/why"), verify_delay: 1 };
    const started = performance.now();
    const passed = await post("/metadata/q", { ...UP, ...pipeline });
    expect(performance.now() - started).toBeGreaterThan(1_000);
    expect(passed.json["results"]).toMatchObject([
      { status: "passed", on_success: { status: "passed", output: "you asked for /after" } },
    ]);
    expect(JSON.stringify(passed.json)).not.toContain("/why");
    const failed = await post("/metadata/q", { ...UP, command: get("/missing"), ...pipeline });
    expect(failed.json).toMatchObject({
      status: "failed",
      results: [{ status: "failed", exit_code: 22, on_failure: { output: "you asked for /why" } }],
    });
    expect(JSON.stringify(failed.json)).not.toContain("/after");
  });

  it("S25: a dry run shows what would be run, and starts nothing", async () => {
    const { json } = await post("/metadata/q", { ...UP, dry_run: true });
    expect(json["rows"]).toEqual([
      { name: "prometheus", command: expect.stringMatching(/^curl -sf http:\/\/127\.0\.0\.1:\d+\/up$/) },
    ]);
  });

  it("S23: an unknown variable is named in a dry run and refuses a real one", async () => {
    const command = "curl -sf http://{host}:{prot}/up";
    const dry = await post("/metadata/q", { ...UP, command, dry_run: true });
    expect(dry.json["rows"]).toMatchObject([{ unresolved: ["prot"] }]);
    const real = await post("/metadata/q", { ...UP, command });
    expect(real.json).toMatchObject({
      status: "incomplete",
      results: [{ status: "refused", reason: "unresolved", message: expect.stringContaining("prot") }],
    });
  });

  it.each([
    ["what no link leads to", { source: "other", command: get("/up") }, 403, "not_linked"],
    ["another program", { source: "prometheus", command: "bash -c 'id'" }, 403, "denied"],
    ["another host", { source: "prometheus", command: "curl -s http://example.com/" }, 200, "refused"],
    ["a redirect", { source: "prometheus", command: `${get("/up")} > /tmp/x` }, 400, "invalid_argument"],
    [
      "a command that is too long",
      { source: "prometheus", command: "x".repeat(2_001) },
      400,
      "invalid_argument",
    ],
    ["on_success alone", { source: "prometheus", on_success: get("/up") }, 400, "invalid_argument"],
  ])("S24: %s is not run", async (_name, body, status, code) => {
    const answer = await post("/metadata/q", body);
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.json["results"]).toMatchObject([{ status: code }]);
    else expect(answer.json).toMatchObject({ code });
  });

  it("S24: a client that leaves ends what it started", async () => {
    const leave = new AbortController();
    const answer = post("/metadata/q", { ...UP, command: get("/slow") }, leave.signal);
    await vi.waitFor(() => expect(waiting).toHaveLength(1), 5_000);
    const cut = new Promise<void>((resolve) => waiting[0]?.once("close", () => resolve()));
    leave.abort();
    await expect(answer).rejects.toThrow();
    await cut;
    waiting.length = 0;
  });

  it("S24: only so many tests run at once", async () => {
    const leave = new AbortController();
    const held: Promise<unknown>[] = [];
    // A test of before may still be ending, so another one is offered until four are running.
    await vi.waitFor(() => {
      if (waiting.length < 4)
        held.push(post("/metadata/q", { ...UP, command: get("/slow") }, leave.signal).catch(() => undefined));
      expect(waiting).toHaveLength(4);
    }, 10_000);
    const answer = await post("/metadata/q", UP);
    expect(answer).toMatchObject({ status: 503, json: { code: "busy" } });
    leave.abort();
    await Promise.all(held);
    waiting.length = 0;
    await vi.waitFor(async () => expect((await post("/metadata/q", UP)).status).toBe(200), 5_000);
  });

  it("S24: a stopping agent ends its tests and exits", async () => {
    const own = await bootAgent(stack);
    const answer = ask(own.port, {
      method: "POST",
      path: "/metadata/q",
      headers: { authorization: `Bearer ${own.token}`, "content-type": "application/json" },
      body: JSON.stringify({ ...UP, on_success: get("/after"), verify_delay: 2 }),
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const code = own.stop();
    expect((await answer).json).toMatchObject({ status: "passed" });
    expect(await code).toBe(0);
  });

  it("S24: in the mode off nothing is run, and a word that is no mode stops the start", async () => {
    const own = await bootAgent(stack, { MCP_AGENT_COMMAND_MODE: "off" });
    const answer = await ask(own.port, {
      method: "POST",
      path: "/metadata/q",
      headers: { authorization: `Bearer ${own.token}`, "content-type": "application/json" },
      body: JSON.stringify(UP),
    });
    expect(answer).toMatchObject({ status: 403, json: { code: "command_mode_off" } });
    await own.stop();
    await expect(bootAgent(stack, { MCP_AGENT_COMMAND_MODE: "maybe" })).rejects.toThrow(
      "MCP_AGENT_COMMAND_MODE",
    );
  });
});

describe("run_test and query_topology, in the server's process and in the agent's", () => {
  const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
    ["run_test", UP],
    ["run_test", { ...UP, dry_run: true }],
    ["run_test", { ...UP, command: get("/missing"), on_failure: get("/why") }],
    ["run_test", { source: "type:prometheus", command: get("/up") }],
    ["run_test", { source: "other", command: get("/up") }],
    ["run_test", { source: "prometheus", command: "curl -s {" }],
    ["query_topology", UP],
    ["query_topology", { source: "type:prometheus", command: get("/up"), limit: 1 }],
  ];

  async function answersWith(environment: Readonly<Record<string, string>>): Promise<readonly unknown[]> {
    const server = await bootServer(stack.folder, environment);
    const client: Client = await connectClient(server);
    const answers: unknown[] = [];
    for (const [name, args] of CALLS) {
      const { isError, content } = await callTool(client, name, args);
      const { elapsed_ms: _elapsed, ...rest } = content;
      answers.push({
        isError,
        rest: JSON.parse(JSON.stringify(rest).replaceAll(/"duration_ms":\d+/g, '"duration_ms":0')),
      });
    }
    await client.close();
    await server.stop();
    return answers;
  }

  it("S26: answer the same, refusals included", async () => {
    const embedded = await answersWith({ MCP_AGENT_URL: "" });
    const service = await answersWith({
      MCP_AGENT_URL: `http://127.0.0.1:${agent.port}`,
      MCP_AGENT_TOKEN: agent.token,
    });
    expect(service).toEqual(embedded);
    expect(service[0]).toMatchObject({
      isError: false,
      rest: { data: { status: "passed", results: [{ output: "you asked for /up" }] } },
    });
    expect(service[3]).toMatchObject({
      rest: { data: { status: "incomplete", results: [{ status: "not_linked" }, { status: "passed" }] } },
    });
  });
});
