import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { FLOOD_ROWS, READER, READER_FORBIDDEN, WRITER, WRITER_FORBIDDEN, startClickhouse } from "./live.ts";
import type { Clickhouse } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const REASON = "shown by the live suite";
const called = new Set<string>();

let live: Clickhouse;
let module: OpenModule;

function open(environment: Readonly<Record<string, string>> = {}): OpenModule {
  return openModule(tools, {
    MCP_CLICKHOUSE_URL: `http://127.0.0.1:${live.server.port}`,
    MCP_CLICKHOUSE_USER: READER.user,
    MCP_CLICKHOUSE_PASSWORD: READER.password,
    MCP_CLICKHOUSE_RW_USER: WRITER.user,
    MCP_CLICKHOUSE_RW_PASSWORD: WRITER.password,
    ...environment,
  });
}

/** Every answer is bounded in bytes and time, whatever is asked. */
async function call(name: string, args: Record<string, unknown> = {}) {
  called.add(name);
  const started = performance.now();
  const result = await module.call(name, args);
  expect(performance.now() - started, name).toBeLessThan(2000);
  expect(JSON.stringify(result).length, name).toBeLessThan(HARD_LIMIT);
  return result;
}

async function query(sql: string, more: Record<string, unknown> = {}) {
  return await call("ch_query", { database: "events", sql, ...more });
}

async function count(table: string): Promise<number> {
  return Number((await live.send(`SELECT count() FROM ${table}`)).text);
}

beforeAll(async () => {
  expect(liveVersion("clickhouse"), "live.sh install").toBeDefined();
  live = await startClickhouse();
  module = open();
}, 120_000);

afterAll(async () => {
  await module?.close();
  await live?.stop();
});

describe("the emitted accounts", () => {
  it("the server reads them as the SQL beside them says, statement by statement", async () => {
    const grants = /^GRANT (.+) ON (.+) TO (.+)$/;
    for (const account of [READER.user, WRITER.user]) {
      const written = live.sql
        .split("\n")
        .filter((line) => line.endsWith(`TO ${account};`) && grants.test(line.slice(0, -1)));
      const expected = await Promise.all(
        written.map(async (line) =>
          (
            await live.send(`SELECT formatQuerySingleLine($q$${line.slice(0, -1)}$q$) FORMAT TSVRaw`)
          ).text.trim(),
        ),
      );
      const { text } = await live.send(`SHOW GRANTS FOR ${account} FORMAT TSVRaw`);
      expect(text.trim().split("\n").sort()).toEqual(expected.sort());
      const profile = /CREATE SETTINGS PROFILE OR REPLACE (\w+) SETTINGS ([^;]+);/g;
      const [, , settings = ""] = [...live.sql.matchAll(profile)].find(([, name]) => name === account) ?? [];
      const shown = (await live.send(`SHOW CREATE SETTINGS PROFILE ${account} FORMAT TSVRaw`)).text;
      const plain = (text: string): readonly string[] =>
        text
          .replace(/^.* SETTINGS /s, "")
          .replace(/\.(?=,|$)/g, "")
          .replaceAll("'", "")
          .trim()
          .replaceAll("true", "1")
          .replaceAll("false", "0")
          .split(", ")
          .sort();
      expect(plain(shown)).toEqual(plain(` SETTINGS ${settings}`));
      expect((await live.send(`SHOW CREATE USER ${account} FORMAT TSVRaw`)).text).toMatch(
        new RegExp(
          `^CREATE USER ${account} IDENTIFIED WITH sha256_(?:hash|password) .*SETTINGS PROFILE '?\`?${account}\`?'?`,
        ),
      );
    }
    const quota = (await live.send("SHOW CREATE QUOTA mcp FORMAT TSVRaw")).text;
    expect(quota).toMatch(
      /^CREATE QUOTA mcp KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 1200, execution_time = 240 TO mcp_ro, mcp_rw/,
    );
  });

  it("every statement of the SQL is one that the server can parse", async () => {
    const statements = live.sql
      .replace(/^--.*$/gm, "")
      .split(";")
      .map((one) => one.trim())
      .filter((one) => one !== "");
    expect(statements.length).toBeGreaterThan(8);
    for (const statement of statements) {
      const { status, text } = await live.send(`SELECT formatQuery($q$${statement}$q$)`);
      expect(status, `${statement}: ${text}`).toBe(200);
    }
  });

  it("S5: without the password, or with the other account's, nobody gets in", async () => {
    for (const password of ["", WRITER.password, "guess"]) {
      const { status, text } = await live.send("SELECT 1", { user: READER.user, password });
      expect(status).toBe(403);
      expect(text).toContain("Authentication failed");
    }
    const wrong = open({ MCP_CLICKHOUSE_PASSWORD: "not-this-one" });
    const failure: unknown = await wrong.call("ch_list_databases").catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "denied",
      message: "the service refused the account of this link",
    });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp_ro/);
  });

  it("S4: the account that reads is refused by the server itself, each time for the stated reason", async () => {
    for (const [sql, because] of READER_FORBIDDEN) {
      const { status, text } = await live.send(sql, READER, "database=events");
      expect(status, sql).not.toBe(200);
      expect(text, sql).toMatch(because);
    }
    for (const query of [
      "max_execution_time=0",
      "readonly=0",
      "readonly=2",
      "max_result_rows=0",
      "max_memory_usage=0",
    ]) {
      const { text } = await live.send("SELECT 1", READER, query);
      expect(text, query).toMatch(/Cannot modify '\w+' setting in readonly mode/);
    }
  });

  it("S4: the account that inserts can do nothing else", async () => {
    const before = await count("events.notes");
    for (const [sql, because] of WRITER_FORBIDDEN) {
      const { status, text } = await live.send(sql, WRITER, "database=events");
      expect(status, sql).not.toBe(200);
      expect(text, sql).toMatch(because);
    }
    expect(await count("events.notes")).toBe(before);
  });

  it("S4: the account that reads sees and ends its own queries only", async () => {
    // The server's own first query, an administrator's, runs as long as the server does.
    const all = await live.send("SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%'");
    expect(Number(all.text)).toBeGreaterThan(0);
    const seen = await live.send("SELECT DISTINCT user FROM system.processes FORMAT TSV", READER);
    expect(seen.text).toBe("mcp_ro\n");
    const victims = await live.send("KILL QUERY WHERE query LIKE '%sleepEachRow%' TEST FORMAT TSV", READER);
    expect(victims.text).not.toContain("sleepEachRow(1)");
    expect((await live.send("SHOW CREATE ROW POLICY mcp_ro ON system.processes FORMAT TSVRaw")).text).toMatch(
      /^CREATE ROW POLICY .+ ON system\.processes FOR SELECT USING \(?user = 'mcp_ro'\)? TO mcp_ro/,
    );
  });

  it("S4: an account that may do more than read is not worked with", async () => {
    for (const account of [{ user: "default", password: "" }, WRITER]) {
      const strong = open({ MCP_CLICKHOUSE_USER: account.user, MCP_CLICKHOUSE_PASSWORD: account.password });
      await expect(strong.call("ch_query", { database: "events", sql: "SELECT 1" })).rejects.toMatchObject({
        code: "denied",
        message: "the account of this link may do more than read",
      });
    }
  });
});

describe("reading", () => {
  it("ch_list_databases: only what is drawn", async () => {
    const { data, page } = await call("ch_list_databases");
    expect(data).toEqual([
      {
        database: "events",
        engine: "Atomic",
        comment: "what happened",
        tables: 5,
        rows: FLOOD_ROWS,
        bytes: expect.any(Number),
        consumers: ["kafka"],
      },
      expect.objectContaining({ database: "shop", tables: 62 }),
    ]);
    expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
  });

  it("ch_list_tables: pages, filters, counts, and shows no statement of a table", async () => {
    const all = await call("ch_list_tables", { database: "events" });
    expect(all.page).toEqual({ returned: 5, total: 5, next_cursor: null });
    expect(all.data).toContainEqual({
      name: "visits",
      engine: "MergeTree",
      rows: FLOOD_ROWS,
      bytes: expect.any(Number),
      comment: "page views",
    });
    expect(JSON.stringify(all)).not.toMatch(/secret-host|hunter22|CREATE/);
    const first = await call("ch_list_tables", {
      database: "shop",
      pattern: "t0%",
      engine: "Log",
      limit: 40,
    });
    expect(first).toMatchObject({ page: { returned: 40, total: 60 }, truncation: { by: "rows", limit: 40 } });
    const rest = { database: "shop", pattern: "t0%", engine: "Log", cursor: first.page?.next_cursor };
    const second = await call("ch_list_tables", rest);
    expect(second.page).toEqual({ returned: 20, total: 60, next_cursor: null });
    expect(second.data).toMatchObject([{ name: "t040" }, ...Array.from({ length: 19 }, () => ({}))]);
    await expect(call("ch_list_tables", { ...rest, pattern: "%" })).rejects.toThrow("does not belong");
  });

  it("ch_describe_table: what a WHERE needs to know", async () => {
    const { data } = await call("ch_describe_table", { database: "events", table: "visits" });
    expect(data).toMatchObject({
      engine: "MergeTree",
      sorting_key: "page, at",
      partition_key: "toYYYYMM(at)",
      ttl: "at + toIntervalYear(10)",
      comment: "page views",
      columns: [
        { name: "id", type: "UInt64" },
        {
          name: "at",
          type: "DateTime",
          codec: expect.stringContaining("ZSTD"),
          comment: "when",
          in_pk: true,
        },
        { name: "page", in_pk: true },
        { name: "agent", default: "DEFAULT 'none'" },
        { name: "day", default: "MATERIALIZED toDate(at)" },
      ],
    });
    const foreign = await call("ch_describe_table", { database: "events", table: "elsewhere" });
    expect(JSON.stringify(foreign)).not.toMatch(/secret-host|someone|hunter22/);
    for (const table of ["none", "payroll", "../visits", "visits'; DROP TABLE visits", "private.payroll"]) {
      await expect(call("ch_describe_table", { database: "events", table })).rejects.toMatchObject({
        code: "not_found",
      });
    }
  });

  it("ch_table_stats: parts, compression and the largest columns", async () => {
    const { data } = await call("ch_table_stats", { database: "events" });
    expect(data).toMatchObject({
      tables: [{ table: "visits", rows: FLOOD_ROWS, compression: expect.any(Number) }],
    });
    const one = await call("ch_table_stats", { database: "events", table: "visits" });
    expect(one.data).toMatchObject({
      tables: [{ oldest_part: expect.stringMatching(/^\d{4}-/) }],
      columns: expect.arrayContaining([
        { column: "id", type: "UInt64", bytes: expect.any(Number), uncompressed_bytes: expect.any(Number) },
      ]),
    });
    await expect(call("ch_table_stats", { database: "events", table: "daily" })).rejects.toThrow(
      "View keeps no parts",
    );
    await expect(call("ch_table_stats", { database: "events", table: "none" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("ch_query: every type arrives without losing a digit", async () => {
    const { data } = await call("ch_query", { database: "shop", sql: "SELECT * FROM types" });
    expect(data).toMatchObject({
      columns: expect.arrayContaining([{ name: "u64", type: "UInt64" }]),
      rows: [
        [
          "18446744073709551615",
          5,
          null,
          "7",
          "nan",
          "1.5",
          "2026-01-02 03:04:05.678",
          ["1", "2"],
          { k: "v" },
          { x: 1, y: "é" },
          'tab\there "and" \\ \n',
          true,
          "one",
          "00000000-0000-0000-0000-000000000001",
          "10.0.0.1",
        ],
      ],
    });
  });

  it("ch_query: values are bound, whatever they hold", async () => {
    const evil = "'; DROP TABLE visits; -- \\ \t \n {x:String} é";
    const params = {
      text: { type: "String", value: evil },
      list: { type: "Array(String)", value: [evil, "it's"] },
      big: { type: "UInt64", value: "18446744073709551615" },
      none: { type: "Nullable(String)", value: null },
      yes: { type: "Bool", value: true },
      ids: { type: "Array(UInt8)", value: [1, 2] },
    };
    const sql =
      "SELECT {text:String}, {list:Array(String)}, {big:UInt64}, {none:Nullable(String)}, {yes:Bool}, {ids:Array(UInt8)}";
    expect((await query(sql, { params })).data).toMatchObject({
      rows: [[evil, [evil, "it's"], "18446744073709551615", null, true, [1, 2]]],
    });
    const wrong = { a: { type: "UInt8", value: "x" } };
    await expect(query("SELECT {a:UInt8}", { params: wrong })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("cannot be parsed as UInt8"),
    });
    await expect(query("SELECT {b:UInt8}")).rejects.toMatchObject({
      message: expect.stringContaining("Substitution `b` is not set"),
    });
  });

  it("ch_query: DESCRIBE, SHOW, EXPLAIN, WITH and an unfinished line of comment", async () => {
    expect((await query("DESCRIBE TABLE visits")).page?.returned).toBe(5);
    expect((await query("SHOW TABLES LIKE 'vis%'")).data).toMatchObject({ rows: [["visits"]] });
    expect(
      (await query("EXPLAIN indexes = 1 SELECT count() FROM visits WHERE page = '/page/1'")).page?.returned,
    ).toBeGreaterThan(3);
    expect(
      (await query("WITH 1 AS one /* ; */ SELECT one, 'FORMAT x; system.users' -- the end;")).data,
    ).toMatchObject({ rows: [[1, "FORMAT x; system.users"]] });
    expect((await query("(SELECT 1) UNION ALL (SELECT 2);")).page?.returned).toBe(2);
  });

  it("ch_query: what is wrong is said, without account, host or version", async () => {
    const failures = await Promise.all(
      [
        "SELEC 1",
        "SELECT nothing FROM visits",
        "SELECT * FROM nowhere",
        "SELECT * FROM private.payroll",
        "SELECT * FROM elsewhere",
      ].map(
        async (sql) =>
          await query(sql).then(
            () => expect.unreachable(sql),
            (error: unknown) => error as { code: string; message: string },
          ),
      ),
    );
    expect(failures.map(({ code }) => code).slice(0, 4)).toEqual([
      "denied",
      "invalid_argument",
      "not_found",
      "denied",
    ]);
    for (const failure of failures)
      expect(String(failure.message)).not.toMatch(/mcp_ro|version|secret-host|127\.0\.0\.1|Stack/);
    await expect(query("SELECT sum(throwIf(id = 2500000, 'too far')) FROM visits")).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("too far"),
    });
    await expect(
      query("SELECT throwIf(number = 90000, 'in the middle') FROM numbers(100000) WHERE number % 1000 = 0"),
    ).rejects.toThrow("in the middle");
  });
});

describe("writing", () => {
  const insert = async (rows: readonly object[], more: object = {}) =>
    await call("ch_insert_rows", { database: "events", table: "notes", rows, reason: REASON, ...more });

  it("ch_insert_rows: adds rows, fills defaults, and takes ISO times", async () => {
    const before = await count("events.notes");
    const rows = [
      { id: 1, text: "it's `a` {b}\n", at: "2026-01-02T03:04:05Z" },
      { id: "18446744073709551615", text: "é", seen: null },
    ];
    expect((await insert(rows)).data).toEqual({ accepted: 2 });
    expect(await count("events.notes")).toBe(before + 2);
    const { data } = await query(
      "SELECT id, text, toString(at, 'UTC'), seen FROM notes WHERE id IN (1, 18446744073709551615) ORDER BY id",
    );
    expect(data).toMatchObject({
      rows: [
        [1, "it's `a` {b}\n", "2026-01-02 03:04:05", null],
        ["18446744073709551615", "é", expect.any(String), null],
      ],
    });
  });

  it("ch_insert_rows: a token keeps a repeated call from inserting again, and async inserts are kept too", async () => {
    const before = await count("events.notes");
    for (let again = 0; again < 3; again += 1)
      await insert([{ id: 7, text: "once" }], { dedup_token: "call-7" });
    expect(await count("events.notes")).toBe(before + 1);
    await insert([{ id: 8, text: "gathered" }], { async: true });
    expect(await count("events.notes")).toBe(before + 2);
  });

  it("A3 A8: an approved insert is one like any other, with its marker in the statement", async () => {
    const before = await count("events.notes");
    const rows = [{ id: 3, text: "approved" }];
    await module.callApproved("ch_insert_rows", { database: "events", table: "notes", rows, reason: REASON });
    expect(await count("events.notes")).toBe(before + 1);
  });

  it("ch_insert_rows: all or none, and nothing is guessed", async () => {
    const before = await count("events.notes");
    for (const [rows, because] of [
      [[{ id: 1 }, { id: 2, nothing: 1 }], "Unknown field"],
      [[{ id: 1 }, { id: "x" }], "Cannot parse"],
      [[{ id: null }], "the column id takes no null"],
      [[{ id: 1, at: "yesterday" }], "Cannot read DateTime"],
    ] as const) {
      await expect(insert(rows)).rejects.toMatchObject({
        code: "invalid_argument",
        message:
          typeof because === "string" ? expect.stringContaining(because) : expect.stringMatching(because),
      });
    }
    await expect(
      insert(Array.from({ length: 500 }, () => ({ text: "x".repeat(3000) }))),
    ).rejects.toMatchObject({ code: "too_large" });
    expect(await count("events.notes")).toBe(before);
    expect((await insert(Array.from({ length: 500 }, (_, id) => ({ id, text: "many" })))).data).toEqual({
      accepted: 500,
    });
    expect(await count("events.notes")).toBe(before + 500);
  });

  it("ch_insert_rows: only the drawn table of the drawn database", async () => {
    for (const args of [
      { table: "other" },
      { table: "visits" },
      { table: "notes FORMAT CSV" },
      { database: "shop" },
      { database: "private" },
    ]) {
      await expect(insert([{ id: 1 }], args)).rejects.toThrow("invalid arguments");
    }
    await expect(
      call("ch_insert_rows", { database: "events", table: "notes", rows: [{ id: 1 }] }),
    ).rejects.toThrow("invalid arguments");
    const weak = open({ MCP_CLICKHOUSE_RW_USER: READER.user, MCP_CLICKHOUSE_RW_PASSWORD: READER.password });
    await expect(
      weak.call("ch_insert_rows", { database: "events", table: "notes", rows: [{ id: 1 }], reason: REASON }),
    ).rejects.toMatchObject({ code: "denied" });
  });
});

describe("floods", () => {
  it("3 million rows: the limit is proved and the rest is not fetched", async () => {
    for (const limit of [1, 200, 1000]) {
      const result = await query("SELECT * FROM visits", { limit });
      expect(result.page?.returned).toBe(limit);
      expect(result.truncation).toMatchObject({ by: "rows", limit });
    }
    const exact = await query("SELECT * FROM visits LIMIT 1000", { limit: 1000 });
    expect(exact.page?.returned).toBe(1000);
    expect(exact.truncation).toBeUndefined();
    expect((await query("SELECT count(), uniqExact(page) FROM visits")).data).toMatchObject({
      rows: [[FLOOD_ROWS, 10]],
    });
  });

  it("200 KB a value, a million members and 20 MB in one value stay small", async () => {
    const wide = await call("ch_query", { database: "shop", sql: "SELECT * FROM wide", limit: 1000 });
    expect(wide.truncation?.by).toBe("bytes");
    expect(wide.warnings).toEqual([expect.stringMatching(/^\d+ values were cut to 2048/)]);
    const list = await query("SELECT range(1000000)");
    expect(list.data).toMatchObject({ rows: [[expect.stringMatching(/^\[0,1,2,.*…$/)]] });
    await expect(
      query("SELECT arrayStringConcat(arrayMap(x -> repeat('x', 1000000), range(20)))"),
    ).rejects.toMatchObject({ code: "too_large" });
    const many = await query(
      `SELECT ${Array.from({ length: 200 }, (_, index) => `number AS c${index}`).join(", ")} FROM numbers(2000)`,
      { limit: 1000 },
    );
    expect(many.truncation?.by).toBe("bytes");
  });

  it("what is too much for the server is stopped by the account's profile", async () => {
    await expect(
      query("SELECT count() FROM numbers(2000000000) WHERE sipHash64(number) = 1"),
    ).rejects.toMatchObject({ code: "too_large" });
    await expect(query("SELECT groupArray(repeat('x', 1000)) FROM numbers(10000000)")).rejects.toMatchObject({
      code: "too_large",
      message: expect.stringMatching(/memory limit/i),
    });
  });
});

describe("cancellation", () => {
  const SLOW =
    "SELECT sum(sipHash64(a.number, b.number)) FROM numbers(60000) AS a CROSS JOIN numbers(60000) AS b";
  const running = async () =>
    Number((await live.send("SELECT count() FROM system.processes WHERE user = 'mcp_ro'")).text);

  it("aborting ends the call at once and the query on the server", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const slow = module.call("ch_query", { database: "events", sql: SLOW }, controller.signal);
    slow.catch(() => undefined);
    await expect.poll(running, { timeout: 3000 }).toBe(1);
    controller.abort(new Error("caller went away"));
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(4000);
    await expect.poll(running, { timeout: 3000 }).toBe(0);
  });

  it("timeout_ms ends the query on the server, and the answer says what to do", async () => {
    const started = performance.now();
    await expect(query(SLOW, { timeout_ms: 300 })).rejects.toMatchObject({
      code: "timeout",
      hint: expect.stringContaining("sorting key"),
    });
    expect(performance.now() - started).toBeLessThan(1500);
    await expect.poll(running, { timeout: 3000 }).toBe(0);
  });

  it("a reader that has enough ends an answer without end", async () => {
    const result = await query("SELECT number, repeat('x', 100) FROM numbers(900000000)", { limit: 10 });
    expect(result.truncation?.by).toBe("rows");
    await wait(50);
    await expect.poll(running, { timeout: 3000 }).toBe(0);
  });
});

it("every tool was called", () => {
  expect([...called].sort()).toEqual(tools.tools.map(({ name }) => name).sort());
});
