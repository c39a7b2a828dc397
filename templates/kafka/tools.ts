import { listGroupsV4 } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";
import { closeKafka, openKafka, withCluster } from "#runtime/kafka/cluster";
import type { Cluster, Kafka, TopicMetadata } from "#runtime/kafka/cluster";
import { matchesGlob } from "#runtime/kafka/glob";
import { lagOf } from "#runtime/kafka/lag";
import { topicManifest } from "#runtime/kafka/manifest";
import type { StrimziCluster } from "#runtime/kafka/manifest";
import { DECODINGS, MAX_VALUE_BYTES } from "#runtime/kafka/message";
import { overviewOf } from "#runtime/kafka/overview";
import { MAX_PARTITIONS, peek } from "#runtime/kafka/peek";
import type { From } from "#runtime/kafka/peek";
import { decodePositions, encodePositions } from "#runtime/kafka/positions";
import { produce } from "#runtime/kafka/produce";
import { resultOf } from "#runtime/kafka/shown";
import { describedPartitions, overridesOf, summaryOf, topicOf } from "#runtime/kafka/topics";
import { MAX_PAGE_BYTES, offsetOf, pageFrom } from "#runtime/page";
import { MARKER_HEADER, markerLine } from "#runtime/marker";
import { flag, integer, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<Kafka>;

/** A topic as drawn for this link, and as the cluster calls it. */
interface DrawnTopic {
  readonly name: string;
  readonly topic: string;
}

export const link: LinkFacts = slot("link", {
  id: "mcp->kafka",
  component: "kafka",
  type: "kafka",
  env: "MCP_KAFKA",
  host: "127.0.0.1",
  port: 9092,
});

/** There is no way to the messages of another one; with none, the names and the health of all can be seen. */
export const topics: readonly DrawnTopic[] = slot("topics", [
  { name: "orders", topic: "shop.orders" },
  { name: "payments", topic: "payments" },
]);

/** Those that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["orders"]);

/** Where the manifests of topics belong. */
export const strimzi: StrimziCluster = slot("strimzi", { cluster: "kafka", namespace: "messaging" });

const MAX_NAME = 249;
const MAX_PEEKED = 100;
const MAX_WAIT_MS = 10_000;
const MAX_PRODUCED_BYTES = 65_536;
const MAX_SENT_HEADERS = 20;
const TOPIC = "^(?!__)(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$";
const STATES = [
  "Stable",
  "PreparingRebalance",
  "CompletingRebalance",
  "Empty",
  "Dead",
  "Assigning",
  "Reconciling",
] as const;

const names = topics.map(({ name }) => name);
const topic = oneOf(names, {});
const target = oneOf(writable, {});
const limit = integer({ min: 1, max: 500, default: 100 });
const cursor = text({ max: 256, optional: true });
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

/** The cluster's name for a topic that was drawn; the schema has let no other through. */
function inCluster(name: string): string {
  return topics.find((drawn) => drawn.name === name)?.topic ?? name;
}

function asDrawn(real: string): string {
  return topics.find((drawn) => drawn.topic === real)?.name ?? real;
}

const renamed = (found: TopicMetadata): TopicMetadata => ({ ...found, name: asDrawn(found.name ?? "") });

/** What this link sees: the drawn topics, or all that its account sees when none was drawn. */
async function reachable(cluster: Cluster): ReturnType<Cluster["metadata"]> {
  return await cluster.metadata(topics.length > 0 ? topics.map((each) => each.topic) : null);
}

const byTopic = (a: TopicMetadata, b: TopicMetadata): number => ((a.name ?? "") < (b.name ?? "") ? -1 : 1);

const listTopics = defineTool({
  name: named("kafka_list_topics"),
  title: "List topics",
  description:
    "Use to see the topics within reach: partitions, replicas, under_replicated and offline counts. pattern: * is anything. missing: drawn, but not in the cluster.",
  effect: "read",
  parameters: {
    pattern: text({ min: 1, max: MAX_NAME, optional: true }),
    include_internal: flag({ default: false }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("kafka_list_topics");
    const offset = offsetOf(tool, search, cursor);
    const found = await withCluster(client, signal, reachable);
    const rows = found.topics
      .map(renamed)
      .sort(byTopic)
      .filter(
        ({ name, isInternal }) =>
          (search.include_internal || !isInternal) && matchesGlob(search.pattern ?? "*", name ?? ""),
      )
      .map((each) => (each.errorCode === 0 ? summaryOf(each) : { topic: each.name, missing: true }));
    const { items, about } = pageFrom(rows, limit, { tool, args: search, offset, total: rows.length });
    return { ...about, data: { topics: items } };
  },
});

const describeTopic = defineTool({
  name: named("kafka_describe_topic"),
  title: "Describe a topic",
  description:
    "Use to look into one topic: leader, replicas, isr, begin and end offset of each partition, totals, and the settings that the topic overrides.",
  effect: "read",
  parameters: { topic, limit, cursor },
  handler: async ({ topic, limit, cursor }, { client, signal }: Context) => {
    const tool = named("kafka_describe_topic");
    const offset = offsetOf(tool, { topic }, cursor);
    return await withCluster(client, signal, async (cluster) => {
      const found = await topicOf(cluster, inCluster(topic));
      const [partitions, config] = await Promise.all([
        describedPartitions(cluster, found),
        overridesOf(cluster, inCluster(topic)),
      ]);
      const { items, about } = pageFrom(partitions, limit, {
        tool,
        args: { topic },
        offset,
        total: partitions.length,
      });
      return { ...about, data: { ...summaryOf(renamed(found)), config, partition_list: items } };
    });
  },
});

const listGroups = defineTool({
  name: named("kafka_list_consumer_groups"),
  title: "List consumer groups",
  description:
    "Use to find consumer groups and see which are not Stable: group, state, protocol, sorted by name.",
  effect: "read",
  parameters: { state: oneOf(STATES, { optional: true }), limit, cursor },
  handler: async ({ state, limit, cursor }, { client, signal }: Context) => {
    const tool = named("kafka_list_consumer_groups");
    const offset = offsetOf(tool, { state }, cursor);
    const groups = await withCluster(client, signal, async (cluster) => {
      const { brokers } = await cluster.metadata([]);
      const answers = await Promise.all(
        brokers.map(async ({ nodeId }) => await cluster.askBroker(nodeId, listGroupsV4.api, [], [])),
      );
      return answers.flatMap(({ groups: found }) => found);
    });
    const rows = groups
      .map(({ groupId, groupState, protocolType }) => ({
        group: groupId,
        state: groupState,
        protocol: protocolType,
      }))
      .filter((row) => state === undefined || row.state === state)
      .sort((a, b) => (a.group < b.group ? -1 : 1));
    const { items, about } = pageFrom(rows, limit, { tool, args: { state }, offset, total: rows.length });
    return { ...about, data: { groups: items } };
  },
});

const consumerLag = defineTool({
  name: named("kafka_consumer_lag"),
  title: "Measure a consumer group's lag",
  description: `Use to see how far a group is behind: total_lag, and committed, end and lag of each partition. Without topic: where it committed, in the topics within reach. With topic: also partitions without a commit (null).`,
  effect: "read",
  parameters: {
    group: text({ min: 1, max: MAX_NAME }),
    topic: oneOf(names, { optional: true }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("kafka_consumer_lag");
    const offset = offsetOf(tool, search, cursor);
    const rows = await withCluster(client, signal, async (cluster) => {
      const found =
        search.topic === undefined
          ? (await reachable(cluster)).topics
          : [await topicOf(cluster, inCluster(search.topic))];
      const usable = found
        .filter(({ errorCode, isInternal }) => errorCode === 0 && !isInternal)
        .sort(byTopic);
      return await lagOf(cluster, search.group, usable, search.topic !== undefined);
    });
    const shown = rows.map((row) => ({ ...row, topic: asDrawn(row.topic) }));
    const { items, about } = pageFrom(shown, limit, { tool, args: search, offset, total: rows.length });
    const total_lag = rows.reduce((sum, { lag }) => sum + (lag ?? 0), 0);
    const warnings = rows.some(({ committed }) => committed !== null)
      ? []
      : ["no commit of this group here: it reads elsewhere, does not commit, or does not exist"];
    return { ...about, warnings, data: { group: search.group, total_lag, partitions: items } };
  },
});

const clusterOverview = defineTool({
  name: named("kafka_cluster_overview"),
  title: "Overview of the cluster",
  description:
    "Use first when Kafka may be ill: brokers, controller, brokers that replicas name and that are gone, and offline and under-replicated partitions of the topics within reach.",
  effect: "read",
  parameters: {},
  handler: async (_args, { client, signal }: Context) => {
    const data = overviewOf(await withCluster(client, signal, reachable), asDrawn);
    return { data };
  },
});

const since = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

const from = shaped<From>(
  {
    anyOf: [
      { enum: ["earliest", "latest"] },
      {
        type: "object",
        properties: {
          offset: since,
          timestamp: since,
          tail: { type: "integer", minimum: 1, maximum: MAX_PEEKED },
        },
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: false,
      },
    ],
  },
  { default: { tail: 10 }, doc: "timestamp in ms; latest waits" },
);

const peekMessages = defineTool({
  name: named("kafka_peek"),
  title: "Read messages",
  description: `Use to read a few messages; nothing is committed. By default the last, else oldest first. A value is cut at ${MAX_VALUE_BYTES} bytes, all at max_bytes. Without partition: at most ${MAX_PARTITIONS} of them.`,
  effect: "read",
  parameters: {
    topic,
    partition: integer({ min: 0, max: 100_000, optional: true }),
    from,
    limit: integer({ min: 1, max: MAX_PEEKED, default: 10 }),
    max_bytes: integer({ min: 1, max: MAX_PAGE_BYTES, default: MAX_PAGE_BYTES }),
    max_wait_ms: integer({ min: 100, max: MAX_WAIT_MS, default: 3000 }),
    decode: oneOf(DECODINGS, { default: "auto" }),
    cursor: text({ max: 8192, optional: true }),
  },
  handler: async (
    { limit, cursor, max_bytes, max_wait_ms, decode, ...search },
    { client, signal }: Context,
  ) => {
    const tool = named("kafka_peek");
    const positions = cursor === undefined ? undefined : decodePositions(tool, search, cursor);
    const until = performance.now() + max_wait_ms;
    const peeked = await withCluster(client, signal, async (cluster) => {
      const found = await topicOf(cluster, inCluster(search.topic));
      return await peek(cluster, {
        topic: found,
        partition: search.partition,
        from: search.from,
        positions,
        limit,
        until,
      });
    });
    const cursorOf = (at: ReadonlyMap<number, bigint>): string => encodePositions(tool, search, at);
    return resultOf(peeked, { limit, max_bytes, decode, cursorOf });
  },
});

const headers = shaped<Readonly<Record<string, string>>>(
  {
    type: "object",
    maxProperties: MAX_SENT_HEADERS,
    propertyNames: { minLength: 1, maxLength: 128 },
    additionalProperties: { type: "string", maxLength: 1024 },
  },
  { default: {} },
);

const produceMessage = defineTool({
  name: named("kafka_produce"),
  title: "Send a message",
  description: `Use to send one message of at most ${MAX_PRODUCED_BYTES} bytes; it cannot be taken back. Answers when all replicas in sync have it, with partition and offset. After a timeout it may be there: look before sending again.`,
  effect: "additive",
  parameters: {
    topic: target,
    key: text({ max: 1024, optional: true }),
    value: text({ max: MAX_PRODUCED_BYTES }),
    headers,
    partition: integer({ min: 0, max: 100_000, optional: true }),
    reason,
  },
  handler: async ({ topic, key, value, headers, partition }, { client, signal, marker }: Context) => {
    if (Buffer.byteLength(value) > MAX_PRODUCED_BYTES)
      throw new ToolFault("invalid_argument", `value has more than ${MAX_PRODUCED_BYTES} bytes`);
    const own = Object.keys(headers).find((name) => name.toLowerCase() === MARKER_HEADER);
    if (own !== undefined) throw new ToolFault("denied", `the header ${own} is this server's`);
    const marked = marker === undefined ? headers : { ...headers, [MARKER_HEADER]: markerLine(marker) };
    return await withCluster(client, signal, async (cluster) => {
      const found = await topicOf(cluster, inCluster(topic));
      const outgoing = { key, value, headers: marked, partition };
      return { data: { topic, ...(await produce(cluster, found, outgoing)) } };
    });
  },
});

const partitionRange = { min: 1, max: 1000 } as const;
const retention = integer({ min: 1, max: 87_600, optional: true, doc: "In hours." });
const cleanup = oneOf(["delete", "compact", "compact,delete"], { optional: true });
const MANIFEST = "Changes nothing: answers a KafkaTopic manifest for a person to commit.";

const createTopic = defineTool({
  name: named("kafka_create_topic"),
  title: "Propose a topic",
  description: `Use to propose a new topic. ${MANIFEST}`,
  effect: "additive",
  parameters: {
    topic: text({ max: MAX_NAME, pattern: TOPIC }),
    partitions: integer({ ...partitionRange, default: 1 }),
    replicas: integer({ min: 1, max: 10, optional: true }),
    retention_hours: retention,
    cleanup,
    reason,
  },
  handler: async ({ topic, partitions, replicas, retention_hours, cleanup }) => ({
    data: {
      manifest: topicManifest(strimzi, topic, {
        partitions,
        replicas,
        config: configOf(retention_hours, cleanup),
      }),
    },
  }),
});

function configOf(
  hours: number | undefined,
  cleanup: string | undefined,
): Readonly<Record<string, string | number | undefined>> {
  return { "cleanup.policy": cleanup, "retention.ms": hours === undefined ? undefined : hours * 3_600_000 };
}

const alterTopic = defineTool({
  name: named("kafka_alter_topic"),
  title: "Propose a change to a topic",
  description: `Use to propose more partitions or another retention, over what the topic sets now. ${MANIFEST}`,
  effect: "additive",
  parameters: {
    topic: target,
    partitions: integer({ ...partitionRange, optional: true }),
    retention_hours: retention,
    cleanup,
    reason,
  },
  handler: async ({ topic, partitions, retention_hours, cleanup }, { client, signal }: Context) =>
    await withCluster(client, signal, async (cluster) => {
      const found = await topicOf(cluster, inCluster(topic));
      const now = found.partitions.length;
      if (partitions !== undefined && partitions < now)
        throw new ToolFault(
          "invalid_argument",
          `the topic has ${now} partitions, and Kafka cannot take any away`,
        );
      const config = await overridesOf(cluster, inCluster(topic));
      const wanted = Object.entries(configOf(retention_hours, cleanup)).filter(
        ([, value]) => value !== undefined,
      );
      const spec = {
        partitions: partitions ?? now,
        replicas: found.partitions[0]?.replicaNodes.length,
        config: { ...config, ...Object.fromEntries(wanted) },
      };
      return { data: { manifest: topicManifest(strimzi, inCluster(topic), spec) } };
    }),
});

export const tools = defineModule({
  link,
  open: (settings) => openKafka(link, settings),
  close: closeKafka,
  tools: [
    clusterOverview,
    listTopics,
    describeTopic,
    listGroups,
    consumerLag,
    peekMessages,
    produceMessage,
    createTopic,
    alterTopic,
  ],
});
