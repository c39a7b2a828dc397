/** A connection of its own for each call: nothing that a statement leaves behind meets another call. */
import type { Connection } from "mysql2";
import { ToolFault } from "#runtime/fault";
import { connect } from "#runtime/mysql/connection";
import type { Database, Login, Mysql } from "#runtime/mysql/connection";
import { demandRights } from "#runtime/mysql/rights";
import { rowsOf } from "#runtime/mysql/statement";
import { faultOf } from "#runtime/mysql/upstream";

const KILL_MS = 2000;
/** How long after the server's own limit the client gives up: the server's error says more. */
const GRACE_MS = 500;
export const MAX_RECEIVED_BYTES = 4 * 1024 * 1024;

/** Ends what the connection runs, on a connection of its own, which needs no right beyond the account's. */
async function kill(client: Mysql, login: Login, database: string, thread: number): Promise<void> {
  const killer = await connect(client, login, database);
  try {
    await Promise.race([
      rowsOf(killer, `KILL QUERY ${thread}`),
      new Promise((_, reject) => setTimeout(reject, KILL_MS).unref()),
    ]);
  } finally {
    killer.destroy();
  }
}

/**
 * The SQL mode is the one that the guard reads statements with; a statement has the time that the call has.
 * MariaDB limits every statement, MySQL only those that read.
 */
async function prepare(connection: Connection, timeoutMs: number): Promise<void> {
  await rowsOf(
    connection,
    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', SESSION lock_wait_timeout = 2, SESSION innodb_lock_wait_timeout = 2, SESSION time_zone = '+00:00'",
  );
  const [row] = await rowsOf(connection, "SELECT VERSION() AS version");
  const isMariadb = String(row?.["version"]).includes("MariaDB");
  await rowsOf(
    connection,
    isMariadb
      ? `SET SESSION max_statement_time = ${timeoutMs / 1000}`
      : `SET SESSION max_execution_time = ${timeoutMs}`,
  );
}

export interface Limits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

interface Watch {
  readonly failed: Promise<never>;
  end(): void;
}

/** Fails as soon as the caller gives up, time runs out or too much has arrived. */
function watch(connection: Connection, { signal, timeoutMs }: Limits): Watch {
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  const { stream } = connection as unknown as { stream: NodeJS.ReadableStream };
  let received = 0;
  const count = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= MAX_RECEIVED_BYTES) return;
    fail(
      new ToolFault("too_large", `the answer is larger than ${MAX_RECEIVED_BYTES / 1024 / 1024} MiB`, {
        hint: "select fewer rows or columns, or shorten long ones with left(column, 2000)",
      }),
    );
    connection.destroy();
  };
  const abort = (): void => fail(new ToolFault("cancelled", "the call was cancelled"));
  const late = (): void =>
    fail(
      new ToolFault("timeout", `the call took longer than ${timeoutMs} ms and was cancelled`, {
        hint: "narrow the statement",
      }),
    );
  const timer = setTimeout(late, timeoutMs + GRACE_MS);
  stream.prependListener("data", count);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return {
    failed,
    end: () => {
      clearTimeout(timer);
      stream.removeListener("data", count);
      signal.removeEventListener("abort", abort);
    },
  };
}

/** What `work` gives back, and whether the server has nothing left to send for it. */
export interface Done<T> {
  readonly value: T;
  readonly isComplete: boolean;
}

/**
 * Runs `work` in one transaction, which is rolled back unless `work` commits it. Whatever ends the call early ends
 * the statement on the server too: closing the connection alone would let it run on.
 */
export async function withSession<T>(
  client: Mysql,
  database: Database,
  limits: Limits & { readonly writes?: boolean },
  work: (connection: Connection) => Promise<Done<T>>,
): Promise<T> {
  const writes = limits.writes === true;
  limits.signal.throwIfAborted();
  const login = client.login(database, writes);
  let connection: Connection;
  try {
    connection = await connect(client, login, database.database);
  } catch (error) {
    throw faultOf(error);
  }
  const thread = connection.threadId ?? 0;
  const { failed, end } = watch(connection, limits);
  let isClean = false;
  try {
    const run = async (): Promise<Done<T>> => {
      await prepare(connection, limits.timeoutMs);
      await demandRights(connection, client.checked, {
        user: login.user,
        database: database.database,
        writes,
      });
      await rowsOf(connection, `START TRANSACTION ${writes ? "READ WRITE" : "READ ONLY"}`);
      return await work(connection);
    };
    const { value, isComplete } = await Promise.race([run(), failed]);
    isClean = isComplete;
    return value;
  } catch (error) {
    throw faultOf(error);
  } finally {
    end();
    if (isClean) connection.end(() => connection.destroy());
    else {
      // A server that cannot be asked is no error of the call: its own limit ends the statement.
      await kill(client, login, database.database, thread).catch(() => undefined);
      connection.destroy();
    }
  }
}
