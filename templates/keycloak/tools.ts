import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpOptions } from "#runtime/http";
import { listOf, recordOf } from "#runtime/json-shape";
import { askRealm, changeRealm } from "#runtime/keycloak/admin";
import type { Account } from "#runtime/keycloak/admin";
import { MAX_EVENTS, readEvents, statsOf } from "#runtime/keycloak/stats";
import { bruteForceOf, clientOf, realmOf, sessionOf, userOf } from "#runtime/keycloak/view";
import { offsetOf, pageFrom } from "#runtime/page";
import { flag, integer, oneOf, text } from "#runtime/parameter";
import { SettingError } from "#runtime/settings";
import { named, slot } from "#runtime/slot";
import { timeOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<Account>;
type Endpoint = Required<Pick<HttpOptions, "scheme" | "path">>;

export const link: LinkFacts = slot("link", {
  id: "mcp->keycloak",
  component: "keycloak",
  type: "keycloak",
  env: "MCP_KEYCLOAK",
  host: "127.0.0.1",
  port: 8080,
});

/** The realms as drawn for this link. */
export const realms: readonly string[] = slot("realms", ["shop"]);

/** Those that were drawn for writing too. */
export const writableRealms: readonly string[] = slot("writableRealms", ["shop"]);

/** Its service account, of this name in each realm. */
export const account: string = slot("account", "mcp_keycloak");

/** How it is reached beside host and port, as drawn. */
export const endpoint: Endpoint = slot("endpoint", { scheme: "http", path: "" });

const MAX_USERS = 20;
const MAX_LIST = 100;
const MAX_EVENT_LIST = 500;
const TOP_CLIENTS = 20;

const realm = oneOf(realms, {});
const userId = text({ max: 36, min: 36, pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" });
const since = text({ max: 40, default: "now-24h", doc: "RFC 3339, unix seconds or now-1h" });
const cursor = text({ max: 256, optional: true });
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });
const dryRun = flag({ default: true });

/** Of a list that the server pages: one more than the page was asked for, so that the end is known. */
function knownTotal(offset: number, received: number, asked: number): number | null {
  return received < asked ? offset + received : null;
}

const realmSummary = defineTool({
  name: named("keycloak_realm_summary"),
  title: "Summarise a realm",
  description: `Use first: settings of a realm, its number of users, and the sessions of its ${TOP_CLIENTS} busiest clients.`,
  effect: "read",
  parameters: { realm },
  handler: async ({ realm }, { client, signal }: Context) => {
    const [settings, users, stats] = await Promise.all([
      askRealm(client, realm, { signal }),
      askRealm(client, realm, { path: ["users", "count"], signal }),
      askRealm(client, realm, { path: ["client-session-stats"], signal }),
    ]);
    const sessions = listOf(stats)
      .map((each) => ({
        client: String(recordOf(each)["clientId"]),
        active: Number(recordOf(each)["active"]),
      }))
      .sort((a, b) => b.active - a.active || (a.client < b.client ? -1 : 1))
      .slice(0, TOP_CLIENTS);
    return { data: { ...realmOf(settings), users: typeof users === "number" ? users : null, sessions } };
  },
});

const searchUsers = defineTool({
  name: named("keycloak_search_users"),
  title: "Search users",
  description:
    "Use to find a user's id: matches in user name, names and mail address, which are shown in part.",
  effect: "read",
  parameters: {
    realm,
    search: text({ min: 1, max: 100 }),
    enabled: flag({ optional: true }),
    limit: integer({ min: 1, max: MAX_USERS, default: MAX_USERS }),
    cursor,
  },
  handler: async ({ limit, cursor, ...wanted }, { client, signal }: Context) => {
    const tool = named("keycloak_search_users");
    const offset = offsetOf(tool, wanted, cursor);
    const query = { search: wanted.search, enabled: wanted.enabled };
    const [found, total] = await Promise.all([
      askRealm(client, wanted.realm, {
        path: ["users"],
        query: { ...query, briefRepresentation: true, first: offset, max: limit + 1 },
        signal,
      }),
      askRealm(client, wanted.realm, { path: ["users", "count"], query, signal }),
    ]);
    const rows = listOf(found).map(userOf);
    // Keycloak counts all that match the text, whatever else was asked for.
    const counted = wanted.enabled === undefined && typeof total === "number" ? total : null;
    const at = { tool, args: wanted, total: counted ?? knownTotal(offset, rows.length, limit + 1) };
    return withOffset(rows, limit, offset, at, "users");
  },
});

interface At {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly total: number | null;
}

/** A page of rows that the server has skipped to already. */
function withOffset(rows: readonly unknown[], limit: number, offset: number, at: At, name: string) {
  const skipped: readonly unknown[] = [...Array.from({ length: offset }, () => null), ...rows];
  const { items, about } = pageFrom(skipped, limit, { ...at, offset });
  return { ...about, data: { [name]: items } };
}

const userSessions = defineTool({
  name: named("keycloak_get_user_sessions"),
  title: "List a user's sessions",
  description:
    "Use to see where a user is logged in: start, last access, address and clients of each session, newest first.",
  effect: "read",
  parameters: { realm, user_id: userId, limit: integer({ min: 1, max: MAX_LIST, default: 50 }), cursor },
  handler: async ({ limit, cursor, ...wanted }, { client, signal }: Context) => {
    const tool = named("keycloak_get_user_sessions");
    const offset = offsetOf(tool, wanted, cursor);
    const found = await askRealm(client, wanted.realm, {
      path: ["users", wanted.user_id, "sessions"],
      signal,
    });
    const rows = listOf(found)
      .map(sessionOf)
      .sort((a, b) => (String(a["last_access"]) > String(b["last_access"]) ? -1 : 1));
    const { items, about } = pageFrom(rows, limit, { tool, args: wanted, offset, total: rows.length });
    return { ...about, data: { sessions: items } };
  },
});

const listClients = defineTool({
  name: named("keycloak_list_clients"),
  title: "List clients",
  description:
    "Use to see which applications log users in, and how: flows, kind and redirect URIs; never a secret.",
  effect: "read",
  parameters: {
    realm,
    search: text({ min: 1, max: 100, optional: true }),
    limit: integer({ min: 1, max: MAX_LIST, default: 50 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...wanted }, { client, signal }: Context) => {
    const tool = named("keycloak_list_clients");
    const offset = offsetOf(tool, wanted, cursor);
    const query = {
      clientId: wanted.search,
      search: wanted.search === undefined ? undefined : true,
      first: offset,
      max: limit + 1,
    };
    const found = listOf(await askRealm(client, wanted.realm, { path: ["clients"], query, signal }));
    const at = { tool, args: wanted, total: knownTotal(offset, found.length, limit + 1) };
    return withOffset(found.map(clientOf), limit, offset, at, "clients");
  },
});

const events = defineTool({
  name: named("keycloak_events"),
  title: "List login events",
  description: `Use to see why logins fail: time, type, error, client, user and address, newest first. Looks at the newest ${MAX_EVENTS} events.`,
  effect: "read",
  parameters: {
    realm,
    type: text({ min: 3, max: 64, pattern: "^[A-Z0-9_]+$", optional: true, doc: "Such as LOGIN_ERROR." }),
    client_id: text({ min: 1, max: 255, optional: true }),
    user_id: text({ min: 36, max: 36, pattern: "^[0-9a-f-]+$", optional: true }),
    since,
    limit: integer({ min: 1, max: MAX_EVENT_LIST, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...wanted }, { client, signal }: Context) => {
    const tool = named("keycloak_events");
    const offset = offsetOf(tool, wanted, cursor);
    const filter = { type: wanted.type, client: wanted.client_id, user: wanted.user_id };
    const { events: found, isCut } = await readEvents(
      client,
      wanted.realm,
      filter,
      timeOf(wanted.since, "since") * 1000,
      signal,
    );
    const rows = found.map(({ at: _at, ...row }) => row);
    const { items, about } = pageFrom(rows, limit, {
      tool,
      args: wanted,
      offset,
      total: isCut ? null : rows.length,
    });
    return { ...about, data: { events: items } };
  },
});

const loginStats = defineTool({
  name: named("keycloak_login_stats"),
  title: "Count logins",
  description: `Use to see whether logins fail more than they should: counts by type, error, client and address over the newest ${MAX_EVENTS} events.`,
  effect: "read",
  parameters: { realm, since },
  handler: async ({ realm, since }, { client, signal }: Context) => {
    const { events: found, isCut } = await readEvents(
      client,
      realm,
      {},
      timeOf(since, "since") * 1000,
      signal,
    );
    const data = statsOf(found);
    const hint = "ask for a shorter time";
    return isCut ? { data, truncation: { by: "rows", limit: MAX_EVENTS, hint } } : { data };
  },
});

const bruteForceStatus = defineTool({
  name: named("keycloak_brute_force_status"),
  title: "See whether a user is locked out",
  description:
    "Use when a user cannot log in: whether too many failures have locked the account, how many, and from where.",
  effect: "read",
  parameters: { realm, user_id: userId },
  handler: async ({ realm, user_id }, { client, signal }: Context) => {
    const path = ["attack-detection", "brute-force", "users", user_id];
    return { data: bruteForceOf(await askRealm(client, realm, { path, signal })) };
  },
});

const writableRealm = oneOf(writableRealms, {});

const logoutUser = defineTool({
  name: named("keycloak_logout_user"),
  title: "Log a user out",
  description: "Use to end all sessions of one user. dry_run=true, the default, only counts them.",
  effect: "destructive",
  parameters: { realm: writableRealm, user_id: userId, dry_run: dryRun, reason },
  handler: async ({ realm, user_id, dry_run }, { client, signal }: Context) => {
    const path = ["users", user_id];
    const found = await askRealm(client, realm, { path: [...path, "sessions"], signal });
    const sessions = listOf(found).length;
    if (!dry_run) await changeRealm(client, realm, { path: [...path, "logout"], method: "POST", signal });
    return { data: { user_id, sessions, ended: !dry_run } };
  },
});

const setUserEnabled = defineTool({
  name: named("keycloak_set_user_enabled"),
  title: "Enable or disable a user",
  description:
    "Use to lock one user out or let the user in again; sessions go on until they are ended. dry_run=true, the default, changes nothing.",
  effect: "additive",
  parameters: { realm: writableRealm, user_id: userId, enabled: flag({}), dry_run: dryRun, reason },
  handler: async ({ realm, user_id, enabled, dry_run }, { client, signal }: Context) => {
    const path = ["users", user_id];
    const before = recordOf(await askRealm(client, realm, { path, signal }));
    if (before["serviceAccountClientId"] !== undefined)
      throw new ToolFault("denied", "that is the account of a service, not a user");
    const was = before["enabled"] === true;
    // The whole of it: what is left out of an update may be taken for empty.
    if (!dry_run && was !== enabled)
      await changeRealm(client, realm, { path, method: "PUT", json: { ...before, enabled }, signal });
    return {
      data: {
        user_id,
        was_enabled: was,
        enabled: dry_run ? was : enabled,
        changed: !dry_run && was !== enabled,
      },
    };
  },
});

export const tools = defineModule({
  link,
  open: (settings): Account => {
    const secret = settings.secret("CLIENT_SECRET");
    if (secret === undefined) throw new SettingError(`${link.env}_CLIENT_SECRET`, "is missing");
    const http = openHttp(link, settings, endpoint);
    return { http, clientId: settings.text("CLIENT_ID", account), secret, realms: new Map() };
  },
  close: async () => undefined,
  tools: [
    realmSummary,
    searchUsers,
    userSessions,
    listClients,
    events,
    loginStats,
    bruteForceStatus,
    logoutUser,
    setUserEnabled,
  ],
});
