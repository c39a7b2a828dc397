import { createServer } from "node:http";
import type { Socket } from "node:net";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { ToolFault } from "#runtime/fault";
import { foreignHeader } from "#runtime/door/host-guard";
import { presentedKey, principalOf } from "#runtime/identity/identity";
import type { ApiKeys } from "#runtime/identity/identity";
import { readBody } from "#runtime/door/json-body";
import { parseBody } from "#runtime/stack-agent/body";
import { answerText, turnAway } from "./answer.ts";
import type { Manner, Refusal } from "./answer.ts";
import { routeOf } from "./routes.ts";
import type { Answering, Route } from "./routes.ts";
import type { AgentSettings } from "./settings.ts";

export interface AgentParts extends Answering {
  readonly settings: AgentSettings;
  readonly keys: ApiKeys;
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

const EMPTY = Buffer.alloc(0);
const JSON_TYPE = "application/json";

function isJson(contentType: string | undefined): boolean {
  return contentType === JSON_TYPE || contentType?.split(";", 1)[0]?.trim().toLowerCase() === JSON_TYPE;
}

function answerProbe(response: ServerResponse, path: string, { isOpen }: AgentParts): void {
  if (path === "/health") return answerText(response, 200, '{"status":"ok"}');
  if (isOpen()) return answerText(response, 200, '{"status":"ready"}');
  answerText(response, 503, '{"status":"shutting down"}');
}

/** One request that may be answered. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly parts: AgentParts;
  readonly route: Route;
  readonly rest: string;
  readonly search: string;
}

/** The bytes of a POST; `undefined` when there are more than a query may have. */
async function bytesOf({ request, response, route }: Visit): Promise<Buffer | undefined> {
  if (route.method === "GET") return EMPTY;
  if (isJson(request.headers["content-type"])) return readBody(request, response, MAX_BODY_BYTES);
  throw new ToolFault("invalid_argument", "Content-Type must be application/json");
}

function bodyOf({ route }: Visit, bytes: Buffer | undefined): unknown {
  if (bytes === undefined)
    throw new ToolFault("too_large", `the query must not be larger than ${MAX_BODY_BYTES} bytes`);
  return route.method === "GET" ? undefined : parseBody(bytes);
}

/** A client that left needs no answer; anything else that nobody expected is a fault of the agent. */
function reportFailure({ request, response }: Visit, thrown: unknown): void {
  if (request.destroyed && !request.complete) return;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  process.stderr.write(`a request could not be answered (${name})\n`);
  if (response.headersSent) response.destroy();
  else turnAway(request, response, { code: "internal", message: "the agent failed unexpectedly" });
}

async function answer(visit: Visit): Promise<void> {
  const { response, parts, route, rest, search } = visit;
  try {
    const body = bodyOf(visit, await bytesOf(visit));
    const text = route.answer(parts, { rest, search, body, response });
    answerText(response, 200, typeof text === "string" ? text : await text);
  } catch (thrown) {
    if (thrown instanceof ToolFault) turnAway(visit.request, response, thrown);
    else reportFailure(visit, thrown);
  }
}

/** The key that each connection has proved to know; it may present that one again without its digest. */
const proved = new WeakMap<Socket, string>();

/** Whether the request carries an accepted key. A key is compared by digest, once for each connection. */
function isAccepted(request: IncomingMessage, keys: ApiKeys): boolean {
  const presented = presentedKey(request);
  if (presented === undefined) return false;
  if (proved.get(request.socket) === presented) return true;
  if (principalOf(presented, keys) === undefined) return false;
  proved.set(request.socket, presented);
  return true;
}

const FORBIDDEN: Refusal = { code: "denied", message: "Forbidden" };
const NOT_FOUND: Refusal = { code: "not_found", message: "Not found" };
const WRONG_METHOD: Refusal = { code: "invalid_argument", message: "Method not allowed" };
const UNKNOWN_SENDER: Refusal = { code: "denied", message: "Unauthorised" };
const CHALLENGE: Manner = { status: 401, headers: { "www-authenticate": "Bearer" } };
const CLOSING: Refusal = { code: "busy", message: "Shutting down" };
const LAST: Manner = { headers: { connection: "close" } };

/**
 * The order of every request; `undefined` when it has been answered. Nothing is read from a body before its
 * sender is known.
 */
function admit(request: IncomingMessage, response: ServerResponse, parts: AgentParts): Visit | undefined {
  if (foreignHeader(request, parts.settings) !== undefined)
    return void turnAway(request, response, FORBIDDEN);
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const search = mark < 0 ? "" : url.slice(mark + 1);
  const route = routeOf(path);
  if (route === undefined && !PROBES.has(path)) return void turnAway(request, response, NOT_FOUND);
  const method = route?.method ?? "GET";
  if (request.method !== method)
    return void turnAway(request, response, WRONG_METHOD, { status: 405, headers: { allow: method } });
  if (route === undefined) return void answerProbe(response, path, parts);
  if (!isAccepted(request, parts.keys)) return void turnAway(request, response, UNKNOWN_SENDER, CHALLENGE);
  if (!parts.isOpen()) return void turnAway(request, response, CLOSING, LAST);
  return { request, response, parts, route, rest: path.slice(route.prefix.length), search };
}

/** The HTTP server of the agent: who may ask, and where each question goes. */
export function createFrontDoor(parts: AgentParts): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const visit = admit(request, response, parts);
    if (visit !== undefined) void answer(visit);
  };
  const server = createServer({ ...TIMEOUTS, maxHeaderSize: 16_384 }, onRequest);
  // Without this listener Node would invite a body before its sender is known.
  server.on("checkContinue", onRequest);
  server.maxConnections = 1_000;
  return server;
}
