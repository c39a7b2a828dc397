import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { listPage, loginPage, STYLE } from "#runtime/door/approval-html";
import type { ShownProposal } from "#runtime/door/approval-html";
import type { ApprovalReply, ApprovalRoutes } from "#runtime/approval/routes";
import type { Audit } from "#runtime/audit/audit";
import type { Callers } from "#runtime/identity/callers";
import { openExchange } from "#runtime/call/exchange";
import type { Exchange } from "#runtime/call/exchange";
import { foreignHeader } from "#runtime/door/host-guard";
import type { Principal } from "#runtime/identity/identity";
import { readBody } from "#runtime/door/json-body";
import type { ServerSettings } from "#runtime/server-settings";
import type { Switches } from "#runtime/policy/switches";
import { createListener } from "#runtime/door/tls";
import type { TlsFiles } from "#runtime/door/tls";

export interface ApprovalPageParts {
  readonly stack: string;
  readonly settings: ServerSettings;
  readonly tls: TlsFiles | undefined;
  readonly callers: Pick<Callers, "holderOf" | "current">;
  readonly approvals: ApprovalRoutes;
  readonly audit: Audit;
  readonly switches: Switches;
}

/** A person who has shown a key to the page. */
interface Login {
  readonly principal: Principal;
  /** In every form, so that no other page can send one. */
  readonly token: string;
  readonly until: number;
}

const LOGIN_MS = 15 * 60_000;
const MOST_LOGINS = 100;
const MAX_FORM_BYTES = 8_192;
const COOKIE = "topogate_approvals";
const ACTIONS: ReadonlySet<string> = new Set(["approve", "reject", "execute"]);
/** Nothing from elsewhere, no script at all, in no frame. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash("sha256", STYLE, "base64")}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    // Without a referrer a browser would send its own forms with the Origin "null".
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    ...headers,
  });
  response.end(body);
}

function isSame(a: string, b: string): boolean {
  return timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer"));
}

/** To this machine the way may be plain; everywhere else the cookie wants TLS. */
function cookieOf(request: IncomingMessage, value: string, seconds: number): string {
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? "");
  const secure = isLocal ? "" : "; Secure";
  return `${COOKIE}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}${secure}`;
}

async function formOf(request: IncomingMessage, response: ServerResponse): Promise<URLSearchParams> {
  const bytes = await readBody(request, response, MAX_FORM_BYTES);
  return new URLSearchParams(bytes?.toString("utf8") ?? "");
}

/** The page on which people decide: plain HTML that works without any script, on a port that no AI is led to. */
export function createApprovalPage(parts: ApprovalPageParts): Server {
  const logins = new Map<string, Login>();
  const redirect = (response: ServerResponse, headers: Record<string, string> = {}): void =>
    answer(response, 303, "", { location: "/", ...headers });

  const loginOf = (request: IncomingMessage): Login | undefined => {
    const cookies = (request.headers.cookie ?? "").split(";").map((each) => each.trim());
    const id = cookies.find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? "";
    const login = logins.get(id);
    if (login === undefined || Date.now() >= login.until) return void logins.delete(id);
    const principal = parts.callers.current(login.principal);
    return principal?.role === "admin" ? { ...login, principal } : undefined;
  };

  const signIn = (
    request: IncomingMessage,
    response: ServerResponse,
    form: URLSearchParams,
    exchange: Exchange,
  ): void => {
    const principal = parts.callers.holderOf(form.get("key") ?? "");
    if (principal?.role !== "admin" || principal.delegated) {
      exchange.note({ decision: "deny", reason: "unauthenticated", ok: false });
      return answer(response, 401, loginPage(parts.stack, true));
    }
    exchange.note({ principal });
    const [oldest] = logins.keys();
    if (logins.size >= MOST_LOGINS && oldest !== undefined) logins.delete(oldest);
    const id = randomBytes(32).toString("base64url");
    const token = randomBytes(32).toString("base64url");
    logins.set(id, { principal, token, until: Date.now() + LOGIN_MS });
    redirect(response, { "set-cookie": cookieOf(request, id, LOGIN_MS / 1_000) });
  };

  const route = async (
    path: string,
    body: object,
    by: Principal,
    exchange: Exchange,
  ): Promise<ApprovalReply> =>
    await parts.approvals({
      path: `/api/mcp/${path}`,
      search: "",
      body: { ...body },
      by,
      exchange,
      signal: new AbortController().signal,
    });

  const show = async (
    response: ServerResponse,
    { principal, token }: Login,
    exchange: Exchange,
    refused?: string,
  ): Promise<void> => {
    const { body } = await route("proposals", {}, principal, exchange);
    const proposals = (body as { proposals: readonly ShownProposal[] }).proposals.toReversed();
    answer(response, refused === undefined ? 200 : 409, listPage(parts.stack, proposals, token, refused));
  };

  const decide = async (
    response: ServerResponse,
    login: Login,
    form: URLSearchParams,
    exchange: Exchange,
  ): Promise<void> => {
    const action = form.get("action") ?? "";
    if (!ACTIONS.has(action)) return await show(response, login, exchange, "no such action");
    const body = { proposal_id: form.get("proposal_id") ?? "", argsSha: form.get("argsSha") ?? "" };
    const reply = await route(action, body, login.principal, exchange);
    if (reply.status === 200) return redirect(response);
    const { error } = reply.body as { error?: string };
    await show(response, login, exchange, error ?? "refused");
  };

  const post = async (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    exchange: Exchange,
  ): Promise<void> => {
    const form = await formOf(request, response);
    if (path === "/login") return signIn(request, response, form, exchange);
    const login = loginOf(request);
    if (login === undefined || !isSame(form.get("token") ?? "", login.token)) {
      exchange.note({ decision: "deny", reason: "unauthenticated", ok: false });
      return answer(response, 401, loginPage(parts.stack, false));
    }
    exchange.note({ principal: login.principal });
    if (path === "/decide") return await decide(response, login, form, exchange);
    for (const [id, each] of logins) if (each.token === login.token) logins.delete(id);
    redirect(response, { "set-cookie": cookieOf(request, "", 0) });
  };

  const respond = async (
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
  ): Promise<void> => {
    const path = request.url?.split("?", 1)[0] ?? "";
    exchange.note({
      method: `page ${request.method} ${["/", "/login", "/decide", "/logout"].includes(path) ? path : "?"}`,
    });
    const foreign = foreignHeader(request, parts.settings) ?? parts.switches.off();
    if (foreign !== undefined) {
      exchange.note({ decision: "deny", reason: foreign, ok: false });
      return answer(response, foreign === "feature-disabled" ? 503 : 403, "");
    }
    if (request.method === "GET" && path === "/") {
      const login = loginOf(request);
      if (login === undefined) return answer(response, 200, loginPage(parts.stack, false));
      exchange.note({ principal: login.principal });
      return await show(response, login, exchange);
    }
    if (request.method === "POST" && ["/login", "/decide", "/logout"].includes(path))
      return await post(request, response, path, exchange);
    exchange.note({ decision: "deny", reason: "no_such_route", ok: false });
    answer(response, 404, "");
  };

  const server = createListener(
    { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 },
    parts.tls,
    false,
    (request, response) => {
      const exchange = openExchange(parts.audit);
      response.once("close", () => exchange.finish(response.writableFinished ? response.statusCode : 499, 0));
      respond(request, response, exchange).catch((thrown: unknown) => {
        const name = thrown instanceof Error ? thrown.name : typeof thrown;
        process.stderr.write(`request ${exchange.id}: the approvals page could not answer (${name})\n`);
        if (response.headersSent) response.destroy();
        else answer(response, 500, "");
      });
    },
  );
  server.maxConnections = 100;
  return server;
}
