import type { IncomingMessage } from "node:http";
import { openHotFile } from "#runtime/hot-file";
import type { HotFile } from "#runtime/hot-file";
import { headerValues, presentedKey, presentedToken, principalOf, takeKey } from "#runtime/identity/identity";
import type { ApiKey, Principal } from "#runtime/identity/identity";
import { parseKeys } from "#runtime/identity/key-table";
import type { KeyRow } from "#runtime/identity/key-table";
import { StartError } from "#runtime/start-error";
import type { RefusedToken, Tokens } from "#runtime/identity/tokens";

/** Who a request is from, and what it said about itself without being entitled to. */
export interface Identified {
  readonly principal: Principal;
  /** Headers that name somebody, from a key that may not speak for others. */
  readonly ignored: readonly string[];
}

export type Identification = Identified | RefusedToken | undefined;

/** Everybody whose key is accepted as of now, and whoever brings a token of the drawn issuer. */
export interface Callers {
  /** At once for a key. */
  identify(request: IncomingMessage): Identification | Promise<Identification>;
  /** Whose key this is. */
  holderOf(key: string): Principal | undefined;
  /** The principal as its key has it now; `undefined` once the key is gone or over. */
  current(principal: Principal): Principal | undefined;
  all(): readonly Principal[];
}

const HUMAN = "x-mcp-human-id";
const AGENT = "x-mcp-agent-id";
const TEAM = "x-mcp-team-id";
const SESSION = "x-mcp-agent-session";
const NAMING = [HUMAN, AGENT, TEAM, SESSION];
const NAME = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** The one value of a header; `undefined` for one that is repeated or no name. */
function nameIn(request: IncomingMessage, header: string): string | null | undefined {
  const values = headerValues(request, header);
  const [only = ""] = values;
  if (values.length === 0) return null;
  return values.length === 1 && NAME.test(only) ? only : undefined;
}

/** On behalf of whom the key speaks this time. Each of them is a caller of its own: sessions and limits are theirs. */
function delegatedBy(key: Principal, request: IncomingMessage): Principal | undefined {
  const [human, agent, team, session] = NAMING.map((header) => nameIn(request, header));
  if (human === undefined || agent === undefined || team === undefined || session === undefined)
    return undefined;
  const whom = [human, agent, team].map((name) => encodeURIComponent(name ?? "")).join("/");
  return { ...key, id: `${key.id}/${whom}`, human, agent, team, session };
}

/** A key or a token, with what the request says beside it. */
function identifiedBy(bearer: Principal, request: IncomingMessage): Identified | undefined {
  const principal = bearer.delegated ? delegatedBy(bearer, request) : bearer;
  if (principal === undefined) return undefined;
  const ignored = bearer.delegated ? [] : NAMING.filter((header) => headerValues(request, header).length > 0);
  return { principal, ignored };
}

async function bearerOf(token: string, tokens: Tokens, request: IncomingMessage): Promise<Identification> {
  const held = await tokens.holderOf(token);
  return "refused" in held ? held : identifiedBy(held, request);
}

type MutableEnvironment = Record<string, string | undefined>;

/** The keys of the environment, without an end. The one key may be said to be somebody's, whom grants know. */
function environmentKeys(
  environment: MutableEnvironment,
  onSecret: (value: string) => void,
  hasTable: boolean,
): readonly ApiKey[] {
  const keys: ApiKey[] = [];
  if (environment["MCP_API_KEY"] || !hasTable) {
    const { digest, principal } = takeKey(environment, "MCP_API_KEY", onSecret);
    const human = environment["MCP_API_KEY_HUMAN_ID"] || null;
    const agent = environment["MCP_API_KEY_AGENT_ID"] || null;
    const team = environment["MCP_API_KEY_TEAM_ID"] || null;
    keys.push({ digest, principal: { ...principal, human, agent, team } });
  }
  if (environment["MCP_ADMIN_API_KEY"]) {
    const { digest, principal } = takeKey(environment, "MCP_ADMIN_API_KEY", onSecret);
    if (keys.some((key) => key.digest.equals(digest)))
      throw new StartError("MCP_ADMIN_API_KEY must differ from MCP_API_KEY: who approves is somebody else");
    keys.push({ digest, principal: { ...principal, role: "admin" } });
  }
  return keys;
}

/**
 * Whoever may call over HTTP: the keys of the environment, and those of the table in `MCP_KEYS_FILE`, which may change
 * while the server runs. Two keys of one party can both be good, so that a rotation interrupts nobody.
 */
export function openCallers(
  environment: MutableEnvironment,
  onSecret: (value: string) => void,
  tokens?: Tokens,
): Callers {
  const path = environment["MCP_KEYS_FILE"] || undefined;
  const takesKeys = tokens?.takesKeys ?? true;
  const table: HotFile<readonly KeyRow[]> | undefined =
    path === undefined || !takesKeys ? undefined : openHotFile(path, "MCP_KEYS_FILE", parseKeys, "optional");
  const fixed = takesKeys ? environmentKeys(environment, onSecret, (table?.current() ?? []).length > 0) : [];
  // What is not asked for is not left for a tool to find.
  for (const name of ["MCP_API_KEY", "MCP_ADMIN_API_KEY"]) delete environment[name];
  const valid = (): readonly ApiKey[] => {
    const now = Date.now();
    const rows = table?.current() ?? [];
    return rows.length === 0 ? fixed : [...fixed, ...rows.filter(({ notAfter }) => now < notAfter)];
  };
  return {
    identify: (request) => {
      const token = tokens === undefined ? undefined : presentedToken(request);
      if (tokens !== undefined && token !== undefined) return bearerOf(token, tokens, request);
      const presented = presentedKey(request);
      const key = presented === undefined ? undefined : principalOf(presented, valid());
      return key === undefined ? undefined : identifiedBy(key, request);
    },
    holderOf: (key) => principalOf(key, valid()),
    current: (principal) => {
      const [id = ""] = principal.id.split("/");
      // Who still has an account is for the issuer to know; grants and sessions are asked anew here.
      if (id.startsWith("oauth:")) return tokens === undefined ? undefined : principal;
      const key = valid().find((each) => each.principal.id === id)?.principal;
      if (key === undefined) return undefined;
      return key.delegated ? { ...principal, role: key.role } : key;
    },
    all: () => valid().map(({ principal }) => principal),
  };
}
