/** What the live suite needs around a real server: an administrator, the emitted accounts, and a look at the wire. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import Handlebars from "handlebars";
import pg from "pg";
import type { Account as LinkAccount } from "./component.ts";
import { sqlIdentifier, sqlLiteral } from "../../generator/emit/sql.ts";

const ADMIN_PASSWORD = "postgres";

/** Waits for a server that answers on its port but is still starting. */
export async function administrator(port: number, database = "postgres"): Promise<pg.Client> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const client = new pg.Client({
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: ADMIN_PASSWORD,
      database,
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      const starting = error instanceof pg.DatabaseError && error.code === "57P03";
      if (!starting || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export type Account = Pick<LinkAccount, "role" | "database" | "schemas" | "owner" | "writes">;

/** The role SQL as it is emitted. */
export function roleSql(account: Account): string {
  const source = readFileSync(new URL("principal.sql.hbs", import.meta.url), "utf8");
  const handlebars = Handlebars.create();
  handlebars.registerHelper({
    sqlIdentifier: (value: unknown) => sqlIdentifier(value),
    sqlLiteral: (value: unknown) => sqlLiteral(value),
  });
  return handlebars.compile<Account>(source, {
    noEscape: true,
    strict: true,
    knownHelpersOnly: true,
    knownHelpers: { sqlIdentifier: true, sqlLiteral: true },
  })(account);
}

/** Runs the role SQL with psql as the administrator would; the password travels in the environment. */
export function applyRole(port: number, account: Account, password: string): void {
  const run = spawnSync(
    "psql",
    ["-X", "-q", "-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-d", account.database, "-f", "-"],
    {
      input: roleSql(account),
      encoding: "utf8",
      env: { ...process.env, PGPASSWORD: ADMIN_PASSWORD, PASSWORD: password },
    },
  );
  if (run.status !== 0) throw new Error(`the role SQL failed: ${run.stderr}`);
}

export interface Wire {
  readonly port: number;
  /** Rows and bytes that the server has sent since the last call of this. */
  take(): { readonly rows: number; readonly bytes: number };
  close(): Promise<void>;
}

/** A proxy in front of the server that counts its DataRow messages, so that nobody has to believe the client. */
export async function wireTo(port: number): Promise<Wire> {
  let [rows, bytes] = [0, 0];
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let [header, skip] = [Buffer.alloc(0), 0];
    upstream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (!client.write(chunk)) upstream.pause();
      let rest = chunk;
      while (rest.length > 0) {
        const passed = Math.min(skip, rest.length);
        skip -= passed;
        rest = rest.subarray(passed);
        if (rest.length === 0) break;
        const needed = 5 - header.length;
        header = Buffer.concat([header, rest.subarray(0, needed)]);
        rest = rest.subarray(needed);
        if (header.length < 5) break;
        if (header[0] === 0x44) rows += 1;
        skip = header.readInt32BE(1) - 4;
        header = Buffer.alloc(0);
      }
    });
    client.on("drain", () => upstream.resume());
    client.on("data", (chunk: Buffer) => upstream.write(chunk));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("end", () => other.end());
      one.on("error", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    take: () => {
      const seen = { rows, bytes };
      [rows, bytes] = [0, 0];
      return seen;
    },
    close: async () => await new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What the account that writes must be refused by the server itself, whatever carries it there. */
export const WRITER_FORBIDDEN = [
  "TRUNCATE notes",
  "DROP TABLE notes",
  "ALTER TABLE notes ADD COLUMN pwned int",
  "ALTER TABLE notes OWNER TO CURRENT_USER",
  "CREATE INDEX pwned ON notes (id)",
  "CREATE TRIGGER pwned BEFORE INSERT ON notes EXECUTE FUNCTION suppress_redundant_updates_trigger()",
  "CREATE TABLE pwned ()",
  "CREATE TEMP TABLE pwned ()",
  "CREATE VIEW pwned AS SELECT 1",
  "CREATE SCHEMA pwned",
  "CREATE FUNCTION pwned() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  "CREATE EXTENSION dblink",
  "CREATE ROLE pwned",
  "CREATE DATABASE pwned",
  "ALTER ROLE CURRENT_USER SUPERUSER",
  "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
  "SET ROLE postgres",
  "SET SESSION AUTHORIZATION postgres",
  "ALTER SYSTEM SET work_mem = '1MB'",
  "SET temp_file_limit = -1",
  "COPY notes TO PROGRAM 'id'",
  "COPY notes FROM '/etc/passwd'",
  "SELECT pg_read_file('PG_VERSION')",
  "SELECT pg_ls_dir('.')",
  "SELECT lo_import('/etc/passwd')",
  "SELECT pg_reload_conf()",
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND pid <> pg_backend_pid()",
  "SELECT * FROM pg_authid",
  "DELETE FROM pg_catalog.pg_class",
  "SELECT * FROM private.payroll",
  "INSERT INTO private.payroll VALUES (1)",
] as const;

/** A client that signs in as one of the link's own accounts, past every guard of the tools. */
export async function signIn(
  port: number,
  user: string,
  password: string,
  database: string,
): Promise<pg.Client> {
  const client = new pg.Client({ host: "127.0.0.1", port, user, password, database });
  await client.connect();
  return client;
}
