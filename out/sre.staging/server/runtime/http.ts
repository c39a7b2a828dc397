/**
 * The one way to an HTTP service: its address is fixed when the module opens, and nothing that a caller says
 * can choose a host, a header or a redirect.
 */
import { connect } from "node:net";
import { ToolFault } from "#runtime/fault";
import { bodyOf, explain } from "#runtime/http/answer";
import type { Body } from "#runtime/http/answer";
import { readLines } from "#runtime/http/lines";
import { send } from "#runtime/http/transport";
import type { TlsFiles } from "#runtime/http/transport";
import { Secret, SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

/** When no answer has begun by then, the service is asked for a bare connection. */
const REACHABLE_MS = 2500;

/** An HTTP service with its credential; `open` gives one for the life of the server. */
export interface HttpService {
  readonly base: URL;
  /** The value of the header, for each request anew: a mounted token is replaced while the server runs. */
  readonly authorization: (() => Promise<Secret>) | undefined;
  readonly tls: TlsFiles;
  /** Sent with every request: a tenant, an API version. */
  readonly headers: Readonly<Record<string, string>>;
  /** More headers, from the request as it goes out: a signature over all of it. */
  readonly sign?: (request: OutgoingRequest) => Readonly<Record<string, string>>;
}

export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface HttpRequest {
  /** Segments of the path below the base; each is escaped, none can climb. */
  readonly path: readonly string[];
  /** The path ends in a slash, which many services tell apart. */
  readonly endsInSlash?: boolean;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly signal: AbortSignal;
  /** Left out: GET, or POST when there is a body. */
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON, under `contentType` when it is a special kind of it. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly text?: string;
  readonly contentType?: string;
  /** Left out: `application/json`. */
  readonly accept?: string;
  /** Names from the drawing or the code, never from a caller; a value that no header can carry is refused. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sees each piece of an answer that the service may keep open; true ends the reading. */
  readonly until?: (chunk: Uint8Array) => boolean;
  /** The fault behind an answer that is not 2xx, for a service that says it in words of its own. */
  readonly faultIn?: (status: number, text: string) => ToolFault | undefined;
}

export interface HttpOptions {
  readonly scheme?: "http" | "https";
  /** In front of every path, when no `URL` is given. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function baseOf(link: LinkFacts, settings: Settings, { scheme = "http", path = "" }: HttpOptions): URL {
  const written = settings.text(
    "URL",
    `${scheme}://${link.host.includes(":") ? `[${link.host}]` : link.host}:${link.port}${path}`,
  );
  const variable = `${link.env}_URL`;
  if (!URL.canParse(written))
    throw new SettingError(variable, "must be a URL such as http://prometheus:9090");
  const url = new URL(written);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new SettingError(variable, "must be http or https");
  if (url.username !== "" || url.password !== "") {
    throw new SettingError(
      variable,
      `must hold no credential: use ${link.env}_USER and ${link.env}_PASSWORD`,
    );
  }
  if (url.search !== "" || url.hash !== "") throw new SettingError(variable, "must end after its path");
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

function headerSafe(secret: Secret | undefined, variable: string): string | undefined {
  const value = secret?.reveal().trim();
  if (value !== undefined && /[^\x20-\x7e]/.test(value)) {
    throw new SettingError(variable, "holds a character that no HTTP header can carry");
  }
  return value;
}

function basicOf(link: LinkFacts, settings: Settings): Secret | undefined {
  const user = settings.text("USER", "");
  const password = settings.secret("PASSWORD");
  if (user === "" && password === undefined) return undefined;
  if (user.includes(":")) throw new SettingError(`${link.env}_USER`, "must not hold a colon");
  return new Secret(`Basic ${Buffer.from(`${user}:${password?.reveal() ?? ""}`).toString("base64")}`);
}

/** `Bearer` when there is a token or a file with one, else `Basic` when there is a user or a password. */
function authorizationOf(link: LinkFacts, settings: Settings): HttpService["authorization"] {
  const token = headerSafe(settings.secret("TOKEN"), `${link.env}_TOKEN`);
  const fixed = token === undefined ? basicOf(link, settings) : new Secret(`Bearer ${token}`);
  if (fixed !== undefined) return async () => fixed;
  const mounted = settings.secretFile("TOKEN_FILE");
  if (mounted === undefined) return undefined;
  return async () => bearerOf((await mounted()).reveal(), `${link.env}_TOKEN_FILE`);
}

/** A mounted token is read long after the start, so what is wrong with it is the call's fault to report. */
function bearerOf(token: string, variable: string): Secret {
  if (/^[\x21-\x7e]+$/.test(token)) return new Secret(`Bearer ${token}`);
  throw new ToolFault("upstream_unavailable", "the token file of this link holds no token", {
    hint: `the operator must repair the file that ${variable} names`,
  });
}

function tlsOf(link: LinkFacts, settings: Settings): TlsFiles {
  const files = (["ca", "cert", "key"] as const).flatMap((use) => {
    const name = `${use.toUpperCase()}_FILE`;
    const path = settings.text(name, "");
    return path === "" ? [] : [{ use, path, variable: `${link.env}_${name}` }];
  });
  const has = (wanted: string): boolean => files.some(({ use }) => use === wanted);
  if (has("cert") === has("key")) return files;
  const absent = has("cert") ? "KEY_FILE" : "CERT_FILE";
  throw new SettingError(`${link.env}_${absent}`, "is missing: a certificate and its key come together");
}

/**
 * Reads `URL`, `TOKEN` or `TOKEN_FILE` or `USER` and `PASSWORD`, and `CA_FILE`, `CERT_FILE` and `KEY_FILE` of the
 * link; without a `URL`, the drawn host and port. No file is read before the first request.
 */
export function openHttp(link: LinkFacts, settings: Settings, options: HttpOptions = {}): HttpService {
  return {
    base: baseOf(link, settings, options),
    authorization: authorizationOf(link, settings),
    tls: tlsOf(link, settings),
    headers: options.headers ?? {},
  };
}

function searchOf(values: Readonly<Record<string, QueryValue>>): URLSearchParams {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [String(value)])
      search.append(name, each);
  }
  return search;
}

function urlOf({ base }: HttpService, { path, query, endsInSlash }: HttpRequest): URL {
  if (path.some((segment) => /^\.{0,2}$/.test(segment)))
    throw new ToolFault("invalid_argument", "a name is empty or only dots");
  const prefix = base.pathname === "/" ? "" : base.pathname;
  const below = path.map((segment) => `/${encodeURIComponent(segment)}`).join("");
  const url = new URL(`${base.origin}${prefix}${below}${endsInSlash === true ? "/" : ""}`);
  if (url.origin !== base.origin || !`${url.pathname}/`.startsWith(`${prefix}/`)) {
    throw new ToolFault("denied", "the request would leave the service of this link");
  }
  // A blank as every server reads it, and as signatures have it.
  url.search = searchOf(query ?? {})
    .toString()
    .replaceAll("+", "%20");
  return url;
}

function checkedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const unsafe = Object.keys(headers).find((name) => /[^\x20-\x7e]/.test(headers[name] ?? ""));
  if (unsafe === undefined) return headers;
  throw new ToolFault("invalid_argument", `${unsafe} holds a character that no HTTP header can carry`);
}

async function headersOf(service: HttpService, request: HttpRequest): Promise<Record<string, string>> {
  const authorization = await service.authorization?.();
  const type =
    request.form === undefined
      ? (request.contentType ?? "application/json")
      : "application/x-www-form-urlencoded";
  const hasBody = [request.form, request.json, request.text].some((body) => body !== undefined);
  return {
    ...checkedHeaders(request.headers ?? {}),
    accept: request.accept ?? "application/json",
    ...service.headers,
    ...(hasBody ? { "content-type": type } : {}),
    ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
  };
}

function textOf({ form, json, text }: HttpRequest): string | null {
  if (text !== undefined) return text;
  if (form !== undefined) return searchOf(form).toString();
  return json === undefined ? null : JSON.stringify(json);
}

async function isReachable({ base }: HttpService): Promise<boolean> {
  const port = base.port === "" ? (base.protocol === "https:" ? 443 : 80) : Number(base.port);
  return await new Promise((resolve) => {
    const socket = connect({ host: base.hostname.replace(/^\[|\]$/g, ""), port, timeout: 1000 });
    const end = (reachable: boolean) => (): void => {
      socket.destroy();
      resolve(reachable);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}

/** `cause` is left out of every fault: the library's errors quote hosts and headers. */
function faultOf(error: unknown): ToolFault {
  const cause: unknown = error instanceof Error ? (error.cause ?? error) : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) {
    return new ToolFault("upstream_unavailable", "the service's certificate is not trusted", {
      hint: "give the authority that signed it in NODE_EXTRA_CA_CERTS",
    });
  }
  const reason = /^E[A-Z_]+$/.test(code) ? ` (${code})` : "";
  return new ToolFault("upstream_unavailable", `the service cannot be reached${reason}`);
}

/** How an answer is taken in; `verbatim` asks that nothing on the way may change its bytes. */
interface Reading<T> {
  readonly read: (answer: Response) => Promise<T>;
  readonly verbatim?: boolean;
}

async function answerTo<T>(
  service: HttpService,
  request: HttpRequest,
  gone: AbortController,
  { read, verbatim = false }: Reading<T>,
): Promise<T> {
  const signal = AbortSignal.any([request.signal, gone.signal]);
  const url = urlOf(service, request);
  const body = textOf(request);
  const method = request.method ?? (body === null ? "GET" : "POST");
  const unsigned = await headersOf(service, request);
  const headers = { ...unsigned, ...service.sign?.({ method, url, headers: unsigned, body }) };
  const answer = await send(url, { method, headers, body, signal, verbatim }, service.tls);
  if (answer.ok) return await read(answer);
  const { text } = await bodyOf(answer);
  throw request.faultIn?.(answer.status, text) ?? explain(answer.status, text, service.base);
}

const wholeBody = ({ until }: HttpRequest): Reading<Body> => ({
  read: async (answer) => await bodyOf(answer, until),
});

async function ask<T>(service: HttpService, request: HttpRequest, reading: Reading<T>): Promise<T> {
  request.signal.throwIfAborted();
  const gone = new AbortController();
  const timer = setTimeout(() => {
    void isReachable(service).then((reachable) => (reachable ? undefined : gone.abort()));
  }, REACHABLE_MS);
  try {
    return await answerTo(service, request, gone, reading);
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof ToolFault) throw error;
    throw faultOf(error);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * One request and its JSON answer. Anything else is a `ToolFault` without host or user name: no connection,
 * a redirect, a status that is not 2xx, a body that is too large or not JSON. An aborted `signal` ends the
 * request at once and throws the signal's reason.
 */
export async function requestJson(service: HttpService, request: HttpRequest): Promise<unknown> {
  return (await ask(service, request, wholeBody(request))).json();
}

/** As `requestJson`, for an answer that is text of any kind. */
export async function requestText(service: HttpService, request: HttpRequest): Promise<string> {
  return (await ask(service, { accept: "*/*", ...request }, wholeBody(request))).text;
}

/**
 * As `requestText`, line by line while the answer arrives: when `take` answers `false` the transfer ends, so that a
 * service that sends without end is stopped by its reader.
 */
export async function requestLines(
  service: HttpService,
  request: HttpRequest,
  take: (line: string) => boolean,
): Promise<void> {
  await ask(
    service,
    { accept: "*/*", ...request },
    { read: async (answer) => await readLines(answer, take) },
  );
}

/** As `requestJson`, for an answer whose bytes and headers count, exactly as they were sent. */
export async function requestBytes(
  service: HttpService,
  request: HttpRequest,
): Promise<{ readonly bytes: Buffer; readonly headers: Headers }> {
  return await ask(service, { accept: "*/*", ...request }, { ...wholeBody(request), verbatim: true });
}

/** As `requestText`, with what the answer says in its headers. */
export async function requestAnswer(service: HttpService, request: HttpRequest): Promise<Omit<Body, "json">> {
  return await ask(service, request, wholeBody(request));
}
