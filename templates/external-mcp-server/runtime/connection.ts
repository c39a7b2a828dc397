/**
 * The client's half of MCP over HTTP, as far as listing and calling tools needs it. It declares no capability, so
 * that the other server cannot ask for a model, for files or for an answer of a person.
 */
import { ToolFault } from "#runtime/fault";
import { requestAnswer } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { recordOf } from "#runtime/json-shape";
import { AskedBack, answerReader, resultIn } from "#runtime/external-mcp-server/message";

/** Until 2025 a session begins with a handshake; since 2026 every request stands alone. */
export type Revision = "2025-11-25" | "2026-07-28";

type Json = Readonly<Record<string, unknown>>;

interface Session {
  readonly id: string | null;
  readonly version: string;
}

export interface OtherServer {
  readonly http: HttpService;
  readonly revision: Revision;
  session: Promise<Session> | undefined;
  lastId: number;
}

const CLIENT = { name: "topogate", version: "1" };
const GOODBYE_MS = 2000;
/** What a 2026 request says of its sender, in place of the handshake. */
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": CLIENT,
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** The session that the request named is gone, which a server may decide at any time. */
class SessionGone extends ToolFault {
  constructor() {
    super("upstream_unavailable", "the other server ended the session", { hint: "call again" });
  }
}

function headersOf(
  { revision }: OtherServer,
  session: Session | undefined,
  message: Json,
): Readonly<Record<string, string>> {
  const name = recordOf(message["params"] ?? {})["name"];
  return {
    ...(session === undefined ? {} : { "mcp-protocol-version": session.version }),
    ...(typeof session?.id === "string" ? { "mcp-session-id": session.id } : {}),
    ...(revision === "2026-07-28" ? { "mcp-method": String(message["method"]) } : {}),
    ...(revision === "2026-07-28" && typeof name === "string" ? { "mcp-name": name } : {}),
  };
}

async function post(
  other: OtherServer,
  session: Session | undefined,
  message: Json,
  signal: AbortSignal,
  until?: (chunk: Uint8Array) => boolean,
) {
  return await requestAnswer(other.http, {
    path: [],
    json: { jsonrpc: "2.0", ...message },
    accept: "application/json, text/event-stream",
    headers: headersOf(other, session, message),
    signal,
    faultIn: (status) => (status === 404 && typeof session?.id === "string" ? new SessionGone() : undefined),
    ...(until === undefined ? {} : { until }),
  });
}

async function notify(
  other: OtherServer,
  session: Session,
  method: string,
  params: Json,
  signal: AbortSignal,
): Promise<void> {
  await post(other, session, { method, params }, signal);
}

/** Closing the connection is no cancellation in the revisions with sessions: it has to be said. */
function sayCancelled(other: OtherServer, session: Session, requestId: number): void {
  if (other.revision === "2026-07-28") return;
  const signal = AbortSignal.timeout(GOODBYE_MS);
  // Nobody waits for it any more: a server that is gone needs no cancellation.
  void notify(other, session, "notifications/cancelled", { requestId }, signal).catch(() => undefined);
}

async function exchange(
  other: OtherServer,
  session: Session | undefined,
  method: string,
  params: Json,
  signal: AbortSignal,
) {
  const id = (other.lastId += 1);
  const reader = answerReader(id);
  try {
    const answer = await post(other, session, { id, method, params }, signal, reader.until);
    return {
      result: resultIn(reader.answerIn(answer.text)),
      sessionId: answer.headers.get("mcp-session-id"),
    };
  } catch (error) {
    if ((signal.aborted || error instanceof AskedBack) && session !== undefined)
      sayCancelled(other, session, id);
    throw error;
  }
}

async function shakeHands(other: OtherServer): Promise<Session> {
  // Not of the caller who happens to come first: others wait for the same session.
  const signal = AbortSignal.timeout(10_000);
  const params = { protocolVersion: other.revision, capabilities: {}, clientInfo: CLIENT };
  const { result, sessionId } = await exchange(other, undefined, "initialize", params, signal);
  const version = result["protocolVersion"];
  if (typeof version !== "string" || !/^20\d\d-\d\d-\d\d$/.test(version))
    throw new ToolFault(
      "upstream_unavailable",
      "the other server speaks no revision of MCP that is known here",
    );
  if (sessionId !== null && !/^[\x21-\x7e]{1,512}$/.test(sessionId))
    throw new ToolFault("upstream_unavailable", "the other server gave a session that no header can carry");
  const session = { id: sessionId, version };
  await notify(other, session, "notifications/initialized", {}, signal);
  return session;
}

async function sessionOf(other: OtherServer): Promise<Session> {
  if (other.revision === "2026-07-28") return { id: null, version: other.revision };
  other.session ??= shakeHands(other).catch((error: unknown) => {
    other.session = undefined;
    throw error;
  });
  return await other.session;
}

/** One request and its result. A session that is gone is opened anew by the next request. */
export async function ask(
  other: OtherServer,
  method: string,
  params: Json,
  signal: AbortSignal,
): Promise<Json> {
  signal.throwIfAborted();
  const session = await sessionOf(other);
  const isAlone = other.revision === "2026-07-28";
  try {
    const { result } = await exchange(
      other,
      session,
      method,
      isAlone ? { ...params, _meta: META } : params,
      signal,
    );
    const kind = result["resultType"];
    if (kind === undefined || kind === "complete") return result;
    throw new ToolFault("denied", "the other server asks for more than this link may give it");
  } catch (error) {
    if (error instanceof SessionGone) other.session = undefined;
    throw error;
  }
}

/** As `ask`, once more when the session is gone: only for what changes nothing. */
export async function askAgain(
  other: OtherServer,
  method: string,
  params: Json,
  signal: AbortSignal,
): Promise<Json> {
  try {
    return await ask(other, method, params, signal);
  } catch (error) {
    if (!(error instanceof SessionGone)) throw error;
    return await ask(other, method, params, signal);
  }
}

/** Tells the other server that the session is over. */
export async function closeServer(other: OtherServer): Promise<void> {
  const session = await other.session?.catch(() => undefined);
  if (typeof session?.id !== "string") return;
  const headers = headersOf(other, session, { method: "DELETE" });
  // A server may refuse to end sessions; this process ends all the same.
  await requestAnswer(other.http, {
    path: [],
    method: "DELETE",
    headers,
    accept: "*/*",
    signal: AbortSignal.timeout(GOODBYE_MS),
  }).catch(() => undefined);
}
