import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { BSON, MongoServerError } from "mongodb";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { writesIn } from "#runtime/mongodb/client";
import { faultOf } from "#runtime/mongodb/fault";
import { checkCollection, objectOf, pipelineOf, updateOf } from "#runtime/mongodb/guard";
import { documentOf, fromJson } from "#runtime/mongodb/json";
import { MAX_FIELDS, schemaOf } from "#runtime/mongodb/schema";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { runInFakeShell } from "./fake-shell.ts";
import { tools } from "./tools.ts";

const PASSWORDS = { MCP_MONGODB_PASSWORD: "of-the-reader", MCP_MONGODB_RW_PASSWORD: "of-the-writer" };
const opened: (OpenModule | Server)[] = [];

function moduleAt(port: number, environment: Readonly<Record<string, string>> = {}): OpenModule {
  const module = openModule(tools, {
    MCP_MONGODB_HOST: "127.0.0.1",
    MCP_MONGODB_PORT: String(port),
    MCP_MONGODB_USER: "mcp_ro",
    MCP_MONGODB_RW_USER: "mcp_rw",
    ...PASSWORDS,
    ...environment,
  });
  opened.push(module);
  return module;
}

afterEach(async () => {
  for (const one of opened.splice(0)) {
    if ("names" in one) await one.close();
    else one.close();
  }
});

const stack = (access: string): string => `apiVersion: topology/v1
stack: stack
components:
  mongodb: {databases: {orders: {collections: [notes, marks]}, shop: {database: shop_prod}}}
links: {mcp: {mongodb: ${access}}}
`;

async function commandsOf(access: string, existing: readonly string[] = []) {
  const script = (await treeOf(stack(access))).get("principals/mongodb/account.js")?.text ?? "";
  expect(script).not.toMatch(/of-the-reader|of-the-writer/);
  return runInFakeShell(script, PASSWORDS, existing).filter(
    ({ command }) => !("rolesInfo" in command || "usersInfo" in command),
  );
}

describe("the tools as data", () => {
  it("S32: the names, reads before writes", () => {
    expect(tools.tools.map(({ name, effect }) => `${name} ${effect}`)).toEqual([
      "mongo_list_collections read",
      "mongo_schema read",
      "mongo_find read",
      "mongo_aggregate read",
      "mongo_count read",
      "mongo_indexes read",
      "mongo_explain read",
      "mongo_db_stats read",
      "mongo_insert_one additive",
      "mongo_update_one destructive",
    ]);
  });

  it("P7: every description says when to use the tool, and each tool stays under 1.4 KB", () => {
    for (const { name, title, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      expect(
        JSON.stringify({ name, title, description, inputSchema, outputSchema, annotations }).length,
        name,
      ).toBeLessThan(1434);
    }
  });

  it("T3: databases are those of the drawing, and no tool takes a host, an address or an account", () => {
    for (const { inputSchema } of tools.tools) {
      const properties = inputSchema["properties"] as Readonly<Record<string, { enum?: readonly string[] }>>;
      expect(properties["database"]?.enum?.length).toBeGreaterThan(0);
      expect(Object.keys(properties).join(" ")).not.toMatch(
        /host|url|user|password|secret|tenant|port|options/,
      );
    }
  });
});

describe("the emitted files", () => {
  it("S21: read leaves neither a write tool nor its account", async () => {
    const tree = await treeOf(stack("read"));
    const source = tree.get("server/tools/mongodb.ts")?.text ?? "";
    expect(source).toContain("mongo_find");
    expect(source).not.toMatch(/mongo_insert_one|mongo_update_one|insertOne|updateOne/);
    expect([...tree.keys()].filter((path) => /mongodb\/(insert|update|writer)\.ts$/.test(path))).toEqual([]);
    expect(JSON.parse(tree.get("server/package.json")?.text ?? "{}")).toMatchObject({
      dependencies: { mongodb: "7.8.0" },
    });
    expect(await commandsOf("read")).toEqual([
      {
        database: "admin",
        command: {
          createUser: "mcp_ro",
          pwd: "of-the-reader",
          roles: [
            { role: "read", db: "orders" },
            { role: "read", db: "shop_prod" },
          ],
        },
      },
    ]);
  });

  it("S21: one write tool of two leaves the other out", async () => {
    const tree = await treeOf(stack("{access: write, only: [orders], tools: [mongo_insert_one]}"));
    const source = tree.get("server/tools/mongodb.ts")?.text ?? "";
    expect(source).toContain("mongo_insert_one");
    expect(source).not.toContain("mongo_update_one");
  });

  it("write: one more account, which inserts and updates in the drawn collections and does nothing else", async () => {
    const created = await commandsOf("{only: {orders: write, shop: read}}");
    const notes = { resource: { db: "orders", collection: "notes" }, actions: ["insert", "update"] };
    const marks = { resource: { db: "orders", collection: "marks" }, actions: ["insert", "update"] };
    expect(created.map(({ command }) => command)).toEqual([
      { createRole: "mcp_write_one", privileges: [notes, marks], roles: [] },
      expect.objectContaining({ createUser: "mcp_ro" }),
      { createUser: "mcp_rw", pwd: "of-the-writer", roles: [{ role: "mcp_write_one", db: "orders" }] },
    ]);
    const again = await commandsOf("{only: {orders: write, shop: read}}", [
      "mcp_write_one",
      "mcp_ro",
      "mcp_rw",
    ]);
    expect(again.map(({ command }) => Object.keys(command)[0])).toEqual([
      "updateRole",
      "updateUser",
      "updateUser",
    ]);
    const nowhere = await commandsOf("{only: {shop: write}}");
    expect(nowhere[0]?.command).toEqual({ createRole: "mcp_write_one", privileges: [], roles: [] });
  });

  it("the script fails without a password, instead of making an account that has none", async () => {
    const script = (await treeOf(stack("read"))).get("principals/mongodb/account.js")?.text ?? "";
    expect(() => runInFakeShell(script, {})).toThrow("MCP_MONGODB_PASSWORD is not in the environment");
  });
});

describe("the guard", () => {
  it("S4: nothing runs code, wherever it stands", () => {
    for (const filter of [
      { $where: "1" },
      { $and: [{ a: 1 }, { $nor: [{ $where: "1" }] }] },
      { a: { $elemMatch: { $where: "1" } } },
      { $expr: { $function: { body: "f", args: [], lang: "js" } } },
      { a: { $code: "f" } },
      { a: { $code: "f", $scope: {} } },
      { $expr: { $accumulator: {} } },
    ]) {
      expect(() => objectOf("filter", filter), JSON.stringify(filter)).toThrow(/code on the server|not run/);
    }
    let deep: object = {};
    for (let depth = 0; depth < 40; depth += 1) deep = { $and: [deep] };
    expect(() => objectOf("filter", deep)).toThrow("nested deeper");
    expect(() => objectOf("filter", { a: "x".repeat(70_000) })).toThrow("longer than");
    expect(() => objectOf("filter", { $oid: "0123456789abcdef01234567" })).toThrow("is not an object");
    expect(() => objectOf("filter", { _id: { $oid: "short" } })).toThrow("is not Extended JSON");
  });

  it("S4: stages that write, tell about the server or read another database are refused", () => {
    const refused: readonly object[] = [
      { $out: "x" },
      { $merge: { into: "x" } },
      { $currentOp: {} },
      { $collStats: {} },
      { $indexStats: {} },
      { $planCacheStats: {} },
      { $listSessions: {} },
      { $listLocalSessions: {} },
      { $changeStream: {} },
      { $documents: [] },
      { $search: {} },
      { $facet: { a: [{ $out: "x" }] } },
      { $facet: { a: [{ $facet: { b: [{ $merge: "x" }] } }] } },
      { $lookup: { from: "a", pipeline: [{ $out: "x" }], as: "b" } },
      { $lookup: { from: { db: "admin", coll: "system.users" }, as: "b" } },
      { $lookup: { from: "system.users", as: "b" } },
      { $graphLookup: { from: "system.users" } },
      { $unionWith: { db: "admin", coll: "x" } },
      { $unionWith: { coll: "system.profile" } },
      { $unionWith: "system.profile" },
      { $unionWith: { coll: "a", pipeline: [{ $merge: "x" }] } },
      { $group: { _id: null, a: { $accumulator: {} } } },
      { $match: { $where: "1" } },
    ];
    for (const stage of refused) {
      expect(() => pipelineOf([stage]), JSON.stringify(stage)).toThrow(
        expect.objectContaining({ code: "denied" }),
      );
    }
    for (const stage of [{}, { $match: {}, $out: "x" }, "x", null, [{ $match: {} }]])
      expect(() => pipelineOf([stage]), JSON.stringify(stage)).toThrow("a stage is an object");
    const fine = [
      { $match: { at: { $gte: { $date: "2026-01-02T00:00:00Z" } } } },
      { $lookup: { from: "items", localField: "a", foreignField: "b", as: "c", pipeline: [{ $limit: 1 }] } },
      { $facet: { a: [{ $count: "n" }], b: [{ $sortByCount: "$x" }] } },
    ];
    expect(pipelineOf(fine)[0]).toEqual({ $match: { at: { $gte: new Date("2026-01-02T00:00:00Z") } } });
  });

  it("S4: the server's own collections are out of reach, and only fields may be updated", () => {
    for (const name of ["system", "system.users", "system.js", "$cmd", "a$b", "", "a\0b"])
      expect(() => checkCollection(name), name).toThrow(/own collections|cannot be the name/);
    for (const name of ["items", "a.b", "systems", "my system.x"]) expect(checkCollection(name)).toBe(name);
    for (const update of [
      {},
      { a: 1 },
      { $set: { a: 1 }, b: 2 },
      { $setOnInsert: { a: 1 } },
      { $set: 5 },
      { $set: { a: { $where: "1" } } },
    ])
      expect(() => updateOf(update), JSON.stringify(update)).toThrow(/not allowed|takes an object/);
    expect(updateOf({ $set: { at: { $date: "2026-01-02T00:00:00Z" } } })).toEqual({
      $set: { at: new Date("2026-01-02T00:00:00Z") },
    });
  });

  it("S4: an account that may write is told from one that reads, by the server's own list of its rights", () => {
    const status = (actions: readonly string[]) => ({
      authInfo: { authenticatedUserPrivileges: [{ resource: { db: "orders", collection: "" }, actions }] },
    });
    const read = [
      "changeStream",
      "collStats",
      "dbHash",
      "dbStats",
      "find",
      "killCursors",
      "listCollections",
      "listIndexes",
      "planCacheRead",
    ];
    expect(writesIn(status(read))).toEqual([]);
    expect(writesIn(status([...read, "insert", "remove"]))).toEqual(["insert", "remove"]);
    expect(writesIn(status(["anyAction"]))).toEqual(["anyAction"]);
    expect(writesIn({})).toEqual([]);
  });
});

describe("documents as JSON", () => {
  it("every type is one that the next filter takes, and no digit is lost", () => {
    const document = {
      id: new BSON.ObjectId("0123456789abcdef01234567"),
      small: BSON.Long.fromNumber(5),
      long: BSON.Long.fromString("9007199254740993"),
      decimal: BSON.Decimal128.fromString("1.10"),
      nan: Number.NaN,
      infinite: new BSON.Double(Number.NEGATIVE_INFINITY),
      uuid: new BSON.UUID("00000000-0000-4000-8000-000000000001"),
      time: new BSON.Timestamp({ t: 1, i: 2 }),
      pattern: /a.b/i,
      least: new BSON.MinKey(),
    };
    const { json, cuts } = documentOf(document);
    expect(cuts).toBe(0);
    expect(json).toEqual({
      id: { $oid: "0123456789abcdef01234567" },
      small: 5,
      long: { $numberLong: "9007199254740993" },
      decimal: { $numberDecimal: "1.10" },
      nan: { $numberDouble: "NaN" },
      infinite: { $numberDouble: "-Infinity" },
      uuid: expect.anything(),
      time: { $timestamp: { t: 1, i: 2 } },
      pattern: { $regularExpression: { pattern: "a.b", options: "i" } },
      least: { $minKey: 1 },
    });
    const back = fromJson("document", json) as Record<string, unknown>;
    expect(BSON.EJSON.stringify(back["long"], { relaxed: false })).toBe('{"$numberLong":"9007199254740993"}');
    expect(String(back["decimal"])).toBe("1.10");
    expect(back["uuid"]).toEqual(expect.objectContaining({ sub_type: 4 }));
  });

  it("whatever a document holds, it stays small and JSON", () => {
    fc.assert(
      fc.property(
        fc.object({ maxDepth: 5, withDate: true, withBigInt: true, withNullPrototype: false }),
        (document) => {
          const { json } = documentOf(document);
          expect(JSON.stringify(json).length).toBeLessThan(40_000);
        },
      ),
      { numRuns: 200 },
    );
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f${index}`, index]));
    expect(documentOf(many)).toMatchObject({ json: { f0: 0, "…": "400 more fields" }, cuts: 1 });
    let deep: object = {};
    for (let depth = 0; depth < 90; depth += 1) deep = { deep };
    expect(JSON.stringify(documentOf(deep).json)).toContain("…");
    expect(documentOf({ b: new BSON.Binary(Buffer.alloc(10_000)) })).toMatchObject({
      json: { b: { $binary: "10000 bytes are not shown" } },
    });
  });

  it("a schema has no values, and an end", () => {
    const { fields, more } = schemaOf([
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, "secret"])),
    ]);
    expect(fields).toHaveLength(MAX_FIELDS);
    expect(more).toBe(true);
    expect(JSON.stringify(fields)).not.toContain("secret");
    expect(schemaOf([{ a: 1 }, { a: "x" }, { a: [{ b: null }] }]).fields).toEqual([
      { path: "a", types: ["int", "string", "array"], present: 3 },
      { path: "a[]", types: ["object"], present: 1 },
      { path: "a[].b", types: ["null"], present: 1 },
    ]);
  });
});

describe("what cannot be reached or is refused", () => {
  it("nobody there, silence and another protocol are said within the time of a connection", async () => {
    const garbage = createServer(
      (socket) => void socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    await new Promise<void>((resolve) => garbage.listen(0, "127.0.0.1", resolve));
    opened.push(garbage);
    const silent = await droppingPort();
    for (const port of [1, silent.port, (garbage.address() as AddressInfo).port]) {
      const started = performance.now();
      const failure: unknown = await moduleAt(port)
        .call("mongo_db_stats", { database: "orders" })
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "upstream_unavailable" });
      expect(String(failure)).not.toContain("127.0.0.1");
      expect(performance.now() - started).toBeLessThan(8000);
    }
    await silent.close();
  }, 30_000);

  it("a missing password and a wrong setting name their variable", async () => {
    await expect(
      moduleAt(1, { MCP_MONGODB_PASSWORD: "" }).call("mongo_db_stats", { database: "orders" }),
    ).rejects.toMatchObject({ hint: "set MCP_MONGODB_PASSWORD" });
    await expect(
      moduleAt(1, { MCP_MONGODB_TLS: "maybe" }).call("mongo_db_stats", { database: "orders" }),
    ).rejects.toThrow("MCP_MONGODB_TLS must be true or false");
  });

  it("the server's errors keep their meaning and lose hosts and commands", () => {
    const fault = (code: number, errmsg: string) => faultOf(new MongoServerError({ code, errmsg }));
    expect(fault(13, "not authorized on orders to execute command { find: 'x', secret: 1 }")).toMatchObject({
      code: "denied",
      message: "not authorized",
    });
    expect(fault(18, "Authentication failed.")).toMatchObject({ code: "denied" });
    expect(fault(50, "operation exceeded time limit")).toMatchObject({
      code: "timeout",
      hint: expect.stringContaining("indexed"),
    });
    expect(fault(6, "could not reach db-1.internal:27017")).toMatchObject({
      message: "could not reach a server",
    });
    const other = new Error("ours");
    expect(faultOf(other)).toBe(other);
  });

  it("arguments that are not as declared never reach the server", async () => {
    const module = moduleAt(1);
    for (const args of [
      { database: "admin" },
      { limit: 0 },
      { limit: 101 },
      { filter: [] },
      { filter: "x" },
      { host: "x" },
      { hint: 1 },
    ])
      await expect(
        module.call("mongo_find", { database: "orders", collection: "a", ...args }),
        JSON.stringify(args),
      ).rejects.toThrow("invalid arguments");
  });
});
