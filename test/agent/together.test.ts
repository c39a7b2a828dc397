import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, callTool, connectClient, newKey } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { bootAgent, emitStack } from "./folder.ts";
import type { BootedAgent, EmittedStack } from "./folder.ts";

let shop: EmittedStack;
let agent: BootedAgent;
beforeAll(async () => {
  shop = await emitStack("shop");
  agent = await bootAgent(shop);
});
afterAll(async () => {
  await agent.stop();
  shop.remove();
});

async function withServer<T>(
  environment: Readonly<Record<string, string>>,
  work: (client: Client, server: BootedServer) => Promise<T>,
): Promise<T> {
  const server = await bootServer(shop.folder, environment);
  const client = await connectClient(server);
  try {
    return await work(client, server);
  } finally {
    await client.close();
    await server.stop();
  }
}

const where = (port: number): string => `http://127.0.0.1:${port}`;
const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["list_components", {}],
  ["list_components", { limit: 3 }],
  ["query_topology", { source: "type:cnpg", target: "sub_components", select: ["database", "consumers"] }],
  ["query_topology", { source: "apisix", target: "links_to", command: "curl {host}", dry_run: true }],
  ["query_topology", { source: "kafkaa" }],
  ["query_topology", { source: "all", select: ["password"] }],
  ["get_component_links", { component: "kafka", direction: "inbound" }],
  ["get_stack_structure", { limit: 4 }],
  ["get_available_fields", { component: "cnpg" }],
  ["get_available_fields", { component: "a/../b?c#d" }],
  ["get_environment_profile", { category: "databases" }],
  ["get_environment_profile", { category: "nonsense" }],
  ["run_test", { source: "cnpg", target: "sub_components", command: "psql -h {host}", dry_run: true }],
];

describe("the server with the agent as a service", () => {
  it("S26: every tool answers as the engine in the server's own process does, faults included", async () => {
    const asked = async (client: Client): Promise<readonly unknown[]> => {
      const answers: unknown[] = [];
      for (const [name, args] of CALLS) {
        const { isError, content } = await callTool(client, name, args);
        const { elapsed_ms: _elapsed, ...rest } = content;
        answers.push({ name, isError, rest });
      }
      return answers;
    };
    const embedded = await withServer({ MCP_AGENT_URL: "" }, asked);
    const environment = { MCP_AGENT_URL: where(agent.port), MCP_AGENT_TOKEN: agent.token };
    const service = await withServer(environment, asked);
    expect(service).toEqual(embedded);
    expect(service).toContainEqual({
      name: "query_topology",
      isError: true,
      rest: {
        code: "invalid_argument",
        message: 'no component "kafkaa" in this stack',
        hint: 'did you mean "kafka"?',
      },
    });
  });

  it("S26: a wrong token is said to the operator, and no token stops the start", async () => {
    const token = newKey();
    const answer = await withServer(
      { MCP_AGENT_URL: where(agent.port), MCP_AGENT_TOKEN: token },
      async (client) => await callTool(client, "list_components"),
    );
    expect(answer).toMatchObject({ isError: true, content: { code: "upstream_unavailable" } });
    expect(JSON.stringify(answer)).not.toContain(token);
    await expect(
      bootServer(shop.folder, { MCP_AGENT_TOKEN: "", MCP_AGENT_URL: where(agent.port) }),
    ).rejects.toThrow("MCP_AGENT_TOKEN is not set, but MCP_AGENT_URL is");
  });

  it("S26: an agent that is not there is a fault of its own, and says no address", async () => {
    const answer = await withServer(
      { MCP_AGENT_URL: "http://127.0.0.1:1", MCP_AGENT_TOKEN: agent.token },
      async (client) => await callTool(client, "get_stack_structure"),
    );
    expect(answer).toMatchObject({ isError: true, content: { code: "upstream_unavailable" } });
    expect(JSON.stringify(answer)).not.toMatch(/127\.0\.0\.1|:1\b/);
  });

  it("S26: what is not the agent does not pass for it", async () => {
    const stranger = createServer((_request, response) => response.end('{"hello":"world"}'));
    await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    const { port } = stranger.address() as AddressInfo;
    const answer = await withServer(
      { MCP_AGENT_URL: where(port), MCP_AGENT_TOKEN: agent.token },
      async (client) => await callTool(client, "list_components"),
    );
    stranger.close();
    expect(answer).toMatchObject({
      isError: true,
      content: {
        code: "upstream_unavailable",
        message: expect.stringContaining("not one of the stack agent"),
      },
    });
  });
});
