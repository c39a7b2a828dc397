import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { FastMCPSession } from "fastmcp";
import type { Adapter, CreateAdapter, McpRequest } from "#runtime/protocol/adapter";
import { createCancellations } from "#runtime/protocol/cancellations";
import type { Cancellations } from "#runtime/protocol/cancellations";
import type { Exchange } from "#runtime/call/exchange";
import type { Caller, McpService } from "#runtime/protocol/mcp-service";
import { UNKNOWN_TOOL_CODE, unknownToolMessage } from "#runtime/protocol/mcp-service";
import { createStdioLog } from "#runtime/protocol/stdio-log";
import {
  wireCompletion,
  wirePrompt,
  wirePrompts,
  wireResource,
  wireResult,
  wireTools,
} from "#runtime/protocol/wire";

const MAX_STDIO_BYTES = 1024 * 1024;

// What fastmcp logs are faults of clients, with stacks; the audit has a row for each of them.
const SILENT = { debug: () => {}, error: () => {}, info: () => {}, log: () => {}, warn: () => {} };

/** How the messages of one session find their caller, and how a later message finds the call it cancels. */
interface Correlation {
  readonly cancellations: Cancellations;
  callerOf(id: string | number): Caller;
  keyOf(id: string | number): string;
}

/** Resources, prompts and completion; each answer belongs to the caller of its own request. */
function serveContents(
  server: FastMCPSession["server"],
  service: McpService,
  { callerOf }: Correlation,
): void {
  server.setRequestHandler(ListResourcesRequestSchema, (_, { requestId }) => ({
    resources: [...service.listResources(callerOf(requestId))],
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [] }));
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }, { requestId }) =>
    wireResource(uri, await service.readResource(uri, callerOf(requestId))),
  );
  server.setRequestHandler(ListPromptsRequestSchema, (_, { requestId }) => ({
    prompts: wirePrompts(service.listPrompts(callerOf(requestId))),
  }));
  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, { requestId }) =>
    wirePrompt(await service.getPrompt(params.name, params.arguments ?? {}, callerOf(requestId))),
  );
  server.setRequestHandler(CompleteRequestSchema, async ({ params: { ref, argument } }, { requestId }) => {
    const prompt = ref.type === "ref/prompt" ? ref.name : "";
    return wireCompletion(await service.complete(prompt, argument, callerOf(requestId)));
  });
}

/**
 * A session whose tool handlers are ours: fastmcp's own answer an unknown tool and invalid arguments
 * differently from the specification, drop titles, and decide about access once per session.
 */
function createSession(service: McpService, correlation: Correlation): FastMCPSession {
  const session = new FastMCPSession({
    name: service.name,
    version: service.version,
    instructions: service.instructions,
    logger: SILENT,
    stateless: true,
    hasTools: true,
    tools: [],
    prompts: [],
    resources: [],
    resourcesTemplates: [],
    ping: { enabled: false },
    roots: { enabled: false },
  });
  // `connect` rejects as well; without a listener the event would end the process.
  session.on("error", () => undefined);
  session.server.registerCapabilities({ prompts: {}, resources: {}, completions: {} });
  session.server.setRequestHandler(ListToolsRequestSchema, (_, { requestId }) => ({
    tools: wireTools(service.listTools(correlation.callerOf(requestId))),
  }));
  serveContents(session.server, service, correlation);
  session.server.setRequestHandler(CallToolRequestSchema, async ({ params }, { requestId, signal }) => {
    const caller = correlation.callerOf(requestId);
    const gone = AbortSignal.any([caller.signal, signal]);
    const key = correlation.keyOf(requestId);
    const answer = await correlation.cancellations.during(key, gone, async (linked) =>
      service.callTool(params.name, params.arguments ?? {}, { ...caller, signal: linked }),
    );
    if (answer === undefined) {
      throw Object.assign(new Error(unknownToolMessage(params.name)), { code: UNKNOWN_TOOL_CODE });
    }
    return wireResult(answer);
  });
  // The library would answer a cancelled request with silence, which keeps its HTTP response open for ever.
  session.server.setNotificationHandler(CancelledNotificationSchema, ({ params }) => {
    if (params.requestId !== undefined) correlation.cancellations.cancel(correlation.keyOf(params.requestId));
  });
  return session;
}

interface Observer {
  arrive(message: JSONRPCMessage): void;
  leave(message: JSONRPCMessage): void;
  end(): void;
}
const UNOBSERVED: Observer = { arrive: () => undefined, leave: () => undefined, end: () => undefined };

/** The same transport, with the observer seeing each message as it passes. */
function observed(
  inner: StdioServerTransport | StreamableHTTPServerTransport,
  observer: Observer,
): Transport {
  const outer: Transport = {
    start: async () => {
      inner.onmessage = (message: JSONRPCMessage) => {
        observer.arrive(message);
        outer.onmessage?.(message);
      };
      inner.onerror = (error) => outer.onerror?.(error);
      inner.onclose = () => {
        observer.end();
        outer.onclose?.();
      };
      await inner.start();
    },
    send: async (message) => {
      await inner.send(message);
      observer.leave(message);
    },
    close: async () => await inner.close(),
  };
  return outer;
}

function refuseMethod({ response }: McpRequest): void {
  response.writeHead(405, { "content-type": "application/json", allow: "POST" });
  response.end(
    JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32_000, message: "Method not allowed" } }),
  );
}

/**
 * Without sessions nothing ties a cancellation to its call but the request id, so the principal and the
 * client that sent it must be the same as well.
 */
function senderOf({ caller, request }: McpRequest): readonly unknown[] {
  return [caller.exchange.facts().principal?.id, request.socket.remoteAddress, request.headers["user-agent"]];
}

async function serveConnection(
  newSession: (correlation: Correlation) => FastMCPSession,
  open: () => Exchange,
  stop: AbortSignal,
): Promise<void> {
  const log = createStdioLog(open);
  const session = newSession({
    cancellations: createCancellations(),
    callerOf: log.callerOf,
    keyOf: (id) => JSON.stringify(id),
  });
  const stdio = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: MAX_STDIO_BYTES });
  // The transport of this library does not notice by itself that its client has gone.
  process.stdin.once("end", () => void session.close());
  stop.addEventListener("abort", () => void session.close(), { once: true });
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      log.end();
      resolve();
    };
    session.connect(observed(stdio, { ...log, end })).catch(reject);
  });
}

/** fastmcp, without sessions and behind the front door: its own HTTP server, with its routes, never starts. */
export const createAdapter: CreateAdapter = (service) => {
  const cancellations = createCancellations();
  const newSession = (correlation: Correlation): FastMCPSession => createSession(service, correlation);
  const answer: Adapter["answer"] = async (mcp) => {
    const { caller, request, response, body } = mcp;
    if (request.method !== "POST") return refuseMethod(mcp);
    const sender = senderOf(mcp);
    const session = newSession({
      cancellations,
      callerOf: () => caller,
      keyOf: (id) => JSON.stringify([...sender, id]),
    });
    response.once("close", () => void session.close());
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await session.connect(observed(transport, UNOBSERVED));
    await transport.handleRequest(request, response, body);
  };
  return {
    answer,
    serveStdio: async (open, stop) => await serveConnection(newSession, open, stop),
    close: async () => undefined,
  };
};
