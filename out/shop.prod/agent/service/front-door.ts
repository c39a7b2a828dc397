import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { ToolFault } from "#runtime/fault";
import { foreignHeader } from "#runtime/host-guard";
import { authenticate } from "#runtime/identity";
import type { ApiKeys } from "#runtime/identity";
import { readBody } from "#runtime/json-body";
import { parseBody } from "#runtime/stack-agent/body";
import { answerText, turnAway } from "./answer.ts";
import { routeOf } from "./routes.ts";
import type { Answering, Route } from "./routes.ts";
import type { AgentSettings } from "./settings.ts";

export interface AgentParts extends Answering {
  readonly settings: AgentSettings;
  readonly keys: ApiKeys;
  /** Aborts when requests in flight have had their time. */
  readonly stop: AbortSignal;
  /** False while the agent is shutting down. */
  readonly isOpen: () => boolean;
}

/** A query with its longest `where` is a tenth of this. */
const MAX_BODY_BYTES = 256 * 1024;
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
};
const PROBES: ReadonlySet<string> = new Set(["/health", "/ready"]);

function isJson(contentType: string | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/json";
}

function answerProbe(response: ServerResponse, path: string, { isOpen }: AgentParts): void {
  if (path === "/health") return answerText(response, 200, '{"status":"ok"}');
  if (isOpen()) return answerText(response, 200, '{"status":"ready"}');
  answerText(response, 503, '{"status":"shutting down"}');
}

async function bodyOf(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  if (!isJson(request.headers["content-type"]))
    throw new ToolFault("invalid_argument", "Content-Type must be application/json");
  const bytes = await readBody(request, response, MAX_BODY_BYTES);
  if (bytes !== undefined) return parseBody(bytes);
  throw new ToolFault("too_large", `the query must not be larger than ${MAX_BODY_BYTES} bytes`);
}

/** Aborts when the client leaves before it has its answer. */
function departureOf(response: ServerResponse): AbortSignal {
  const departure = new AbortController();
  response.once("close", () => departure.abort());
  return departure.signal;
}

async function answerRoute(
  route: Route,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  parts: AgentParts,
): Promise<void> {
  try {
    const body = route.method === "POST" ? await bodyOf(request, response) : undefined;
    const rest = url.pathname.slice(route.prefix.length);
    const signal = (): AbortSignal => AbortSignal.any([departureOf(response), parts.stop]);
    answerText(response, 200, await route.answer(parts, { rest, search: url.searchParams, body, signal }));
  } catch (thrown) {
    if (!(thrown instanceof ToolFault)) throw thrown;
    turnAway(request, response, thrown);
  }
}

/** The order of every request. Nothing is read from a body before its sender is known. */
async function answer(request: IncomingMessage, response: ServerResponse, parts: AgentParts): Promise<void> {
  if (foreignHeader(request, parts.settings) !== undefined)
    return turnAway(request, response, { code: "denied", message: "Forbidden" });
  const url = new URL(request.url ?? "/", "http://agent");
  const isProbe = PROBES.has(url.pathname);
  const route = routeOf(url.pathname);
  if (route === undefined && !isProbe)
    return turnAway(request, response, { code: "not_found", message: "Not found" });
  const method = route?.method ?? "GET";
  if (request.method !== method) {
    const fault = { code: "invalid_argument", message: "Method not allowed" } as const;
    return turnAway(request, response, fault, { status: 405, headers: { allow: method } });
  }
  if (route === undefined) return answerProbe(response, url.pathname, parts);
  if (authenticate(request, parts.keys) === undefined) {
    const fault = { code: "denied", message: "Unauthorised" } as const;
    return turnAway(request, response, fault, { status: 401, headers: { "www-authenticate": "Bearer" } });
  }
  if (!parts.isOpen()) {
    const fault = { code: "busy", message: "Shutting down" } as const;
    return turnAway(request, response, fault, { headers: { connection: "close" } });
  }
  await answerRoute(route, url, request, response, parts);
}

async function receive(request: IncomingMessage, response: ServerResponse, parts: AgentParts): Promise<void> {
  try {
    await answer(request, response, parts);
  } catch (thrown) {
    // A client that left needs no answer; anything else is a fault of the agent.
    if (request.destroyed && !request.complete) return;
    const name = thrown instanceof Error ? thrown.name : typeof thrown;
    process.stderr.write(`a request could not be answered (${name})\n`);
    if (response.headersSent) response.destroy();
    else turnAway(request, response, { code: "internal", message: "the agent failed unexpectedly" });
  }
}

/** The HTTP server of the agent: who may ask, and where each question goes. */
export function createFrontDoor(parts: AgentParts): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    void receive(request, response, parts);
  const server = createServer({ ...TIMEOUTS, maxHeaderSize: 16_384 }, onRequest);
  // Without this listener Node would invite a body before its sender is known.
  server.on("checkContinue", onRequest);
  server.maxConnections = 1_000;
  return server;
}
