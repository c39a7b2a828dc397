/** The server of the live suite, and what an administrator does to it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import mysql from "mysql2";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

export const PASSWORD = "p w:é;'\"\\#%of-the-account";

export interface Server extends LiveServer {
  /** Runs SQL as root and gives back what it printed. */
  admin(sql: string): string;
  /** Of the link's accounts, by their names in the drawing. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Waits for the account of root too: the port is open before the first start has made it. */
export async function startServer(): Promise<Server> {
  const live = await startLive("mysql");
  const admin = (sql: string): string => {
    const run = spawnSync("mariadb", [`--defaults-extra-file=${join(live.folder, ".my.cnf")}`, "-N", "-B"], {
      input: sql,
      encoding: "utf8",
    });
    if (run.status !== 0) throw new Error(run.stderr);
    return run.stdout.trim();
  };
  for (let tries = 0; ; tries += 1) {
    try {
      admin("SELECT 1");
      break;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  admin(readFileSync(new URL("live-fixture.sql", import.meta.url), "utf8"));
  const environment = {
    MCP_MYSQL_HOST: "localhost",
    MCP_MYSQL_PORT: String(live.port),
    MCP_MYSQL_CA_FILE: join(live.folder, "server.crt"),
    MCP_MYSQL_APP_DB_PASSWORD: PASSWORD,
    MCP_MYSQL_APP_DB_RW_PASSWORD: PASSWORD,
    MCP_MYSQL_AUDIT_PASSWORD: PASSWORD,
  };
  return { ...live, admin, environment };
}

/** As the emitted README says. */
export async function applyAccounts(server: Server, type: "mysql" | "mariadb", times: number): Promise<void> {
  const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {mysql: {type: ${type}, host: 127.0.0.1, port: ${server.port}, databases: {app_db: {}, audit: {}}}}
links: {mcp: {mysql: {only: {app_db: write, audit: read}}}}
`);
  try {
    for (let time = 0; time < times; time += 1)
      principals.apply("mysql", { ...server.environment, HOME: server.folder });
  } finally {
    principals.remove();
  }
}

/** One statement with the account alone, as somebody who has its password would send it. */
export async function sendAs(server: Server, user: string, sql: string): Promise<unknown> {
  const connection = mysql.createConnection({
    host: "localhost",
    port: server.port,
    user,
    password: PASSWORD,
    database: "app_db",
    multipleStatements: true,
    ssl: { ca: readFileSync(join(server.folder, "server.crt"), "utf8") },
  });
  try {
    return await new Promise((resolve, reject) => {
      connection.on("error", reject);
      connection.query(sql, (error, rows) => (error === null ? resolve(rows) : reject(error)));
    });
  } finally {
    connection.destroy();
  }
}

/** What the guard refuses, and the words of its refusal. */
export const REFUSED: readonly (readonly [sql: string, because: string])[] = [
  ["SELECT 1; DROP TABLE orders", "only one statement"],
  ["SELECT 1;;", "only one statement"],
  ["DELETE FROM orders", "only one SELECT"],
  ["COMMIT", "only one SELECT"],
  ["SET SESSION TRANSACTION READ WRITE", "only one SELECT"],
  ["CALL wipe()", "only one SELECT"],
  ["DO SLEEP(1)", "only one SELECT"],
  ["HANDLER orders OPEN", "only one SELECT"],
  ["LOCK TABLES orders READ", "only one SELECT"],
  ["PREPARE p FROM 'DELETE FROM orders'", "only one SELECT"],
  ["LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE log", "only one SELECT"],
  ["KILL 1", "only one SELECT"],
  ["ANALYZE TABLE orders", "only one SELECT"],
  ["FLUSH TABLES", "only one SELECT"],
  ["USE appXdb", "only one SELECT"],
  ["SHOW GRANTS", "only tables, columns and indexes"],
  ["SHOW VARIABLES", "only tables, columns and indexes"],
  ["SHOW PROCESSLIST", "only tables, columns and indexes"],
  ["SHOW CREATE USER mcp_ro_app_db", "only tables, columns and indexes"],
  ["SELECT 1 INTO OUTFILE '/tmp/o'", "INTO is not allowed"],
  ["SELECT 1 INTO @x", "INTO is not allowed"],
  ["SELECT * FROM orders FOR UPDATE", "locking rows"],
  ["SELECT * FROM orders LOCK IN SHARE MODE", "LOCK is not allowed"],
  ["WITH x AS (SELECT 1) DELETE FROM orders", "DELETE is not allowed"],
  ["WITH x AS (SELECT 1) UPDATE orders SET total = 0", "UPDATE is not allowed"],
  ["EXPLAIN DELETE FROM orders", "DELETE is not allowed"],
  ["EXPLAIN REPLACE INTO orders VALUES (1)", "REPLACE is not allowed"],
  ["SELECT LOAD_FILE('/etc/passwd')", "load_file is not allowed"],
  ["SELECT load_file  ('/etc/passwd')", "load_file is not allowed"],
  ["SELECT `sleep`(5)", "sleep is not allowed"],
  ["SELECT SLEEP/**/(5)", "sleep is not allowed"],
  ["SELECT BENCHMARK(1000000000, MD5('x'))", "benchmark is not allowed"],
  ["SELECT GET_LOCK('x', 10)", "get_lock is not allowed"],
  ["SELECT NEXTVAL(numbers_of_orders)", "nextval is not allowed"],
  ["SELECT NEXT VALUE FOR numbers_of_orders", "sequence"],
  ["SELECT CURRENT_USER", "current_user is not allowed"],
  ["SELECT USER()", "user is not allowed"],
  ["SELECT @@hostname", "variables are not allowed"],
  ["SELECT @a := 1", "variables are not allowed"],
  ["SELECT /*!50000 SLEEP(5) */ 1", "a comment that the server would run"],
  ["SELECT /*M!100000 SLEEP(5) */ 1", "a comment that the server would run"],
  ["SELECT /*+ SET_VAR(max_execution_time=0) */ 1", "a comment that the server would run"],
  ["/*!50000 DELETE FROM orders */", "a comment that the server would run"],
  ["SELECT 1 --x\n; DELETE FROM orders", "only one statement"],
  ["SELECT 'a\\'; DELETE FROM orders; -- '; DELETE FROM orders", "only one statement"],
  ['SELECT "a\\"b" INTO OUTFILE \'x\'', "INTO is not allowed"],
];

/** What looks like one of those and is fine. */
export const ACCEPTED: readonly string[] = [
  "SELECT 'INTO OUTFILE; DELETE FROM orders' AS text",
  "SELECT 'it''s; UPDATE' AS text",
  "SELECT `status` AS `into` FROM orders",
  "SELECT o.total FROM orders o WHERE o.status <> '' -- ; DELETE FROM orders",
  "SELECT 1 # ; DELETE\n + 1",
  "SELECT /* ; DELETE FROM orders */ 1",
  "(SELECT id FROM orders) UNION (SELECT id FROM customers) ORDER BY id DESC",
  "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT SUM(i) FROM n",
  "SELECT INSERT('abc', 1, 1, 'x'), REPLACE('a', 'a', 'b'), TRUNCATE(1.23, 1)",
  "SELECT JSON_EXTRACT(doc, '$.a[0]') FROM orders WHERE doc IS NOT NULL",
  "SELECT CAST('a' AS CHAR CHARACTER SET utf8mb4), X'41', 0x41, 1e3, .5",
  "SELECT status, COUNT(*) OVER (PARTITION BY status) FROM orders",
  "VALUES (1, 2), (3, 4)",
  "SHOW TABLES",
  "SHOW FULL COLUMNS FROM orders",
  "SHOW INDEX FROM orders",
  "SHOW CREATE TABLE orders",
  "EXPLAIN SELECT * FROM orders",
  "DESCRIBE orders",
  "SELECT a.id FROM orders a JOIN customers b ON b.id = a.customer_id WHERE b.email LIKE '%@%';",
];

/** What the reading account may not do, whoever holds its password. */
export const FORBIDDEN: readonly string[] = [
  "SELECT * FROM appXdb.secrets",
  "SELECT * FROM audit.events",
  "SELECT * FROM mysql.user",
  "SELECT 1 INTO OUTFILE '/tmp/topogate-outfile'",
  "INSERT INTO customers (name) VALUES ('x')",
  "UPDATE orders SET total = 0",
  "DELETE FROM orders",
  "REPLACE INTO customers (id, name) VALUES (1, 'x')",
  "TRUNCATE orders",
  "CREATE TABLE pwned (a INT)",
  "CREATE TEMPORARY TABLE pwned (a INT)",
  "DROP TABLE orders",
  "ALTER TABLE orders ADD x INT",
  "CREATE INDEX x ON orders (total)",
  "CREATE VIEW x AS SELECT 1",
  "CALL wipe()",
  "SELECT leave_a_trace()",
  "SELECT NEXTVAL(numbers_of_orders)",
  "LOCK TABLES orders WRITE",
  "SET GLOBAL max_connections = 1",
  "FLUSH TABLES",
  "SHUTDOWN",
  "CREATE USER pwned",
  "GRANT SELECT ON app_db.* TO pwned",
  "LOAD DATA INFILE '/etc/passwd' INTO TABLE log",
  "SHOW CREATE USER root@localhost",
  "SHOW CREATE VIEW tracing",
  "INSTALL SONAME 'ha_connect'",
];
