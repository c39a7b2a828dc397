import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { FLOOD, READER, WRITER, startFerret, startRelay } from "./live.ts";
import type { Live } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const REASON = "shown by the live suite";
const called = new Set<string>();

let live: Live;
let module: OpenModule;

function open(environment: Readonly<Record<string, string>> = {}): OpenModule {
  return openModule(tools, {
    MCP_MONGODB_HOST: "127.0.0.1",
    MCP_MONGODB_PORT: String(live.server.port),
    MCP_MONGODB_USER: "mcp_ro",
    MCP_MONGODB_PASSWORD: READER,
    MCP_MONGODB_RW_USER: "mcp_rw",
    MCP_MONGODB_RW_PASSWORD: WRITER,
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

const find = async (args: Record<string, unknown>) =>
  await call("mongo_find", { database: "orders", collection: "items", ...args });

beforeAll(async () => {
  expect(liveVersion("mongodb"), "live.sh install").toBeDefined();
  live = await startFerret();
  module = open();
  // The first call of an account pays for its login, which is made slow on purpose.
  await module.call("mongo_db_stats", { database: "orders" });
}, 120_000);

afterAll(async () => {
  await module?.close();
  await live?.stop();
});

describe("reading, on FerretDB", () => {
  it("mongo_list_collections: pages, filters and counts", async () => {
    expect(await call("mongo_list_collections", { database: "orders" })).toMatchObject({
      data: [
        { collection: "items", type: "collection", documents: 300 },
        { collection: "notes", documents: 2 },
        { collection: "types", documents: 1 },
      ],
      page: { returned: 3, total: 3, next_cursor: null },
    });
    const first = await call("mongo_list_collections", { database: "shop", pattern: "c*", limit: 40 });
    expect(first).toMatchObject({ page: { returned: 40, total: 60 }, truncation: { by: "rows", limit: 40 } });
    const rest = { database: "shop", pattern: "c*", limit: 40, cursor: first.page?.next_cursor };
    expect((await call("mongo_list_collections", rest)).page).toEqual({
      returned: 20,
      total: 60,
      next_cursor: null,
    });
    await expect(call("mongo_list_collections", { ...rest, pattern: "*" })).rejects.toThrow(
      "does not belong",
    );
  });

  it("mongo_schema: fields, types and how often, but no value", async () => {
    const { data } = await call("mongo_schema", { database: "orders", collection: "items" });
    expect(data).toMatchObject({
      documents: 50,
      fields: expect.arrayContaining([
        { path: "_id", types: ["int"], present: 50 },
        { path: "tags[]", types: ["string", "int"], present: 50 },
        { path: "detail.sizes[].x", types: ["int"], present: 25 },
        { path: "at", types: ["date"], present: 50 },
      ]),
    });
    expect(JSON.stringify(data)).not.toContain("name 1");
    await expect(call("mongo_schema", { database: "orders", collection: "nothing" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("mongo_find: filter, projection, sort, pages that do not overlap", async () => {
    const filter = { price: { $gte: 10 }, tags: "a" };
    const first = await find({ filter, projection: { name: 1 }, sort: { price: -1 }, limit: 3 });
    expect(first.data).toEqual([
      { _id: 299, name: "name 299" },
      { _id: 298, name: "name 298" },
      { _id: 297, name: "name 297" },
    ]);
    expect(first.truncation).toMatchObject({ by: "rows", limit: 3 });
    const second = await find({
      filter,
      projection: { name: 1 },
      sort: { price: -1 },
      limit: 3,
      cursor: first.page?.next_cursor,
    });
    expect(second.data).toMatchObject([{ _id: 296 }, { _id: 295 }, { _id: 294 }]);
    const exact = await find({ filter: { _id: { $lt: 5 } }, limit: 5 });
    expect(exact.page).toEqual({ returned: 5, total: null, next_cursor: null });
    expect(exact.truncation).toBeUndefined();
    await expect(find({ filter: {}, cursor: first.page?.next_cursor })).rejects.toThrow("does not belong");
  });

  it("mongo_find: types arrive as Extended JSON that the next filter takes", async () => {
    const { data } = await find({ collection: "types" });
    const document = {
      _id: { $oid: "0123456789abcdef01234567" },
      long: { $numberLong: "9223372036854775807" },
      double: 1.5,
      date: { $date: "2026-01-02T03:04:05.678Z" },
      binary: { $binary: { base64: Buffer.from("bytes").toString("base64"), subType: "00" } },
      none: null,
      text: 'é "quoted" \n',
    };
    expect(data).toEqual([document]);
    for (const field of ["_id", "long", "date", "text"] as const)
      expect(
        (await find({ collection: "types", filter: { [field]: document[field] } })).page?.returned,
        field,
      ).toBe(1);
  });

  it("mongo_aggregate and mongo_count", async () => {
    const pipeline = [{ $match: { _id: { $lt: 10 } } }, { $group: { _id: null, n: { $sum: 1 } } }];
    expect(
      (await call("mongo_aggregate", { database: "orders", collection: "items", pipeline })).data,
    ).toEqual([{ _id: null, n: 10 }]);
    const many = await call("mongo_aggregate", {
      database: "orders",
      collection: "items",
      pipeline: [{ $sort: { _id: 1 } }],
      limit: 7,
    });
    expect(many).toMatchObject({
      page: { returned: 7, next_cursor: null },
      truncation: { by: "rows", limit: 7 },
    });
    const count = async (filter: object) =>
      (await call("mongo_count", { database: "orders", collection: "items", filter })).data;
    expect(await count({})).toEqual({ documents: 300, estimated: true });
    expect(await count({ detail: { $exists: true } })).toEqual({ documents: 150, estimated: false });
  });

  it("mongo_indexes, mongo_explain and mongo_db_stats", async () => {
    expect((await call("mongo_indexes", { database: "orders", collection: "items" })).data).toEqual([
      { name: "_id_", key: { _id: 1 } },
      { name: "name_1", key: { name: 1 }, unique: true },
    ]);
    const { data } = await call("mongo_explain", {
      database: "orders",
      collection: "items",
      filter: { name: "name 1" },
    });
    expect(data).toMatchObject({ queryPlanner: expect.anything() });
    expect(JSON.stringify(data)).not.toMatch(/serverInfo|"host"/);
    expect((await call("mongo_db_stats", { database: "orders" })).data).toMatchObject({
      collections: 3,
      objects: 303,
    });
  });
});

describe("writing, on FerretDB", () => {
  const place = { database: "orders", collection: "notes", reason: REASON };
  const notes = () => live.admin.db("orders").collection("notes");

  it("mongo_insert_one: a trial changes nothing, a repeated _id is refused", async () => {
    const document = {
      _id: { $oid: "aaaaaaaaaaaaaaaaaaaaaaaa" },
      text: "$where is only text here",
      at: { $date: "2026-01-02T03:04:05Z" },
    };
    const trial = await call("mongo_insert_one", { ...place, document });
    expect(trial.data).toMatchObject({
      inserted: false,
      document: { at: { $date: "2026-01-02T03:04:05.000Z" } },
    });
    expect(await notes().countDocuments()).toBe(2);
    expect((await call("mongo_insert_one", { ...place, document, dry_run: false })).data).toEqual({
      inserted: true,
      _id: { $oid: "aaaaaaaaaaaaaaaaaaaaaaaa" },
    });
    expect(await notes().findOne({ at: new Date("2026-01-02T03:04:05Z") })).toMatchObject({
      text: "$where is only text here",
    });
    await expect(call("mongo_insert_one", { ...place, document, dry_run: false })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("duplicate key"),
    });
  });

  it("A3: what was approved reaches the server with its marker as the command's comment", async () => {
    const relay = await startRelay(live.server.port);
    const relayed = open({ MCP_MONGODB_PORT: String(relay.port) });
    const document = { _id: "marked", text: "approved" };
    await relayed.callApproved("mongo_insert_one", { ...place, document, dry_run: false });
    const update = { $set: { text: "twice" } };
    const filter = { _id: "marked" };
    await relayed.callApproved("mongo_update_one", { ...place, filter, update, dry_run: false });
    await relayed.close();
    const comments = relay.sent().match(/comment\0.{4}mcp:[0-9a-f]+ approved by \S+\0/gs) ?? [];
    expect(comments).toHaveLength(2);
    relay.close();
    expect(await notes().deleteOne({ text: "twice" })).toMatchObject({ deletedCount: 1 });
  });

  it("mongo_update_one: shows the document first, then changes exactly that one", async () => {
    const change = {
      ...place,
      filter: { text: "first" },
      update: { $set: { text: "changed" }, $inc: { n: 2 } },
    };
    expect((await call("mongo_update_one", change)).data).toEqual({
      matched: 1,
      modified: 0,
      before: { _id: "a", text: "first", n: 1 },
    });
    expect((await call("mongo_update_one", { ...change, dry_run: false })).data).toEqual({
      matched: 1,
      modified: 1,
    });
    expect(await notes().findOne({ _id: "a" as never })).toEqual({ _id: "a", text: "changed", n: 3 });
    expect(await notes().findOne({ _id: "b" as never })).toEqual({ _id: "b", text: "second", n: 1 });
  });

  it("mongo_update_one: none and several are faults, and nothing is inserted or replaced", async () => {
    const update = { $set: { text: "everywhere" } };
    const write = async (more: object) =>
      await call("mongo_update_one", { ...place, update, dry_run: false, ...more });
    await expect(write({ filter: { text: "nowhere" } })).rejects.toMatchObject({ code: "not_found" });
    await expect(write({ filter: { _id: { $exists: true } } })).rejects.toThrow("more than one");
    await expect(write({ filter: {} })).rejects.toThrow("invalid arguments");
    for (const bad of [{ text: "whole document" }, { $setOnInsert: { a: 1 } }, { $set: { a: 1 }, text: "x" }])
      await expect(write({ filter: { _id: "b" }, update: bad })).rejects.toMatchObject({ code: "denied" });
    expect(await notes().countDocuments({ text: "everywhere" })).toBe(0);
    expect(await notes().countDocuments()).toBe(3);
  });

  it("only the drawn collection of the drawn database", async () => {
    for (const more of [
      { collection: "items" },
      { database: "shop" },
      { database: "admin" },
      { collection: "system.users" },
    ])
      await expect(call("mongo_insert_one", { ...place, document: { a: 1 }, ...more })).rejects.toThrow(
        "invalid arguments",
      );
  });
});

describe("accounts and attacks, on FerretDB", () => {
  it("S5: a wrong password is denied, and is in no message", async () => {
    const wrong = open({ MCP_MONGODB_PASSWORD: "not-this-one" });
    const failure: unknown = await wrong
      .call("mongo_db_stats", { database: "orders" })
      .catch((error: unknown) => error);
    await wrong.close();
    expect(failure).toMatchObject({
      code: "denied",
      message: "the service refused the account of this link",
    });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp_ro|127\.0\.0\.1/);
  });

  it("S4: code, stages that write and other databases are refused before anything is sent", async () => {
    const before = await live.admin.db("orders").listCollections().toArray();
    for (const filter of [
      { $where: "sleep(9)" },
      { $or: [{ a: { $where: "1" } }] },
      { $expr: { $function: { body: "1", args: [], lang: "js" } } },
    ])
      await expect(find({ filter })).rejects.toMatchObject({ code: "denied" });
    for (const stage of [
      { $out: "pwned" },
      { $merge: { into: "items" } },
      { $lookup: { from: { db: "admin", coll: "system.users" }, as: "x" } },
      { $unionWith: "system.users" },
    ]) {
      await expect(
        call("mongo_aggregate", { database: "orders", collection: "items", pipeline: [stage] }),
      ).rejects.toMatchObject({ code: "denied" });
    }
    for (const collection of ["system.users", "system.profile", "$cmd", "a\u0000b"])
      await expect(find({ collection })).rejects.toThrow(/own collections|cannot be the name/);
    for (const database of ["admin", "local", "shop_prod", "orders.items"])
      await expect(find({ database })).rejects.toThrow("invalid arguments");
    expect(await live.admin.db("orders").listCollections().toArray()).toHaveLength(before.length);
  });

  it("what the server refuses is said without hosts", async () => {
    await expect(find({ filter: { $nothing: 1 } })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("$nothing"),
    });
  });
});

describe("floods and cancellation, on FerretDB", () => {
  it(`${FLOOD} documents, 300 KB a document, 90 long fields: every answer is small and says what it left out`, async () => {
    const flood = await call("mongo_find", { database: "shop", collection: "flood", limit: 100 });
    expect(flood.truncation?.by).toMatch(/rows|bytes/);
    expect(flood.page?.next_cursor).toEqual(expect.any(String));
    const wide = await call("mongo_find", { database: "shop", collection: "wide", limit: 100 });
    expect(wide.truncation?.by, "a megabyte is enough").toBe("bytes");
    expect(wide.warnings).toEqual([expect.stringMatching(/values were cut/)]);
    expect(JSON.stringify(wide.data)).toContain("… 4900 more");
    const fields = await call("mongo_find", { database: "shop", collection: "wide", filter: { index: 10 } });
    expect(fields.data).toEqual([
      { _id: { $oid: expect.any(String) }, "…": expect.stringContaining("project some of _id, index, f0") },
    ]);
    await call("mongo_schema", { database: "shop", collection: "wide", sample: 20 });
  });

  it("aborting ends the call at once, and its connection, by which the server knows", async () => {
    const relay = await startRelay(live.server.port);
    const relayed = open({ MCP_MONGODB_PORT: String(relay.port) });
    await relayed.call("mongo_db_stats", { database: "shop" });
    const idle = relay.open();
    const controller = new AbortController();
    const pipeline = [
      { $unwind: "$tags" },
      { $group: { _id: "$name", n: { $sum: 1 } } },
      { $sort: { n: 1 } },
    ];
    const slow = relayed.call(
      "mongo_aggregate",
      { database: "shop", collection: "flood", pipeline },
      controller.signal,
    );
    setTimeout(() => controller.abort(new Error("caller went away")), 20);
    const started = performance.now();
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(relay.open, { timeout: 2000 }).toBeLessThan(idle);
    expect(
      (await relayed.call("mongo_count", { database: "orders", collection: "notes" })).data,
    ).toMatchObject({ documents: 3 });
    await relayed.close();
    await expect.poll(relay.open, { timeout: 2000 }).toBe(0);
    relay.close();
  });
});

it("every tool was called", () => {
  expect([...called].sort()).toEqual(tools.tools.map(({ name }) => name).sort());
});
