import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ToolFault } from "#runtime/fault";
import type { ToolResult } from "#runtime/tool";
import { settingsOf } from "#runtime/settings";
import { readRows } from "#runtime/postgresql/rows";
import { borrow, closePostgres, openPostgres } from "#runtime/postgresql/session";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { administrator, applyRole, signIn, wireTo, WRITER_FORBIDDEN } from "./live.ts";
import type { Account, Wire } from "./live.ts";
import { LEGITIMATE, REFUSED } from "./statements.ts";
import { databases, link, tools } from "./tools.ts";

const READER: Account = {
  role: "mcp_ro_app_db",
  database: "app_db",
  schemas: ["public"],
  owner: "app_user",
  writes: false,
};
const WRITER: Account = { ...READER, role: "mcp_rw_app_db", writes: true };
const AUDITOR: Account = {
  ...READER,
  role: "mcp_ro_audit_db",
  database: "audit",
  schemas: ["public", "sales"],
  owner: null,
};
const PASSWORDS = { reader: "read:er';\"$1", writer: "writer", auditor: "auditor" };

let live: LiveServer;
let wire: Wire;
let admin: Client;
let opened: OpenModule;
let environment: Record<string, string>;
const ending: (() => Promise<void>)[] = [];

beforeAll(async () => {
  live = await startLive("postgresql");
  ending.push(live.stop);
  const root = await administrator(live.port);
  await root.query("CREATE ROLE app_user");
  await root.query("CREATE DATABASE app_db OWNER app_user");
  await root.query("CREATE DATABASE audit");
  await root.end();
  admin = await administrator(live.port, "app_db");
  ending.push(async () => await admin.end());
  await admin.query(readFileSync(new URL("live-fixture.sql", import.meta.url), "utf8"));
  const audit = await administrator(live.port, "audit");
  await audit.query(
    "CREATE SCHEMA sales; CREATE SCHEMA hr; CREATE TABLE sales.orders (id int); CREATE TABLE hr.salaries (id int); GRANT USAGE ON SCHEMA hr TO PUBLIC; GRANT SELECT ON hr.salaries TO PUBLIC",
  );
  await audit.end();
  applyRole(live.port, READER, PASSWORDS.reader);
  applyRole(live.port, READER, PASSWORDS.reader);
  applyRole(live.port, WRITER, PASSWORDS.writer);
  applyRole(live.port, AUDITOR, PASSWORDS.auditor);
  await admin.query("REVOKE ALL ON hidden FROM mcp_ro_app_db, mcp_rw_app_db");
  await admin.query("ANALYZE");
  wire = await wireTo(live.port);
  ending.push(wire.close);
  environment = {
    MCP_CNPG_PORT: String(wire.port),
    MCP_CNPG_SSLMODE: "disable",
    MCP_CNPG_APP_DB_PASSWORD: PASSWORDS.reader,
    MCP_CNPG_APP_DB_RW_PASSWORD: PASSWORDS.writer,
    MCP_CNPG_AUDIT_DB_PASSWORD: PASSWORDS.auditor,
  };
  opened = openModule(tools, environment);
  ending.push(opened.close);
});

afterAll(async () => {
  for (const end of ending.reverse()) await end();
});

interface Table {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

async function query(
  sql: string,
  more: Record<string, unknown> = {},
  signal?: AbortSignal,
): Promise<ToolResult & { data: Table }> {
  const result = await opened.call("pg_query", { database: "app_db", sql, ...more }, signal);
  return { ...result, data: result.data as Table };
}

async function faultOf(call: Promise<unknown>): Promise<ToolFault> {
  const fault: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(fault, "the call must fail").toBeDefined();
  return fault as ToolFault;
}

async function one(sql: string): Promise<Record<string, unknown>> {
  return ((await admin.query<Record<string, unknown>>(sql)).rows[0] ?? {}) as Record<string, unknown>;
}

const CONTENT = ["items", "parts", "big", "hidden", "totals"].map(
  (table) => `(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t) AS ${table}`,
);

/** Everything that outlives a statement: rows, sequences, objects, roles, settings, large objects. */
async function stored(): Promise<Record<string, unknown>> {
  return await one(`SELECT ${CONTENT.join(", ")},
    (SELECT string_agg(sequencename || last_value, ',' ORDER BY sequencename) FROM pg_sequences) AS sequences,
    (SELECT md5(string_agg(oid || relname || relnamespace || coalesce(relacl::text, ''), ',' ORDER BY oid)) FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace) AS relations,
    (SELECT md5(string_agg(oid || proname || coalesce(proacl::text, ''), ',' ORDER BY oid)) FROM pg_proc) AS functions,
    (SELECT md5(string_agg(a::text, ',' ORDER BY oid)) FROM pg_authid a) AS roles,
    (SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) FROM pg_db_role_setting s) AS role_settings,
    (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
    (SELECT count(*) FROM pg_replication_slots) AS slots`);
}

async function activity(): Promise<Record<string, unknown>> {
  return await one(`SELECT count(*) FILTER (WHERE state = 'active')::int AS active,
    count(*) FILTER (WHERE state LIKE 'idle in%')::int AS open,
    (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS advisory
    FROM pg_stat_activity WHERE usename LIKE 'mcp_%'`);
}

/** A backend that was told to stop needs a moment to be gone. */
async function quiet(): Promise<void> {
  await expect.poll(activity, { timeout: 5000 }).toEqual({ active: 0, open: 0, advisory: 0 });
}

async function sessionState(): Promise<Record<string, unknown>> {
  const { data } = await query("SELECT * FROM session_state");
  return Object.fromEntries(data.columns.map(({ name }, index) => [name, data.rows[0]?.[index]]));
}

describe("the account", () => {
  it("S5: can read what was granted and nothing else, whatever is sent", async () => {
    const client = openPostgres(
      link,
      settingsOf(link, environment, () => undefined),
      databases,
    );
    const [database] = databases;
    if (database === undefined) throw new Error("no database");
    const forbidden = [
      "INSERT INTO items (name) VALUES ('a')",
      "CREATE TABLE pwned ()",
      "CREATE TEMP TABLE pwned ()",
      "SELECT * FROM hidden",
      "CREATE SCHEMA pwned",
      "COPY items TO PROGRAM 'id'",
      "SELECT pg_read_file('PG_VERSION')",
    ];
    for (const sql of forbidden) {
      const role = { infix: "", prefix: "mcp_ro_" };
      const limits = { signal: new AbortController().signal, timeoutMs: 5000 };
      const fault = await faultOf(
        borrow(client, database, role, limits, async (connection) => {
          await connection.query("SET default_transaction_read_only = off");
          return await connection.query(sql);
        }),
      );
      expect(fault.code, sql).toBe("denied");
    }
    await closePostgres(client);
  });

  it("S5: is what the commands of the emitted README make, and the writer changes rows and nothing else", async () => {
    const NAME = 'it\'s a "db"';
    await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(NAME)}`);
    const inside = await administrator(live.port, NAME);
    await inside.query(
      "CREATE TABLE notes (id int); CREATE SCHEMA private; CREATE TABLE private.payroll (id int)",
    );
    const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components:
  store: {type: postgresql, host: 127.0.0.1, port: ${live.port}, databases: {notes: {database: ${JSON.stringify(NAME)}}}}
links: {mcp: {store: write}}
`);
    const passwords = {
      MCP_STORE_NOTES_PASSWORD: PASSWORDS.reader,
      MCP_STORE_NOTES_RW_PASSWORD: PASSWORDS.writer,
    };
    principals.apply("store", { PGUSER: "postgres", PGPASSWORD: "postgres", ...passwords });
    principals.remove();
    const writer = await signIn(live.port, "mcp_rw_notes", PASSWORDS.writer, NAME);
    await writer.query(
      "INSERT INTO notes VALUES (1); UPDATE notes SET id = 2; DELETE FROM notes WHERE id = 3",
    );
    for (const sql of WRITER_FORBIDDEN)
      await expect(writer.query(sql), sql).rejects.toMatchObject({ code: "42501" });
    await writer.end();
    const reader = await signIn(live.port, "mcp_ro_notes", PASSWORDS.reader, NAME);
    expect((await reader.query("SELECT id FROM notes")).rows).toEqual([{ id: 2 }]);
    await reader.query("SET default_transaction_read_only = off");
    for (const sql of ["INSERT INTO notes VALUES (1)", "UPDATE notes SET id = 1", ...WRITER_FORBIDDEN])
      await expect(reader.query(sql), sql).rejects.toMatchObject({ code: "42501" });
    await reader.end();
    await inside.end();
  });

  it("S37: finds nothing granted to it in another database of the server", async () => {
    const elsewhere = await signIn(live.port, READER.role, PASSWORDS.reader, "audit");
    await elsewhere.query("SET default_transaction_read_only = off");
    for (const table of ["sales.orders", "pg_authid"])
      await expect(elsewhere.query(`SELECT * FROM ${table}`), table).rejects.toMatchObject({ code: "42501" });
    await expect(elsewhere.query("CREATE TABLE public.pwned ()")).rejects.toMatchObject({ code: "42501" });
    await elsewhere.end();
  });

  it("refuses to read with an account that could write", async () => {
    const grants = [
      "GRANT UPDATE ON items TO mcp_ro_app_db",
      "GRANT pg_read_all_data TO mcp_ro_app_db",
      "GRANT CREATE ON SCHEMA public TO mcp_ro_app_db",
      "ALTER ROLE mcp_ro_app_db CREATEROLE",
    ];
    const revokes = [
      "REVOKE UPDATE ON items FROM mcp_ro_app_db",
      "REVOKE pg_read_all_data FROM mcp_ro_app_db",
      "REVOKE CREATE ON SCHEMA public FROM mcp_ro_app_db",
      "ALTER ROLE mcp_ro_app_db NOCREATEROLE",
    ];
    for (const [index, grant] of grants.entries()) {
      await admin.query(grant);
      const fresh = openModule(tools, environment);
      const fault = await faultOf(fresh.call("pg_query", { database: "app_db", sql: "SELECT 1" }));
      expect([fault.code, fault.message], grant).toEqual([
        "denied",
        expect.stringMatching(/^the account of this link (may|is)/),
      ]);
      await fresh.close();
      await admin.query(revokes[index] ?? "");
    }
  });

  it("says that the account is wrong without naming it", async () => {
    const fresh = openModule(tools, { ...environment, MCP_CNPG_APP_DB_PASSWORD: "wrong" });
    const fault = await faultOf(fresh.call("pg_query", { database: "app_db", sql: "SELECT 1" }));
    expect(fault.code).toBe("upstream_unavailable");
    expect(`${fault.message} ${fault.hint}`).not.toMatch(/mcp_ro|127\.0\.0\.1/);
    await fresh.close();
  });

  it("refuses a certificate that it has no reason to trust", async () => {
    const verified = { ...environment, MCP_CNPG_PORT: String(live.port), MCP_CNPG_SSLMODE: "" };
    const fresh = openModule(tools, verified);
    const fault = await faultOf(fresh.call("pg_query", { database: "app_db", sql: "SELECT 1" }));
    expect([fault.code, fault.message]).toEqual([
      "upstream_unavailable",
      "no trusted TLS connection to the database",
    ]);
    await fresh.close();
    const other = openModule(tools, {
      ...verified,
      MCP_CNPG_CA_FILE: join(live.folder, "server.crt"),
      MCP_CNPG_HOST: "localhost",
    });
    expect(
      (await faultOf(other.call("pg_query", { database: "app_db", sql: "SELECT 1" }))).message,
    ).toContain("no trusted TLS");
    await other.close();
  });

  it("works over TLS, the byte limit and cancellation included", async () => {
    const secure = {
      ...environment,
      MCP_CNPG_PORT: String(live.port),
      MCP_CNPG_SSLMODE: "verify-full",
      MCP_CNPG_CA_FILE: join(live.folder, "server.crt"),
    };
    const fresh = openModule(tools, secure);
    const call = async (sql: string, signal?: AbortSignal): Promise<ToolResult> =>
      await fresh.call("pg_query", { database: "app_db", sql }, signal);
    expect((await call("SELECT ssl FROM session_tls")).data).toMatchObject({ rows: [[true]] });
    expect((await faultOf(call("SELECT repeat('x', 50000000)"))).code).toBe("too_large");
    const controller = new AbortController();
    const long = faultOf(call("SELECT count(*) FROM big a, big b", controller.signal));
    await expect.poll(async () => (await activity())["active"]).toBe(1);
    controller.abort();
    expect((await long).code).toBe("cancelled");
    await quiet();
    await fresh.close();
  });
});

describe("the reading tools", () => {
  it("S32: list the databases, by their drawn names", async () => {
    const { data, warnings } = await opened.call("pg_list_databases");
    expect(data).toEqual([
      { database: "app_db", owner: "app_user", size_bytes: expect.any(Number), consumers: ["fastapi"] },
      { database: "audit_db", owner: "postgres", size_bytes: expect.any(Number), consumers: [] },
    ]);
    expect(warnings).toEqual([]);
  });

  it("list tables in pages, only readable ones of reachable schemas", async () => {
    const first = await opened.call("pg_list_tables", { database: "app_db", limit: 2 });
    expect(first.data).toMatchObject([
      { schema: "public", name: "big", kind: "table", est_rows: 100_000, comment: null },
      { name: "items", comment: "things that are sold" },
    ]);
    expect(first.truncation).toEqual({ by: "rows", limit: 2 });
    const second = await opened.call("pg_list_tables", {
      database: "app_db",
      limit: 2,
      cursor: first.page?.next_cursor,
    });
    expect(second.data).toMatchObject([{ name: "parts" }]);
    expect(second.page?.next_cursor).toBeNull();
    expect(
      (
        await faultOf(
          opened.call("pg_list_tables", { database: "app_db", kind: "all", cursor: first.page?.next_cursor }),
        )
      ).code,
    ).toBe("invalid_argument");
    const views = await opened.call("pg_list_tables", { database: "app_db", kind: "view", pattern: "ch%" });
    expect(views.data).toMatchObject([{ name: "cheap", kind: "view" }]);
    expect((await opened.call("pg_list_tables", { database: "audit_db" })).data).toMatchObject([
      { schema: "sales", name: "orders" },
    ]);
  });

  it("describe a table and a view", async () => {
    const { data } = await opened.call("pg_describe_table", {
      database: "app_db",
      table: "parts",
      detail: "full",
    });
    expect(data).toMatchObject({
      columns: [
        { name: "id", type: "integer", nullable: false },
        { name: "item_id" },
        { name: "weight", type: "double precision", nullable: true },
      ],
      primary_key: ["id"],
      foreign_keys: [{ columns: ["item_id"], definition: expect.stringContaining("REFERENCES items(id)") }],
      indexes: [{ name: "parts_item", unique: false, valid: true }, { name: "parts_pkey" }],
      triggers: [],
    });
    const items = await opened.call("pg_describe_table", {
      database: "app_db",
      table: "items",
      detail: "full",
    });
    expect(items.data).toMatchObject({
      comment: "things that are sold",
      constraints: [{ kind: "check" }, { kind: "unique" }],
      columns: expect.arrayContaining([
        expect.objectContaining({
          name: "status",
          type: "order_status",
          default: expect.stringContaining("new"),
        }),
      ]),
    });
    const view = await opened.call("pg_describe_table", {
      database: "app_db",
      table: "cheap",
      detail: "full",
    });
    expect(view.data).toMatchObject({ definition: expect.stringContaining("price < ") });
    for (const table of ["nothing", "hidden"]) {
      expect((await faultOf(opened.call("pg_describe_table", { database: "app_db", table }))).code).toBe(
        "not_found",
      );
    }
    expect(
      (
        await faultOf(
          opened.call("pg_describe_table", { database: "audit_db", schema: "hr", table: "salaries" }),
        )
      ).code,
    ).toBe("not_found");
  });

  it("give table statistics in every order", async () => {
    for (const order_by of ["dead_rows", "size", "seq_scan", "last_vacuum"]) {
      const { data, page } = await opened.call("pg_table_stats", { database: "app_db", order_by, limit: 2 });
      expect(page).toMatchObject({ returned: 2 });
      expect(data).toMatchObject([{ total_bytes: expect.any(Number) }, { dead_percent: expect.any(Number) }]);
    }
    const bySize = await opened.call("pg_table_stats", { database: "app_db", order_by: "size" });
    expect(bySize.data).toMatchObject(expect.arrayContaining([expect.objectContaining({ name: "items" })]));
    expect((bySize.data as readonly unknown[])[0]).toMatchObject({
      name: "big",
      last_analyze: expect.stringMatching(/^\d{4}-/),
    });
  });

  it("judge health from what the server really shows", async () => {
    const blocker = await administrator(live.port, "app_db");
    const waiter = await administrator(live.port, "app_db");
    await admin.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'parts_item'::regclass");
    await blocker.query("BEGIN; LOCK TABLE parts IN ACCESS EXCLUSIVE MODE");
    const waiting = waiter.query("SELECT count(*) FROM parts");
    await expect
      .poll(() => one("SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted"))
      .toEqual({ n: 1 });
    const { data, warnings } = await opened.call("pg_health", { database: "app_db" });
    const { findings } = data as {
      findings: readonly { check: string; severity: string; message: string }[];
    };
    await blocker.query("ROLLBACK");
    await waiting;
    await Promise.all([
      blocker.end(),
      waiter.end(),
      admin.query("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'parts_item'::regclass"),
    ]);
    const of = (check: string): unknown => findings.filter((finding) => finding.check === check);
    expect(of("locks")).toEqual([
      {
        check: "locks",
        severity: "warning",
        message: expect.stringMatching(/waits \d+ s for AccessShareLock on parts, blocked by \d+/),
      },
    ]);
    expect(of("invalid_indexes")).toEqual([
      {
        check: "invalid_indexes",
        severity: "warning",
        message: "the index parts_item is invalid and is not used",
      },
    ]);
    expect(of("sequences")).toEqual([
      { check: "sequences", severity: "critical", message: "public.nearly_over has used 97 % of its values" },
    ]);
    expect(of("connections")).toMatchObject([
      { severity: "ok", message: expect.stringMatching(/of 40 connections/) },
    ]);
    expect(new Set(findings.map(({ check }) => check)).size).toBe(8);
    expect(warnings).toEqual([expect.stringContaining("hidden")]);
    expect((await opened.call("pg_health", { database: "app_db", checks: ["cache"] })).data).toMatchObject({
      findings: [{ check: "cache" }],
    });
  });
});

describe("queries", () => {
  it.each(LEGITIMATE)("answers %s", async (sql) => {
    const { data } = await query(sql);
    expect(data.columns.length).toBeGreaterThan(0);
    expect(data.columns.every(({ type }) => type !== "unknown")).toBe(true);
  });

  it("answers functions and operators of extensions that only compute", async () => {
    const { data } = await query(
      "SELECT similarity('abc', 'abd') > 0.1, 'abc' % 'abd', encode(digest('a', 'sha256'), 'hex'), ('a=>1'::hstore) -> 'a', crypt('a', '$1$abc') IS NOT NULL",
    );
    expect(data.rows[0]?.slice(3)).toEqual(["1", true]);
  });

  it("gives values as JSON that loses nothing", async () => {
    const { data } = await query(
      "SELECT 1::int2, 2::int8, 9007199254740993::int8, 1.50::numeric, 0.5::float8, 'NaN'::float8, true, NULL, 'é', '{\"a\":[1]}'::jsonb, '{\"a\":12345678901234567890}'::json, '2026-01-02'::date, '\\xff'::bytea, ARRAY[1,2], 'new'::order_status",
    );
    expect(data.rows).toEqual([
      [
        1,
        2,
        "9007199254740993",
        "1.50",
        0.5,
        "NaN",
        true,
        null,
        "é",
        { a: [1] },
        '{"a":12345678901234567890}',
        "2026-01-02",
        "\\xff",
        "{1,2}",
        "new",
      ],
    ]);
    expect(data.columns.map(({ type }) => type)).toEqual([
      "smallint",
      "bigint",
      "bigint",
      "numeric",
      "double precision",
      "double precision",
      "boolean",
      "text",
      "text",
      "jsonb",
      "json",
      "date",
      "bytea",
      "integer[]",
      "order_status",
    ]);
  });

  it("binds parameters as values, never as SQL", async () => {
    const { data } = await query(
      "SELECT $1::text, $2::int, $3::bool, $4::text, name FROM items WHERE name = $5",
      { params: ["'; DROP TABLE items; --", 5, true, null, "item 3"] },
    );
    expect(data.rows).toEqual([["'; DROP TABLE items; --", 5, true, null, "item 3"]]);
    expect((await query("SELECT $1::text", { params: ["x"], explain: "plan" })).data.columns).toEqual([
      { name: "QUERY PLAN", type: "text" },
    ]);
    expect((await faultOf(query("SELECT $1::text", { params: ["a\0b"] }))).code).toBe("invalid_argument");
    expect((await faultOf(query("SELECT $1::int", { params: ["abc"] }))).code).toBe("invalid_argument");
  });

  it("explains without running, and runs when asked to", async () => {
    const plan = await query("SELECT * FROM items WHERE id = 1", { explain: "plan" });
    expect(String(plan.data.rows)).toMatch(/cost=/);
    expect(String(plan.data.rows)).not.toMatch(/actual/);
    expect(
      String((await query("SELECT * FROM items WHERE id = 1;", { explain: "analyze" })).data.rows),
    ).toMatch(/actual/);
    expect((await faultOf(query("SHOW server_version", { explain: "plan" }))).code).toBe("invalid_argument");
  });

  it("says what is wrong and where", async () => {
    const missing = await faultOf(query("SELECT 1 FROM\n  nothing"));
    expect([missing.code, missing.message]).toEqual([
      "not_found",
      'relation "nothing" does not exist (line 2, column 3)',
    ]);
    const column = await faultOf(query("SELECT colour FROM items", { explain: "plan" }));
    expect([column.code, column.message]).toEqual([
      "invalid_argument",
      'column "colour" does not exist (line 1, column 8)',
    ]);
    expect((await faultOf(query("SELECT * FROM hidden"))).code).toBe("denied");
    expect((await faultOf(query("SELECT 1 / 0"))).message).toBe("division by zero");
    expect((await faultOf(query("SELECT nothing(1)"))).code).toBe("invalid_argument");
  });

  it("keeps unqualified names to the drawn schemas", async () => {
    expect((await query("SELECT count(*) FROM orders", { database: "audit_db" })).data.rows).toEqual([[0]]);
    expect((await faultOf(query("SELECT * FROM hr.salaries", { database: "audit_db" }))).code).toBe("denied");
  });
});

describe("attacks", () => {
  /** What needs the server to be seen: things that an owner has made. */
  const FIXTURES = [
    "SELECT definer_read()",
    "SELECT public.definer_read()",
    "SELECT * FROM definer_read()",
    "SELECT definer_write()",
    "SELECT quiet_write()",
    "SELECT i.of_row FROM items i",
    "SELECT (i).of_row FROM items i",
    "SELECT of_row(i) FROM items i",
    "SELECT initcap('a'::varchar)",
    "SELECT json_scalar(1)",
    "SELECT 1 <+> 2",
    "SELECT 1 <+> ANY (SELECT 2)",
    "SELECT evil_sum(id) FROM items",
    "SELECT evil_sum(id) OVER () FROM items",
    "SELECT 'a'::evil_domain",
    "SELECT CAST('a' AS public.evil_domain)",
    "SELECT evil_domain('a')",
    "SELECT * FROM json_to_record('{}') AS x(a evil_domain)",
    "SELECT * FROM writing_view",
    "SELECT normal_rand(1, 1, 1)",
    "SELECT connectby('a', 'b', 'c', 'd', 1)",
    "SELECT dblink_get_connections()",
    "SELECT 1 FROM items ORDER BY quiet_write()",
    "SELECT EXISTS (SELECT definer_read())",
    "EXPLAIN SELECT quiet_write()",
    "SELECT gen_random_bytes(1), pg_nextoid('pg_class', 'oid', 'a')",
    "SELECT currtid2('items', '(0,1)')",
    "SELECT pg_get_multixact_members('1')",
    "SELECT has_table_privilege('items', 'SELECT'), pg_lock_status()",
  ];

  it("R17: over the tool, all are refused and nothing is left behind", async () => {
    await query("SELECT 1");
    const [before, session] = [await stored(), await sessionState()];
    const refusals = new Map<string, string>();
    for (const sql of [...REFUSED.map(([attack]) => attack), ...FIXTURES]) {
      for (const explain of ["none", "analyze"]) {
        const fault = await faultOf(query(sql, { explain }).catch((error: unknown) => Promise.reject(error)));
        if (fault.name === "ToolFault") refusals.set(sql, fault.code);
      }
    }
    const empty = REFUSED.filter(([sql]) => sql.length > 20_000).map(([sql]) => sql);
    expect(refusals.size).toBe(new Set([...REFUSED.map(([sql]) => sql), ...FIXTURES]).size - empty.length);
    expect([...new Set(refusals.values())].sort()).toEqual(["denied", "invalid_argument"]);
    await quiet();
    expect(await stored()).toEqual(before);
    const { memory: memoryBefore, ...stateBefore } = session;
    const { memory: memoryAfter, ...stateAfter } = await sessionState();
    expect(stateAfter).toEqual(stateBefore);
    expect(stateBefore).toMatchObject({
      prepared: 0,
      channels: 0,
      advisory_locks: 0,
      cursors: 0,
      temporary_tables: 0,
    });
    expect(Number(memoryAfter)).toBeLessThan(Number(memoryBefore) + 1_000_000);
  }, 300_000);

  it("R17: the same session serves legitimate queries unchanged for a long time", async () => {
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round += 1) for (const sql of LEGITIMATE) await query(sql);
    };
    await rounds(1);
    const { memory: before, ...state } = await sessionState();
    await rounds(5);
    const { memory: after, ...same } = await sessionState();
    expect(same).toEqual(state);
    expect(Number(after)).toBeLessThan(Number(before) * 1.2);
  });

  it("F10: a COPY that reached the driver fails its call, not the process", async () => {
    const client = openPostgres(
      link,
      settingsOf(link, environment, () => undefined),
      databases,
    );
    const [database] = databases;
    if (database === undefined) throw new Error("no database");
    const limits = { signal: new AbortController().signal, timeoutMs: 5000 };
    for (const copy of [
      "COPY items TO STDOUT",
      "COPY (SELECT * FROM big) TO STDOUT",
      "COPY items FROM STDIN",
    ]) {
      const role = { infix: "RW_", prefix: "mcp_rw_" };
      const fault = await faultOf(
        borrow(
          client,
          database,
          role,
          limits,
          async (connection) => await readRows(connection, copy, [], 10),
        ),
      );
      expect([fault.code, fault.message]).toEqual(["denied", "COPY is not a query"]);
    }
    expect((await query("SELECT 1")).data.rows).toEqual([[1]]);
    await closePostgres(client);
    await quiet();
  });

  it("leaves a clean session even when a call poisons it below the guard", async () => {
    const client = openPostgres(
      link,
      settingsOf(link, environment, () => undefined),
      databases,
    );
    const [database] = databases;
    if (database === undefined) throw new Error("no database");
    const role = { infix: "", prefix: "mcp_ro_" };
    const limits = { signal: new AbortController().signal, timeoutMs: 5000 };
    const state = async (): Promise<unknown> =>
      await borrow(client, database, role, limits, async (connection) => {
        const { rows } = await connection.query(
          "SELECT pg_backend_pid() AS pid, settings, prepared, channels, advisory_locks FROM session_state",
        );
        return rows[0] as unknown;
      });
    const before = await state();
    await borrow(client, database, role, limits, async (connection) => {
      await connection.query(
        "COMMIT; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SET statement_timeout = 0; SET search_path = evil; SET ROLE NONE",
      );
      await connection.query(
        "PREPARE p AS SELECT 1; LISTEN evil; SELECT pg_advisory_lock(1), set_config('work_mem', '1GB', false); BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1",
      );
    });
    expect(await state()).toEqual(before);
    await closePostgres(client);
  });
});

describe("bounds", () => {
  it("of 100 000 rows the server sends one more than was asked for", async () => {
    await query("SELECT 1");
    wire.take();
    const result = await query("SELECT * FROM big");
    const sent = wire.take();
    expect(result.data.rows).toHaveLength(200);
    expect(result.truncation).toMatchObject({ by: "rows", limit: 200 });
    const beside = 4;
    expect(sent.rows).toBeGreaterThanOrEqual(201);
    expect(sent.rows).toBeLessThanOrEqual(201 + beside);
    const { rows } = await one(
      "SELECT max(rows)::int AS rows FROM pg_stat_statements WHERE query = 'SELECT * FROM big'",
    );
    expect(rows).toBe(201);
  });

  it("proves that there is more: exactly the limit is not truncated", async () => {
    const exact = await query("SELECT id FROM items ORDER BY id", { limit: 20 });
    expect([exact.data.rows.length, exact.truncation]).toEqual([20, undefined]);
    expect((await query("SELECT id FROM items", { limit: 19 })).truncation).toMatchObject({
      by: "rows",
      limit: 19,
    });
    await expect(query("SELECT 1", { limit: 1001 })).rejects.toThrow("invalid arguments");
    await expect(query("SELECT 1", { limit: 0 })).rejects.toThrow("invalid arguments");
  });

  const FLOODS = [
    "SELECT repeat('x', 200000000)",
    "SELECT repeat('x', 3000000), repeat('y', 3000000)",
    "SELECT repeat('é', 20000) FROM generate_series(1, 1000)",
    "SELECT repeat('x', 2000), repeat('y', 2000) FROM generate_series(1, 1000)",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT generate_series(1, 1000000000)",
    "SELECT count(*) FROM generate_series(1, 1000000000)",
    "SELECT count(*) FROM big a, big b, big c",
    "SELECT * FROM big a, big b ORDER BY md5(a.filler || b.filler)",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
    "WITH RECURSIVE r AS (SELECT 'x' AS n UNION ALL SELECT n || n FROM r) SELECT length(n) FROM r",
    "SELECT string_agg(filler, ',') FROM big, generate_series(1, 100)",
    "SELECT array_agg(a.id) FROM big a, big b",
    "SELECT jsonb_agg(b) FROM big b, generate_series(1, 20)",
    "SELECT repeat('a', 5000) ~ '^(a+)+(b+)+(c+)+$'",
    `SELECT ${Array.from({ length: 1600 }, (_, n) => `'${n}' AS c${n}`)
      .join(",")
      .slice(0, 19_000)
      .replace(/,[^,]*$/, "")} FROM big`,
    "SELECT lpad('', 100000000, 'x') FROM big",
    "SELECT factorial(100000)",
  ];
  it.each(FLOODS)("F13: %s is small and in time", async (sql) => {
    const started = performance.now();
    wire.take();
    const outcome = await query(sql, { timeout_ms: 3000, limit: 1000 }).catch(
      (error: unknown) => error as ToolFault,
    );
    expect(performance.now() - started).toBeLessThan(6500);
    expect(Buffer.byteLength(JSON.stringify(outcome))).toBeLessThan(262_144);
    expect(wire.take().bytes).toBeLessThan(16 * 1024 * 1024);
    if (outcome instanceof Error)
      expect(["timeout", "too_large", "invalid_argument"]).toContain((outcome as ToolFault).code);
    await quiet();
  });

  it("cuts a long value to a cell and says so", async () => {
    const { data, warnings } = await query("SELECT repeat('x', 5000), repeat('😀', 2000)");
    expect(data.rows[0]?.map((cell) => String(cell).length)).toEqual([2049, 2049]);
    expect(warnings).toEqual(["2 values were cut to 2048 characters and end in …"]);
  });

  it("S: a time limit ends the statement on the server, and says so", async () => {
    const started = performance.now();
    const fault = await faultOf(query("SELECT count(*) FROM big a, big b", { timeout_ms: 500 }));
    expect([fault.code, performance.now() - started < 3000]).toEqual(["timeout", true]);
    await quiet();
  });

  it("cancelling a call at any moment leaves nothing running", async () => {
    for (let delay = 0; delay < 60; delay += 3) {
      const controller = new AbortController();
      const call = faultOf(
        query("SELECT count(*) FROM big a, big b", { timeout_ms: 60_000 }, controller.signal),
      );
      setTimeout(() => controller.abort(), delay);
      expect((await call).code).toBe("cancelled");
      await quiet();
    }
  });

  it("cancelling a call reaches the server", async () => {
    const controller = new AbortController();
    const call = faultOf(
      query("SELECT count(*) FROM big a, big b", { timeout_ms: 60_000 }, controller.signal),
    );
    await expect.poll(async () => (await activity())["active"]).toBe(1);
    const started = performance.now();
    controller.abort();
    expect((await call).code).toBe("cancelled");
    expect(performance.now() - started).toBeLessThan(2500);
    await quiet();
    const late = new AbortController();
    late.abort();
    expect((await faultOf(query("SELECT 1", {}, late.signal))).code).toBe("cancelled");
    expect((await query("SELECT 1")).data.rows).toEqual([[1]]);
  });

  it("waits for no lock longer than two seconds", async () => {
    const blocker = await administrator(live.port, "app_db");
    await blocker.query("BEGIN; LOCK TABLE parts IN ACCESS EXCLUSIVE MODE");
    const started = performance.now();
    const fault = await faultOf(query("SELECT * FROM parts"));
    await blocker.end();
    expect([fault.code, performance.now() - started < 4000]).toEqual(["timeout", true]);
  });

  it("serves many calls over at most four connections, each with its own answer", async () => {
    const calls = Array.from(
      { length: 20 },
      async (_, n) =>
        (await query("SELECT $1::int + count(*) FROM generate_series(1, 300000)", { params: [n] })).data.rows,
    );
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, n) => [[n + 300_000]]));
    const { backends } = await one(
      "SELECT count(*)::int AS backends FROM pg_stat_activity WHERE usename = 'mcp_ro_app_db'",
    );
    expect(backends).toBeLessThanOrEqual(4);
  });

  it("answers busy to more callers than can wait", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, () =>
        query("SELECT count(*) FROM generate_series(1, 500000)").then(
          () => "answered",
          (error: ToolFault) => error.code,
        ),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(["answered", "busy"]));
    expect(outcomes.filter((outcome) => outcome === "answered").length).toBeGreaterThanOrEqual(20);
    await quiet();
  });

  it("goes on after the server has closed every connection", async () => {
    await query("SELECT 1");
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'mcp_%'");
    await expect
      .poll(
        async () =>
          await query("SELECT 1").then(
            ({ data }) => data.rows,
            () => "not yet",
          ),
      )
      .toEqual([[1]]);
  });
});

describe("changes", () => {
  const change = async (sql: string, more: Record<string, unknown> = {}): Promise<ToolResult> =>
    await opened.call("pg_execute", { database: "app_db", sql, reason: "a test of the tool", ...more });
  const countOf = async (condition: string): Promise<unknown> =>
    (await one(`SELECT count(*)::int AS n FROM items WHERE ${condition}`))["n"];

  it("S10: a dry run reports the count and changes nothing", async () => {
    const before = await stored();
    expect((await change("UPDATE items SET price = 99 WHERE id <= 5")).data).toEqual({
      rowcount: 5,
      committed: false,
    });
    expect(
      (await change("UPDATE items SET price = 99 WHERE id <= 5", { expected_rows: 4 })).warnings,
    ).toEqual(["the statement changes 5 rows, not 4"]);
    expect(await stored()).toEqual(before);
  });

  it("A3: an approved change carries its marker, and an error still stands where the caller wrote it", async () => {
    const approved = async (sql: string): Promise<ToolResult> =>
      await opened.callApproved("pg_execute", { database: "app_db", sql, reason: "a test of the marker" });
    const running = "SELECT query FROM pg_stat_activity WHERE usename = 'mcp_rw_app_db' AND state = 'active'";
    const holder = await administrator(live.port, "app_db");
    await holder.query("BEGIN; UPDATE items SET price = price WHERE id = 1");
    const waiting = approved("UPDATE items SET price = 5 WHERE id = 1");
    await expect
      .poll(async () => (await one(running))["query"])
      .toMatch(/^\/\* mcp:[0-9a-f]+ approved by \S+ \*\/ UPDATE items SET price = 5 WHERE id = 1$/);
    await holder.end();
    expect((await waiting).data).toEqual({ rowcount: 1, committed: false });
    const wrong = "UPDATE items\nSET nothing = 5 WHERE id = 1";
    const [plain, marked] = [await faultOf(change(wrong)), await faultOf(approved(wrong))];
    expect(marked.message).toBe(plain.message);
    expect(marked.message).toContain("line 2");
  });

  it("S10: a commit changes exactly what was announced", async () => {
    const result = await change("UPDATE items SET price = $1 WHERE id <= $2", {
      params: [77, 3],
      dry_run: false,
      expected_rows: 3,
    });
    expect(result.data).toEqual({ rowcount: 3, committed: true });
    expect(await countOf("price = 77")).toBe(3);
    expect((await change("INSERT INTO items (name) VALUES ('new one')", { dry_run: false })).data).toEqual({
      rowcount: 1,
      committed: true,
    });
    expect(
      (await change("DELETE FROM items WHERE name = 'new one'", { dry_run: false, expected_rows: 1 })).data,
    ).toEqual({ rowcount: 1, committed: true });
    expect(await countOf("name = 'new one'")).toBe(0);
  });

  it("rolls back when the count is another, or larger than may go unannounced", async () => {
    const before = await stored();
    const other = await faultOf(
      change("UPDATE items SET price = 1 WHERE id <= 5", { dry_run: false, expected_rows: 4 }),
    );
    expect([other.code, other.message]).toEqual([
      "invalid_argument",
      "the statement changes 5 rows, not 4; nothing was changed",
    ]);
    const many = await faultOf(change("UPDATE big SET filler = 'y' WHERE id > 0", { dry_run: false }));
    expect(many.message).toContain("over 1000 need expected_rows");
    expect(await stored()).toEqual(before);
  });

  it("finds a broken constraint in a dry run too, deferred ones included", async () => {
    for (const dry_run of [true, false]) {
      expect(
        (await faultOf(change("INSERT INTO items (name) VALUES ('item 1')", { dry_run }))).message,
      ).toContain("unique constraint");
      expect(
        (await faultOf(change("INSERT INTO parts VALUES (99, 4711, 1)", { dry_run }))).message,
      ).toContain("foreign key constraint");
    }
    expect(await one("SELECT count(*)::int AS n FROM parts WHERE id = 99")).toEqual({ n: 0 });
  });

  it("refuses every attack on the query tool as well, and leaves nothing", async () => {
    const before = await stored();
    const allowed = /^(INSERT|UPDATE|DELETE)/;
    const attacks = REFUSED.map(([sql]) => sql).filter(
      (sql) => !allowed.test(sql.replaceAll(/^(\/\*.*?\*\/|--.*?\n)\s*/g, "")) && sql.length <= 20_000,
    );
    for (const sql of [
      ...attacks,
      "DELETE FROM items",
      "UPDATE items SET name = definer_read() WHERE id = 1",
      "DELETE FROM hidden WHERE secret = ''",
      "INSERT INTO items (name) SELECT secret FROM hidden",
    ]) {
      expect((await faultOf(change(sql, { dry_run: false }))).name, sql).toBe("ToolFault");
    }
    await quiet();
    expect(await stored()).toEqual(before);
  });

  it("ends a change that is cancelled, without changing anything", async () => {
    const before = await stored();
    const controller = new AbortController();
    const sql = "UPDATE items SET price = 5 WHERE id = 1 AND (SELECT count(*) FROM big a, big b) > 0";
    const call = faultOf(
      opened.call(
        "pg_execute",
        { database: "app_db", sql, dry_run: false, reason: "a test of the tool" },
        controller.signal,
      ),
    );
    await expect.poll(async () => (await activity())["active"]).toBe(1);
    controller.abort();
    expect((await call).code).toBe("cancelled");
    await quiet();
    expect(await stored()).toEqual(before);
  });
});
