import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Adapter } from "#runtime/protocol/adapter";
import { APPROVAL_METHODS } from "#runtime/approval/routes";
import type { ApprovalRoutes } from "#runtime/approval/routes";
import type { Audit } from "#runtime/audit/audit";
import type { Callers } from "#runtime/identity/callers";
import { openExchange } from "#runtime/call/exchange";
import type { Exchange } from "#runtime/call/exchange";
import { shortDigest } from "#runtime/digest";
import { foreignHeader } from "#runtime/door/host-guard";
import type { Principal } from "#runtime/identity/identity";
import { readJsonBody } from "#runtime/door/json-body";
import { plainText } from "#runtime/plain-text";
import { traceInBody, traceOf } from "#runtime/call/trace";
import type { PolicyGate } from "#runtime/policy/gate";
import type { DoorReason, SwitchReason, TokenReason } from "#runtime/reason";
import type { ServerSettings } from "#runtime/server-settings";
import type { Switches } from "#runtime/policy/switches";
import { createListener, isCertified } from "#runtime/door/tls";
import type { TlsFiles } from "#runtime/door/tls";
import type { Tokens } from "#runtime/identity/tokens";

export interface FrontDoorParts {
  readonly settings: ServerSettings;
  /** In the open without it. */
  readonly tls: TlsFiles | undefined;
  readonly callers: Pick<Callers, "identify">;
  readonly tokens?: Pick<Tokens, "challenge" | "metadata"> | undefined;
  readonly audit: Audit;
  readonly adapter: Adapter;
  readonly approvals: ApprovalRoutes;
  readonly switches: Switches;
  readonly policy: Pick<PolicyGate, "isReady" | "status">;
  /** Whether what replicas share is there; missing where nothing is shared. */
  readonly stateAnswers?: (() => Promise<boolean>) | undefined;
  /** False while the server is shutting down. */
  readonly isOpen: () => boolean;
}

const METHODS: Readonly<Record<string, readonly string[]>> = {
  "/mcp": ["POST", "GET", "DELETE"],
  "/health": ["GET"],
  "/ready": ["GET"],
  "/config/status": ["GET"],
  ...APPROVAL_METHODS,
};
const PROBES: ReadonlySet<string> = new Set(["/health", "/ready"]);
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
};
const REFUSALS = { 401: "Unauthorised", 403: "Forbidden", 503: "Unavailable" } as const;
const LINGER_MS = 2_000;
/** Longer than the queue and the time limit of a call together can take. */
const ANSWER_MS = 330_000;

/** One request that is being answered, with what the audit will say about it. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly exchange: Exchange;
}

function answerJson(
  { response }: Visit,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
  response.end(JSON.stringify(body));
}

/** Answers without having read the body; a client that goes on sending is cut off after a moment. */
function turnAway(
  visit: Visit,
  reason: DoorReason | SwitchReason | TokenReason,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const { request, exchange } = visit;
  exchange.note({ decision: "deny", reason, ok: false });
  answerJson(visit, status, body, headers);
  if (request.complete) return;
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  cut.unref();
  request.once("close", () => clearTimeout(cut));
}

function rpcError(code: number, message: string): unknown {
  return { jsonrpc: "2.0", id: null, error: { code, message } };
}

function isJson(contentType: string | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/json";
}

function methodOf(body: unknown): string | undefined {
  const method: unknown =
    typeof body === "object" && body !== null && "method" in body ? body.method : undefined;
  return typeof method === "string" ? plainText(method.slice(0, 128)) : undefined;
}

/** Aborts when the client leaves before it has its answer. */
function departureOf(response: ServerResponse): AbortSignal {
  const departure = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) departure.abort();
  });
  return departure.signal;
}

async function passToAdapter(visit: Visit, parts: FrontDoorParts, body: unknown): Promise<void> {
  const { request, response, exchange } = visit;
  const caller = { exchange, signal: departureOf(response) };
  // An answer that never comes, to a client that used one id twice for example, must not hold its connection.
  const overdue = setTimeout(() => response.headersSent || response.destroy(), ANSWER_MS);
  overdue.unref();
  response.once("close", () => clearTimeout(overdue));
  await parts.adapter.answer({ caller, request, response, body });
}

async function answerPost(visit: Visit, parts: FrontDoorParts): Promise<void> {
  const { request, response, exchange } = visit;
  if (!isJson(request.headers["content-type"])) {
    return turnAway(
      visit,
      "rpc_inspection_failed",
      415,
      rpcError(-32_600, "Content-Type must be application/json"),
    );
  }
  const body = await readJsonBody(request, response);
  if ("fault" in body) {
    const { status, code, message } = body.fault;
    const reason = status === 413 ? "body_too_large" : "rpc_inspection_failed";
    return turnAway(visit, reason, status, rpcError(code, message));
  }
  const method = methodOf(body.value);
  const trace = traceInBody(body.value);
  exchange.note({ ...(method === undefined ? {} : { method }), ...(trace === undefined ? {} : { trace }) });
  await passToAdapter(visit, parts, body.value);
}

/** The routes of people: JSON there and back, and no protocol of a library. */
async function answerApproval(
  visit: Visit,
  parts: FrontDoorParts,
  by: Principal,
  path: string,
): Promise<void> {
  const { request, response, exchange } = visit;
  const isRead = request.method === "GET";
  if (!isRead && !isJson(request.headers["content-type"]))
    return turnAway(visit, "rpc_inspection_failed", 415, { error: "Content-Type must be application/json" });
  const read = isRead ? { value: {} } : await readJsonBody(request, response);
  if ("fault" in read) {
    const { status, message } = read.fault;
    const reason = status === 413 ? "body_too_large" : "rpc_inspection_failed";
    return turnAway(visit, reason, status, { error: message });
  }
  const { status, body } = await parts.approvals({
    path,
    search: request.url?.split("?", 2)[1] ?? "",
    body: read.value as Readonly<Record<string, unknown>>,
    by,
    exchange,
    signal: departureOf(response),
  });
  answerJson(visit, status, body);
}

async function answerProbe(visit: Visit, path: string, parts: FrontDoorParts): Promise<void> {
  if (path === "/health") return answerJson(visit, 200, { status: "ok" });
  if (!parts.isOpen()) return answerJson(visit, 503, { status: "shutting down" });
  if (!parts.policy.isReady()) return answerJson(visit, 503, { status: "no valid policy" });
  // Without it every call would be refused: another replica may still reach it.
  if ((await parts.stateAnswers?.()) === false)
    return answerJson(visit, 503, { status: "the shared state does not answer" });
  answerJson(visit, 200, { status: "ready" });
}

/** What clients look up to find out where tokens come from; nothing where none are drawn. */
function metadataAt(path: string, { tokens }: FrontDoorParts): object | undefined {
  return tokens !== undefined && Object.hasOwn(tokens.metadata, path) ? tokens.metadata[path] : undefined;
}

/** The order of every HTTP request. Nothing is read from a body before its sender is known. */
async function answer(visit: Visit, path: string, parts: FrontDoorParts): Promise<void> {
  const { request, exchange } = visit;
  const foreign = foreignHeader(request, parts.settings);
  if (foreign !== undefined) return turnAway(visit, foreign, 403, { error: "Forbidden" });
  const methods = METHODS[path] ?? (metadataAt(path, parts) === undefined ? undefined : ["GET"]);
  if (methods === undefined) return turnAway(visit, "no_such_route", 404, { error: "Not found" });
  if (!methods.includes(request.method ?? "")) {
    return turnAway(
      visit,
      "method_not_allowed",
      405,
      { error: "Method not allowed" },
      { allow: methods.join(", ") },
    );
  }
  if (PROBES.has(path)) return await answerProbe(visit, path, parts);
  const metadata = metadataAt(path, parts);
  if (metadata !== undefined) return answerJson(visit, 200, metadata);
  const off = path === "/config/status" ? undefined : parts.switches.off();
  if (off !== undefined) return turnAway(visit, off, off === "feature-disabled" ? 503 : 403, { error: off });
  if (!isCertified(request.socket, parts.tls))
    return turnAway(visit, "missing_client_certificate", 401, { error: "Unauthorised" });
  const known = parts.callers.identify(request);
  const identified = known instanceof Promise ? await known : known;
  if (identified === undefined) {
    const challenge = parts.tokens?.challenge ?? "Bearer";
    return turnAway(
      visit,
      "unauthenticated",
      401,
      { error: "Unauthorised" },
      { "www-authenticate": challenge },
    );
  }
  if ("refused" in identified) {
    const { refused, status, headers } = identified;
    return turnAway(visit, refused, status, { error: REFUSALS[status] }, headers);
  }
  exchange.note(identified);
  const session = request.headers["mcp-session-id"];
  if (typeof session === "string") exchange.note({ mcpSession: shortDigest(session) });
  if (!parts.isOpen()) {
    return turnAway(visit, "shutting_down", 503, { error: "Shutting down" }, { connection: "close" });
  }
  if (path === "/config/status") return answerJson(visit, 200, parts.policy.status());
  if (Object.hasOwn(APPROVAL_METHODS, path))
    return await answerApproval(visit, parts, identified.principal, path);
  if (request.method === "POST") return await answerPost(visit, parts);
  await passToAdapter(visit, parts, undefined);
}

/** A probe that is answered as usual says nothing about anybody's access, and comes every few seconds. */
function isUneventful(path: string, status: number): boolean {
  return PROBES.has(path) && (status === 200 || status === 503);
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  parts: FrontDoorParts,
): Promise<void> {
  const path = request.url?.split("?", 1)[0] ?? "";
  const visit: Visit = { request, response, exchange: openExchange(parts.audit) };
  const { socket } = request;
  const writtenBefore = socket.bytesWritten;
  const trace = traceOf(request.headers["traceparent"]);
  if (trace !== undefined) visit.exchange.note({ trace });
  visit.exchange.note({ method: plainText(`${request.method} ${path}`.slice(0, 128)) });
  response.once("close", () => {
    const status = response.writableFinished ? response.statusCode : 499;
    if (!isUneventful(path, status)) visit.exchange.finish(status, socket.bytesWritten - writtenBefore);
  });
  try {
    await answer(visit, path, parts);
  } catch (thrown) {
    // A client that left needs no answer; anything else is a fault of the server.
    if (request.destroyed && !request.complete) return;
    const name = thrown instanceof Error ? thrown.name : typeof thrown;
    process.stderr.write(`request ${visit.exchange.id}: could not be answered (${name})\n`);
    if (!response.headersSent) answerJson(visit, 500, rpcError(-32_603, "Internal error"));
    else response.destroy();
  }
}

/** The one HTTP server in front of either adapter: it decides who may speak, and the adapter what is said. */
export function createFrontDoor(parts: FrontDoorParts): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    void receive(request, response, parts);
  const options = { ...TIMEOUTS, maxHeaderSize: 16_384 };
  const server = createListener(options, parts.tls, true, onRequest);
  // Without this listener Node would invite a body before its sender is known.
  server.on("checkContinue", onRequest);
  server.maxConnections = 2_000;
  return server;
}
