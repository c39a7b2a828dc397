/** The live suite's server with the emitted accounts, its data, and what these accounts must be refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

export const READER = { user: "mcp_ro", password: "p w:é;'#of-the-reader" };
export const WRITER = { user: "mcp_rw", password: "another:$(id)`id`-of-the-writer" };
export const FLOOD_ROWS = 3_000_000;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Clickhouse {
  readonly server: LiveServer;
  /** The SQL that the README's commands made, digests filled in. */
  readonly sql: string;
  /** Sends a statement past all tools; without an account, as the administrator. */
  send(
    sql: string,
    account?: { readonly user: string; readonly password: string },
    query?: string,
  ): Promise<Answer>;
  stop(): Promise<void>;
}

const STACK = `apiVersion: topology/v1
stack: stack
components:
  clickhouse: {host: 127.0.0.1, databases: {events: {tables: [notes]}, shop: {database: shop_prod}}}
links: {mcp: {clickhouse: {only: {events: write, shop: read}}}}
`;

const DATA = [
  "CREATE DATABASE events COMMENT 'what happened'",
  "CREATE DATABASE shop_prod",
  "CREATE DATABASE private",
  "CREATE TABLE private.payroll (id UInt64, salary UInt64) ENGINE = MergeTree ORDER BY id",
  "INSERT INTO private.payroll SELECT number, 4242 FROM numbers(10)",
  `CREATE TABLE events.visits (id UInt64, at DateTime COMMENT 'when' CODEC(Delta, ZSTD), page LowCardinality(String),
     agent String DEFAULT 'none', day Date MATERIALIZED toDate(at))
   ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY (page, at) TTL at + INTERVAL 10 YEAR COMMENT 'page views'`,
  `INSERT INTO events.visits (id, at, page)
   SELECT number, toDateTime('2026-01-01 00:00:00') + number, concat('/page/', toString(number % 10)) FROM numbers(${FLOOD_ROWS})`,
  "CREATE TABLE events.notes (id UInt64, text String, at DateTime DEFAULT now(), seen Nullable(Bool)) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100",
  "CREATE TABLE events.other (id UInt64) ENGINE = MergeTree ORDER BY id",
  "CREATE VIEW events.daily AS SELECT day, count() AS n FROM events.visits GROUP BY day",
  "CREATE TABLE events.elsewhere (id UInt64) ENGINE = PostgreSQL('secret-host:5432', 'db', 'table', 'someone', 'hunter22')",
  `CREATE TABLE shop_prod.types (u64 UInt64, i64 Int64, n Nullable(Int64), u256 UInt256, f Float64, d Decimal(20, 3),
     dt DateTime64(3, 'UTC'), a Array(UInt64), m Map(String, String), t Tuple(x Int8, y String), s String, b Bool,
     e Enum8('one' = 1), id UUID, ip IPv4) ENGINE = MergeTree ORDER BY u64`,
  `INSERT INTO shop_prod.types VALUES (18446744073709551615, 5, NULL, 7, nan, 1.5, '2026-01-02 03:04:05.678', [1, 2],
     {'k': 'v'}, (1, 'é'), 'tab\\there "and" \\\\ \\n', true, 'one', '00000000-0000-0000-0000-000000000001', '10.0.0.1')`,
  "CREATE TABLE shop_prod.wide (id UInt64, body String) ENGINE = MergeTree ORDER BY id",
  "INSERT INTO shop_prod.wide SELECT number, repeat('0123456789', 20000) FROM numbers(100) SETTINGS max_block_size = 10",
  // What the server would else do in the background of the first tests.
  "OPTIMIZE TABLE events.visits FINAL",
  "OPTIMIZE TABLE shop_prod.wide FINAL",
  ...Array.from(
    { length: 60 },
    (_, index) => `CREATE TABLE shop_prod.t${String(index).padStart(3, "0")} (id UInt64) ENGINE = Log`,
  ),
];

/** Starts ClickHouse with the accounts of the emitted file, filled in by the commands of its README. */
export async function startClickhouse(): Promise<Clickhouse> {
  const principals = await emitPrincipals(STACK);
  const environment = {
    MCP_CLICKHOUSE_PASSWORD: READER.password,
    MCP_CLICKHOUSE_RW_PASSWORD: WRITER.password,
  };
  principals.apply("clickhouse", environment);
  const server = await startLive("clickhouse", { ACCOUNTS: join(principals.folder, "mcp-account.xml") });
  const send: Clickhouse["send"] = async (sql, account, query = "") => {
    const { user, password } = account ?? { user: "default", password: "" };
    const response = await fetch(`http://127.0.0.1:${server.port}/?${query}`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
      body: sql,
    });
    return { status: response.status, text: await response.text() };
  };
  const sql = readFileSync(join(principals.folder, "mcp-account.sql"), "utf8");
  principals.remove();
  for (const statement of DATA) {
    const { status, text } = await send(statement);
    if (status === 200) continue;
    await server.stop();
    throw new Error(`${statement}: ${text}${server.log()}`);
  }
  return { server, sql, send, stop: async () => await server.stop() };
}

/** What the account that reads is refused by the server itself, and why. */
export const READER_FORBIDDEN: readonly (readonly [sql: string, because: RegExp])[] = [
  ["INSERT INTO events.notes (id) VALUES (1)", /ACCESS_DENIED|READONLY/],
  ["INSERT INTO FUNCTION file('/tmp/pwned.csv', 'CSV', 'a Int8') VALUES (1)", /ACCESS_DENIED|READONLY/],
  ["INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'a Int8') VALUES (1)", /ACCESS_DENIED|READONLY/],
  ["SELECT * FROM file('/etc/passwd', 'LineAsString')", /READ ON FILE/],
  ["SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", /READ ON URL/],
  ["SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv', 'CSV')", /READ ON S3/],
  ["SELECT * FROM remote('127.0.0.1', private.payroll)", /READ ON REMOTE/],
  ["SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", /READ ON MYSQL/],
  ["SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')", /READ ON POSTGRES/],
  ["SELECT * FROM executable('id', 'TSV', 'a String')", /ACCESS_DENIED|READONLY/],
  ["SELECT * FROM private.payroll", /ACCESS_DENIED/],
  ["SELECT * FROM merge('private', 'payroll')", /ACCESS_DENIED|CANNOT_EXTRACT/],
  ["SELECT * FROM events.elsewhere SETTINGS external_storage_connect_timeout_sec = 1", /READONLY/],
  ["SELECT 1 SETTINGS max_threads = 1", /READONLY/],
  ["SELECT 1 SETTINGS readonly = 0", /READONLY/],
  ["SET readonly = 0", /READONLY/],
  ["SET readonly = 2", /READONLY/],
  ["SET max_execution_time = 0", /READONLY/],
  ["CREATE TEMPORARY TABLE pwned (a Int8)", /ACCESS_DENIED|READONLY/],
  ["CREATE TABLE events.pwned (a Int8) ENGINE = Memory", /ACCESS_DENIED|READONLY/],
  ["CREATE DATABASE pwned", /ACCESS_DENIED|READONLY/],
  ["CREATE FUNCTION pwned AS x -> x", /ACCESS_DENIED|READONLY/],
  ["CREATE USER pwned", /ACCESS_DENIED|READONLY/],
  ["GRANT ALL ON *.* TO mcp_ro", /ACCESS_DENIED|READONLY/],
  ["ALTER TABLE events.notes DELETE WHERE 1", /ACCESS_DENIED|READONLY/],
  ["DELETE FROM events.notes WHERE 1", /ACCESS_DENIED|READONLY/],
  ["TRUNCATE TABLE events.notes", /ACCESS_DENIED|READONLY/],
  ["DROP TABLE events.notes", /ACCESS_DENIED|READONLY/],
  ["OPTIMIZE TABLE events.notes", /ACCESS_DENIED|READONLY/],
  ["RENAME TABLE events.notes TO events.pwned", /ACCESS_DENIED|READONLY/],
  ["SYSTEM SHUTDOWN", /ACCESS_DENIED|READONLY/],
  ["SYSTEM FLUSH LOGS", /ACCESS_DENIED|READONLY/],
  ["BACKUP DATABASE events TO File('/tmp/pwned')", /ACCESS_DENIED|READONLY|BAD_ARGUMENTS/],
  ["SELECT 1; SELECT 2", /Multi-statements are not allowed/],
  ["SELECT 1 INTO OUTFILE '/tmp/pwned'", /INTO_OUTFILE_NOT_ALLOWED/],
  ["SELECT address, query FROM system.processes", /ACCESS_DENIED/],
  ["SELECT * FROM system.users", /ACCESS_DENIED/],
  ["SELECT * FROM system.server_settings", /ACCESS_DENIED/],
  ["SELECT * FROM system.query_log", /ACCESS_DENIED|UNKNOWN_TABLE/],
  ["EXECUTE AS default SELECT 1", /SUPPORT_IS_DISABLED|ACCESS_DENIED/],
];

/** What the account that inserts is refused, besides everything but the one table. */
export const WRITER_FORBIDDEN: readonly (readonly [sql: string, because: RegExp])[] = [
  ["SELECT * FROM events.notes", /ACCESS_DENIED/],
  ["SELECT count() FROM events.visits", /ACCESS_DENIED/],
  ["INSERT INTO events.other VALUES (1)", /ACCESS_DENIED/],
  ["INSERT INTO private.payroll VALUES (1, 1)", /ACCESS_DENIED/],
  ["INSERT INTO events.notes (id) SELECT id FROM private.payroll", /ACCESS_DENIED/],
  ["INSERT INTO events.notes (text) SELECT line FROM file('/etc/passwd', 'LineAsString')", /READ ON FILE/],
  ["INSERT INTO FUNCTION file('/tmp/pwned.csv', 'CSV', 'a Int8') VALUES (1)", /WRITE ON FILE/],
  ["SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", /READ ON URL/],
  ["CREATE TEMPORARY TABLE pwned (a Int8)", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["CREATE TABLE events.pwned (a Int8) ENGINE = Memory", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["ALTER TABLE events.notes DELETE WHERE 1", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["ALTER TABLE events.notes UPDATE text = '' WHERE 1", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["DELETE FROM events.notes WHERE 1", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["TRUNCATE TABLE events.notes", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["DROP TABLE events.notes", /ACCESS_DENIED|QUERY_IS_PROHIBITED/],
  ["OPTIMIZE TABLE events.notes", /ACCESS_DENIED/],
  ["SYSTEM STOP MERGES events.notes", /ACCESS_DENIED/],
  ["GRANT ALL ON *.* TO mcp_rw", /ACCESS_DENIED/],
  ["KILL QUERY WHERE 1", /ACCESS_DENIED/],
];
