import type { Redis } from "ioredis";
import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { flag, integer, listOf, oneOf, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts, ToolResult } from "#runtime/tool";
import { closeValkey, openValkey, useDatabase, withConnection } from "#runtime/valkey/connection";
import type { Valkey } from "#runtime/valkey/connection";
import { bytesOfField, fieldReader } from "#runtime/valkey/hash";
import { readInfo } from "#runtime/valkey/info";
import { describeKey, typeOf } from "#runtime/valkey/key";
import { MAX_STARS, outside, ownerOf, passesFor } from "#runtime/valkey/keyspace";
import type { Keyspace } from "#runtime/valkey/keyspace";
import { MAX_PAGE_BYTES, aboutPage, readPage } from "#runtime/valkey/page";
import { MAX_KEY, SCAN_COUNT, countPasses, passReader, unnamedWarning, withMeta } from "#runtime/valkey/scan";
import type { Count, FoundKey } from "#runtime/valkey/scan";
import { DECODINGS, decode } from "#runtime/valkey/value";

type Context = CallContext<Valkey>;

/** A keyspace as drawn for this link. */
interface DrawnKeyspace extends Keyspace {
  readonly writable: boolean;
}

export const link: LinkFacts = slot("link", {
  id: "mcp->valkey",
  component: "valkey",
  type: "valkey",
  env: "MCP_VALKEY",
  host: "127.0.0.1",
  port: 6379,
});

/** Longest prefix first; none drawn means every key of the database. */
export const keyspaces: readonly DrawnKeyspace[] = slot("keyspaces", [
  { name: "session", prefix: "session:", database: 0, writable: false },
  { name: "app", prefix: "app:", database: 0, writable: true },
]);

const MAX_VALUE_BYTES = 65_536;
const MAX_CELL_BYTES = 2048;
const MAX_FIELDS = 1000;
const FIELD_ROUNDS = 20;
const SCAN_ROUNDS = 20;
const COUNT_ROUNDS = 200;
const MAX_TTL_S = 2_592_000;
const MAX_DELETED = 20;
const SECTIONS = ["server", "clients", "memory", "stats", "replication", "keyspace", "persistence"] as const;
const TYPES = ["string", "hash", "list", "set", "zset", "stream"] as const;

const key = text({ min: 1, max: MAX_KEY });
const cursor = text({ max: 256, optional: true });
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

/** The drawn keyspaces, or one that holds every key when none was drawn. */
function reachable(valkey: Valkey): readonly Keyspace[] {
  return keyspaces.length > 0 ? keyspaces : [{ name: "all", prefix: "", database: valkey.database }];
}

/** The keyspace of a key; a key outside all of them is refused before a connection is made. */
function keyspaceOf(valkey: Valkey, name: string): Keyspace {
  const among = reachable(valkey);
  const owner = ownerOf(among, name);
  if (owner === undefined) throw outside(among, "key");
  return owner;
}

async function withKey<T>(
  { client, signal }: Context,
  name: string,
  work: (redis: Redis) => Promise<T>,
): Promise<T> {
  return await withConnection(client, keyspaceOf(client, name).database, signal, work);
}

function invalid(message: string, hint?: string): ToolFault {
  return new ToolFault("invalid_argument", message, hint === undefined ? {} : { hint });
}

async function requireType(redis: Redis, name: string, wanted: string): Promise<void> {
  const type = await typeOf(redis, name);
  if (type === wanted) return;
  throw invalid(
    `the key holds a ${type}, not a ${wanted}`,
    `${named("valkey_type_and_ttl")} works for every type`,
  );
}

const info = defineTool({
  name: named("valkey_info"),
  title: "Server statistics",
  description: "Use to judge the server's health: one INFO section as numbers.",
  effect: "read",
  parameters: { section: oneOf(SECTIONS, { default: "memory" }) },
  handler: async ({ section }, { client, signal }: Context) => {
    if (section === "keyspace" && keyspaces.length > 0) {
      throw new ToolFault("denied", "this section counts keys outside the keyspaces of this link", {
        hint: `use ${named("valkey_dbsize")}`,
      });
    }
    const answer = await withConnection(client, 0, signal, (redis) => redis.info(section));
    return { data: { section, values: readInfo(answer) } };
  },
});

const dbsize = defineTool({
  name: named("valkey_dbsize"),
  title: "Count keys",
  description: `Use to count keys, per drawn keyspace. Looks at ${COUNT_ROUNDS * SCAN_COUNT} keys at most; complete=false: there are more.`,
  effect: "read",
  parameters: { db: integer({ min: 0, max: 65_535, default: 0 }) },
  handler: async ({ db }, { client, signal }: Context) => {
    const among = reachable(client).filter((keyspace) => keyspace.database === db);
    if (among.length === 0) {
      const known = [...new Set(reachable(client).map((keyspace) => keyspace.database))].sort(
        (a, b) => a - b,
      );
      throw new ToolFault("denied", "the database is outside this link", {
        hint: `use db ${known.join(" or ")}`,
      });
    }
    return await withConnection(client, db, signal, async (redis) => {
      if (keyspaces.length === 0) return { data: { db, keys: await redis.dbsize() } };
      return countedResult(db, await countPasses(redis, among, passesFor(among, undefined), COUNT_ROUNDS));
    });
  },
});

function countedResult(db: number, counts: readonly Count[]): ToolResult {
  const data = { db, keyspaces: counts };
  if (counts.every(({ complete }) => complete)) return { data };
  return { data, truncation: { by: "rows", limit: COUNT_ROUNDS * SCAN_COUNT } };
}

const scanKeys = defineTool({
  name: named("valkey_scan_keys"),
  title: "Find keys",
  description: `Use to find keys. The glob starts with a drawn prefix, at most ${MAX_STARS} stars. with_meta adds type and ttl_ms. Looks at ${SCAN_ROUNDS * SCAN_COUNT} keys a call: go on while next_cursor is set, even after an empty page.`,
  effect: "read",
  parameters: {
    pattern: text({ max: 200, optional: true }),
    type: oneOf(TYPES, { optional: true }),
    count: integer({ min: 1, max: 1000, default: 100 }),
    with_meta: flag({ default: false }),
    cursor,
  },
  handler: async ({ count, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("valkey_scan_keys");
    const among = reachable(client);
    const passes = passesFor(among, search.pattern);
    const start = cursor === undefined ? "0:0+0" : decodeCursor(tool, search, cursor);
    const bytesOf = (found: FoundKey): number => Buffer.byteLength(found.key) + (search.with_meta ? 48 : 3);
    const limits = { rows: count, bytes: MAX_PAGE_BYTES, rounds: SCAN_ROUNDS, bytesOf };
    return await withConnection(client, 0, signal, async (redis) => {
      const unnamed: number[] = [];
      const readBatch = passReader(redis, among, passes, search.type, (more) => unnamed.push(more));
      const page = await readPage(start, limits, readBatch);
      const next = page.position === null ? null : encodeCursor(tool, search, page.position);
      const about = aboutPage(page, count, null, next);
      const keys = search.with_meta
        ? await withMeta(redis, page.items)
        : page.items.map((found) => found.key);
      return { ...about, data: { keys }, warnings: [...(about.warnings ?? []), ...unnamedWarning(unnamed)] };
    });
  },
});

const get = defineTool({
  name: named("valkey_get"),
  title: "Read a string",
  description:
    "Use to read a string by exact key: its first max_bytes and the whole length. auto: text, else base64.",
  effect: "read",
  parameters: {
    key,
    max_bytes: integer({ min: 1, max: MAX_VALUE_BYTES, default: 8192 }),
    decode: oneOf(DECODINGS, { default: "auto" }),
  },
  handler: async ({ key, max_bytes, decode: as }, context: Context) =>
    await withKey(context, key, async (redis) => {
      await requireType(redis, key, "string");
      const [length, ttl, bytes] = await Promise.all([
        redis.strlen(key),
        redis.pttl(key),
        redis.getrangeBuffer(key, 0, max_bytes - 1),
      ]);
      const isCut = length > bytes.length;
      const data = { key, ...decode(bytes, as, isCut), length, ttl_ms: ttl };
      return isCut ? { data, truncation: { by: "bytes", limit: max_bytes } } : { data };
    }),
});

const typeAndTtl = defineTool({
  name: named("valkey_type_and_ttl"),
  title: "Describe a key",
  description: "Use before reading a key: type, ttl_ms (-1: none), encoding, memory_bytes, length.",
  effect: "read",
  parameters: { key },
  handler: async ({ key }, context: Context) =>
    await withKey(context, key, async (redis) => {
      const type = await typeOf(redis, key);
      return { data: { key, type, ...(await describeKey(redis, key, type)) } };
    }),
});

const hgetall = defineTool({
  name: named("valkey_hgetall"),
  title: "Read a hash",
  description: `Use to read a hash, in no order. A value is cut to ${MAX_CELL_BYTES} bytes; go on while next_cursor is set.`,
  effect: "read",
  parameters: { key, limit: integer({ min: 1, max: MAX_FIELDS, default: 200 }), cursor },
  handler: async ({ key, limit, cursor }, context: Context) => {
    const tool = named("valkey_hgetall");
    const start = cursor === undefined ? "0+0" : decodeCursor(tool, { key }, cursor);
    const limits = { rows: limit, bytes: MAX_PAGE_BYTES, rounds: FIELD_ROUNDS, bytesOf: bytesOfField };
    return await withKey(context, key, async (redis) => {
      await requireType(redis, key, "hash");
      const total = await redis.hlen(key);
      const page = await readPage(start, limits, fieldReader(redis, key, MAX_CELL_BYTES));
      const next = page.position === null ? null : encodeCursor(tool, { key }, page.position);
      // An object, so that the redactor sees the names of the fields.
      const data = { key, fields: Object.fromEntries(page.items.map((field) => [field.name, field.value])) };
      const about = aboutPage(page, limit, total, next);
      if (about.truncation !== undefined || !page.items.some((field) => field.isCut))
        return { data, ...about };
      return { data, ...about, truncation: { by: "cells", limit: MAX_CELL_BYTES } };
    });
  },
});

/** Where a key may be changed: the most specific keyspace decides. */
function writableDatabaseOf(valkey: Valkey, name: string): number {
  const owner = keyspaceOf(valkey, name);
  const drawn = keyspaces.find((keyspace) => keyspace.name === owner.name);
  if (drawn === undefined || drawn.writable) return owner.database;
  throw new ToolFault("denied", `the keyspace ${owner.name} was drawn for reading`);
}

const set = defineTool({
  name: named("valkey_set"),
  title: "Write a string",
  description: `Use to store a string of at most ${MAX_VALUE_BYTES} bytes, over a value of any type. Give ttl_s, or persist=true. nx: only if new, xx: only if it exists; else stored=false.`,
  effect: "additive",
  parameters: {
    key,
    value: text({ max: MAX_VALUE_BYTES }),
    ttl_s: integer({ min: 1, max: MAX_TTL_S, optional: true }),
    persist: flag({ default: false }),
    mode: oneOf(["any", "nx", "xx"], { default: "any" }),
    reason,
  },
  handler: async ({ key, value, ttl_s, persist, mode }, { client, signal }: Context) => {
    const database = writableDatabaseOf(client, key);
    if ((ttl_s === undefined) !== persist) throw invalid("give either ttl_s or persist=true");
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
      throw invalid(`value has more than ${MAX_VALUE_BYTES} bytes`);
    const options = [...(ttl_s === undefined ? [] : ["EX", ttl_s]), ...(mode === "any" ? [] : [mode])];
    return await withConnection(client, database, signal, async (redis) => {
      const answer = await redis.call("SET", [key, value, ...options]);
      return { data: { key, stored: answer === "OK" } };
    });
  },
});

const remove = defineTool({
  name: named("valkey_delete"),
  title: "Delete keys",
  description: `Use to delete up to ${MAX_DELETED} keys by exact name; cannot be undone. Tells which existed.`,
  effect: "destructive",
  parameters: { keys: listOf(key, { min: 1, max: MAX_DELETED }), reason },
  handler: async ({ keys }, { client, signal }: Context) => {
    const located = [...new Set(keys)].map((name) => ({ name, database: writableDatabaseOf(client, name) }));
    return await withConnection(client, 0, signal, async (redis) => {
      const deleted: string[] = [];
      const missing: string[] = [];
      for (const { name, database } of located) {
        await useDatabase(redis, database);
        ((await redis.unlink(name)) === 1 ? deleted : missing).push(name);
      }
      return { data: { deleted, missing } };
    });
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openValkey(link, settings),
  close: closeValkey,
  tools: [info, dbsize, scanKeys, get, typeAndTtl, hgetall, set, remove],
});
