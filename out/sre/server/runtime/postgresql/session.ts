/**
 * One way to the server: a connection is borrowed, watched while work runs on it, and goes back to its pool
 * only when nothing of the call is left on it. After any failure it is cancelled on the server and destroyed.
 */
import { readFile } from "node:fs/promises";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { ToolFault } from "#runtime/fault";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import { cancelStatement } from "#runtime/postgresql/cancel";
import { checkReadOnly } from "#runtime/postgresql/self-check";
import type { Connection } from "#runtime/postgresql/statement";
import { faultOf } from "#runtime/postgresql/upstream";
import { cancelled, stopper, watch } from "#runtime/postgresql/watch";
import type { Limits } from "#runtime/postgresql/watch";

/** A drawn database. */
export interface Database {
  /** As drawn; what tools call it. */
  readonly name: string;
  /** Its name on the server. */
  readonly database: string;
  /** Part of its variables' names: `APP_DB`. */
  readonly env: string;
  /** Empty: every schema that the account may use. */
  readonly schemas: readonly string[];
  /** Components that are linked to it. */
  readonly consumers: readonly string[];
}

/** An account of the link: `<DB>_<infix>USER`, else `<prefix><database>`. */
export interface Role {
  readonly infix: string;
  readonly prefix: string;
}
export const READER: Role = { infix: "", prefix: "mcp_ro_" };

export interface Postgres {
  readonly link: LinkFacts;
  readonly settings: Settings;
  readonly host: string;
  readonly port: number;
  readonly sslMode: string;
  readonly caFile: string;
  readonly pools: Map<string, pg.Pool>;
  /** Databases whose reading account was found unable to write. */
  readonly verified: Set<string>;
}

const SSL_MODES = ["verify-full", "verify-ca", "disable"];
const MAX_CONNECTIONS = 4;
/** Calls that may wait for a connection; those that are about to get one count too. */
const MAX_WAITING = 20;
const CONNECT_MS = 5000;

/** Reads the settings of the link; connections are made when a call needs them. */
export function openPostgres(link: LinkFacts, settings: Settings, databases: readonly Database[]): Postgres {
  const sslMode = settings.text("SSLMODE", "verify-full");
  if (!SSL_MODES.includes(sslMode))
    throw new SettingError(`${link.env}_SSLMODE`, `must be one of ${SSL_MODES.join(", ")}`);
  for (const { env } of databases) settings.secret(`${env}_PASSWORD`);
  const host = settings.text("HOST", link.host);
  const port = settings.integer("PORT", link.port);
  const caFile = settings.text("CA_FILE", "");
  return { link, settings, host, port, sslMode, caFile, pools: new Map(), verified: new Set() };
}

export async function closePostgres(client: Postgres): Promise<void> {
  await Promise.all([...client.pools.values()].map((pool) => pool.end()));
}

async function tlsOf({ sslMode, caFile }: Postgres): Promise<ConnectionOptions | undefined> {
  if (sslMode === "disable") return undefined;
  const ca = caFile === "" ? {} : { ca: await readFile(caFile, "utf8") };
  return sslMode === "verify-ca" ? { ...ca, checkServerIdentity: () => undefined } : ca;
}

async function poolOf(client: Postgres, database: Database, role: Role): Promise<pg.Pool> {
  const key = role.prefix + database.name;
  const tls = await tlsOf(client);
  const existing = client.pools.get(key);
  if (existing !== undefined) return existing;
  const variable = `${database.env}_${role.infix}PASSWORD`;
  const password = client.settings.secret(variable);
  if (password === undefined) {
    throw new ToolFault("upstream_unavailable", "this link has no password for the database", {
      hint: `set ${client.link.env}_${variable}`,
    });
  }
  const pool = new pg.Pool({
    host: client.host,
    port: client.port,
    database: database.database,
    user: client.settings.text(`${database.env}_${role.infix}USER`, role.prefix + database.name),
    password: () => password.reveal(),
    ssl: tls ?? false,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: "mcp",
  });
  // A connection that breaks while idle has left the pool already; without a listener it would end the process.
  pool.on("error", () => undefined);
  client.pools.set(key, pool);
  return pool;
}

/** A free connection; gives up, and gives a late one back, when the call ends first. */
async function acquire(pool: pg.Pool, signal: AbortSignal): Promise<Connection> {
  if (pool.waitingCount >= MAX_WAITING)
    throw new ToolFault("busy", "too many calls wait for this database", { hint: "try again later" });
  const full = pool.totalCount >= MAX_CONNECTIONS && pool.idleCount === 0;
  const connecting = pool.connect();
  const stop = stopper();
  const abort = (): void => stop.fail(cancelled());
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([connecting, stop.failed]);
  } catch (error) {
    connecting.then(
      (late) => late.release(),
      () => undefined,
    );
    if (full && !(error instanceof ToolFault))
      throw new ToolFault("busy", "all connections of this link are in use", {
        hint: "try again later",
        cause: error,
      });
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Closes the connection first, so that `work` can send nothing more, and then ends on the server what still runs:
 * closing a socket alone stops no statement. After an error of the server nothing runs any more.
 */
async function destroy(client: Postgres, connection: Connection, error: unknown): Promise<void> {
  connection.connection.stream.destroy();
  if (!(error instanceof pg.DatabaseError)) await cancelStatement(client, await tlsOf(client), connection);
  connection.release(true);
}

/** Leaves nothing of a call on its connection: no transaction, setting, lock, listener or prepared statement. */
async function clean(connection: Connection): Promise<void> {
  await connection.query("ROLLBACK");
  await connection.query("DISCARD ALL");
}

/**
 * Runs `work` on a connection of the account that no other call uses meanwhile. The connection is cleaned before
 * the next call gets it, or destroyed when work or cleaning failed; a result that work has reached stands.
 */
export async function borrow<T>(
  client: Postgres,
  database: Database,
  role: Role,
  limits: Limits,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  try {
    const connection = await acquire(await poolOf(client, database, role), limits.signal);
    const watched = watch(connection, limits);
    try {
      const result = await Promise.race([work(connection), watched.failed]);
      await Promise.race([clean(connection), watched.failed]).then(
        () => connection.release(),
        (error: unknown) => destroy(client, connection, error),
      );
      return result;
    } catch (error) {
      await destroy(client, connection, error);
      throw error;
    } finally {
      watched.end();
    }
  } catch (error) {
    throw faultOf(error);
  }
}

/**
 * Lets the server notice by itself that the client is gone, where it can (PostgreSQL 14): a request to cancel that
 * arrives between two statements is lost, and so is one of a process that was killed.
 */
const ENDS_WITH_ITS_CLIENT = ` SELECT pg_catalog.set_config(name, '250', true) FROM pg_catalog.pg_settings
WHERE name = 'client_connection_check_interval';`;

/**
 * Settings of the transaction alone. The first three keep the server reading a statement as the guard's parser
 * does, whatever the role or the database has set.
 */
export function transactionSettings(schemas: readonly string[], timeoutMs: number): string {
  const settings = [
    "standard_conforming_strings = on",
    "backslash_quote = safe_encoding",
    "client_encoding = 'UTF8'",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
    "bytea_output = 'hex'",
    `statement_timeout = ${timeoutMs}`,
    `lock_timeout = ${Math.min(timeoutMs, 2000)}`,
    "idle_in_transaction_session_timeout = 5000",
    ...(schemas.length === 0
      ? []
      : [`search_path = ${schemas.map((schema) => pg.escapeIdentifier(schema)).join(", ")}`]),
  ];
  return settings.map((setting) => `SET LOCAL ${setting};`).join(" ") + ENDS_WITH_ITS_CLIENT;
}

/** Runs `work` in a read-only transaction of the reading account, which is proved once to be unable to write. */
export async function readOnly<T>(
  client: Postgres,
  database: Database,
  limits: Limits,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  return await borrow(client, database, READER, limits, async (connection) => {
    await connection.query(`BEGIN READ ONLY; ${transactionSettings(database.schemas, limits.timeoutMs)}`);
    if (!client.verified.has(database.name)) {
      await checkReadOnly(connection);
      client.verified.add(database.name);
    }
    return await work(connection);
  });
}
