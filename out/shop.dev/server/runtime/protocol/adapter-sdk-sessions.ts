import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { isInitializeRequest, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { Server } from "@modelcontextprotocol/server";
import type { Adapter, McpRequest } from "#runtime/protocol/adapter";
import type { SessionNames } from "#runtime/protocol/session-names";
import { createSessions } from "#runtime/protocol/sessions";

function refuseSession(response: ServerResponse, status: number, message: string): void {
  const error = { jsonrpc: "2.0", id: null, error: { code: status === 404 ? -32_001 : -32_000, message } };
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(error));
}

/** What a session needs of its transport, whoever opened it. */
type SessionTransport = Pick<NodeStreamableHTTPServerTransport, "handleRequest" | "close">;

/** A session that another replica opened, begun once more here; its client notices nothing. */
async function reopen(
  server: Server,
  id: string,
  protocolVersion: string,
  onsessionclosed: (id: string) => void,
): Promise<SessionTransport> {
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => id,
    enableJsonResponse: true,
    onsessionclosed,
  });
  await server.connect(transport);
  const clientInfo = { name: "of another replica", version: "0" };
  const params = { protocolVersion, capabilities: {}, clientInfo };
  const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: "reopen", method: "initialize", params });
  const answer = await transport.handleRequest(
    new Request("http://localhost/mcp", { method: "POST", headers, body }),
  );
  if (!answer.ok) throw new Error(`a session could not be taken over (${answer.status})`);
  const handleRequest = toNodeHandler({
    fetch: async (request, options) => await transport.handleRequest(request, options),
  });
  return {
    handleRequest: async (request, response, parsed) => {
      const { method = "", url = "" } = request;
      await handleRequest(Object.assign(request, { method, url }), response, parsed);
    },
    close: async () => await transport.close(),
  };
}

/** The 2025-era revisions: a session each, opened by `initialize` and used by its principal only. */
export function createSessionEndpoint(
  newServer: () => Server,
  names: SessionNames | undefined,
): Pick<Adapter, "answer" | "close"> {
  const sessions = createSessions<SessionTransport>(
    { perOwner: 500, idleMs: 30 * 60_000 },
    async (transport) => await transport.close(),
  );
  const takenOver = new Map<string, Promise<SessionTransport | undefined>>();
  const onClosed = (id: string): void => {
    sessions.remove(id);
    names?.end(id);
  };
  const open = async (
    { request, response, body }: McpRequest,
    owner: string,
    version: string,
  ): Promise<void> => {
    // A session that only this replica knows is better than none.
    const id = (await names?.create(owner, version).catch(() => undefined)) ?? randomUUID();
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      enableJsonResponse: true,
      onsessioninitialized: () => sessions.add(id, owner, transport),
      onsessionclosed: onClosed,
    });
    await newServer().connect(transport);
    await transport.handleRequest(request, response, body);
    if (transport.sessionId === undefined) await transport.close();
  };
  const takeOver = async (id: string, owner: string): Promise<SessionTransport | undefined> => {
    const version = await names?.versionOf(id, owner).catch(() => undefined);
    if (version === undefined) return undefined;
    const transport = await reopen(newServer(), id, version, onClosed);
    sessions.add(id, owner, transport);
    return transport;
  };
  /** Once, however many requests of the session arrive together. */
  const find = async (id: string, owner: string): Promise<SessionTransport | undefined> => {
    const known = sessions.find(id, owner);
    if (known !== undefined || names === undefined) return known;
    const key = `${id} ${owner}`;
    const running = takenOver.get(key) ?? takeOver(id, owner).finally(() => takenOver.delete(key));
    takenOver.set(key, running);
    return await running;
  };
  return {
    answer: async (mcp) => {
      const { caller, request, response, body } = mcp;
      const owner = caller.exchange.facts().principal?.id ?? "";
      const id = request.headers["mcp-session-id"];
      if (typeof id !== "string") {
        if (isInitializeRequest(body)) return await open(mcp, owner, body.params.protocolVersion);
        return refuseSession(response, 400, "Bad Request: Mcp-Session-Id header is required");
      }
      const transport = await find(id, owner);
      if (transport === undefined) return refuseSession(response, 404, "Session not found");
      await transport.handleRequest(request, response, body);
    },
    close: sessions.closeAll,
  };
}
