import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { cellOf, parameterOf } from "#runtime/clickhouse/cell";
import { faultIn } from "#runtime/clickhouse/fault";
import { checkPlaceholders, guardQuery } from "#runtime/clickhouse/guard";
import { MAX_QUERY_MS } from "#runtime/clickhouse/service";
import { piecesOf } from "#runtime/clickhouse/words";
import { treeOf } from "../../test/harness/in-process.ts";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { tools } from "./tools.ts";

const HEAD = '["a"]\n["UInt64"]\n';
const servers: Server[] = [];

type Answering = (sql: string, request: IncomingMessage, response: ServerResponse) => void;

/** Something that answers where a ClickHouse is expected; the question about the account it answers itself. */
async function moduleAt(answer: Answering): Promise<OpenModule> {
  const server = createServer((request, response) => {
    let sql = "";
    request.on("data", (chunk: Buffer) => (sql += chunk.toString()));
    request.on("end", () => {
      if (sql.includes("getSetting('readonly')")) response.end('["a","b"]\n["String","String"]\n["1","1"]\n');
      else answer(sql, request, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return openAt((server.address() as AddressInfo).port);
}

function openAt(port: number): OpenModule {
  return openModule(tools, {
    MCP_CLICKHOUSE_URL: `http://127.0.0.1:${port}`,
    MCP_CLICKHOUSE_USER: "mcp_ro",
    MCP_CLICKHOUSE_PASSWORD: "secret-of-the-reader",
    MCP_CLICKHOUSE_RW_USER: "mcp_rw",
    MCP_CLICKHOUSE_RW_PASSWORD: "secret-of-the-writer",
  });
}

describe("what an approved insert leaves behind", () => {
  it("A3 A8: the statement names the approval in a comment, which the log of queries keeps", async () => {
    const statements: string[] = [];
    const module = await moduleAt((_sql, request, response) => {
      statements.push(new URL(request.url ?? "", "http://fake").searchParams.get("query") ?? "");
      response.end();
    });
    const args = { database: "events", table: "notes", rows: [{ id: 1 }], reason: "a test of inserts" };
    await module.call("ch_insert_rows", args);
    await module.callApproved("ch_insert_rows", args);
    const insert = "INSERT INTO `events`.`notes` FORMAT JSONEachRow";
    expect(statements).toEqual([insert, `/* mcp:${MARKER.argsSha} approved by key:ada */ ${insert}`]);
  });
});

const ask = async (module: OpenModule, more: Record<string, unknown> = {}, signal?: AbortSignal) =>
  await module.call("ch_query", { database: "events", sql: "SELECT a FROM t", ...more }, signal);

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe("the tools as data", () => {
  it("S32: the names are those of the sources, the write last", () => {
    expect(tools.tools.map(({ name, effect }) => `${name} ${effect}`)).toEqual([
      "ch_list_databases read",
      "ch_list_tables read",
      "ch_describe_table read",
      "ch_query read",
      "ch_table_stats read",
      "ch_insert_rows additive",
    ]);
  });

  it("P7: every description says when to use the tool, and each tool stays under 1.4 KB", () => {
    for (const { name, title, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const listed = JSON.stringify({ name, title, description, inputSchema, outputSchema, annotations });
      expect(listed.length, name).toBeLessThan(1434);
    }
  });

  it("T3: databases and tables are those of the drawing, and no tool takes a host, an address or an account", () => {
    for (const { inputSchema } of tools.tools) {
      const properties = inputSchema["properties"] as Readonly<Record<string, { enum?: readonly string[] }>>;
      if ("database" in properties) expect(properties["database"]?.enum?.length).toBeGreaterThan(0);
      expect(Object.keys(properties).join(" ")).not.toMatch(
        /host|url|user|password|secret|tenant|port|settings|format/,
      );
    }
    const insert = tools.tools.find(({ name }) => name === "ch_insert_rows")?.inputSchema["properties"];
    expect(insert).toMatchObject({ database: { enum: ["events"] }, table: { enum: ["notes"] } });
  });
});

describe("the emitted files", () => {
  const stack = (access: string): string => `apiVersion: topology/v1
stack: stack
components:
  clickhouse: {databases: {events: {tables: [notes, marks]}, shop: {database: shop_prod}}}
  worker:
links:
  worker: {clickhouse/events: write}
  mcp: {clickhouse: ${access}}
`;

  it("S21: read leaves neither the write tool nor its account", async () => {
    const tree = await treeOf(stack("read"));
    const source = tree.get("server/tools/clickhouse.ts")?.text ?? "";
    expect(source).toContain("ch_query");
    expect(source).not.toMatch(/ch_insert_rows|insertRows/);
    expect([...tree.keys()].filter((path) => path.endsWith("clickhouse/insert.ts"))).toEqual([]);
    for (const file of ["account.sql", "account.xml", "README.md"])
      expect(tree.get(`principals/clickhouse/${file}`)?.text).not.toMatch(/mcp_rw|GRANT INSERT|RW_PASSWORD/);
    expect(source).toMatch(/"?consumers"?:\s*\[\s*"worker"/);
  });

  it("write: the account inserts into the drawn tables of the drawn databases only", async () => {
    const tree = await treeOf(stack("{only: {events: write, shop: read}}"));
    const sql = tree.get("principals/clickhouse/account.sql")?.text ?? "";
    expect(sql.match(/GRANT INSERT .*/g)).toEqual([
      "GRANT INSERT ON `events`.`notes` TO mcp_rw;",
      "GRANT INSERT ON `events`.`marks` TO mcp_rw;",
    ]);
    expect(tree.get("server/tools/clickhouse.ts")?.text).toContain("ch_insert_rows");
  });

  it("only narrows the account as it narrows the tools", async () => {
    const tree = await treeOf(stack("{access: read, only: [shop]}"));
    const sql = tree.get("principals/clickhouse/account.sql")?.text ?? "";
    expect(sql).toContain("GRANT SELECT ON `shop_prod`.* TO mcp_ro;");
    expect(sql).not.toContain("events");
  });

  it("the profile's limits are those that the tools state", async () => {
    const tree = await treeOf(stack("read"));
    const schema = tools.tools.find(({ name }) => name === "ch_query")?.inputSchema ?? {};
    const rows = (schema["properties"] as { limit: { maximum: number } }).limit.maximum;
    for (const file of ["account.sql", "account.xml"]) {
      const text = tree.get(`principals/clickhouse/${file}`)?.text ?? "";
      const limits = new Map(
        [...text.matchAll(/\b(max_\w+)(?:>| = )(\d+)/g)].map(([, name, value]) => [name, Number(value)]),
      );
      expect(limits.get("max_execution_time")).toBe(MAX_QUERY_MS / 1000);
      expect(limits.get("max_result_rows"), "one more than the most that is asked for").toBe(rows + 1);
      expect(text, "it would end an answer early without a word").not.toContain("max_result_bytes");
    }
  });
});

describe("the guard", () => {
  const REFUSED: readonly (readonly [sql: string, because: RegExp])[] = [
    ["INSERT INTO t VALUES (1)", /INSERT is not a query/],
    ["/* SELECT */ DROP TABLE t", /DROP is not a query/],
    ["-- SELECT\nTRUNCATE TABLE t", /TRUNCATE is not a query/],
    ["SET readonly = 0", /SET is not a query/],
    ["SYSTEM SHUTDOWN", /SYSTEM is not a query/],
    ["KILL QUERY WHERE 1", /KILL is not a query/],
    ["USE system", /USE is not a query/],
    ["GRANT ALL ON *.* TO mcp_ro", /GRANT is not a query/],
    ["EXECUTE AS default SELECT 1", /EXECUTE is not a query/],
    ["'SELECT' 1", /this is not a query|is no statement/],
    ["", /no statement/],
    [";;", /no statement/],
    ["SELECT 1; SELECT 2", /one statement/],
    ["SELECT 1;; DROP TABLE t", /one statement/],
    ["SELECT 1 FORMAT CSV", /FORMAT/],
    ["SELECT 1 format Null;", /FORMAT/],
    ["SELECT 1 FORMAT/**/Native SETTINGS x = 1", /FORMAT/],
    ["SELECT 1 INTO OUTFILE 'x'", /INTO OUTFILE/],
    ["SELECT 1 SETTINGS max_threads = 1", /SETTINGS/],
    ["SELECT * FROM (SELECT 1 SETTINGS readonly = 0)", /SETTINGS/],
    ["SELECT hostName()", /tells about the server/],
    ["SELECT `hostName`()", /tells about the server/],
    ['SELECT "fqdn" ()', /tells about the server/],
    ["SELECT currentUser()", /tells about the server/],
    ["SELECT current_user", /accounts/],
    ["SELECT getServerSetting('path')", /tells about the server/],
    ["SELECT sleep(3)", /waits/],
    ["SELECT * FROM file('/etc/passwd', 'LineAsString')", /tells|outside/],
    ["SELECT * FROM url('http://a/', 'CSV')", /outside the database/],
    ["SELECT * FROM urlCluster('a', 'http://a/', 'CSV')", /outside the database/],
    ["SELECT * FROM s3Cluster('a', 'b')", /outside the database/],
    ["SELECT * FROM remoteSecure('a', b.c)", /outside the database/],
    ["SELECT * FROM icebergS3('a')", /outside the database/],
    ["SELECT * FROM system.processes", /system\.processes is not readable/],
    ["SELECT * FROM `system`.`query_log`", /system\.query_log/],
    ['SELECT * FROM "system" . users', /system\.users/],
    ["SELECT * FROM system.tables", /system\.tables/],
    ["SHOW CREATE TABLE t", /SHOW is for/],
    ["SHOW GRANTS", /SHOW is for/],
    ["SHOW PROCESSLIST", /SHOW is for/],
    ["EXPLAIN AST DROP TABLE t", /EXPLAIN is for/],
    ["SELECT 'open", /does not end/],
    ["SELECT 1 /* open", /does not end/],
    ["SELECT 1\0", /NUL/],
  ];
  const ALLOWED = [
    "SELECT 1",
    "  (select a from t) union all (select 2);",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "SELECT format('{}', a), t.format, settings FROM t",
    "SELECT 'FORMAT CSV; SETTINGS a = 1', \"INTO OUTFILE\", `system.users`",
    "SELECT $x$ it's ; FORMAT $x$",
    "SELECT a -- hostName()\nFROM t # url()\n",
    "SELECT /* ; */ 1",
    "SELECT user, url, file, host FROM visits",
    "SELECT count() FROM visits WHERE user = 'a' AND url LIKE '%x%'",
    "SELECT name FROM system.columns",
    "SELECT fileSize, urlHash, domain(url), clusterName FROM t",
    "DESCRIBE TABLE t",
    "SHOW TABLES",
    "EXISTS TABLE t",
    "EXPLAIN PIPELINE SELECT 1",
    "SELECT '\\'; DROP' , 'it''s'",
  ];

  it("S4: refuses what is no query, leaves the database or tells about the server", () => {
    for (const [sql, because] of REFUSED) expect(() => guardQuery(sql), sql).toThrow(because);
  });

  it("stands in the way of nothing else", () => {
    for (const sql of ALLOWED) expect(() => guardQuery(sql), sql).not.toThrow();
  });

  it("a text in quotes is never taken for words, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        const quoted = `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
        const words = piecesOf(`SELECT ${quoted}, b`).map((piece) => piece.text);
        expect(words).toEqual(["select", ",", "b"]);
      }),
    );
  });

  it("a value needs its place and its type", () => {
    expect(() => checkPlaceholders("SELECT {a:UInt64}", { a: "UInt64" })).not.toThrow();
    expect(() => checkPlaceholders("SELECT { a : Array( UInt8 ) }", { a: "array(UInt8)" })).not.toThrow();
    expect(() => checkPlaceholders("SELECT {a:UInt64}", { b: "UInt64" })).toThrow("params.b has no place");
    expect(() => checkPlaceholders("SELECT {a:UInt64}", { a: "String" })).toThrow("sql says {a:UInt64}");
  });

  it("values are written as the server reads them", () => {
    expect(parameterOf("a\tb\\c\n'")).toBe("a\\tb\\\\c\\n'");
    expect(parameterOf(null)).toBe("\\N");
    expect(parameterOf(["it's", 1, null, true])).toBe("['it\\'s',1,NULL,true]");
  });

  it("numbers of 64 bits become numbers where none loses a digit; long values end in …", () => {
    expect(cellOf("9007199254740993", "UInt64")).toBe("9007199254740993");
    expect(cellOf("-5", "Nullable(Int64)")).toBe(-5);
    expect(cellOf("7", "LowCardinality(Nullable(UInt64))")).toBe(7);
    expect(cellOf("7", "String")).toBe("7");
    expect(cellOf("x".repeat(5000), "String")).toHaveLength(2048);
    expect(String(cellOf([..."x".repeat(5000)], "Array(String)")).endsWith("…")).toBe(true);
  });
});

describe("an answer that is not as it should be", () => {
  it("a failure after the first rows is a failure, and nothing of it names hosts, accounts or versions", async () => {
    const module = await moduleAt((_sql, _request, response) =>
      response.end(
        `${HEAD}[1]\n\r\n__exception__\r\ntag\r\nCode: 241. DB::Exception: mcp_ro: memory limit on db-1.internal:9000, exceeded. (MEMORY_LIMIT_EXCEEDED) (version 26.7.2.1)\r\n12 tag\r\n__exception__\r\n`,
      ),
    );
    await expect(ask(module)).rejects.toMatchObject({
      code: "too_large",
      message: expect.stringContaining("memory limit"),
    });
    await expect(ask(module)).rejects.not.toThrow(/db-1|version/);
  });

  it("every status, redirect and foreign answer is a fault", async () => {
    const answers: readonly (readonly [status: number, body: string, code: string])[] = [
      [302, "", "upstream_unavailable"],
      [200, "<html>welcome</html>", "upstream_unavailable"],
      [200, "", "upstream_unavailable"],
      [200, '["a"]\n', "upstream_unavailable"],
      [200, `${HEAD}[1`, "upstream_unavailable"],
      [403, "Code: 516. DB::Exception: mcp_ro: Authentication failed. (AUTHENTICATION_FAILED)", "denied"],
      [404, "Code: 60. DB::Exception: Unknown table expression identifier 'x'. (UNKNOWN_TABLE)", "not_found"],
      [
        500,
        "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)",
        "busy",
      ],
      [
        500,
        "Code: 201. DB::Exception: Quota for user `mcp_ro` has been exceeded. (QUOTA_EXCEEDED)",
        "rate_limited",
      ],
      [502, "<html>bad gateway</html>", "upstream_unavailable"],
    ];
    for (const [status, body, code] of answers) {
      const module = await moduleAt((_sql, _request, response) => {
        response.writeHead(status, status === 302 ? { location: "http://127.0.0.1:1/" } : {});
        response.end(body);
      });
      await expect(ask(module), `${status} ${body}`).rejects.toMatchObject({ code });
    }
  });

  it("a line without end and rows without end are not collected", async () => {
    let sent = 0;
    const flood =
      (line: string): Answering =>
      (_sql, _request, response) => {
        response.write(HEAD);
        const more = (): void => {
          while (!response.destroyed && sent < 200_000_000) {
            sent += line.length;
            if (!response.write(line)) return void response.once("drain", more);
          }
          response.end();
        };
        more();
      };
    const lines = await ask(await moduleAt(flood(`["${"1".repeat(1000)}"]\n`)), { limit: 10 });
    expect(lines).toMatchObject({ page: { returned: 10 }, truncation: { by: "rows", limit: 10 } });
    expect(sent).toBeLessThan(50_000_000);
    sent = 0;
    await expect(ask(await moduleAt(flood("x".repeat(65_536))))).rejects.toMatchObject({ code: "too_large" });
    expect(sent).toBeLessThan(100_000_000);
  });

  it("aborting and time end the query on the server, by its own number", async () => {
    const killed: string[] = [];
    const begun: string[] = [];
    const module = await moduleAt((sql, request, response) => {
      if (sql.startsWith("KILL")) {
        killed.push(sql);
        response.end();
        return;
      }
      begun.push(new URL(request.url ?? "", "http://a").searchParams.get("query_id") ?? "");
      response.write(HEAD);
    });
    await expect(ask(module, { timeout_ms: 100 })).rejects.toMatchObject({ code: "timeout" });
    const controller = new AbortController();
    const slow = ask(module, {}, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 50);
    await expect(slow).rejects.toThrow("caller went away");
    await expect.poll(() => killed).toEqual(begun.map((id) => `KILL QUERY WHERE query_id = '${id}' ASYNC`));
    expect(new Set(begun).size).toBe(2);
  });

  it("nobody there is said at once", async () => {
    await expect(ask(openAt(1))).rejects.toMatchObject({ code: "upstream_unavailable" });
    const silent = await droppingPort();
    const started = performance.now();
    await expect(ask(openAt(silent.port))).rejects.toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(6000);
    await silent.close();
  });

  it("what is no exception of ClickHouse is none", () => {
    expect(faultIn("Code: none")).toBeUndefined();
    expect(
      faultIn("Code: 279. DB::Exception: All connection tries failed: secret:9000 (version 1)"),
    ).toMatchObject({
      code: "upstream_unavailable",
      message: expect.not.stringContaining("secret"),
    });
  });
});

describe("what is sent", () => {
  it("one POST of the statement as written, and nothing a profile of readonly = 1 refuses", async () => {
    const seen: { url: URL; sql: string; authorization: string | undefined }[] = [];
    const module = await moduleAt((sql, request, response) => {
      expect(request.method).toBe("POST");
      seen.push({
        url: new URL(request.url ?? "", "http://a"),
        sql,
        authorization: request.headers.authorization,
      });
      response.end(HEAD);
    });
    const sql = "SELECT a -- é\nFROM t WHERE a = {x:String}";
    await ask(module, { sql, params: { x: { type: "String", value: "&query_id=1#" } } });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.sql).toBe(sql);
    expect(seen[0]?.url.pathname).toBe("/");
    expect([...(seen[0]?.url.searchParams.keys() ?? [])].sort()).toEqual([
      "database",
      "default_format",
      "param_x",
      "query_id",
    ]);
    expect(seen[0]?.url.searchParams.get("param_x")).toBe("&query_id=1#");
    expect(seen[0]?.authorization).toBe(
      `Basic ${Buffer.from("mcp_ro:secret-of-the-reader").toString("base64")}`,
    );
  });

  it("arguments that are not as declared never reach the server", async () => {
    const module = await moduleAt((sql) => expect.unreachable(sql));
    for (const args of [
      { database: "system" },
      { database: "events; DROP" },
      { limit: 0 },
      { limit: 1001 },
      { timeout_ms: 15_001 },
      { sql: "" },
      { params: { "a-b": { type: "String", value: 1 } } },
      { params: { a: { value: 1 } } },
      { host: "elsewhere" },
      { settings: { readonly: 0 } },
    ]) {
      await expect(ask(module, args), JSON.stringify(args)).rejects.toThrow("invalid arguments");
    }
    for (const value of [{ a: 1 }, [[1]]]) {
      await expect(
        ask(module, { sql: "SELECT {a:String}", params: { a: { type: "String", value } } }),
      ).rejects.toMatchObject({ code: "invalid_argument" });
    }
  });
});
