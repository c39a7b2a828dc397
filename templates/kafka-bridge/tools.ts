import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { BINARY_TYPE, ask, offsetsOf, poll } from "#runtime/kafka-bridge/bridge";
import type { BridgeRecord, Offsets } from "#runtime/kafka-bridge/bridge";
import { DECODINGS, MAX_VALUE_BYTES, shownOf } from "#runtime/kafka-bridge/message";
import { MAX_PAGE_BYTES, firstPart, offsetOf, pageFrom } from "#runtime/page";
import { MARKER_HEADER, markerLine } from "#runtime/marker";
import { integer, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

/** A topic as drawn for this link, and as the cluster calls it. */
interface DrawnTopic {
  readonly name: string;
  readonly topic: string;
}

export const link: LinkFacts = slot("link", {
  id: "mcp->kafka_bridge",
  component: "kafka_bridge",
  type: "kafka_bridge",
  env: "MCP_KAFKA_BRIDGE",
  host: "127.0.0.1",
  port: 8080,
});

/** There is no way to another one. */
export const topics: readonly DrawnTopic[] = slot("topics", [
  { name: "orders", topic: "shop.orders" },
  { name: "payments", topic: "payments" },
]);

/** Those that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["orders"]);

const MAX_NAME = 249;
const MAX_PEEKED = 100;
const MAX_PARTITIONS = 50;
const MAX_POLL_BYTES = 4 * 1024 * 1024;
const MAX_WAIT_MS = 10_000;
const MAX_PRODUCED_BYTES = 65_536;

const names = topics.map(({ name }) => name);
const topic = oneOf(names, {});
const partition = integer({ min: 0, max: 100_000, optional: true });
const limit = integer({ min: 1, max: 500, default: 100 });
const cursor = text({ max: 256, optional: true });

/** The cluster's name for a topic that was drawn; the schema has let no other through. */
function inCluster(name: string): string {
  const drawn = topics.find((candidate) => candidate.name === name);
  if (drawn === undefined) throw new ToolFault("not_linked", "the topic is not drawn for this link");
  return drawn.topic;
}

const listTopics = defineTool({
  name: named("kafka_list_topics"),
  title: "List topics",
  description:
    "Use to see which of the drawn topics the cluster has. contains narrows by a part of the name.",
  effect: "read",
  parameters: { contains: text({ min: 1, max: MAX_NAME, optional: true }), limit, cursor },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("kafka_list_topics");
    const offset = offsetOf(tool, search, cursor);
    const known = new Set(listOf(await ask(client, signal, { path: ["topics"] })).map(String));
    const rows = topics
      .filter(({ name }) => name.includes(search.contains ?? ""))
      .map((drawn) => ({ topic: drawn.name, ...(known.has(drawn.topic) ? {} : { missing: true }) }));
    const { items, about } = pageFrom(rows, limit, { tool, args: search, offset, total: rows.length });
    return { ...about, data: { topics: items } };
  },
});

interface Partition {
  readonly partition: number;
  readonly leader: unknown;
  readonly replicas: readonly unknown[];
  readonly isr: readonly unknown[];
}

async function describe(client: HttpService, signal: AbortSignal, name: string) {
  const answer = recordOf(await ask(client, signal, { path: ["topics", name] }));
  const partitions = listOf(answer["partitions"]).map((value): Partition => {
    const { partition: index, leader, replicas } = recordOf(value);
    const all = listOf(replicas).map(recordOf);
    const ids = (wanted: typeof all): readonly unknown[] => wanted.map(({ broker }) => broker);
    return {
      partition: Number(index),
      leader,
      replicas: ids(all),
      isr: ids(all.filter(({ in_sync }) => in_sync === true)),
    };
  });
  return {
    partitions: partitions.sort((a, b) => a.partition - b.partition),
    configs: recordOf(answer["configs"] ?? {}),
  };
}

const describeTopic = defineTool({
  name: named("kafka_describe_topic"),
  title: "Describe a topic",
  description: `Use to look into one topic: leader, replicas, isr, begin and end offset of each partition, under_replicated, and its settings. At most ${MAX_PARTITIONS} partitions a page.`,
  effect: "read",
  parameters: { topic, limit: integer({ min: 1, max: MAX_PARTITIONS, default: MAX_PARTITIONS }), cursor },
  handler: async ({ topic, limit, cursor }, { client, signal }: Context) => {
    const tool = named("kafka_describe_topic");
    const offset = offsetOf(tool, { topic }, cursor);
    const { partitions, configs } = await describe(client, signal, inCluster(topic));
    const { items, about } = pageFrom(partitions, limit, {
      tool,
      args: { topic },
      offset,
      total: partitions.length,
    });
    const offsets = await offsetsOf(
      client,
      signal,
      inCluster(topic),
      items.map((each) => each.partition),
    );
    const config = Object.fromEntries(
      Object.entries(configs).map(([name, value]) => [name, cutText(String(value), 300)]),
    );
    const behind = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length;
    const rows = items.map((each, index) => ({
      ...each,
      begin: offsets[index]?.begin ?? null,
      end: offsets[index]?.end ?? null,
    }));
    return {
      ...about,
      data: { topic, partitions: partitions.length, under_replicated: behind, config, partition_list: rows },
    };
  },
});

type From = "earliest" | { readonly offset: number } | { readonly tail: number };

const from = shaped<From>(
  {
    anyOf: [
      { enum: ["earliest"] },
      ...["offset", "tail"].map((name) => ({
        type: "object",
        properties: {
          [name]: {
            type: "integer",
            minimum: name === "tail" ? 1 : 0,
            maximum: name === "tail" ? MAX_PEEKED : Number.MAX_SAFE_INTEGER,
          },
        },
        required: [name],
        additionalProperties: false,
      })),
    ],
  },
  { default: { tail: 10 } },
);

function startOf(wish: From, { begin, end }: Offsets, limit: number): number {
  const wanted =
    wish === "earliest" ? begin : "offset" in wish ? wish.offset : end - Math.min(wish.tail, limit);
  return Math.min(Math.max(wanted, begin), end);
}

async function chosenPartitions(
  client: HttpService,
  signal: AbortSignal,
  name: string,
  wanted: number | undefined,
): Promise<readonly number[]> {
  const all = (await describe(client, signal, name)).partitions.map((each) => each.partition);
  const found = wanted === undefined ? all : all.filter((each) => each === wanted);
  if (found.length === 0)
    throw new ToolFault("not_found", "the topic has no such partition", {
      hint: `it has ${all.length}, counted from 0`,
    });
  if (found.length > MAX_PARTITIONS)
    throw new ToolFault("invalid_argument", `the topic has more than ${MAX_PARTITIONS} partitions`, {
      hint: "name one",
    });
  return found;
}

const peekMessages = defineTool({
  name: named("kafka_peek"),
  title: "Read messages",
  description: `Use to read a few messages without committing anything. The last ones by default, else from an offset or the beginning on; go on with from.offset and a partition. A value is cut at ${MAX_VALUE_BYTES} bytes. Without partition: at most ${MAX_PARTITIONS} partitions.`,
  effect: "read",
  parameters: {
    topic,
    partition,
    from,
    limit: integer({ min: 1, max: MAX_PEEKED, default: 10 }),
    max_bytes: integer({ min: 1, max: MAX_PAGE_BYTES, default: MAX_PAGE_BYTES }),
    max_wait_ms: integer({ min: 100, max: MAX_WAIT_MS, default: 3000 }),
    decode: oneOf(DECODINGS, { default: "auto" }),
  },
  handler: async (
    { topic, partition, from, limit, max_bytes, max_wait_ms, decode },
    { client, signal }: Context,
  ) => {
    const name = inCluster(topic);
    const until = performance.now() + max_wait_ms;
    const offsets = await offsetsOf(
      client,
      signal,
      name,
      await chosenPartitions(client, signal, name, partition),
    );
    const pending = offsets.filter((each) => startOf(from, each, limit) < each.end);
    if (pending.length === 0)
      return { page: { returned: 0, total: null, next_cursor: null }, data: { messages: [] } };
    const starts = new Map(pending.map((each) => [each.partition, startOf(from, each, limit)]));
    const isTail = typeof from === "object" && "tail" in from;
    const isEnough = (found: readonly BridgeRecord[]): boolean =>
      (!isTail && found.length > limit) ||
      pending.every((each) =>
        found.some((record) => record.partition === each.partition && record.offset >= each.end - 1),
      );
    const found = await poll(client, signal, name, { starts, until, maxBytes: MAX_POLL_BYTES, isEnough });
    const sorted = found
      .filter(
        (record) => record.offset < (pending.find((each) => each.partition === record.partition)?.end ?? 0),
      )
      .sort(
        (a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0) || a.partition - b.partition || a.offset - b.offset,
      );
    const wanted = isTail ? sorted.slice(-Math.min(from.tail, limit)) : sorted;
    const rows = wanted.map((record) => shownOf(record, decode, max_bytes));
    const { items, about } = firstPart(rows, limit, "go on with from.offset and a partition");
    const warnings = isEnough(found) ? [] : ["not every partition was read to its end in time"];
    return {
      ...about,
      page: { returned: items.length, total: null, next_cursor: null },
      warnings,
      data: { messages: items.map(({ message }) => message) },
    };
  },
});

const produceMessage = defineTool({
  name: named("kafka_produce"),
  title: "Send a message",
  description: `Use to send one message of at most ${MAX_PRODUCED_BYTES} bytes; it cannot be taken back. Answers partition and offset. After a timeout it may be there: look before sending again.`,
  effect: "additive",
  parameters: {
    topic: oneOf(writable, {}),
    key: text({ max: 1024, optional: true }),
    value: text({ max: MAX_PRODUCED_BYTES }),
    partition,
    reason: text({ min: 8, max: 500, doc: "Why, for the audit." }),
  },
  handler: async ({ topic, key, value, partition }, { client, signal, marker }: Context) => {
    if (Buffer.byteLength(value) > MAX_PRODUCED_BYTES)
      throw new ToolFault("invalid_argument", `value has more than ${MAX_PRODUCED_BYTES} bytes`);
    const base64 = (part: string): string => Buffer.from(part).toString("base64");
    const record = {
      value: base64(value),
      ...(key === undefined ? {} : { key: base64(key) }),
      ...(partition === undefined ? {} : { partition }),
      ...(marker === undefined
        ? {}
        : { headers: [{ key: MARKER_HEADER, value: base64(markerLine(marker)) }] }),
    };
    const path = ["topics", inCluster(topic)];
    const answer = recordOf(
      await ask(client, signal, { path, json: { records: [record] }, contentType: BINARY_TYPE }),
    );
    const sent = recordOf(listOf(answer["offsets"])[0]);
    // The bridge answers 200 also for a record that Kafka refused.
    if (typeof sent["offset"] !== "number")
      throw new ToolFault(
        "upstream_unavailable",
        `the cluster did not take the message (${Number(sent["error_code"])})`,
      );
    return { data: { topic, partition: sent["partition"], offset: sent["offset"] } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [listTopics, describeTopic, peekMessages, produceMessage],
});
