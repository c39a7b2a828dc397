import { Admin, Consumer, Producer, ProtocolError, alterUserScramCredentialsV0 } from "@platformatic/kafka";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bootServer, callTool, connectClient, workspace } from "../../test/harness/emitted.ts";
import type { BootedServer } from "../../test/harness/emitted.ts";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { liveVersion } from "../../test/live/server.ts";
import { T0, applyKafkaUser, bootstrap, connectionsTo, seed, send, startKafka } from "./live.ts";
import type { LiveKafka } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const PASSWORD = "p w:é;'\"#=,of-the-account";
const REASON = "a test of writes";
const stackWith = (access: string): string => `apiVersion: topology/v1
stack: stack
components:
  kafka: {namespace: messaging, topics: {orders: {topic: shop.orders}, payments: {}}}
links: {mcp: {kafka: ${access}}}
`;

let kafka: LiveKafka;
let module: OpenModule;
let manifest: string;

const settings = (): Record<string, string> => ({
  MCP_KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${kafka.client}`,
  MCP_KAFKA_USER: "mcp-kafka",
  MCP_KAFKA_PASSWORD: PASSWORD,
});

/** Calls a tool within the bounds that every answer keeps. */
async function call(tool: string, args: Record<string, unknown> = {}, most = 2000) {
  const started = performance.now();
  const result = await module.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(most);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
}

type Row = Readonly<Record<string, unknown>>;
const messages = async (args: Record<string, unknown>): Promise<readonly Row[]> =>
  ((await call("kafka_peek", args)).data as { messages: Row[] }).messages;

beforeAll(async () => {
  expect(liveVersion("kafka"), "run: bash templates/kafka/live.sh install").toMatch(/^\d+\.\d+/);
  kafka = await startKafka();
  const principals = await emitPrincipals(stackWith("{only: {orders: write, payments: read}}"));
  manifest = principals.text("kafka/kafkauser.yaml");
  principals.remove();
  expect(await applyKafkaUser(kafka, manifest, PASSWORD)).toBe("mcp-kafka");
  await seed(kafka);
  module = openModule(tools, settings());
  await vi.waitFor(async () => await module.call("kafka_list_topics"), { timeout: 20_000, interval: 300 });
});

afterAll(async () => {
  await module?.close();
  await kafka?.stop();
});

describe("every tool with data", () => {
  it("S32: kafka_cluster_overview counts what is within reach and names no address", async () => {
    const { data } = await call("kafka_cluster_overview");
    expect(data).toEqual({
      brokers: [1],
      gone_brokers: [],
      controller: 1,
      topics: 2,
      partitions: 4,
      offline: 0,
      under_replicated: 0,
    });
  });

  it("kafka_list_topics lists the drawn topics by their drawn names", async () => {
    const { data, page } = await call("kafka_list_topics");
    const row = { replicas: 1, under_replicated: 0, offline: 0 };
    expect(data).toEqual({
      topics: [
        { topic: "orders", partitions: 3, ...row },
        { topic: "payments", partitions: 1, ...row },
      ],
    });
    expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
    expect((await call("kafka_list_topics", { pattern: "pay*" })).page?.total).toBe(1);
    const first = await call("kafka_list_topics", { limit: 1 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 1 });
    const second = await call("kafka_list_topics", { limit: 1, cursor: first.page?.next_cursor });
    expect(second.data).toMatchObject({ topics: [{ topic: "payments" }] });
    expect(second.truncation).toBeUndefined();
  });

  it("kafka_describe_topic gives partitions, offsets and what the topic overrides", async () => {
    const { data, page } = await call("kafka_describe_topic", { topic: "orders" });
    expect(data).toMatchObject({
      topic: "orders",
      partitions: 3,
      config: { "retention.ms": "-1" },
      partition_list: [
        { partition: 0, leader: 1, replicas: [1], isr: [1], begin: 0, end: 2 },
        { partition: 1, begin: 0, end: 2 },
        { partition: 2, begin: 0, end: 1 },
      ],
    });
    expect(page?.total).toBe(3);
  });

  it("kafka_list_consumer_groups lists groups and filters by state", async () => {
    const { data } = await call("kafka_list_consumer_groups");
    expect(data).toEqual({ groups: [{ group: "billing", state: "Empty", protocol: "" }] });
    expect((await call("kafka_list_consumer_groups", { state: "Stable" })).page?.total).toBe(0);
  });

  it("kafka_consumer_lag measures where the group committed, and elsewhere when a topic is named", async () => {
    const committed = [
      { topic: "orders", partition: 0, committed: 1, end: 2, lag: 1 },
      { topic: "orders", partition: 1, committed: 0, end: 2, lag: 2 },
    ];
    const { data, page } = await call("kafka_consumer_lag", { group: "billing" });
    expect(data).toEqual({ group: "billing", total_lag: 3, partitions: committed });
    expect(page?.total).toBe(2);
    const named = await call("kafka_consumer_lag", { group: "billing", topic: "orders" });
    expect(named.data).toMatchObject({
      total_lag: 3,
      partitions: [...committed, { partition: 2, committed: null, end: 1, lag: null }],
    });
    const absent = await call("kafka_consumer_lag", { group: "nobody" });
    expect(absent).toMatchObject({
      data: { total_lag: 0, partitions: [] },
      warnings: [expect.stringContaining("no commit")],
    });
  });

  it("kafka_peek shows the last messages by default, each as what it is", async () => {
    const { data, page, truncation } = await call("kafka_peek", { topic: "orders", decode: "json" });
    const at = (ms: number): string => new Date(T0 + ms).toISOString();
    expect(data).toEqual({
      messages: [
        {
          partition: 0,
          offset: 0,
          timestamp: at(0),
          key: "k1",
          value: { id: 1, token: "t" },
          encoding: "json",
          headers: [{ trace: "abc" }],
        },
        { partition: 1, offset: 0, timestamp: at(1000), key: "k2", value: "grüße", encoding: "utf8" },
        { partition: 2, offset: 0, timestamp: at(2000), key: null, value: "/wAB", encoding: "base64" },
        { partition: 0, offset: 1, timestamp: at(3000), key: "k4", value: null },
        {
          partition: 1,
          offset: 1,
          timestamp: at(4000),
          key: "k5",
          value: "v".repeat(16_384),
          encoding: "utf8",
          value_bytes: 20_000,
        },
      ],
    });
    expect(page).toEqual({ returned: 5, total: null, next_cursor: null });
    expect(truncation).toEqual({ by: "cells", limit: 16_384 });
  });

  it("kafka_peek starts at an offset, a time, the beginning or so many before the end", async () => {
    const offsets = async (args: Record<string, unknown>) =>
      (await messages({ topic: "orders", ...args })).map(
        ({ partition, offset }) => `${String(partition)}/${String(offset)}`,
      );
    expect(await offsets({ from: "earliest" })).toEqual(["0/0", "1/0", "2/0", "0/1", "1/1"]);
    expect(await offsets({ from: { timestamp: T0 + 1500 } })).toEqual(["2/0", "0/1", "1/1"]);
    expect(await offsets({ from: { timestamp: T0 + 99_000 } })).toEqual([]);
    expect(await offsets({ from: { tail: 2 } })).toEqual(["0/1", "1/1"].slice(-2));
    expect(await offsets({ partition: 0, from: { offset: 1 } })).toEqual(["0/1"]);
    expect(await offsets({ partition: 0, from: { offset: 99 } })).toEqual([]);
  });

  it("kafka_peek pages through everything once, and a cut by bytes goes on where it stopped", async () => {
    for (const args of [{ limit: 2 }, { max_bytes: 400 }]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < 9; page += 1) {
        const result = await call("kafka_peek", { topic: "orders", from: "earliest", ...args, cursor });
        for (const { partition, offset } of (result.data as { messages: Row[] }).messages)
          seen.push(`${String(partition)}/${String(offset)}`);
        cursor = result.page?.next_cursor ?? undefined;
        if (cursor === undefined) break;
      }
      expect(seen).toEqual(["0/0", "1/0", "2/0", "0/1", "1/1"]);
    }
  });

  it("kafka_peek shows nothing of an aborted transaction, and no markers", async () => {
    const shown = await messages({ topic: "payments", from: "earliest" });
    expect(shown.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    expect((await messages({ topic: "payments", from: { tail: 10 } })).map(({ value }) => value)).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("kafka_peek waits for new messages, and reads every compression", async () => {
    const waiting = call("kafka_peek", { topic: "orders", from: "latest", limit: 2, max_wait_ms: 1500 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (const compression of ["gzip", "snappy", "lz4"] as const)
      await send(
        kafka.server.port,
        "shop.orders",
        [{ value: `new ${compression} `.repeat(50), partition: 0 }],
        compression,
      );
    const { data, truncation } = await waiting;
    expect((data as { messages: Row[] }).messages).toHaveLength(2);
    expect(truncation).toMatchObject({ by: "rows", limit: 2 });
    const values = (await messages({ topic: "orders", from: { tail: 3 } })).map(
      ({ value }) => String(value).split(" ")[1],
    );
    expect(values).toEqual(["gzip", "snappy", "lz4"]);
  });

  it("peeking commits nothing and leaves no group behind", async () => {
    expect([...(await kafka.admin.listGroups()).keys()]).toEqual(["billing"]);
    expect((await call("kafka_consumer_lag", { group: "billing" })).data).toMatchObject({
      partitions: [{ committed: 1 }, { committed: 0 }],
    });
  });

  it("S10: kafka_produce sends by key as other clients do, and says where the message is", async () => {
    const sent = await call("kafka_produce", {
      topic: "orders",
      key: "k1",
      value: "hello",
      headers: { a: "b" },
      reason: REASON,
    });
    const { partition, offset } = sent.data as { partition: number; offset: number };
    const [message] = await messages({ topic: "orders", partition, from: { offset } });
    expect(message).toMatchObject({ key: "k1", value: "hello", headers: [{ a: "b" }], offset });
    const again = await call("kafka_produce", { topic: "orders", key: "k1", value: "again", reason: REASON });
    expect(again.data).toMatchObject({ partition });
    const chosen = await call("kafka_produce", { topic: "orders", value: "x", partition: 2, reason: REASON });
    expect(chosen.data).toMatchObject({ topic: "orders", partition: 2 });
    await expect(
      call("kafka_produce", { topic: "orders", value: "x", partition: 9, reason: REASON }),
    ).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("A3 A8: what was approved carries its marker", async () => {
    const args = { topic: "orders", value: "approved", partition: 2, headers: { a: "b" }, reason: REASON };
    const { data } = await module.callApproved("kafka_produce", args);
    const { offset } = data as { offset: number };
    const [message] = await messages({ topic: "orders", partition: 2, from: { offset } });
    const marker = `mcp:${MARKER.argsSha} approved by key:ada`;
    expect(message).toMatchObject({ headers: [{ a: "b" }, { "x-mcp-marker": marker }] });
  });

  it("S10: kafka_create_topic and kafka_alter_topic answer manifests and change nothing", async () => {
    const { data } = await call("kafka_create_topic", {
      topic: "New_Topic",
      partitions: 3,
      retention_hours: 24,
      reason: REASON,
    });
    expect(data).toEqual({
      manifest: {
        apiVersion: "kafka.strimzi.io/v1",
        kind: "KafkaTopic",
        metadata: { name: "new-topic", namespace: "messaging", labels: { "strimzi.io/cluster": "kafka" } },
        spec: { topicName: "New_Topic", partitions: 3, config: { "retention.ms": 86_400_000 } },
      },
    });
    const altered = await call("kafka_alter_topic", {
      topic: "orders",
      partitions: 6,
      cleanup: "compact",
      reason: REASON,
    });
    expect(altered.data).toMatchObject({
      manifest: {
        metadata: { name: "shop.orders" },
        spec: { partitions: 6, replicas: 1, config: { "retention.ms": "-1", "cleanup.policy": "compact" } },
      },
    });
    await expect(
      call("kafka_alter_topic", { topic: "orders", partitions: 2, reason: REASON }),
    ).rejects.toThrow("has 3 partitions");
    expect(await kafka.admin.listTopics()).not.toContain("New_Topic");
  });
});

describe("TLS, and accounts that are wrong", () => {
  it("TLS with the authority in CA_FILE works, and without it the certificate is refused", async () => {
    const secure = {
      ...settings(),
      MCP_KAFKA_BOOTSTRAP_SERVERS: `localhost:${kafka.tls}`,
      MCP_KAFKA_TLS: "true",
    };
    const trusted = openModule(tools, {
      ...secure,
      MCP_KAFKA_CA_FILE: join(kafka.server.folder, "server.crt"),
    });
    expect((await trusted.call("kafka_list_topics")).page?.total).toBe(2);
    expect((await trusted.call("kafka_describe_topic", { topic: "orders" })).data).toMatchObject({
      partitions: 3,
    });
    await expect(openModule(tools, secure).call("kafka_list_topics")).rejects.toThrow(
      "certificate is not trusted",
    );
  });

  it("S5: a wrong password is denied, and neither user nor password is in the answer", async () => {
    const wrong = openModule(tools, { ...settings(), MCP_KAFKA_PASSWORD: "not-this-one" });
    const failure: unknown = await wrong.call("kafka_list_topics").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied", message: expect.stringContaining("login failed") });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp-kafka/);
  });
});

/** The protocol's names of errors behind a rejection. */
async function refusal(attempt: Promise<unknown>): Promise<readonly string[]> {
  const waiting: unknown[] = [
    await attempt.then(
      () => undefined,
      (error: unknown) => error,
    ),
  ];
  const ids: string[] = [];
  while (waiting.length > 0) {
    const next = waiting.shift();
    if (next instanceof ProtocolError) ids.push(String(next["apiId"]));
    if (next instanceof AggregateError) waiting.push(...next.errors);
    if (next instanceof Error) waiting.push(next.cause);
  }
  return [...new Set(ids)];
}

describe("the account on the cluster", () => {
  const login = () => ({
    clientId: "attacker",
    bootstrapBrokers: bootstrap(kafka.client),
    sasl: { mechanism: "SCRAM-SHA-512" as const, username: "mcp-kafka", password: PASSWORD },
    retries: 0,
  });
  let account: Admin;
  beforeAll(() => {
    account = new Admin(login());
  });
  afterAll(async () => await account.close());

  it("sees the drawn topics and no other", async () => {
    expect(await account.listTopics({ includeInternals: true })).toEqual(["payments", "shop.orders"]);
  });

  const TOPIC = "TOPIC_AUTHORIZATION_FAILED";
  const GROUP = "GROUP_AUTHORIZATION_FAILED";
  const CLUSTER = "CLUSTER_AUTHORIZATION_FAILED";
  const acl = {
    resourceType: 2 as const,
    resourceName: "hidden",
    resourcePatternType: 3 as const,
    principal: "User:mcp-kafka",
    host: "*",
    operation: 2 as const,
    permissionType: 3 as const,
  };
  it.each<readonly [string, string, (admin: Admin) => Promise<unknown>]>([
    ["createTopics", TOPIC, (admin) => admin.createTopics({ topics: ["own"], partitions: 1, replicas: 1 })],
    ["deleteTopics", TOPIC, (admin) => admin.deleteTopics({ topics: ["shop.orders"] })],
    [
      "createPartitions",
      TOPIC,
      (admin) => admin.createPartitions({ topics: [{ name: "shop.orders", count: 9, assignments: [] }] }),
    ],
    [
      "deleteRecords",
      TOPIC,
      (admin) =>
        admin.deleteRecords({
          topics: [{ name: "shop.orders", partitions: [{ partition: 0, offset: 1n }] }],
        }),
    ],
    ["createAcls", CLUSTER, (admin) => admin.createAcls({ creations: [acl] })],
    ["deleteAcls", CLUSTER, (admin) => admin.deleteAcls({ filters: [acl] })],
    ["deleteGroups", GROUP, (admin) => admin.deleteGroups({ groups: ["billing"] })],
    [
      "alterConsumerGroupOffsets",
      GROUP,
      (admin) =>
        admin.alterConsumerGroupOffsets({
          groupId: "billing",
          topics: [{ name: "shop.orders", partitionOffsets: [{ partition: 0, offset: 2n }] }],
        }),
    ],
    [
      "alterClientQuotas",
      CLUSTER,
      (admin) =>
        admin.alterClientQuotas({
          entries: [
            {
              entities: [{ entityType: "user", entityName: "mcp-kafka" }],
              ops: [{ key: "consumer_byte_rate", remove: true }],
            },
          ],
        }),
    ],
    [
      "describeConfigs of a broker",
      CLUSTER,
      (admin) => admin.describeConfigs({ resources: [{ resourceType: 4, resourceName: "1" }] }),
    ],
    [
      "incrementalAlterConfigs",
      TOPIC,
      (admin) =>
        admin.incrementalAlterConfigs({
          resources: [
            {
              resourceType: 2,
              resourceName: "shop.orders",
              configs: [{ name: "retention.ms", configOperation: 0, value: "1" }],
            },
          ],
        }),
    ],
    ["metadata of another topic", TOPIC, (admin) => admin.metadata({ topics: ["hidden"] })],
    [
      "alterUserScramCredentials",
      CLUSTER,
      async (admin) => {
        const [connection] = (await admin.connectToBrokers()).values();
        if (connection === undefined) throw new Error("no broker");
        await alterUserScramCredentialsV0.api.async(connection, [{ name: "mcp-kafka", mechanism: 2 }], []);
      },
    ],
  ])("%s is refused with %s", async (_name, reason, attempt) => {
    expect(await refusal(attempt(account))).toContain(reason);
  });

  it("joins no group, takes part in no transaction, and writes to no topic that was drawn for reading", async () => {
    const consumer = new Consumer({ ...login(), groupId: "intruder" });
    expect(await refusal(consumer.joinGroup({}))).toContain(GROUP);
    await consumer.close(true);
    const producer = new Producer(login());
    for (const topic of ["payments", "hidden", "__consumer_offsets"])
      expect(
        await refusal(producer.send({ messages: [{ topic, value: Buffer.from("x") }] })),
        topic,
      ).toContain(TOPIC);
    await producer.close();
    const transactional = new Producer({ ...login(), transactionalId: "own", idempotent: true });
    expect(await refusal(transactional.beginTransaction())).toContain(
      "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    );
    await transactional.close();
  });

  it("S10: a link that only reads gets an account that cannot write", async () => {
    const principals = await emitPrincipals(stackWith("read"));
    const reading = principals.text("kafka/kafkauser.yaml").replaceAll("mcp-kafka", "mcp-kafka-ro");
    principals.remove();
    expect(reading).not.toContain("Write");
    const username = await applyKafkaUser(kafka, reading, PASSWORD);
    const producer = new Producer({ ...login(), sasl: { ...login().sasl, username } });
    expect(
      await refusal(producer.send({ messages: [{ topic: "shop.orders", value: Buffer.from("x") }] })),
    ).toContain(TOPIC);
    await producer.close();
  });

  it("an account without its ACLs is denied by name of the error", async () => {
    const bare = manifest
      .replaceAll("mcp-kafka", "mcp-bare")
      .replace(/acls:[\s\S]*quotas/, "acls: []\n  quotas");
    const username = await applyKafkaUser(kafka, bare, PASSWORD);
    const other = openModule(tools, { ...settings(), MCP_KAFKA_USER: username });
    for (const [tool, args] of [
      ["kafka_describe_topic", { topic: "orders" }],
      ["kafka_peek", { topic: "orders" }],
      ["kafka_produce", { topic: "orders", value: "x", reason: REASON }],
    ] as const)
      await expect(other.call(tool, args), tool).rejects.toMatchObject({
        code: "denied",
        message: expect.stringContaining(TOPIC),
      });
    expect((await other.call("kafka_list_consumer_groups")).page?.total).toBe(0);
  });
});

describe("outside the drawing", () => {
  it("S1: another topic, a host, a credential and a forged cursor are no arguments", async () => {
    for (const topic of ["hidden", "shop.orders", "__consumer_offsets", "", "orders,hidden"]) {
      await expect(call("kafka_peek", { topic })).rejects.toThrow("invalid arguments");
      await expect(call("kafka_produce", { topic, value: "x", reason: REASON })).rejects.toThrow(
        "invalid arguments",
      );
    }
    await expect(call("kafka_produce", { topic: "payments", value: "x", reason: REASON })).rejects.toThrow(
      "invalid arguments",
    );
    for (const extra of [{ bootstrap: "evil:9092" }, { group: "g" }, { password: "p" }])
      await expect(call("kafka_peek", { topic: "orders", ...extra })).rejects.toThrow("invalid arguments");
    const { page } = await call("kafka_peek", { topic: "orders", from: "earliest", limit: 1 });
    await expect(
      call("kafka_peek", { topic: "payments", from: "earliest", limit: 1, cursor: page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });
});

describe("floods", () => {
  beforeAll(async () => {
    const { port } = kafka.server;
    const entry = (index: number) => ({ value: `message ${index} ${"x".repeat(60)}`, partition: index % 3 });
    for (let start = 0; start < 3_000_000; start += 50_000)
      await send(
        port,
        "shop.orders",
        Array.from({ length: 50_000 }, (_, index) => entry(start + index)),
        "lz4",
      );
    const topics = [{ name: "payments", partitionOffsets: [{ partition: 0, offset: 0n }] }];
    for (let index = 0; index < 1400; index += 1)
      await kafka.admin.alterConsumerGroupOffsets({
        groupId: `flood-${String(index).padStart(4, "0")}`,
        topics,
      });
    const large = [{ name: "max.message.bytes", value: "16000000" }];
    await kafka.admin.createTopics({
      topics: Array.from({ length: 1200 }, (_, index) => `many-${index}`),
      partitions: 1,
      replicas: 1,
      configs: large,
    });
  });

  /** Repeats what the emitted quota holds back. */
  async function patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const failure: unknown = await work().then(
        (result) => ({ result }),
        (error: unknown) => error,
      );
      if (failure instanceof Error === false) return (failure as { result: T }).result;
      if (!("code" in failure) || failure.code !== "rate_limited" || attempt > 60) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  it("3 000 000 messages: every way to look at them is bounded in bytes and time", async () => {
    expect((await call("kafka_describe_topic", { topic: "orders" })).data).toMatchObject({ topic: "orders" });
    for (const from of ["earliest", { tail: 100 }, { timestamp: T0 }, { offset: 500_000 }]) {
      const look = async (args: Record<string, unknown>) =>
        await patiently(async () => await call("kafka_peek", { topic: "orders", from, limit: 100, ...args }));
      const { page } = await look({ partition: 1 });
      expect(page?.returned, JSON.stringify(from)).toBeGreaterThan(2);
      expect((await look({})).page?.returned).toBeGreaterThan(2);
    }
    const { data } = await call("kafka_consumer_lag", { group: "billing" });
    expect((data as { total_lag: number }).total_lag).toBeGreaterThan(1_900_000);
  });

  it("1400 groups: pages are bounded and do not overlap", async () => {
    const first = await call("kafka_list_consumer_groups", { limit: 500 });
    expect(first.page).toMatchObject({ returned: 500, total: 1401 });
    const second = await call("kafka_list_consumer_groups", { limit: 500, cursor: first.page?.next_cursor });
    const names = (result: typeof first) =>
      (result.data as { groups: { group: string }[] }).groups.map(({ group }) => group);
    expect(names(second).filter((name) => names(first).includes(name))).toEqual([]);
  });

  it("a message of 10 MB is refused when it is read, and another offset still works", async () => {
    await kafka.admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: 2,
          resourceName: "payments",
          configs: [{ name: "max.message.bytes", configOperation: 0, value: "16000000" }],
        },
      ],
    });
    await send(kafka.server.port, "payments", [{ value: Buffer.alloc(10_000_000, "z") }]);
    await expect(
      patiently(() => call("kafka_peek", { topic: "payments", from: { tail: 1 } })),
    ).rejects.toMatchObject({
      code: "too_large",
    });
    expect(
      (await patiently(() => messages({ topic: "payments", from: "earliest", limit: 2 }))).map(
        ({ value }) => value,
      ),
    ).toEqual(["a", "b"]);
  });

  it("the quota of the account is an answer with the time to wait, not a wait", async () => {
    const slow = manifest
      .replaceAll("mcp-kafka", "mcp-slow")
      .replace(/consumerByteRate: \d+/, "consumerByteRate: 500");
    const other = openModule(tools, {
      ...settings(),
      MCP_KAFKA_USER: await applyKafkaUser(kafka, slow, PASSWORD),
    });
    const look = async () =>
      await other.call("kafka_peek", { topic: "orders", from: "earliest", partition: 1 });
    const limited = { code: "rate_limited", hint: expect.stringMatching(/^try again in \d+ s$/) };
    // A new login takes a moment to arrive at the broker.
    await vi.waitFor(async () => await expect(look()).rejects.toMatchObject(limited), { timeout: 20_000 });
    const started = performance.now();
    await expect(look()).rejects.toMatchObject(limited);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each(["gzip", "snappy", "lz4"] as const)(
    "a batch of %s that unfolds to 40 MB is refused before it does",
    async (compression) => {
      const { port } = kafka.server;
      await send(port, "shop.orders", [{ value: Buffer.alloc(40_000_000, 0), partition: 2 }], compression);
      const before = process.memoryUsage().arrayBuffers;
      await expect(
        patiently(() => call("kafka_peek", { topic: "orders", partition: 2, from: { tail: 1 } })),
      ).rejects.toMatchObject({
        code: "too_large",
        message: expect.stringContaining("unfold"),
      });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(60_000_000);
    },
  );
});

describe("cancelling", () => {
  it("ends the wait at once and closes the connections to the brokers", async () => {
    const controller = new AbortController();
    const waiting = module.call(
      "kafka_peek",
      { topic: "orders", from: "latest", max_wait_ms: 10_000 },
      controller.signal,
    );
    await vi.waitFor(() => expect(connectionsTo(kafka.client)).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const started = performance.now();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(performance.now() - started).toBeLessThan(200);
    await vi.waitFor(() => expect(connectionsTo(kafka.client)).toBe(0), { timeout: 2000 });
  });
});

describe("the emitted server", () => {
  const work = workspace();
  let server: BootedServer;
  let client: Client;
  beforeAll(async () => {
    work.draw(
      "stack",
      "apiVersion: topology/v1\nstack: stack\ncomponents: {kafka: {sasl: none}}\nlinks: {mcp: {stack_agent: read, kafka: read}}\n",
    );
    work.generate();
    server = await bootServer(work.path("out/stack"), {
      MCP_KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${kafka.server.port}`,
      MCP_KAFKA_SASL_MECHANISM: "none",
    });
    client = await connectClient(server);
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
    work.remove();
  });

  it("T2: drawn for reading it has the six read tools and no other, and without topics it sees the health of all and no message", async () => {
    const listed = (await client.listTools()).tools
      .map(({ name }) => name)
      .filter((name) => name.startsWith("kafka_"));
    expect(listed.sort()).toEqual([
      "kafka_cluster_overview",
      "kafka_consumer_lag",
      "kafka_describe_topic",
      "kafka_list_consumer_groups",
      "kafka_list_topics",
      "kafka_peek",
    ]);
    const { content } = await callTool(client, "kafka_list_topics", { limit: 500 });
    expect(content).toMatchObject({ page: { total: 1203 }, truncated: true });
    for (const tool of ["kafka_peek", "kafka_describe_topic"])
      expect(await callTool(client, tool, { topic: "hidden" }), tool).toMatchObject({ isError: true });
    expect((await callTool(client, "kafka_consumer_lag", { group: "billing" })).content).toMatchObject({
      data: { total_lag: expect.any(Number) },
    });
  });
});
