import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ToolFault } from "#runtime/fault";
import { settingsOf } from "#runtime/settings";
import type { AnyToolModule, ToolModule } from "#runtime/tool";
import { guardQuery } from "#runtime/postgresql/guard";
import { parseSql } from "#runtime/postgresql/parser";
import { faultOf } from "#runtime/postgresql/upstream";
import { guardChange } from "#runtime/postgresql/write-guard";
import { compileTools } from "../../generator/build/compile-tools.ts";
import { openModule } from "../../test/harness/module.ts";
import { LEGITIMATE, REFUSED } from "./statements.ts";
import { databases, link, tools, writable } from "./tools.ts";

const module = tools as unknown as ToolModule;

async function refusalOf(call: Promise<unknown>): Promise<ToolFault> {
  const fault: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(fault, "the call must be refused").toBeDefined();
  return fault as ToolFault;
}

describe("the query guard", () => {
  it("R17: has enough statements to mean something", () => {
    expect(new Set(REFUSED.map(([sql]) => sql)).size).toBeGreaterThanOrEqual(200);
    expect(new Set(LEGITIMATE).size).toBeGreaterThanOrEqual(50);
  });

  it.each(REFUSED)("R17: refuses %s", async (sql, because) => {
    const fault = await refusalOf(guardQuery(sql));
    expect(fault.message).toMatch(because);
    expect(["denied", "invalid_argument"]).toContain(fault.code);
  });

  it.each(LEGITIMATE)("accepts %s", async (sql) => {
    await expect(guardQuery(sql)).resolves.toMatchObject({
      kind: expect.stringMatching(/select|explain|show/),
    });
  });

  it("refuses anything that is not a text, as the driver takes objects", async () => {
    for (const sql of [{ text: "DELETE FROM items" }, null, undefined, 1, ["SELECT 1"]]) {
      expect((await refusalOf(guardQuery(sql))).code).toBe("invalid_argument");
    }
  });

  it("says where a syntax error is, in characters", async () => {
    expect((await refusalOf(guardQuery("SELECT 'é',\n  a b c"))).message).toBe(
      'syntax error at or near "c" (line 2, column 7)',
    );
  });

  it("keeps to the drawn schemas", async () => {
    await expect(guardQuery("SELECT * FROM sales.orders, items", ["sales"])).resolves.toBeDefined();
    const fault = await refusalOf(guardQuery("SELECT * FROM hr.salaries", ["sales"]));
    expect([fault.code, fault.message]).toEqual(["denied", "the schema hr is outside this link"]);
  });

  it("collects every name that the server must resolve", async () => {
    const { names } = await guardQuery(
      "SELECT f(a.b), (a).c, x::app.kind, 1 <-> 2, g.h() OVER w FROM a, LATERAL s(1) AS t(n evil) WHERE 1 === ANY (SELECT 2) WINDOW w AS (ORDER BY k USING <<<)",
    );
    expect(names.functions.map(({ schema, name }) => `${schema ?? ""}.${name}`).sort()).toEqual([
      ".f",
      ".s",
      "g.h",
    ]);
    expect(names.types.map(({ name }) => name).sort()).toEqual(["evil", "kind"]);
    expect([...names.operators].sort()).toEqual(["<->", "<<<", "==="]);
    expect([...names.columns].sort()).toEqual(["b", "c"]);
  });

  it("asks the server about SQL/JSON words that an older server takes for functions", async () => {
    const { names } = await guardQuery("SELECT json_scalar(1), JSON_VALUE('{}', '$.a')");
    expect(names.functions.map(({ name }) => name).sort()).toEqual(["json_query", "json_scalar"]);
  });

  it("survives the deepest statements that it lets through, again and again", async () => {
    const deep = [
      `SELECT 1${"+1".repeat(990)}`,
      `SELECT ${"(SELECT ".repeat(990)}1${")".repeat(990)}`,
      `SELECT ${"NOT ".repeat(990)}true`,
      `SELECT ${"f(".repeat(990)}1${")".repeat(990)}`,
      `SELECT ${"ARRAY[".repeat(990)}1${"]".repeat(990)}`,
    ];
    for (let round = 0; round < 40; round += 1) {
      for (const sql of deep)
        await parseSql(sql).catch((error: ToolFault) => expect(error.code).toBe("invalid_argument"));
    }
    await expect(parseSql("SELECT a FROM b WHERE c = 1")).resolves.toHaveLength(1);
  });
});

describe("the change guard", () => {
  const accepted = [
    "INSERT INTO items (name) VALUES ('a'), (DEFAULT)",
    "INSERT INTO items (name) SELECT name FROM parts ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name",
    "UPDATE items SET price = price * 1.1 WHERE id = 3",
    "UPDATE items i SET (name, price) = (SELECT name, 1) FROM parts p WHERE p.item_id = i.id",
    "DELETE FROM items USING parts WHERE parts.item_id = items.id",
    "WITH old AS (SELECT id FROM items WHERE made < now()) DELETE FROM items WHERE id IN (SELECT id FROM old)",
  ];
  it.each(accepted)("accepts %s", async (sql) => {
    await expect(guardChange(sql, [], false)).resolves.toBeDefined();
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["DELETE FROM items", /a DELETE without a WHERE/],
    ["UPDATE items SET name = 'a'", /an UPDATE without a WHERE/],
    ["DELETE FROM items WHERE true", /without a WHERE on a column/],
    ["UPDATE items SET name = 'a' WHERE 1 = 1", /without a WHERE on a column/],
    ["DELETE FROM items WHERE EXISTS (SELECT 1)", /without a WHERE on a column/],
    ["SELECT 1", /only one INSERT, UPDATE or DELETE/],
    ["TRUNCATE items", /only one INSERT, UPDATE or DELETE/],
    ["DROP TABLE items", /only one INSERT, UPDATE or DELETE/],
    ["MERGE INTO items i USING parts p ON i.id = p.id WHEN MATCHED THEN DELETE", /only one INSERT/],
    ["DELETE FROM items WHERE id = 1; DELETE FROM parts", /one statement is allowed/],
    [
      "WITH x AS (DELETE FROM parts RETURNING id) DELETE FROM items WHERE id IN (SELECT id FROM x)",
      /delete statement is not allowed/,
    ],
    ["INSERT INTO items (name) VALUES (pg_read_file('/etc/passwd'))", /may not be called/],
    ["UPDATE items SET name = pg_sleep(1)::text WHERE id = 1", /may not be called/],
    ["DELETE FROM pg_catalog.pg_class WHERE oid = 1", /system table/],
    ["UPDATE pg_authid SET rolsuper = true WHERE rolname = 'a'", /system table/],
    ["INSERT INTO items (name) SELECT usename FROM pg_shadow", /not readable/],
    ["DELETE FROM items WHERE id = 1 RETURNING *", /RETURNING is not allowed/],
    ["DELETE FROM hr.salaries WHERE id = 1", /outside this link/],
    ["DELETE FROM items WHERE CURRENT OF c", /not allowed here/],
    ["COPY items FROM STDIN", /only one INSERT/],
  ];
  it.each(refused)("refuses %s", async (sql, because) => {
    expect((await refusalOf(guardChange(sql, ["public"], false))).message).toMatch(because);
  });

  it("lets confirm_all stand in for a WHERE, and for nothing else", async () => {
    await expect(guardChange("DELETE FROM items", [], true)).resolves.toMatchObject({ verb: "DELETE" });
    await refusalOf(guardChange("TRUNCATE items", [], true));
  });
});

describe("the module", () => {
  it("S32: has the tools of the source, in their order", () => {
    expect(module.tools.map(({ name }) => name)).toEqual([
      "pg_list_databases",
      "pg_list_tables",
      "pg_describe_table",
      "pg_table_stats",
      "pg_query",
      "pg_health",
      "pg_execute",
    ]);
  });

  it("S4: closes every list of databases and takes no host, account or address", () => {
    for (const { name, inputSchema } of module.tools) {
      const properties = inputSchema["properties"] as Record<string, { enum?: readonly string[] }>;
      expect(inputSchema["additionalProperties"], name).toBe(false);
      expect(
        Object.keys(properties).filter((key) => /host|url|port|user|password|token|dsn/.test(key)),
      ).toEqual([]);
      if (name === "pg_list_databases") continue;
      expect(properties["database"]?.enum).toEqual(
        name === "pg_execute" ? writable : databases.map((database) => database.name),
      );
    }
  });

  it("P7: says when to use a tool, within 600 characters", () => {
    for (const { description } of module.tools) {
      expect(description).toMatch(/^Use /);
      expect(description.length).toBeLessThanOrEqual(600);
    }
  });

  it("S10: has one write tool, and no read tool speaks of it", () => {
    expect(module.tools.filter(({ effect }) => effect !== "read").map(({ name }) => name)).toEqual([
      "pg_execute",
    ]);
    for (const { effect, description } of module.tools)
      if (effect === "read") expect(description).not.toContain("execute");
  });

  it("S10: keeps code that can write out of the copied files", () => {
    const files = [
      "session",
      "statement",
      "watch",
      "rows",
      "query",
      "names",
      "catalog",
      "health",
      "write-guard",
    ];
    for (const file of files) {
      const source = readFileSync(new URL(`runtime/${file}.ts`, import.meta.url), "utf8");
      expect(source, file).not.toMatch(/READ WRITE|COMMIT|mcp_rw_/);
    }
  });

  it("S10: without its write tool the source has no trace of writing", () => {
    const path = "templates/postgresql/tools.ts";
    const { pieces } = compileTools(path, readFileSync(new URL("tools.ts", import.meta.url), "utf8"), "pg");
    const sourceWith = (writes: boolean): string =>
      pieces
        .filter(({ needs }) => writes || needs === undefined)
        .map(({ text, name, slot }) => text ?? name ?? slot)
        .join("");
    const traces = [
      "_execute",
      "READ WRITE",
      "COMMIT",
      "WRITER",
      "RW_",
      "guardChange",
      "write-guard",
      "borrow",
      "dry_run",
    ];
    for (const trace of traces) {
      expect(sourceWith(true), trace).toContain(trace);
      expect(sourceWith(false), trace).not.toContain(trace);
    }
  });

  it("S5: names the missing variable, and nothing else, when there is no password", async () => {
    const opened = openModule(tools, { MCP_CNPG_SSLMODE: "disable" });
    const fault = await refusalOf(opened.call("pg_query", { database: "app_db", sql: "SELECT 1" }));
    expect([fault.code, fault.hint]).toEqual(["upstream_unavailable", "set MCP_CNPG_APP_DB_PASSWORD"]);
    await opened.close();
  });

  it("stops the start for a TLS mode that would not verify", () => {
    for (const mode of ["require", "prefer", "allow", "true"]) {
      const settings = settingsOf(link, { MCP_CNPG_SSLMODE: mode }, () => undefined);
      expect(() => (tools as unknown as ToolModule).open(settings)).toThrow(
        "MCP_CNPG_SSLMODE must be one of verify-full, verify-ca, disable",
      );
    }
  });

  it("refuses a database that is not drawn, and one not drawn for writing", async () => {
    const opened = openModule(tools as AnyToolModule, {});
    await expect(opened.call("pg_query", { database: "postgres", sql: "SELECT 1" })).rejects.toThrow(
      "invalid arguments",
    );
    await expect(
      opened.call("pg_execute", { database: "audit_db", sql: "SELECT 1", reason: "a good reason" }),
    ).rejects.toThrow("invalid arguments");
    await opened.close();
  });

  it("answers a server that is not there without its address", async () => {
    const opened = openModule(tools, {
      MCP_CNPG_SSLMODE: "disable",
      MCP_CNPG_PORT: "1",
      MCP_CNPG_APP_DB_PASSWORD: "x",
    });
    const fault = await refusalOf(opened.call("pg_query", { database: "app_db", sql: "SELECT 1" }));
    expect(fault.code).toBe("upstream_unavailable");
    expect(`${fault.message} ${fault.hint ?? ""}`).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|mcp_ro/);
    await opened.close();
  });
});

describe("errors of the server", () => {
  const errors: readonly (readonly [string, string])[] = [
    ["42501", "denied"],
    ["25006", "denied"],
    ["57014", "timeout"],
    ["55P03", "timeout"],
    ["42P01", "not_found"],
    ["42703", "invalid_argument"],
    ["22012", "invalid_argument"],
    ["23505", "invalid_argument"],
    ["53300", "busy"],
    ["53400", "too_large"],
    ["53200", "too_large"],
    ["28P01", "upstream_unavailable"],
    ["3D000", "upstream_unavailable"],
    ["57P01", "upstream_unavailable"],
  ];
  it.each(errors)("%s is %s", (state, code) => {
    const error = Object.assign(new Error('password authentication failed for user "mcp_ro_app_db"'), {
      code: state,
      severity: "ERROR",
    });
    const fault = faultOf(error);
    expect(fault.code).toBe(code);
    if (code === "upstream_unavailable") expect(fault.message).not.toContain("mcp_ro_app_db");
  });
});
