import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";
import { MAX_MS, closeMongo, openMongo, reading } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { checkCollection, objectOf, pipelineOf, updateOf } from "#runtime/mongodb/guard";
import { MAX_TEXT, documentOf } from "#runtime/mongodb/json";
import { BATCH, pageOf, readDocuments, sampleOf } from "#runtime/mongodb/read";
import { MAX_FIELDS, schemaOf } from "#runtime/mongodb/schema";
import { insertOne } from "#runtime/mongodb/insert";
import { onlyMatch, updateOne } from "#runtime/mongodb/update";

type Context = CallContext<Mongo>;
type Json = Readonly<Record<string, unknown>>;

/** A drawn database. */
interface Database {
  /** As drawn; what tools call it. */
  readonly name: string;
  /** Its name on the server. */
  readonly database: string;
}

/** A database that was drawn with propose or write. */
interface Writable {
  readonly name: string;
  /** Its drawn collections: documents may be written to these only. */
  readonly collections: readonly string[];
}

export const link: LinkFacts = slot("link", {
  id: "mcp->mongodb",
  component: "mongodb",
  type: "mongodb",
  env: "MCP_MONGODB",
  host: "127.0.0.1",
  port: 27017,
});

/** The drawn databases: there is no way to another one. */
export const databases: readonly Database[] = slot("databases", [
  { name: "orders", database: "orders" },
  { name: "shop", database: "shop_prod" },
]);

export const writable: readonly Writable[] = slot("writable", [{ name: "orders", collections: ["notes"] }]);

/** All collections of `writable`, each once. */
export const changeable: readonly string[] = slot("changeable", ["notes"]);

const MAX_DOCUMENTS = 100;
const MAX_COLLECTIONS = 200;
const MAX_SAMPLE = 200;
const MAX_STAGES = 20;
const MAX_SKIP = 10_000;
const database = oneOf(
  databases.map(({ name }) => name),
  {},
);
const collection = text({ min: 1, max: 200 });
const object = (doc?: string) =>
  shaped<Json>({ type: "object" }, { default: {}, ...(doc === undefined ? {} : { doc }) });
const filter = object('MongoDB filter; an id is {"$oid": "..."}, a time {"$date": "..."}.');
const pipeline = listOf(shaped<Json>({ type: "object" }, {}), { min: 1, max: MAX_STAGES });
const limit = integer({ min: 1, max: MAX_DOCUMENTS, default: 20 });
const cursor = text({ max: 512, optional: true });

function drawn(name: string): string {
  const found = databases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the database is not drawn for this link");
  return found.database;
}

/** A LIKE pattern would be another language than a filter's; `*` is anything. */
function matcherOf(pattern: string | undefined): (name: string) => boolean {
  const parts = (pattern ?? "*").split("*");
  return (name) => {
    const [first = "", ...rest] = parts;
    const last = rest.pop();
    if (last === undefined) return name === first;
    if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
      return false;
    let at = first.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0 || found + part.length > name.length - last.length) return false;
      at = found + part.length;
    }
    return true;
  };
}

const listCollections = defineTool({
  name: named("mongo_list_collections"),
  title: "List collections",
  description: `Use to see the collections and views of a database, each with its estimated number of documents; in pattern * is anything. Up to ${MAX_COLLECTIONS} a page; go on with next_cursor.`,
  effect: "read",
  parameters: {
    database,
    pattern: text({ min: 1, max: 200, optional: true }),
    limit: integer({ min: 1, max: MAX_COLLECTIONS, default: 50 }),
    cursor,
  },
  handler: async ({ database, pattern, limit, cursor }, { client, signal }: Context) => {
    const tool = named("mongo_list_collections");
    const args = { database, pattern };
    const after = cursor === undefined ? "" : String(decodeCursor(tool, args, cursor));
    return await reading(client, drawn(database), signal, async (db) => {
      const all = await db.listCollections({}, { nameOnly: true, signal }).toArray();
      const matches = matcherOf(pattern);
      const found = all
        .filter(({ name }) => matches(name) && !name.startsWith("system."))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const rest = found.filter(({ name }) => name > after);
      const shown: { collection: string; type: string; documents?: number }[] = [];
      for (const { name, type } of rest.slice(0, limit)) {
        const options = { maxTimeMS: MAX_MS, signal } as object;
        const about = { collection: name, type: type ?? "collection" };
        if (type === "view") shown.push(about);
        else shown.push({ ...about, documents: await db.collection(name).estimatedDocumentCount(options) });
      }
      const last = shown.at(-1)?.collection;
      const more = rest.length > limit && last !== undefined;
      return {
        data: shown,
        page: {
          returned: shown.length,
          total: found.length,
          next_cursor: more ? encodeCursor(tool, args, last) : null,
        },
        ...(more ? { truncation: { by: "rows", limit } } : {}),
      };
    });
  },
});

const schema = defineTool({
  name: named("mongo_schema"),
  title: "Describe a collection",
  description: `Use before a filter: fields with their types and in how many of the looked at documents each is, from the oldest and newest ones (sample, at most ${MAX_SAMPLE}); no values. Up to ${MAX_FIELDS} fields; [] marks members of a list.`,
  effect: "read",
  parameters: { database, collection, sample: integer({ min: 2, max: MAX_SAMPLE, default: 50 }) },
  handler: async ({ database, collection, sample }, { client, signal }: Context) =>
    await reading(client, drawn(database), signal, async (db) => {
      const from = db.collection(checkCollection(collection));
      const oldest = Math.ceil(sample / 2);
      const part = async (order: 1 | -1, count: number) =>
        await sampleOf(
          from.find({}, { sort: { _id: order }, limit: count, batchSize: BATCH, maxTimeMS: MAX_MS, signal }),
        );
      const documents = [...(await part(1, oldest)), ...(await part(-1, sample - oldest))];
      const distinct = [...new Map(documents.map((one) => [JSON.stringify(one["_id"]), one])).values()];
      if (distinct.length === 0)
        throw new ToolFault("not_found", "the collection has no documents, or does not exist");
      const { fields, more } = schemaOf(distinct);
      return {
        data: { documents: distinct.length, fields },
        ...(more ? { truncation: { by: "rows", limit: MAX_FIELDS, hint: "find one document instead" } } : {}),
      };
    }),
});

const find = defineTool({
  name: named("mongo_find"),
  title: "Find documents",
  description: `Use to read documents by a filter, in the order of _id or of sort. At most ${MAX_DOCUMENTS} a page, ${MAX_TEXT} characters a text, ${MAX_MS / 1000} s, the first ${MAX_SKIP} in all; $where and other code is refused. Project only what you need. Ids, times and long numbers come as Extended JSON, ready for the next filter.`,
  effect: "read",
  parameters: {
    database,
    collection,
    filter,
    projection: object(),
    sort: object("{field: 1 or -1}; the order of equal documents may vary."),
    limit,
    cursor,
  },
  handler: async ({ database, collection, limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("mongo_find");
    const args = { database, collection, ...search };
    const skip = cursor === undefined ? 0 : Number(decodeCursor(tool, args, cursor));
    const sort = objectOf("sort", search.sort) as Record<string, 1 | -1>;
    const query = objectOf("filter", search.filter);
    const projection = objectOf("projection", search.projection);
    const from = checkCollection(collection);
    return await reading(client, drawn(database), signal, async (db) => {
      const found = db.collection(from).find(query, {
        projection,
        sort: Object.keys(sort).length === 0 ? { _id: 1 } : sort,
        skip,
        limit: limit + 1,
        batchSize: BATCH,
        maxTimeMS: MAX_MS,
        signal,
      });
      const read = await readDocuments(found, limit);
      const next = skip + read.documents.length;
      return pageOf(read, limit, () => (next > MAX_SKIP ? null : encodeCursor(tool, args, next)));
    });
  },
});

const aggregate = defineTool({
  name: named("mongo_aggregate"),
  title: "Aggregate documents",
  description: `Use to count, group or join within one database: a pipeline of at most ${MAX_STAGES} stages. Stages that write or that tell about the server ($out, $merge, $currentOp ...) and code are refused; $lookup reads the same database. At most ${MAX_DOCUMENTS} documents, ${MAX_MS / 1000} s; there is no next page: use $sort and $limit.`,
  effect: "read",
  parameters: { database, collection, pipeline, limit },
  handler: async ({ database, collection, pipeline, limit }, { client, signal }: Context) => {
    const stages = pipelineOf(pipeline);
    const from = checkCollection(collection);
    return await reading(client, drawn(database), signal, async (db) => {
      const options = {
        batchSize: BATCH,
        maxTimeMS: MAX_MS,
        allowDiskUse: false,
        signal,
      };
      return pageOf(
        await readDocuments(db.collection(from).aggregate(stages, options), limit),
        limit,
        () => null,
      );
    });
  },
});

const count = defineTool({
  name: named("mongo_count"),
  title: "Count documents",
  description: `Use to count the documents that match a filter; without one, the estimate that the server keeps. ${MAX_MS / 1000} s at most.`,
  effect: "read",
  parameters: { database, collection, filter },
  handler: async ({ database, collection, filter }, { client, signal }: Context) => {
    const query = objectOf("filter", filter);
    const from = checkCollection(collection);
    return await reading(client, drawn(database), signal, async (db) => {
      const options = { maxTimeMS: MAX_MS, signal } as object;
      const isAll = Object.keys(query).length === 0;
      const documents = isAll
        ? await db.collection(from).estimatedDocumentCount(options)
        : await db.collection(from).countDocuments(query, options);
      return { data: { documents, estimated: isAll } };
    });
  },
});

const indexes = defineTool({
  name: named("mongo_indexes"),
  title: "List indexes",
  description:
    "Use to see which filters and sorts are fast: name, keys, unique, sparse, partial filter and TTL of each index.",
  effect: "read",
  parameters: { database, collection },
  handler: async ({ database, collection }, { client, signal }: Context) => {
    const from = checkCollection(collection);
    return await reading(client, drawn(database), signal, async (db) => {
      const all = await db
        .collection(from)
        .listIndexes({ signal } as object)
        .toArray();
      const shown = all.map(({ name, key, unique, sparse, partialFilterExpression, expireAfterSeconds }) => {
        const index = { name, key, unique, sparse, partialFilterExpression, expireAfterSeconds };
        return documentOf(
          Object.fromEntries(Object.entries(index).filter(([, value]) => value !== undefined)),
        ).json;
      });
      return { data: shown, page: { returned: shown.length, total: shown.length, next_cursor: null } };
    });
  },
});

const SERVER_FACTS = [
  "$clusterTime",
  "command",
  "lastCommittedOpTime",
  "ok",
  "operationTime",
  "serverInfo",
  "serverParameters",
];

const explain = defineTool({
  name: named("mongo_explain"),
  title: "Explain a find",
  description:
    "Use to see whether a filter and sort use an index: the server's plan, which is not run. COLLSCAN reads every document.",
  effect: "read",
  parameters: { database, collection, filter, sort: object() },
  handler: async ({ database, collection, filter, sort }, { client, signal }: Context) => {
    const find = {
      find: checkCollection(collection),
      filter: objectOf("filter", filter),
      sort: objectOf("sort", sort),
      maxTimeMS: MAX_MS,
    };
    return await reading(client, drawn(database), signal, async (db) => {
      const plan = await db.command({ explain: find, verbosity: "queryPlanner" }, { signal });
      const shown = Object.fromEntries(Object.entries(plan).filter(([name]) => !SERVER_FACTS.includes(name)));
      return { data: documentOf(shown).json };
    });
  },
});

const STATS = [
  "collections",
  "views",
  "objects",
  "avgObjSize",
  "dataSize",
  "storageSize",
  "indexes",
  "indexSize",
  "totalSize",
];

const dbStats = defineTool({
  name: named("mongo_db_stats"),
  title: "Database statistics",
  description: "Use to see how large a database is: collections, documents, data, storage and index bytes.",
  effect: "read",
  parameters: { database },
  handler: async ({ database }, { client, signal }: Context) =>
    await reading(client, drawn(database), signal, async (db) => {
      const stats = await db.command({ dbStats: 1 }, { signal });
      return { data: documentOf(Object.fromEntries(STATS.map((name) => [name, stats[name]]))).json };
    }),
});

const target = {
  database: oneOf(
    writable.map(({ name }) => name),
    {},
  ),
  collection: oneOf([...changeable], {}),
};
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

function placeOf(
  database: string,
  collection: string,
): { readonly database: string; readonly collection: string } {
  const drawnCollections = writable.find(({ name }) => name === database)?.collections ?? [];
  if (!drawnCollections.includes(collection)) {
    throw new ToolFault("not_linked", "the collection is not drawn for writing", {
      hint: `collections of this database that are: ${drawnCollections.join(", ") || "none; draw collections"}`,
    });
  }
  return { database: drawn(database), collection: checkCollection(collection) };
}

const insertOneTool = defineTool({
  name: named("mongo_insert_one"),
  title: "Insert a document",
  description:
    "Use to add one document; ids, times and long numbers as Extended JSON. dry_run (the default) only checks it. An _id that exists already is refused, nothing is replaced.",
  effect: "additive",
  parameters: {
    ...target,
    document: shaped<Json>({ type: "object", minProperties: 1 }, {}),
    dry_run: flag({ default: true }),
    reason,
  },
  handler: async ({ database, collection, document, dry_run }, { client, ...call }: Context) => {
    const place = placeOf(database, collection);
    const checked = objectOf("document", document);
    if (dry_run) return { data: { inserted: false, document: documentOf(checked).json } };
    return { data: { inserted: true, ...(await insertOne(client, place, checked, call)) } };
  },
});

const updateOneTool = defineTool({
  name: named("mongo_update_one"),
  title: "Update a document",
  description:
    "Use to change fields of one document with $set, $inc, $push and the like. The filter must match exactly one; nothing is inserted or replaced. dry_run (the default) shows the document as it is.",
  effect: "destructive",
  parameters: {
    ...target,
    filter: shaped<Json>({ type: "object", minProperties: 1 }, {}),
    update: shaped<Json>({ type: "object", minProperties: 1 }, {}),
    dry_run: flag({ default: true }),
    reason,
  },
  handler: async ({ database, collection, filter, update, dry_run }, { client, ...call }: Context) => {
    const place = placeOf(database, collection);
    const wanted = { filter: objectOf("filter", filter), update: updateOf(update) };
    const before = await onlyMatch(client, place, wanted.filter, call.signal);
    if (dry_run) return { data: { matched: 1, modified: 0, before: documentOf(before).json } };
    return { data: await updateOne(client, place, { id: before["_id"], ...wanted }, call) };
  },
});

export const tools = defineModule<Mongo>({
  link,
  open: (settings) => openMongo(link, settings),
  close: closeMongo,
  tools: [
    listCollections,
    schema,
    find,
    aggregate,
    count,
    indexes,
    explain,
    dbStats,
    insertOneTool,
    updateOneTool,
  ],
});
