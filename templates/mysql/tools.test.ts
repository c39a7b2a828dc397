import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { guardChange, guardQuery, unexpected } from "#runtime/mysql/guard";
import { tokensOf } from "#runtime/mysql/lexer";
import { isWanted } from "#runtime/mysql/rights";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { freePort } from "../../test/live/server.ts";
import { ACCEPTED, REFUSED } from "./live.ts";
import { tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const moduleAt = (port: number, environment: Record<string, string> = {}): OpenModule =>
  openModule(tools, {
    MCP_MYSQL_HOST: "127.0.0.1",
    MCP_MYSQL_PORT: String(port),
    MCP_MYSQL_TLS: "false",
    MCP_MYSQL_APP_DB_PASSWORD: "geheim-geheim",
    ...environment,
  });
const ask = async (module: OpenModule, signal?: AbortSignal): Promise<unknown> =>
  await module
    .call("mysql_query", { database: "app_db", sql: "SELECT 1" }, signal)
    .catch((error: unknown) => error);

/** Something that listens where a server is expected. */
async function listener(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const reason = "a test of the tool";

describe("the tools as data", () => {
  it("S32: five reads before one write", () => {
    expect(tools.tools.map(({ name, effect }) => `${name} ${effect}`)).toEqual([
      "mysql_list_databases read",
      "mysql_list_tables read",
      "mysql_describe_table read",
      "mysql_table_stats read",
      "mysql_query read",
      "mysql_execute destructive",
    ]);
  });

  it("P7: every description says when to use the tool, and a tool stays small in the list", () => {
    for (const { name, title, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const seen = { name, title, description, inputSchema, outputSchema, annotations };
      expect(JSON.stringify(seen).length, name).toBeLessThanOrEqual(1400);
    }
  });

  it("R5: no parameter names a host or a credential", () => {
    for (const { inputSchema } of tools.tools) {
      expect(JSON.stringify(inputSchema)).not.toMatch(/"(host|port|url|user|password|token)/i);
      expect(inputSchema).toMatchObject({ additionalProperties: false });
    }
  });

  it.each([
    ["mysql_query", { database: "mysql", sql: "SELECT 1" }],
    ["mysql_query", { database: "app_db", sql: "SELECT 1", limit: 1001 }],
    ["mysql_query", { database: "app_db", sql: "SELECT 1", timeout_ms: 60_001 }],
    ["mysql_query", { database: "app_db", sql: "x".repeat(20_001) }],
    ["mysql_query", { database: "app_db", sql: ["SELECT 1"] }],
    ["mysql_query", { database: "app_db", sql: "SELECT ?", params: [{ toSqlString: "1" }] }],
    ["mysql_query", { database: "app_db", sql: "SELECT ?", params: [["a"]] }],
    ["mysql_list_tables", { database: "app_db", limit: 501 }],
    ["mysql_describe_table", { database: "app_db", table: "" }],
    ["mysql_table_stats", { database: "app_db", order_by: "name" }],
    ["mysql_execute", { database: "audit", sql: "DELETE FROM a WHERE b = 1", reason }],
    ["mysql_execute", { database: "app_db", sql: "DELETE FROM a WHERE b = 1" }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt(1).call(tool, args)).rejects.toThrow("invalid arguments");
  });
});

describe("the guard", () => {
  it.each(REFUSED)("S4: refuses %s", (sql, because) => {
    expect(() => guardQuery(sql)).toThrow(because);
  });

  it.each(ACCEPTED)("lets through %s", (sql) => {
    expect(() => guardQuery(sql)).not.toThrow();
  });

  it("is not misled by case, comments, brackets or space", () => {
    for (const word of ["into", "INTO", "Into"])
      expect(() => guardQuery(`select 1 /* x */ ${word}\t outfile 'x'`)).toThrow("INTO is not allowed");
    for (const gap of ["", " ", "\n", "/**/", "-- x\n", "#\n", "\t/* a */ "])
      expect(() => guardQuery(`SELECT sleep${gap}(1)`), JSON.stringify(gap)).toThrow("sleep is not allowed");
    expect(() => guardQuery("((DELETE FROM a))")).toThrow("only one SELECT");
    expect(() => guardQuery("SELECT 1\u0000")).toThrow("NUL");
    expect(() => guardQuery("")).toThrow("there is no statement");
    expect(() => guardQuery("-- nothing")).toThrow("there is no statement");
    expect(() => guardQuery({ sql: "SELECT 1" })).toThrow("no text");
    expect(() => guardQuery("SELECT 1e3, 1st FROM a")).toThrow("must be quoted");
  });

  it("what is quoted is never taken for a word, and what is not always is", () => {
    const quoted = fc
      .tuple(
        fc.constantFrom("'", '"', "`"),
        fc.array(
          fc.constantFrom("INTO", ";", " ", "--", "#", "/*", "*/", "''", '""', "``", "\\\\", "@", "("),
        ),
      )
      .map(([quote, parts]) => {
        const inside = parts
          .join("")
          .replaceAll(quote === "`" ? "`" : /['"]/g, (each) => (each === quote ? each + each : each));
        return `${quote}${inside}${quote}`;
      });
    fc.assert(
      fc.property(quoted, (text) => {
        expect(tokensOf(`SELECT ${text} , x`).map(({ kind }) => kind)).toEqual([
          "word",
          text.startsWith("`") ? "name" : "value",
          "sign",
          "word",
        ]);
        expect(() => guardQuery(`SELECT ${text} INTO OUTFILE ''`)).toThrow("INTO is not allowed");
      }),
    );
  });

  it("reads any text in time, whatever it holds", () => {
    for (const piece of ["/*", "'", "((", "-- ", "a.", "\\", "1e", "@", "`a`", "/**/"]) {
      const started = performance.now();
      try {
        guardQuery(`SELECT ${piece.repeat(20_000 / piece.length - 10)}`);
      } catch (error) {
        expect(error).toMatchObject({ name: "ToolFault" });
      }
      expect(performance.now() - started, piece).toBeLessThan(500);
    }
  });

  it.each([
    ["UPDATE a SET b = 1", false],
    ["UPDATE a SET b = 1 WHERE 1 = 1", false],
    ["DELETE FROM a WHERE TRUE", false],
    ["DELETE FROM a WHERE NOW() > 0", false],
    ["DELETE FROM a ORDER BY b LIMIT 1", false],
    ["UPDATE a SET b = (SELECT c FROM d WHERE e = 1)", false],
    ["UPDATE a SET b = 1 WHERE c = 1", true],
    ["DELETE FROM a WHERE `b` IS NULL", true],
    ["DELETE a FROM a JOIN b ON a.c = b.c WHERE b.d = 1", true],
    ["INSERT INTO a (b) VALUES (1)", true],
    ["INSERT INTO a SET b = 1", true],
    ["INSERT INTO a SELECT * FROM b", true],
    ["INSERT INTO a (b) VALUES (1) ON DUPLICATE KEY UPDATE b = VALUES(b)", true],
  ])("%s needs no confirmation: %s", (sql, fine) => {
    if (fine) expect(() => guardChange(sql, false)).not.toThrow();
    else expect(() => guardChange(sql, false)).toThrow("without a WHERE on a column");
    expect(() => guardChange(sql, true)).not.toThrow();
  });

  it("a count is what was announced, or small", () => {
    expect(unexpected(3, 3)).toBeUndefined();
    expect(unexpected(3, 4)).toBe("the statement changes 3 rows, not 4");
    expect(unexpected(1000, undefined)).toBeUndefined();
    expect(unexpected(1001, undefined)).toContain("need expected_rows");
    expect(unexpected(0, 0)).toBeUndefined();
  });
});

describe("rights", () => {
  const TO = "TO `mcp_ro_app_db`@`%`";
  it.each([
    ["GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*00' REQUIRE SSL", true],
    [`GRANT SELECT ON \`app\\_db\`.* ${TO}`, true],
    [`GRANT SELECT ON \`app\\\\_db\`.* ${TO}`, true],
    [`GRANT SELECT ON \`app_db\`.* ${TO}`, false],
    [`GRANT SELECT ON \`app%\`.* ${TO}`, false],
    [`GRANT SELECT ON \`other\`.* ${TO}`, false],
    [`GRANT SELECT ON *.* ${TO}`, false],
    [`GRANT SELECT, INSERT ON \`app\\_db\`.* ${TO}`, false],
    [`GRANT SELECT ON \`app\\_db\`.* ${TO} WITH GRANT OPTION`, false],
    [`GRANT SELECT ON \`app\\_db\`.\`a\` ${TO}`, false],
    [`GRANT ALL PRIVILEGES ON \`app\\_db\`.* ${TO}`, false],
    [`GRANT EXECUTE ON FUNCTION \`app\\_db\`.\`f\` ${TO}`, false],
    ["GRANT `role` TO `mcp_ro_app_db`@`%`", false],
    ["GRANT PROXY ON ''@'%' TO 'root'@'localhost'", false],
    ["", false],
  ])("%s is wanted: %s", (grant, wanted) => {
    expect(isWanted(grant, { database: "app_db", writes: false })).toBe(wanted);
  });

  it("an account that writes may, and no more", () => {
    const write = { database: "a", writes: true };
    expect(isWanted("GRANT SELECT, INSERT, UPDATE, DELETE ON `a`.* TO `x`@`%`", write)).toBe(true);
    expect(isWanted("GRANT SELECT, DROP ON `a`.* TO `x`@`%`", write)).toBe(false);
  });
});

/** The greeting of a server without TLS, whose salt is known. */
function greeting(): Buffer {
  const body = Buffer.concat([
    Buffer.from([10]),
    Buffer.from("8.0.36\0"),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from("12345678\0"),
    Buffer.from([0xff, 0xf7, 45, 2, 0, 0xff, 0x81, 21]),
    Buffer.alloc(10),
    Buffer.from("123456789012\0"),
    Buffer.from("mysql_native_password\0"),
  ]);
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
}

const packet = (sequence: number, ...bytes: number[]): Buffer =>
  Buffer.from([bytes.length, 0, 0, sequence, ...bytes]);

describe("hostile server", () => {
  it("R5: one that asks for a file of this process gets none", async () => {
    let received = Buffer.alloc(0);
    const asked = Buffer.from("\u00fb/etc/passwd", "latin1");
    const port = await listener((socket) => {
      let packets = 0;
      socket.write(greeting());
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        packets += 1;
        socket.write(packets === 1 ? packet(2, 0, 0, 0, 2, 0, 0, 0) : packet(1, ...asked));
      });
    });
    const signal = AbortSignal.timeout(5000);
    expect(await ask(moduleAt(port), signal)).toBeInstanceOf(Error);
    expect(received.toString("latin1")).toContain("SET SESSION sql_mode");
    expect(received.toString("latin1")).not.toContain("root:");
    expect(received.toString("latin1")).not.toContain("geheim");
  });

  it("S5: one without TLS learns nothing from a link that wants it", async () => {
    let received = Buffer.alloc(0);
    const port = await listener((socket) => {
      socket.write(greeting());
      socket.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
    });
    const error = await ask(moduleAt(port, { MCP_MYSQL_TLS: "true" }));
    expect(error).toMatchObject({
      code: "upstream_unavailable",
      message: "no trusted TLS connection to the database",
    });
    expect(received.toString("latin1")).not.toContain("mcp_ro_app_db");
  });

  it.each([
    ["bytes that are none of the protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["an end at once", ""],
  ])("%s is upstream_unavailable", async (_what, bytes) => {
    const port = await listener((socket) => socket.end(bytes));
    expect(await ask(moduleAt(port))).toMatchObject({ code: "upstream_unavailable" });
  });

  it("one that accepts and never answers is an answer within four seconds", async () => {
    const port = await listener(() => undefined);
    const started = performance.now();
    expect(await ask(moduleAt(port))).toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it("one that is not there is an answer at once, and one behind a network that drops packets in time", async () => {
    const error = await ask(moduleAt(await freePort()));
    expect(error).toMatchObject({ code: "upstream_unavailable", message: "the database cannot be reached" });
    expect(String(error)).not.toMatch(/127\.0\.0\.1|mcp_ro/);
    const dropping = await droppingPort();
    const started = performance.now();
    expect(await ask(moduleAt(dropping.port))).toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(4500);
    await dropping.close();
  });

  it("an aborted call opens no connection", async () => {
    let connections = 0;
    const port = await listener(() => (connections += 1));
    expect(await ask(moduleAt(port), AbortSignal.abort(new Error("too late")))).toMatchObject({
      message: "too late",
    });
    expect(connections).toBe(0);
  });

  it("a setting that cannot be used stops the start", async () => {
    expect(await ask(moduleAt(1, { MCP_MYSQL_TLS: "yes" }))).toMatchObject({
      message: "MCP_MYSQL_TLS must be true or false",
    });
  });
});

describe("from the drawing", () => {
  const emitted = async (
    type: string,
    link: string,
    databases = "{app_db: {}, audit: {database: audit$log}}",
  ) =>
    await treeOf(`apiVersion: topology/v1
stack: stack
components: {db: {type: ${type}, databases: ${databases}}}
links: {mcp: {db: ${link}}}
`);
  const files = (tree: Awaited<ReturnType<typeof emitted>>): readonly string[] =>
    [...tree.keys()].filter((path) => path.startsWith("principals/db/")).map((path) => path.slice(14));

  it("S10: an account that writes exists only where that was drawn", async () => {
    const tree = await emitted("mariadb", "{only: {app_db: write, audit: read}}");
    expect(files(tree)).toEqual(["README.md", "app_db.read.sql", "app_db.write.sql", "audit.read.sql"]);
    expect(files(await emitted("mariadb", "read"))).toEqual([
      "README.md",
      "app_db.read.sql",
      "audit.read.sql",
    ]);
    expect(tree.get("principals/db/app_db.read.sql")?.text).toContain(
      "GRANT SELECT ON `app\\_db`.* TO 'mcp_ro_app_db'@'%';",
    );
    expect(tree.get("principals/db/audit.read.sql")?.text).toContain("GRANT SELECT ON `audit$log`.* TO");
    expect(tree.get("principals/db/app_db.write.sql")?.text).toContain(
      "GRANT SELECT, INSERT, UPDATE, DELETE ON `app\\_db`.*",
    );
  });

  it("MySQL has no time limit for an account, and names of at most 32 characters", async () => {
    const long = "a_database_whose_name_is_rather_long";
    const tree = await emitted("mysql", "read", `{${long}: {}, ${long}er: {}}`);
    const sql = [...tree].filter(([path]) => path.endsWith(".read.sql")).map(([, { text }]) => text);
    expect(sql.join("")).not.toContain("MAX_STATEMENT_TIME");
    const accounts = sql.map((each) => /CREATE USER IF NOT EXISTS '([^']+)'/.exec(each)?.[1] ?? "");
    expect(new Set(accounts).size).toBe(2);
    for (const account of accounts) expect(account).toMatch(/^mcp_ro_\w{25}$/);
  });

  it("T2: swapping mysql for mariadb keeps tools, parameters and shapes", async () => {
    const surfaceOf = async (type: string): Promise<unknown> => {
      const lock = JSON.parse(
        (await emitted(type, "write")).get("server/surface.lock.json")?.text ?? "{}",
      ) as {
        tools: unknown;
      };
      return lock.tools;
    };
    expect(await surfaceOf("mysql")).toEqual(await surfaceOf("mariadb"));
  });
});
