import { AsyncLocalStorage } from "node:async_hooks";
import { toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";
import { createMcpHandler, isLegacyRequest, ProtocolError, Server } from "@modelcontextprotocol/server";
import type { Transport } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { CreateAdapter } from "#runtime/protocol/adapter";
import { createRounds } from "#runtime/protocol/adapter-sdk-rounds";
import { createSessionEndpoint } from "#runtime/protocol/adapter-sdk-sessions";
import type { AwaitedProposal } from "#runtime/call/waiting";
import { createCancellations } from "#runtime/protocol/cancellations";
import type { Caller, McpService } from "#runtime/protocol/mcp-service";
import { UNKNOWN_TOOL_CODE, unknownToolMessage } from "#runtime/protocol/mcp-service";
import type { Exchange } from "#runtime/call/exchange";
import { createStdioLog } from "#runtime/protocol/stdio-log";
import {
  wireCompletion,
  wirePrompt,
  wirePrompts,
  wireResource,
  wireResult,
  wireTools,
} from "#runtime/protocol/wire";
import type { StdioLog } from "#runtime/protocol/stdio-log";

const MAX_STDIO_BYTES = 1024 * 1024;
const STATE_AWAY = "what the replicas of this server share does not answer; send the same again later";

/** On whose behalf the request with this id is answered. */
type CallerOf = (id: string | number) => Caller;

/** Resources, prompts and completion; each answer belongs to the caller of its own request. */
function serveContents(server: Server, service: McpService, callerOf: CallerOf): void {
  server.setRequestHandler("resources/list", (_, { mcpReq }) => ({
    resources: [...service.listResources(callerOf(mcpReq.id))],
  }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [] }));
  server.setRequestHandler("resources/read", async ({ params: { uri } }, { mcpReq }) =>
    wireResource(uri, await service.readResource(uri, callerOf(mcpReq.id))),
  );
  server.setRequestHandler("prompts/list", (_, { mcpReq }) => ({
    prompts: wirePrompts(service.listPrompts(callerOf(mcpReq.id))),
  }));
  server.setRequestHandler("prompts/get", async ({ params }, { mcpReq }) =>
    wirePrompt(await service.getPrompt(params.name, params.arguments ?? {}, callerOf(mcpReq.id))),
  );
  server.setRequestHandler("completion/complete", async ({ params: { ref, argument } }, { mcpReq }) => {
    const prompt = ref.type === "ref/prompt" ? ref.name : "";
    return wireCompletion(await service.complete(prompt, argument, callerOf(mcpReq.id)));
  });
}

function createServer(service: McpService, callerOf: CallerOf): Server {
  const rounds = createRounds(service.sealingKey, callerOf);
  const server = new Server(
    { name: service.name, version: service.version },
    {
      capabilities: { tools: {}, prompts: {}, resources: {}, completions: {} },
      instructions: service.instructions,
      requestState: { verify: rounds.verify },
    },
  );
  const cancellations = createCancellations();
  server.setRequestHandler("tools/list", (_, { mcpReq }) => ({
    tools: wireTools(service.listTools(callerOf(mcpReq.id))),
  }));
  serveContents(server, service, callerOf);
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const caller = callerOf(context.mcpReq.id);
    const awaits = context.mcpReq.requestState<AwaitedProposal | string>();
    // Sealed, and the key is not to be had now: not the client's fault, and good again when it is.
    if (typeof awaits === "string") throw new ProtocolError(-32_603, STATE_AWAY);
    const gone = AbortSignal.any([caller.signal, context.mcpReq.signal]);
    const answer = await cancellations.during(JSON.stringify(context.mcpReq.id), gone, async (signal) =>
      service.callTool(params.name, params.arguments ?? {}, {
        ...caller,
        signal,
        ...(awaits === undefined ? {} : { awaits }),
      }),
    );
    if (answer === undefined) throw new ProtocolError(UNKNOWN_TOOL_CODE, unknownToolMessage(params.name));
    const round = answer.waits === undefined ? undefined : await rounds.next(answer.waits, context);
    return round ?? wireResult(answer);
  });
  // The library would answer a cancelled request with silence, which keeps its HTTP response open for ever.
  server.setNotificationHandler("notifications/cancelled", ({ params }) => {
    if (params.requestId !== undefined) cancellations.cancel(JSON.stringify(params.requestId));
  });
  return server;
}

/** The client on the other end of this process, with its messages shown to the log as they pass. */
function loggedStdio(log: StdioLog, onEnd: () => void): Transport {
  const stdio = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: MAX_STDIO_BYTES });
  const transport: Transport = {
    start: async () => {
      stdio.onmessage = (message) => {
        log.arrive(message);
        transport.onmessage?.(message);
      };
      stdio.onerror = (error) => transport.onerror?.(error);
      stdio.onclose = () => {
        log.end();
        transport.onclose?.();
        onEnd();
      };
      await stdio.start();
    },
    send: async (message) => {
      await stdio.send(message);
      log.leave(message);
    },
    close: async () => await stdio.close(),
  };
  return transport;
}

async function serveConnection(
  newServer: (callerOf: CallerOf) => Server,
  open: () => Exchange,
  stop: AbortSignal,
): Promise<void> {
  const log = createStdioLog(open);
  await new Promise<void>((resolve) => {
    const transport = loggedStdio(log, resolve);
    const connection = serveStdio(() => newServer(log.callerOf), { transport });
    stop.addEventListener("abort", () => void connection.close(), { once: true });
  });
}

/**
 * The official library, low level: revision 2026-07-28 without sessions, and the 2025-era revisions with
 * sessions, on one endpoint.
 */
export const createAdapter: CreateAdapter = (service, names) => {
  const callers = new AsyncLocalStorage<Caller>();
  const newServer = (callerOf: CallerOf): Server => createServer(service, callerOf);
  const newHttpServer = (): Server =>
    newServer(() => {
      const caller = callers.getStore();
      if (caller === undefined) throw new ProtocolError(-32_603, "Internal error");
      return caller;
    });
  const legacy = createSessionEndpoint(newHttpServer, names);
  const modern = createMcpHandler(newHttpServer, { legacy: "reject", maxSubscriptions: 100 });
  const answerModern = toNodeHandler(modern);
  return {
    answer: async (mcp) =>
      await callers.run(mcp.caller, async () => {
        const { method = "", url = "" } = mcp.request;
        const request = Object.assign(mcp.request, { method, url });
        const isLegacy = await isLegacyRequest(await toWebRequest(request, mcp.body ?? ""), mcp.body);
        await (isLegacy ? legacy.answer(mcp) : answerModern(request, mcp.response, mcp.body));
      }),
    serveStdio: async (open, stop) => await serveConnection(newServer, open, stop),
    close: async () => {
      await legacy.close();
      await modern.close();
    },
  };
};
