import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { StartError } from "#runtime/start-error";

/** How far a caller may go at most; grants narrow it further. */
export type Role = "viewer" | "operator" | "admin" | "auditor";

/** On whose behalf a request is made. */
export interface Principal {
  readonly id: string;
  readonly human: string | null;
  readonly agent: string | null;
  readonly team: string | null;
  readonly role: Role;
  /** Whether the key speaks for others, who are named by headers. */
  readonly delegated: boolean;
  /** The session that the caller names. */
  readonly session: string | null;
}

/** Who is behind a key that names nobody. */
const NOBODY = { human: null, agent: null, team: null, delegated: false, session: null } as const;

/** One accepted key; only its digest is kept. */
export interface ApiKey {
  readonly digest: Buffer;
  readonly principal: Principal;
}
export type ApiKeys = readonly ApiKey[];

type MutableEnvironment = Record<string, string | undefined>;

const HOW_TO_MAKE_A_KEY = "make one with: openssl rand -hex 32";
const PLACEHOLDER = /change.?me|placeholder|example|replace|your.?key|password|xxxx/i;

function digestOf(key: string): Buffer {
  return hash("sha256", key, "buffer");
}

function isRepeated(key: string): boolean {
  return (key + key).indexOf(key, 1) < key.length;
}

/** Share of characters that differ from the one before by at most one: runs such as aaaa and abcd. */
function shareOfRuns(key: string): number {
  let runs = 0;
  for (let at = 1; at < key.length; at += 1) {
    if (Math.abs(key.charCodeAt(at) - key.charCodeAt(at - 1)) <= 1) runs += 1;
  }
  return runs / key.length;
}

/** Why a key cannot hold 32 random bytes, or `undefined` when it can: 64 hex or 43 base64url characters. */
export function weaknessOf(key: string): string | undefined {
  if (!/^[\x21-\x7e]{1,512}$/.test(key)) return "must be at most 512 visible ASCII characters without spaces";
  const isHex = /^[0-9a-f]+$/i.test(key);
  if (key.length < (isHex ? 64 : 43))
    return "must hold 32 random bytes: at least 64 hex or 43 base64url characters";
  if (PLACEHOLDER.test(key)) return "is a placeholder";
  const variety = new Set(key).size;
  if (variety < (isHex ? 8 : 16) || isRepeated(key) || shareOfRuns(key) > 0.5) return "is not random";
  return undefined;
}

/**
 * The key in one variable, as one of those that `authenticate` accepts. The variable is removed from the
 * environment as it is read, so that no tool, no child process and no crash report finds it there; `onSecret`
 * learns the value for the redactor.
 *
 * Throws a StartError without a key, because an open server is never what was drawn.
 */
export function takeKey(
  environment: MutableEnvironment,
  variable: string,
  onSecret: (value: string) => void,
): ApiKey {
  const key = environment[variable];
  delete environment[variable];
  if (key === undefined || key === "") throw new StartError(`${variable} is not set; ${HOW_TO_MAKE_A_KEY}`);
  const weakness = weaknessOf(key);
  if (weakness !== undefined) throw new StartError(`${variable} ${weakness}; ${HOW_TO_MAKE_A_KEY}`);
  onSecret(key);
  const id = `key:${variable.toLowerCase().replaceAll("_", "-")}`;
  return { digest: digestOf(key), principal: { ...NOBODY, id, role: "operator" } };
}

/** The values of a header as they were sent: Node would join or drop a repeated one. */
export function headerValues(request: Pick<IncomingMessage, "rawHeaders">, name: string): readonly string[] {
  const raw = request.rawHeaders;
  const values: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const sent = raw[at] ?? "";
    if (sent.length === name.length && sent.toLowerCase() === name) values.push(raw[at + 1] ?? "");
  }
  return values;
}

const BARE_KEY = /^[\x21-\x7e]{1,512}$/;
const BEARER = /^Bearer ([\x21-\x7e]{1,512})$/i;

/** The one key that the request carries, not yet compared with any; two keys are as good as none. */
export function presentedKey(request: IncomingMessage): string | undefined {
  const bearer = headerValues(request, "authorization");
  const plain = headerValues(request, "x-api-key");
  if (bearer.length + plain.length !== 1) return undefined;
  const [only = ""] = plain;
  if (plain.length === 1) return BARE_KEY.test(only) ? only : undefined;
  return BEARER.exec(bearer[0] ?? "")?.[1];
}

/** Three parts of base64url, the first of them a JSON object: no key that is made as it should be looks like this. */
const TOKEN = /^Bearer (eyJ[\w-]*\.[\w-]*\.[\w-]*)$/i;

/** The one token that the request carries, not yet looked at. */
export function presentedToken(request: IncomingMessage): string | undefined {
  const bearer = headerValues(request, "authorization");
  if (bearer.length !== 1 || headerValues(request, "x-api-key").length > 0) return undefined;
  return TOKEN.exec(bearer[0] ?? "")?.[1];
}

/** The principal of a key, found by its digest. */
export function principalOf(presented: string, keys: ApiKeys): Principal | undefined {
  const digest = digestOf(presented);
  let found: Principal | undefined;
  // Every key is compared, so that the time taken does not tell which one matched.
  for (const key of keys) {
    if (timingSafeEqual(key.digest, digest)) found = key.principal;
  }
  return found;
}

export const ROLES: readonly Role[] = ["viewer", "operator", "admin", "auditor"];

/** Over stdio the person who started the process is the caller, and no key is needed; to write, the role must be said. */
export function stdioPrincipal(environment: Readonly<MutableEnvironment>): Principal {
  const human = environment["MCP_STDIO_HUMAN_ID"] || null;
  const agent = environment["MCP_STDIO_AGENT_ID"] || null;
  const team = environment["MCP_STDIO_TEAM_ID"] || null;
  const written = environment["MCP_STDIO_ROLE"] || "viewer";
  const role = ROLES.find((known) => known === written);
  if (role === undefined) throw new StartError(`MCP_STDIO_ROLE must be one of ${ROLES.join(", ")}`);
  return { ...NOBODY, id: `stdio:${human ?? agent ?? team ?? "local"}`, human, agent, team, role };
}
