import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { ACCEPTED, FORBIDDEN, REFUSED, applyAccounts, sendAs, startServer } from "./live.ts";
import type { Server } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const reason = "a test of the tool";

let server: Server;
let mysql: OpenModule;

const call = async (tool: string, args: Record<string, unknown> = {}, withinMs = 4000) => {
  const started = performance.now();
  const result = await mysql.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(withinMs);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};
const query = async (sql: string, args: object = {}) =>
  await call("mysql_query", { database: "app_db", sql, ...args });
const rows = async (sql: string, args: object = {}): Promise<unknown> =>
  ((await query(sql, args)).data as { rows: unknown }).rows;
const execute = async (sql: string, args: object = {}) =>
  await mysql.call("mysql_execute", { database: "app_db", sql, reason, ...args });
const faultOf = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.catch((error: unknown) => error);

beforeAll(async () => {
  expect(liveVersion("mysql"), "run: bash templates/mysql/live.sh install").toMatch(/^\d+\.\d+/);
  server = await startServer();
  await applyAccounts(server, "mariadb", 2);
  mysql = openModule(tools, server.environment);
});

afterAll(async () => {
  await mysql?.close();
  await server?.stop();
});

describe("every tool with data", () => {
  it("S32: mysql_list_databases shows the drawn ones", async () => {
    expect((await call("mysql_list_databases")).data).toEqual([
      { database: "app_db", tables: 5, size_bytes: expect.any(Number), consumers: ["fastapi"] },
      { database: "audit", tables: 1, size_bytes: expect.any(Number), consumers: [] },
    ]);
  });

  it("mysql_list_tables finds by kind and pattern, page by page", async () => {
    const names = async (args: object) => {
      const result = await call("mysql_list_tables", { database: "app_db", ...args });
      return (result.data as { name: string }[]).map(({ name }) => name);
    };
    expect(await names({})).toEqual(["customers", "flood", "log", "orders", "wide"]);
    expect(await names({ kind: "view" })).toEqual(["open_orders", "tracing"]);
    expect(await names({ kind: "all", pattern: "o%" })).toEqual(["open_orders", "orders"]);
    const first = await call("mysql_list_tables", { database: "app_db", limit: 2 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 2 });
    expect(first.data).toMatchObject([
      { name: "customers", kind: "table", engine: "InnoDB", comment: "who buys" },
      {},
    ]);
    expect(await names({ limit: 2, cursor: first.page?.next_cursor })).toEqual(["log", "orders"]);
    await expect(
      call("mysql_list_tables", { database: "audit", limit: 2, cursor: first.page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });

  it("mysql_describe_table: columns, keys, and how a table was made", async () => {
    const { data } = await call("mysql_describe_table", {
      database: "app_db",
      table: "orders",
      detail: "full",
    });
    expect(data).toMatchObject({
      name: "orders",
      kind: "table",
      primary_key: ["id"],
      indexes: expect.arrayContaining([
        { name: "by_status", unique: false, columns: ["status", "customer_id"] },
      ]),
      foreign_keys: [{ column: "customer_id", references_table: "customers", references_column: "id" }],
      create: expect.stringContaining("CREATE TABLE"),
    });
    const { columns } = data as { columns: object[] };
    expect(columns[1]).toMatchObject({ name: "customer_id", type: "int(11)", nullable: false });
    const view = await call("mysql_describe_table", { database: "app_db", table: "tracing", detail: "full" });
    expect(view.data).toMatchObject({ kind: "view", create: null });
    await expect(
      call("mysql_describe_table", { database: "app_db", table: "appXdb.secrets" }),
    ).rejects.toMatchObject({ code: "not_found" });
  });

  it("mysql_table_stats sorts by size, and says when there is more", async () => {
    const { data, truncation } = await call("mysql_table_stats", { database: "app_db", limit: 1 });
    expect(data).toMatchObject([{ name: "flood", engine: "InnoDB", data_bytes: expect.any(Number) }]);
    expect(truncation).toMatchObject({ by: "rows", limit: 1 });
    for (const order_by of ["rows", "free", "updated"])
      expect((await call("mysql_table_stats", { database: "app_db", order_by })).page?.total).toBe(5);
  });

  it("mysql_query keeps what JSON cannot hold, and binds values", async () => {
    const { data, page } = await query("SELECT * FROM orders ORDER BY id");
    expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
    expect(data).toEqual({
      columns: [
        { name: "id", type: "int" },
        { name: "customer_id", type: "int" },
        { name: "status", type: "char" },
        { name: "total", type: "decimal" },
        { name: "big", type: "bigint" },
        { name: "at", type: "datetime" },
        { name: "raw", type: "varchar" },
        { name: "doc", type: "blob" },
      ],
      rows: [
        [
          1,
          1,
          "open",
          "12345678901234.5678",
          "18446744073709551615",
          "2026-01-31 12:00:00.123",
          "0x00ff",
          '{"a": [1, 2]}',
        ],
        [2, 2, "paid", "1.0000", 1, null, null, null],
      ],
    });
    expect(await rows("SELECT name FROM customers WHERE name = ?", { params: ["O'Hara; DROP"] })).toEqual([
      ["O'Hara; DROP"],
    ]);
    expect(await rows("SELECT ?, ?, ?", { params: [1.5, true, null] })).toEqual([[1.5, 1, null]]);
    const audit = await call("mysql_query", { database: "audit", sql: "SELECT id FROM events" });
    expect(audit.data).toMatchObject({ rows: [["9007199254740993"]] });
  });

  it("mysql_query explains, with or without running", async () => {
    const plan = async (explain: string) =>
      JSON.stringify(await rows("SELECT * FROM orders WHERE id = ?", { explain, params: [1] }));
    expect(await plan("plan")).toContain("query_block");
    expect(await plan("plan")).not.toContain("r_rows");
    expect(await plan("analyze")).toContain("r_rows");
    await expect(query("SHOW TABLES", { explain: "plan" })).rejects.toThrow("only a SELECT can be explained");
  });

  it("S10: mysql_execute tries, counts, and changes only what was announced", async () => {
    const paid = async (): Promise<unknown> =>
      await rows("SELECT COUNT(*) FROM orders WHERE status = 'paid'");
    const update = "UPDATE orders SET status = ? WHERE id = ?";
    const params = ["paid", 1];
    expect((await execute(update, { params })).data).toEqual({ rowcount: 1, committed: false });
    expect(await paid()).toEqual([[1]]);
    await expect(execute(update, { params, expected_rows: 2, dry_run: false })).rejects.toThrow(
      "changes 1 rows, not 2; nothing was changed",
    );
    expect(await paid()).toEqual([[1]]);
    const done = await execute(update, { params, expected_rows: 1, dry_run: false });
    expect(done.data).toEqual({ rowcount: 1, committed: true });
    expect(await paid()).toEqual([[2]]);
    const insert = "INSERT INTO customers (id, name) VALUES (9, 'x') ON DUPLICATE KEY UPDATE name = 'y'";
    expect((await execute(insert, { dry_run: false })).data).toMatchObject({ committed: true });
    expect((await execute("DELETE FROM customers WHERE id = 9", { dry_run: false })).data).toEqual({
      rowcount: 1,
      committed: true,
    });
    const many = "DELETE FROM flood WHERE id <= 5000";
    await expect(execute(many, { dry_run: false })).rejects.toThrow("over 1000 need expected_rows");
    expect((await execute(many)).warnings).toEqual([expect.stringContaining("need expected_rows")]);
    expect(await rows("SELECT COUNT(*) FROM flood WHERE id <= 5000")).toEqual([[5000]]);
  });

  it("A3: an approved change carries its marker to the server's log", async () => {
    server.admin("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON");
    const sql = "UPDATE orders SET status = 'paid' WHERE id = 2";
    const result = await mysql.callApproved("mysql_execute", { database: "app_db", sql, reason });
    expect(result.data).toEqual({ rowcount: 1, committed: false });
    const logged = server.admin(
      "SET GLOBAL general_log = OFF; SELECT argument FROM mysql.general_log WHERE command_type = 'Execute' AND argument LIKE '%WHERE id = 2'",
    );
    expect(logged).toMatch(/^\/\* mcp:[0-9a-f]+ approved by \S+ \*\/ UPDATE orders SET/);
  });

  it("a database with a table that knows no transactions is not written, dry run or not", async () => {
    server.admin("CREATE TABLE app_db.old (a INT) ENGINE = MyISAM; INSERT INTO app_db.old VALUES (1)");
    for (const dry_run of [true, false])
      await expect(execute("DELETE FROM old WHERE a = 1", { dry_run })).rejects.toMatchObject({
        code: "denied",
        message: expect.stringContaining("know no transactions (old)"),
      });
    expect(server.admin("SELECT COUNT(*) FROM app_db.old; DROP TABLE app_db.old")).toBe("1");
  });
});

describe("what is wrong is said, not guessed", () => {
  it.each([
    ["SELECT * FROM nothing", "not_found", "nothing"],
    ["SELECT nothing FROM orders", "invalid_argument", "Unknown column"],
    ["SELECT FROM orders", "invalid_argument", "You have an error in your SQL syntax"],
    ["SELECT ? + ?", "invalid_argument", "params do not match"],
    ["SELECT 'open", "invalid_argument", "a string does not end (at character 8)"],
    ["SELECT 1 /* open", "invalid_argument", "a comment does not end"],
    ["SELECT * FROM appXdb.secrets", "denied", "no right"],
    ["SELECT trace FROM tracing", "denied", "read-only transaction"],
  ])("%s is %s", async (sql, code, message) => {
    const error = await faultOf(query(sql));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/mcp_ro|localhost|127\.0\.0\.1/);
  });

  it("a change that breaks a rule of the table is its words, and nothing is changed", async () => {
    await expect(
      execute("INSERT INTO customers (name) VALUES ('')", { dry_run: false }),
    ).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("named"),
    });
    await expect(execute("UPDATE orders SET total = 0")).rejects.toThrow("without a WHERE on a column");
    await expect(execute("DELETE FROM orders WHERE 1 = 1")).rejects.toThrow("without a WHERE on a column");
    expect((await execute("UPDATE orders SET total = 0", { confirm_all: true })).data).toEqual({
      rowcount: 2,
      committed: false,
    });
    await expect(
      mysql.call("mysql_execute", { database: "audit", sql: "DELETE FROM events WHERE id = 1", reason }),
    ).rejects.toThrow("invalid arguments");
  });
});

describe("attacks", () => {
  it.each(REFUSED)("S4: %s", async (sql, because) => {
    const error = await faultOf(query(sql));
    expect(error).toMatchObject({ message: expect.stringContaining(because) });
    expect((error as { code: string }).code).toBe("denied");
  });

  it.each(ACCEPTED)("is no attack: %s", async (sql) => {
    expect((await query(sql)).page?.returned).toBeGreaterThan(0);
  });

  it.each([
    ["TRUNCATE orders", "only one INSERT"],
    ["REPLACE INTO customers VALUES (1, 'x', NULL)", "only one INSERT"],
    ["DELETE FROM orders WHERE id = 1; DROP TABLE orders", "only one statement"],
    ["DELETE FROM orders WHERE id = SLEEP(1)", "sleep is not allowed"],
    ["UPDATE orders SET total = 0 WHERE id = @a", "variables are not allowed"],
    ["INSERT INTO log SELECT LOAD_FILE('/etc/passwd')", "load_file is not allowed"],
    ["DELETE FROM orders WHERE id = 1 RETURNING id", "RETURNING is not allowed"],
    ["INSERT INTO log SELECT line FROM log FOR UPDATE", "UPDATE is not allowed"],
    ["LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE log", "only one INSERT"],
    ["INSERT INTO log VALUES (1) /*! , (2) */", "a comment that the server would run"],
  ])("S4: as a change, %s", async (sql, because) => {
    await expect(execute(sql, { dry_run: false })).rejects.toThrow(because);
  });

  it("S4: the account that reads refuses all of this by itself", async () => {
    for (const sql of FORBIDDEN) {
      const error = await faultOf(sendAs(server, "mcp_ro_app_db", sql));
      expect(error, sql).toBeInstanceOf(Error);
      expect(String(error), sql).toMatch(/denied|privilege|not allowed/i);
    }
    const file = (await sendAs(
      server,
      "mcp_ro_app_db",
      `SELECT LOAD_FILE('${server.folder}/files/readable.txt') AS file`,
    )) as { file: unknown }[];
    expect(file).toEqual([{ file: null }]);
    expect(server.admin("SELECT COUNT(*) FROM app_db.log")).toBe("0");
  });

  it("S4: the account that writes changes rows of its database and nothing else", async () => {
    const mayWrite = /^(INSERT|UPDATE|DELETE FROM|REPLACE)/;
    for (const sql of [
      ...FORBIDDEN.filter((each) => !mayWrite.test(each) && !each.includes("NEXTVAL")),
      "INSERT INTO appXdb.secrets VALUES (2, 'x')",
      "DELETE FROM audit.events",
    ]) {
      const error = await faultOf(sendAs(server, "mcp_rw_app_db", sql));
      expect(String(error), sql).toMatch(/denied|privilege|not allowed/i);
    }
  });

  it("an account with more rights than the link is not used", async () => {
    const more = [
      "GRANT FILE ON *.*",
      "GRANT INSERT ON app_db.customers",
      "GRANT SELECT ON `app_db`.*",
      "GRANT SELECT ON audit.*",
      "GRANT EXECUTE ON FUNCTION app_db.leave_a_trace",
    ];
    for (const grant of more) {
      server.admin(`${grant} TO mcp_ro_app_db@'%'`);
      const fresh = openModule(tools, server.environment);
      await expect(fresh.call("mysql_query", { database: "app_db", sql: "SELECT 1" }), grant).rejects.toThrow(
        "more rights on the server than the link",
      );
      await applyAccounts(server, "mariadb", 1);
    }
    const fresh = openModule(tools, server.environment);
    expect((await fresh.call("mysql_query", { database: "app_db", sql: "SELECT 1" })).page?.returned).toBe(1);
  });

  it("S5: a wrong password is refused without naming anything", async () => {
    const wrong = openModule(tools, { ...server.environment, MCP_MYSQL_APP_DB_PASSWORD: "not-this-one" });
    const error = await faultOf(wrong.call("mysql_query", { database: "app_db", sql: "SELECT 1" }));
    expect(error).toMatchObject({
      code: "upstream_unavailable",
      message: expect.stringContaining("does not accept"),
    });
    expect(String(error) + JSON.stringify(error)).not.toMatch(/not-this-one|mcp_ro|of-the-account/);
  });
});

describe("TLS", () => {
  const ask = async (environment: Record<string, string>): Promise<unknown> =>
    await faultOf(
      openModule(tools, { ...server.environment, ...environment }).call("mysql_query", {
        database: "app_db",
        sql: "SELECT 1",
      }),
    );

  it("an authority that is not known, or another name, is refused; and so is a connection in the clear", async () => {
    const untrusted = { code: "upstream_unavailable", message: "no trusted TLS connection to the database" };
    expect(await ask({ MCP_MYSQL_CA_FILE: "" })).toMatchObject(untrusted);
    server.admin("SELECT 1");
    expect(await ask({ MCP_MYSQL_CA_FILE: "/nowhere/ca.crt" })).toMatchObject({
      code: "upstream_unavailable",
      message: "a file of this link cannot be read (ENOENT)",
    });
    expect(await ask({ MCP_MYSQL_TLS: "false" })).toMatchObject({
      code: "upstream_unavailable",
      message: expect.stringContaining("does not accept"),
    });
    expect(await ask({})).toMatchObject({ page: { returned: 1 } });
  });
});

describe("floods", () => {
  it("3 million rows: the limit is proved at once", async () => {
    const all = await query("SELECT * FROM flood", { limit: 1000 });
    expect(all.page).toEqual({ returned: 1000, total: null, next_cursor: null });
    expect(all.truncation).toMatchObject({ by: "rows", limit: 1000 });
    const exact = await query("SELECT * FROM flood LIMIT 1000", { limit: 1000 });
    expect(exact.truncation).toBeUndefined();
    const own = await query("SELECT * FROM flood LIMIT 2000000", { limit: 10 });
    expect(own.truncation).toMatchObject({ by: "rows", limit: 10 });
    const union = await query("(SELECT id FROM flood) UNION ALL (SELECT id FROM flood)", { limit: 10 });
    expect(union.truncation).toMatchObject({ by: "rows" });
  });

  it("nothing that was cut off runs on", async () => {
    await vi.waitFor(
      () =>
        expect(
          server.admin("SELECT COUNT(*) FROM information_schema.processlist WHERE user LIKE 'mcp%'"),
        ).toBe("0"),
      { timeout: 5000, interval: 100 },
    );
  });

  it("cells of a megabyte are cut, many of them are too large", async () => {
    const one = await query("SELECT id, blobs FROM wide WHERE id = 1");
    expect(one.truncation).toEqual({ by: "cells", limit: 2048 });
    expect(JSON.stringify(one.data).length).toBeLessThan(3000);
    await expect(query("SELECT blobs FROM wide")).rejects.toMatchObject({ code: "too_large" });
    await expect(query("SELECT REPEAT('x', 60000000)")).rejects.toMatchObject({ code: "too_large" });
    const bytes = await query("SELECT REPEAT('x', 1500) FROM flood LIMIT 1000", { limit: 1000 });
    expect(bytes.truncation).toMatchObject({ by: "bytes" });
  });

  it("a query that would never end ends in time, on the server too", async () => {
    const endless = "SELECT COUNT(*) FROM flood a JOIN flood b ON a.text LIKE CONCAT('%', b.text)";
    await expect(query(endless, { timeout_ms: 500 })).rejects.toMatchObject({ code: "timeout" });
    expect(
      server.admin(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%JOIN flood%' AND user LIKE 'mcp%'",
      ),
    ).toBe("0");
  });

  it("300 tables: pages hold every one once", async () => {
    const names = Array.from({ length: 300 }, (_, index) => `t${String(index).padStart(3, "0")}`);
    server.admin(names.map((name) => `CREATE TABLE audit.${name} (a INT);`).join("\n"));
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const args = { database: "audit", pattern: "t%", limit: 90, ...(cursor === null ? {} : { cursor }) };
      const result = await call("mysql_list_tables", args, 8000);
      for (const { name } of result.data as { name: string }[]) {
        expect(seen.has(name)).toBe(false);
        seen.add(name);
      }
      cursor = result.page?.next_cursor ?? null;
    } while (cursor !== null);
    expect(seen.size).toBe(300);
  });
});

describe("cancellation", () => {
  it("ends the call at once, and the statement on the server", async () => {
    const controller = new AbortController();
    const sql = "SELECT COUNT(*) FROM flood a JOIN flood b ON a.text LIKE CONCAT('%', b.text, '%')";
    const waiting = mysql.call(
      "mysql_query",
      { database: "app_db", sql, timeout_ms: 60_000 },
      controller.signal,
    );
    const running = (): string =>
      server.admin(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%JOIN flood%' AND user LIKE 'mcp%'",
      );
    await vi.waitFor(() => expect(running()).toBe("1"), { timeout: 10_000, interval: 100 });
    const started = performance.now();
    controller.abort(new Error("caller went away"));
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    expect(performance.now() - started).toBeLessThan(2000);
    await vi.waitFor(() => expect(running()).toBe("0"), { timeout: 5000, interval: 100 });
  });

  it("a change that is cancelled is not made", async () => {
    const controller = new AbortController();
    const sql = "UPDATE flood SET text = CONCAT(text, 'x') WHERE id > 0";
    const waiting = mysql.call(
      "mysql_execute",
      { database: "app_db", sql, expected_rows: 1_000_000, dry_run: false, reason },
      controller.signal,
    );
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await vi.waitFor(
      () => expect(server.admin("SELECT COUNT(*) FROM app_db.flood WHERE text LIKE '%x'")).toBe("0"),
      { timeout: 60_000, interval: 1000 },
    );
  });
});
