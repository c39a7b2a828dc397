import { flag, integer, oneOf, text } from "#runtime/parameter";
import { offsetOf, pageFrom } from "#runtime/page";
import { drawnBucket, keyWithin, prefixWithin } from "#runtime/seaweedfs/keys";
import { MAX_KEYS, listBatch, listPage } from "#runtime/seaweedfs/listing";
import { headObject, readRange, tagsOf } from "#runtime/seaweedfs/object";
import { MAX_BODY_BYTES, putText } from "#runtime/seaweedfs/put";
import { deleteObject } from "#runtime/seaweedfs/remove";
import { MAX_LARGEST, statsOf } from "#runtime/seaweedfs/stats";
import { accountOf, openStore } from "#runtime/seaweedfs/store";
import type { Account, Bucket, Store } from "#runtime/seaweedfs/store";
import { ENCODINGS, MAX_UNPACKED, readText } from "#runtime/seaweedfs/text";
import { ToolFault } from "#runtime/fault";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<Store>;

export const link: LinkFacts = slot("link", {
  id: "mcp->seaweedfs",
  component: "seaweedfs",
  type: "seaweedfs",
  env: "MCP_S3",
  host: "127.0.0.1",
  port: 8333,
});

/** The drawn buckets: there is no way to another one. */
export const buckets: readonly Bucket[] = slot("buckets", [
  {
    name: "backups",
    bucket: "shop-backups",
    prefix: "daily/",
    env: "BACKUPS",
    account: "mcp-seaweedfs-backups",
    public: false,
    used_by: ["cnpg"],
  },
  {
    name: "invoices",
    bucket: "invoices",
    prefix: "",
    env: "INVOICES",
    account: "mcp-seaweedfs-invoices",
    public: false,
    used_by: [],
  },
]);

/** Where keys may be written, by the names of the buckets that were drawn with propose or write. */
export const writable: readonly { readonly name: string; readonly prefix: string }[] = slot("writable", [
  { name: "invoices", prefix: "ai/" },
]);

const MAX_BYTES = 32_768;
const MAX_TEXT = 65_536;
const MAX_SCAN = 20_000;
const MAX_KEY = 1024;
const MAX_OFFSET = Number.MAX_SAFE_INTEGER - MAX_TEXT;
const AT_ONCE = 4;

const names = buckets.map(({ name }) => name);
const bucket = oneOf(names, {});
const key = text({ min: 1, max: MAX_KEY });
const prefix = text({ max: MAX_KEY, optional: true });
const cursor = text({ max: 4096, optional: true });
const offset = integer({ min: 0, max: MAX_OFFSET, default: 0 });

interface Reading {
  readonly account: Account;
  readonly drawn: Bucket;
}

function reading({ client }: Context, name: string): Reading {
  const drawn = drawnBucket(buckets, name);
  return { account: accountOf(client, drawn.env, drawn.account), drawn };
}

/** Whether a bucket answers, by what it is asked for anyway: the rights on it may not reach beyond the prefix. */
async function describe(context: Context, drawn: Bucket): Promise<object> {
  const { name, bucket, prefix, used_by } = drawn;
  const about = { name, bucket, prefix, public: drawn.public, used_by };
  const { account } = reading(context, name);
  try {
    const scope = { bucket, prefix, delimiter: "" };
    const { entries } = await listBatch(account, scope, { limit: 1, token: null }, context.signal);
    return { ...about, reachable: true, empty: entries.length === 0 };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    return { ...about, reachable: false, problem: error.message };
  }
}

const listBuckets = defineTool({
  name: named("s3_list_buckets"),
  title: "List buckets",
  description:
    "Use to see which buckets this link reaches, under which prefix, which components use them, and whether each answers.",
  effect: "read",
  parameters: { limit: integer({ min: 1, max: 100, default: 50 }), cursor },
  handler: async ({ limit, cursor }, context: Context) => {
    const tool = named("s3_list_buckets");
    const start = offsetOf(tool, {}, cursor);
    const { items, about } = pageFrom(buckets, limit, {
      tool,
      args: {},
      offset: start,
      total: buckets.length,
    });
    const described: object[] = [];
    for (let at = 0; at < items.length; at += AT_ONCE)
      described.push(
        ...(await Promise.all(items.slice(at, at + AT_ONCE).map((each) => describe(context, each)))),
      );
    return { ...about, data: { buckets: described } };
  },
});

const listObjects = defineTool({
  name: named("s3_list_objects"),
  title: "List objects",
  description:
    'Use to find objects by the start of their key: key, size, modified, etag. delimiter="/" shows folders as prefixes, "" every object below. Sorted by key.',
  effect: "read",
  parameters: {
    bucket,
    prefix,
    delimiter: oneOf(["/", ""], { default: "/" }),
    limit: integer({ min: 1, max: MAX_KEYS, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const { account, drawn } = reading(context, search.bucket);
    const scope = { ...search, bucket: drawn.bucket, prefix: prefixWithin(drawn, search.prefix) };
    const page = { tool: named("s3_list_objects"), args: search, cursor, limit };
    const { entries, about } = await listPage(account, scope, page, context.signal);
    const objects = entries.filter((entry) => "key" in entry);
    const prefixes = entries.flatMap((entry) => ("prefix" in entry ? [entry.prefix] : []));
    return { ...about, data: { objects, prefixes } };
  },
});

const getObject = defineTool({
  name: named("s3_get_object"),
  title: "Describe an object",
  description: `Use to learn size, type, etag, modified, metadata and tags of an object; bytes > 0 adds that many from offset as base64, at most ${MAX_BYTES}.`,
  effect: "read",
  parameters: { bucket, key, bytes: integer({ min: 0, max: MAX_BYTES, default: 0 }), offset },
  handler: async ({ bucket, key, bytes, offset }, context: Context) => {
    const { account, drawn } = reading(context, bucket);
    keyWithin(drawn.prefix, key);
    const facts = await headObject(account, drawn.bucket, key, context.signal);
    const tags = await tagsOf(account, drawn.bucket, key, context.signal);
    const about = { key, ...facts, tags };
    const length = Math.min(bytes, facts.size - offset);
    if (bytes === 0) return { data: about };
    if (length < 0) throw new ToolFault("invalid_argument", "offset is past the end of the object");
    const range = { start: offset, length };
    const read =
      length === 0 ? Buffer.alloc(0) : await readRange(account, drawn.bucket, key, range, context.signal);
    const data = { ...about, offset, base64: read.toString("base64") };
    if (offset + read.length >= facts.size) return { data };
    return { data, truncation: { by: "bytes", limit: bytes, hint: "go on with a larger offset" } };
  },
});

const readTextTool = defineTool({
  name: named("s3_read_text"),
  title: "Read an object's text",
  description: `Use to read logs, JSON or CSV: max_bytes from offset, or the end with tail=true; go on with next_offset. Packed with gzip: up to ${MAX_UNPACKED} bytes, offsets in the unpacked text. Bytes that are no text are refused.`,
  effect: "read",
  parameters: {
    bucket,
    key,
    offset,
    max_bytes: integer({ min: 16, max: MAX_TEXT, default: 16_384 }),
    encoding: oneOf(ENCODINGS, { default: "utf-8" }),
    tail: flag({ default: false }),
  },
  handler: async ({ bucket, key, ...wanted }, context: Context) => {
    const { account, drawn } = reading(context, bucket);
    keyWithin(drawn.prefix, key);
    if (wanted.tail && wanted.offset > 0)
      throw new ToolFault("invalid_argument", "give offset or tail, not both");
    return await readText({ account, bucket: drawn.bucket, key }, wanted, context.signal);
  },
});

const bucketStats = defineTool({
  name: named("s3_bucket_stats"),
  title: "Summarise a bucket",
  description: `Use to see what fills a bucket or a prefix: count, bytes, the ${MAX_LARGEST} largest, by_extension, oldest and newest, of the first max_scan objects.`,
  effect: "read",
  parameters: { bucket, prefix, max_scan: integer({ min: 1, max: MAX_SCAN, default: 5000 }) },
  handler: async ({ bucket, prefix, max_scan }, context: Context) => {
    const { account, drawn } = reading(context, bucket);
    const scope = { bucket: drawn.bucket, prefix: prefixWithin(drawn, prefix), delimiter: "" };
    return await statsOf(account, scope, max_scan, context.signal);
  },
});

const target = oneOf(
  writable.map(({ name }) => name),
  {},
);
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

/** The drawn bucket and the key, when writing there was drawn. */
function writing(name: string, key: string): Bucket {
  const drawn = writable.find((candidate) => candidate.name === name);
  if (drawn === undefined) throw new ToolFault("denied", `the bucket ${name} was drawn for reading`);
  keyWithin(drawn.prefix, key);
  return drawnBucket(buckets, name);
}

const putTextTool = defineTool({
  name: named("s3_put_text"),
  title: "Store a text",
  description: `Use to store a text of at most ${MAX_BODY_BYTES} bytes. if_none_match="*" refuses when the key exists, "" writes over it.`,
  effect: "additive",
  parameters: {
    bucket: target,
    key,
    body: text({ max: MAX_BODY_BYTES }),
    if_none_match: oneOf(["*", ""], { default: "*" }),
    reason,
  },
  handler: async ({ bucket, key, body, if_none_match }, { client, signal, marker }: Context) => {
    const drawn = writing(bucket, key);
    return { data: await putText(client, drawn, { key, body, condition: if_none_match, marker }, signal) };
  },
});

const deleteObjectTool = defineTool({
  name: named("s3_delete_object"),
  title: "Delete an object",
  description:
    "Use to delete one object by its exact key. Cannot be undone, unless the bucket keeps versions: then version_id names one to delete for good.",
  effect: "destructive",
  parameters: {
    bucket: target,
    key,
    version_id: text({ min: 1, max: 200, pattern: "^[\\w.-]+$", optional: true }),
    reason,
  },
  handler: async ({ bucket, key, version_id }, context: Context) => {
    const drawn = writing(bucket, key);
    const { account } = reading(context, bucket);
    const object = { key, version: version_id };
    return { data: await deleteObject(context.client, account, drawn, object, context.signal) };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openStore(link, settings, buckets),
  close: async () => undefined,
  tools: [listBuckets, listObjects, getObject, readTextTool, bucketStats, putTextTool, deleteObjectTool],
});
