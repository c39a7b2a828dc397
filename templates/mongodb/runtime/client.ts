import { readFile } from "node:fs/promises";
import { MongoClient } from "mongodb";
import type { Db, MongoClientOptions } from "mongodb";
import { ToolFault } from "#runtime/fault";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import { faultOf } from "#runtime/mongodb/fault";

export interface Mongo {
  readonly link: LinkFacts;
  readonly settings: Settings;
  /** By the part of their variables' names: `""` reads, `RW_` writes. */
  readonly opened: Map<string, MongoClient>;
  /** Whether the account that reads was found unable to write. */
  readonly checked: { done: boolean };
}

/** Shorter than the limit of a call, so that the server stops by itself before the caller gives up. */
export const MAX_MS = 14_000;
const CONNECT_MS = 5000;
const MAX_CONNECTIONS = 4;
/** The account that reads. */
const READER = "";
const WRITES = new Set([
  "anyAction",
  "bypassDocumentValidation",
  "collMod",
  "createCollection",
  "createIndex",
  "createRole",
  "createUser",
  "dropCollection",
  "dropDatabase",
  "dropIndex",
  "grantRole",
  "insert",
  "remove",
  "renameCollectionSameDB",
  "shutdown",
  "update",
]);

export function openMongo(link: LinkFacts, settings: Settings): Mongo {
  const tls = settings.text("TLS", "false");
  if (tls !== "true" && tls !== "false") throw new SettingError(`${link.env}_TLS`, "must be true or false");
  return { link, settings, opened: new Map(), checked: { done: false } };
}

export async function closeMongo({ opened }: Mongo): Promise<void> {
  await Promise.all([...opened.values()].map(async (client) => await client.close()));
}

async function optionsOf({ link, settings }: Mongo, account: string): Promise<MongoClientOptions> {
  const password = settings.secret(`${account}PASSWORD`);
  if (password === undefined) {
    throw new ToolFault("upstream_unavailable", "this link has no password for the server", {
      hint: `set ${link.env}_${account}PASSWORD`,
    });
  }
  const replicaSet = settings.text("REPLICA_SET", "");
  const authority = settings.text("CA_FILE", "");
  return {
    auth: { username: settings.text(`${account}USER`, ""), password: password.reveal() },
    authSource: "admin",
    // Without a drawn replica set no other server is ever asked, whatever this one says about its members.
    ...(replicaSet === "" ? { directConnection: true } : { replicaSet }),
    tls: settings.text("TLS", "false") === "true",
    ...(authority === "" ? {} : { ca: await readFile(authority, "utf8") }),
    appName: "mcp",
    maxPoolSize: MAX_CONNECTIONS,
    serverSelectionTimeoutMS: CONNECT_MS,
    connectTimeoutMS: CONNECT_MS,
    waitQueueTimeoutMS: CONNECT_MS,
    maxIdleTimeMS: 30_000,
    retryWrites: false,
  };
}

/** A database of the server as one of the link's accounts sees it; nothing is connected before the first command. */
export async function databaseOf(mongo: Mongo, account: string, name: string): Promise<Db> {
  const options = await optionsOf(mongo, account);
  const known = mongo.opened.get(account);
  if (known !== undefined) return known.db(name);
  const { link, settings } = mongo;
  const host = settings.text("HOST", link.host);
  const address = host.includes(":") ? `[${host}]` : host;
  const client = new MongoClient(`mongodb://${address}:${settings.integer("PORT", link.port)}/`, options);
  mongo.opened.set(account, client);
  return client.db(name);
}

/** The actions of an account that change something, from the server's own description of its rights. */
export function writesIn(status: unknown): readonly string[] {
  const { authInfo } = status as { authInfo?: { authenticatedUserPrivileges?: unknown } };
  const privileges = authInfo?.authenticatedUserPrivileges;
  if (!Array.isArray(privileges)) return [];
  const actions = privileges.flatMap((privilege: { actions?: unknown }) =>
    Array.isArray(privilege.actions) ? privilege.actions.map(String) : [],
  );
  return [...new Set(actions.filter((action) => WRITES.has(action)))];
}

/** Refuses to work with an account that could write: the guard is one lock, the account is the other. */
async function checkAccount(mongo: Mongo, database: Db, signal: AbortSignal): Promise<void> {
  if (mongo.checked.done) return;
  const status = await database.admin().command({ connectionStatus: 1, showPrivileges: true }, { signal });
  const excess = writesIn(status);
  if (excess.length > 0) {
    throw new ToolFault("denied", `the account of this link may ${excess.slice(0, 3).join(", ")}`, {
      hint: "apply the link's account: reads use one that can only read",
    });
  }
  mongo.checked.done = true;
}

/** Runs `work` on a database of the account that reads, which is proved once to be unable to write. */
export async function reading<T>(
  mongo: Mongo,
  name: string,
  signal: AbortSignal,
  work: (database: Db) => Promise<T>,
): Promise<T> {
  try {
    const database = await databaseOf(mongo, READER, name);
    await checkAccount(mongo, database, signal);
    return await work(database);
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error);
  }
}
