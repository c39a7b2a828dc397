/**
 * The one way to an HTTP service: its address is fixed when the module opens, and nothing that a caller says
 * can choose a host, a header or a redirect.
 */
import { connect } from "node:net";
import { ToolFault } from "#runtime/fault";
import { bodyOf, explain } from "#runtime/http-answer";
import { Secret, SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

/** When no answer has begun by then, the service is asked for a bare connection. */
const REACHABLE_MS = 2500;

/** An HTTP service with its credential; `open` gives one for the life of the server. */
export interface HttpService {
  readonly base: URL;
  readonly authorization: Secret | undefined;
  /** Sent with every request: a tenant, an API version. */
  readonly headers: Readonly<Record<string, string>>;
}

type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface HttpRequest {
  /** Segments of the path below the base; each is escaped, none can climb. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly signal: AbortSignal;
  /** Left out: GET, or POST when there is a body. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** The fault behind an answer that is not 2xx, for a service that says it in words of its own. */
  readonly faultIn?: (status: number, text: string) => ToolFault | undefined;
}

function baseOf(link: LinkFacts, settings: Settings, scheme: string): URL {
  const written = settings.text(
    "URL",
    `${scheme}://${link.host.includes(":") ? `[${link.host}]` : link.host}:${link.port}`,
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

/** `Bearer` when there is a token, else `Basic` when there is a user or a password, else nothing. */
function authorizationOf(link: LinkFacts, settings: Settings): Secret | undefined {
  const token = headerSafe(settings.secret("TOKEN"), `${link.env}_TOKEN`);
  if (token !== undefined) return new Secret(`Bearer ${token}`);
  const user = settings.text("USER", "");
  const password = settings.secret("PASSWORD");
  if (user === "" && password === undefined) return undefined;
  if (user.includes(":")) throw new SettingError(`${link.env}_USER`, "must not hold a colon");
  return new Secret(`Basic ${Buffer.from(`${user}:${password?.reveal() ?? ""}`).toString("base64")}`);
}

/** Reads `URL`, `USER`, `PASSWORD` and `TOKEN` of the link; without a `URL`, the drawn host and port. */
export function openHttp(
  link: LinkFacts,
  settings: Settings,
  options: { readonly scheme?: "http" | "https"; readonly headers?: Readonly<Record<string, string>> } = {},
): HttpService {
  return {
    base: baseOf(link, settings, options.scheme ?? "http"),
    authorization: authorizationOf(link, settings),
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

function urlOf({ base }: HttpService, { path, query }: HttpRequest): URL {
  if (path.some((segment) => /^\.{0,2}$/.test(segment)))
    throw new ToolFault("invalid_argument", "a name is empty or only dots");
  const prefix = base.pathname === "/" ? "" : base.pathname;
  const url = new URL(`${base.origin}${prefix}/${path.map(encodeURIComponent).join("/")}`);
  if (url.origin !== base.origin || !url.pathname.startsWith(`${prefix}/`)) {
    throw new ToolFault("denied", "the request would leave the service of this link");
  }
  url.search = searchOf(query ?? {}).toString();
  return url;
}

function initOf(service: HttpService, request: HttpRequest): RequestInit {
  const { form, json } = request;
  const body =
    form === undefined ? (json === undefined ? null : JSON.stringify(json)) : searchOf(form).toString();
  const type = form === undefined ? "application/json" : "application/x-www-form-urlencoded";
  return {
    method: request.method ?? (body === null ? "GET" : "POST"),
    redirect: "manual",
    body,
    headers: {
      accept: "application/json",
      ...service.headers,
      ...(body === null ? {} : { "content-type": type }),
      ...(service.authorization === undefined ? {} : { authorization: service.authorization.reveal() }),
    },
  };
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
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) {
    return new ToolFault("upstream_unavailable", "the service's certificate is not trusted", {
      hint: "give the authority that signed it in NODE_EXTRA_CA_CERTS",
    });
  }
  const reason = /^E[A-Z_]+$/.test(code) ? ` (${code})` : "";
  return new ToolFault("upstream_unavailable", `the service cannot be reached${reason}`);
}

async function answerTo(service: HttpService, request: HttpRequest, gone: AbortController): Promise<unknown> {
  const signal = AbortSignal.any([request.signal, gone.signal]);
  const response = await fetch(urlOf(service, request), { ...initOf(service, request), signal });
  const body = await bodyOf(response);
  if (response.ok) return body.json();
  throw request.faultIn?.(response.status, body.text) ?? explain(response.status, body.text, service.base);
}

/**
 * One request and its JSON answer. Anything else is a `ToolFault` without host or user name: no connection,
 * a redirect, a status that is not 2xx, a body that is too large or not JSON. An aborted `signal` ends the
 * request at once and throws the signal's reason.
 */
export async function requestJson(service: HttpService, request: HttpRequest): Promise<unknown> {
  request.signal.throwIfAborted();
  const gone = new AbortController();
  const timer = setTimeout(() => {
    void isReachable(service).then((reachable) => (reachable ? undefined : gone.abort()));
  }, REACHABLE_MS);
  try {
    return await answerTo(service, request, gone);
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof ToolFault) throw error;
    throw faultOf(error);
  } finally {
    clearTimeout(timer);
  }
}
