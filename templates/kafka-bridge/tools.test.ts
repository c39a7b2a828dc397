import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { freePort } from "../../test/live/server.ts";
import { record, startFakeBridge } from "./fake-bridge.ts";
import type { FakeBridge } from "./fake-bridge.ts";
import { tools } from "./tools.ts";

const REASON = "a test of writes";
let fake: FakeBridge;
let module: OpenModule;

beforeEach(async () => {
  fake = await startFakeBridge();
  fake.topics.set("shop.orders", [
    [
      record(5, '{"id":1}', {
        key: "k1",
        timestamp: 1000,
        headers: [{ key: "trace", value: Buffer.from("abc").toString("base64") }],
      }),
      record(6, null, { key: "k2", timestamp: 3000 }),
    ],
    [record(0, "grüße", { timestamp: 2000 }), record(1, "v".repeat(20_000), { timestamp: 4000 })],
  ]);
  fake.topics.set("payments", [[]]);
  fake.topics.set("hidden", [[record(0, "out of reach")]]);
  module = openModule(tools, { MCP_KAFKA_BRIDGE_URL: fake.url });
});

afterEach(async () => {
  await module.close();
  fake.stop();
});

const messages = async (args: Record<string, unknown>) =>
  ((await module.call("kafka_peek", args)).data as { messages: Record<string, unknown>[] }).messages;

describe("the tools as data", () => {
  it("T2: the names are those of the native flavour, reads before writes", () => {
    expect(module.names).toEqual([
      "kafka_list_topics",
      "kafka_describe_topic",
      "kafka_peek",
      "kafka_produce",
    ]);
    expect(tools.tools.filter(({ effect }) => effect !== "read").map(({ name }) => name)).toEqual([
      "kafka_produce",
    ]);
  });

  it("P7: descriptions are for a model, and short; R5: no parameter names a host or a group", () => {
    for (const { name, title, description, inputSchema } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const text = JSON.stringify({ name, title, description, inputSchema });
      expect(text.length, name).toBeLessThan(1400);
      expect(JSON.stringify(inputSchema)).not.toMatch(/"\w*(host|port|url|user|password|group|consumer)"/i);
    }
  });
});

describe("every tool on the fake", () => {
  it("S32: kafka_list_topics shows the drawn topics only, and which are missing", async () => {
    expect((await module.call("kafka_list_topics")).data).toEqual({
      topics: [{ topic: "orders" }, { topic: "payments" }],
    });
    fake.topics.delete("payments");
    expect((await module.call("kafka_list_topics", { contains: "pay" })).data).toEqual({
      topics: [{ topic: "payments", missing: true }],
    });
    const first = await module.call("kafka_list_topics", { limit: 1 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 1 });
  });

  it("kafka_describe_topic gives partitions with offsets, and what is behind", async () => {
    expect((await module.call("kafka_describe_topic", { topic: "orders" })).data).toEqual({
      topic: "orders",
      partitions: 2,
      under_replicated: 2,
      config: { "retention.ms": "1000" },
      partition_list: [
        { partition: 0, leader: 0, replicas: [0, 1], isr: [0], begin: 5, end: 7 },
        { partition: 1, leader: 0, replicas: [0, 1], isr: [0], begin: 0, end: 2 },
      ],
    });
    fake.topics.delete("payments");
    await expect(module.call("kafka_describe_topic", { topic: "payments" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("kafka_peek shows the last messages in the order of their time", async () => {
    const result = await module.call("kafka_peek", { topic: "orders", decode: "json" });
    expect(result.data).toEqual({
      messages: [
        {
          partition: 0,
          offset: 5,
          timestamp: "1970-01-01T00:00:01.000Z",
          key: "k1",
          value: { id: 1 },
          encoding: "json",
          headers: [{ trace: "abc" }],
        },
        {
          partition: 1,
          offset: 0,
          timestamp: "1970-01-01T00:00:02.000Z",
          key: null,
          value: "grüße",
          encoding: "utf8",
        },
        { partition: 0, offset: 6, timestamp: "1970-01-01T00:00:03.000Z", key: "k2", value: null },
        {
          partition: 1,
          offset: 1,
          timestamp: "1970-01-01T00:00:04.000Z",
          key: null,
          value: "v".repeat(16_384),
          encoding: "utf8",
          value_bytes: 20_000,
        },
      ],
    });
    expect((await messages({ topic: "orders", from: { tail: 1 } })).map(({ offset }) => offset)).toEqual([1]);
    expect(
      (await messages({ topic: "orders", partition: 0, from: { offset: 6 } })).map(({ offset }) => offset),
    ).toEqual([6]);
    expect(await messages({ topic: "payments" })).toEqual([]);
    const cut = await module.call("kafka_peek", { topic: "orders", from: "earliest", limit: 2 });
    expect(cut.truncation).toMatchObject({ by: "rows", limit: 2 });
  });

  it("peeking subscribes to nothing, commits nothing and leaves no consumer, whatever happens", async () => {
    await messages({ topic: "orders" });
    expect(
      fake.requests.filter((each) => /subscription|offsets$/.test(each) && each.startsWith("POST")),
    ).toEqual([]);
    expect(fake.commits).toEqual([]);
    expect(fake.consumers.size).toBe(0);
    expect(fake.requests.find((each) => each.startsWith("POST /consumers/"))).toMatch(
      /^POST \/consumers\/mcp-peek-[0-9a-f-]{36}$/,
    );
    // An end that is never reached: the last message was compacted away.
    fake.topics.get("payments")?.[0]?.push(record(3, "kept"));
    const controller = new AbortController();
    const waiting = module.call(
      "kafka_peek",
      { topic: "payments", from: "earliest", max_wait_ms: 10_000 },
      controller.signal,
    );
    fake.topics.get("payments")?.[0]?.splice(0);
    await vi.waitFor(() => expect(fake.requests.some((each) => each.endsWith("/records"))).toBe(true));
    controller.abort(new Error("enough"));
    await expect(waiting.catch((error: unknown) => Promise.reject(error))).rejects.toThrow("enough");
    await vi.waitFor(() => expect(fake.consumers.size).toBe(0));
  });

  it("S10: kafka_produce sends bytes and says where they are; a record that Kafka refused is a fault", async () => {
    const sent = await module.call("kafka_produce", {
      topic: "orders",
      key: "k",
      value: "grüße",
      partition: 1,
      reason: REASON,
    });
    expect(sent.data).toEqual({ topic: "orders", partition: 1, offset: 2 });
    expect((await messages({ topic: "orders", partition: 1, from: { tail: 1 } }))[0]).toMatchObject({
      key: "k",
      value: "grüße",
    });
    await module.callApproved("kafka_produce", {
      topic: "orders",
      value: "approved",
      partition: 1,
      reason: REASON,
    });
    expect((await messages({ topic: "orders", partition: 1, from: { tail: 1 } }))[0]).toMatchObject({
      value: "approved",
      headers: [{ "x-mcp-marker": `mcp:${MARKER.argsSha} approved by key:ada` }],
    });
    await expect(
      module.call("kafka_produce", { topic: "orders", value: "x", partition: 9, reason: REASON }),
    ).rejects.toThrow("did not take the message");
    await expect(
      module.call("kafka_produce", { topic: "orders", value: "é".repeat(40_000), reason: REASON }),
    ).rejects.toThrow("more than 65536 bytes");
  });
});

describe("floods and attacks", () => {
  it("100 000 messages: what is shown stays small and quick", async () => {
    fake.topics.set("payments", [
      Array.from({ length: 100_000 }, (_, at) => record(at, `message ${at} ${"x".repeat(500)}`)),
    ]);
    for (const from of ["earliest", { tail: 100 }, { offset: 50_000 }]) {
      const started = performance.now();
      const result = await module.call("kafka_peek", { topic: "payments", from, limit: 100 });
      expect(performance.now() - started).toBeLessThan(2000);
      expect(JSON.stringify(result).length).toBeLessThan(262_144);
      expect(result.page?.returned).toBeGreaterThan(50);
    }
  });

  it("a message of 10 MB is too_large, and its consumer is gone", async () => {
    fake.topics.set("payments", [[record(0, "z".repeat(10_000_000))]]);
    await expect(module.call("kafka_peek", { topic: "payments" })).rejects.toMatchObject({
      code: "too_large",
    });
    expect(fake.consumers.size).toBe(0);
  });

  it.each([
    ["kafka_peek", { topic: "hidden" }],
    ["kafka_peek", { topic: "shop.orders" }],
    ["kafka_peek", { topic: "../consumers" }],
    ["kafka_peek", { topic: "orders", from: "latest" }],
    ["kafka_peek", { topic: "orders", group: "billing" }],
    ["kafka_produce", { topic: "payments", value: "x", reason: REASON }],
    ["kafka_produce", { topic: "orders", value: "x" }],
    ["kafka_describe_topic", { topic: "orders", limit: 51 }],
  ])("S1: %s refuses %j before the bridge is asked", async (tool, args) => {
    await expect(module.call(tool, args)).rejects.toThrow("invalid arguments");
    expect(fake.requests).toEqual([]);
  });

  it("the base_uri of the bridge, which may name another host, is never followed", async () => {
    expect(await messages({ topic: "orders" })).toHaveLength(4);
  });

  it("a bridge that is not there is an answer without its address", async () => {
    const port = await freePort();
    const gone = openModule(tools, { MCP_KAFKA_BRIDGE_URL: `http://127.0.0.1:${port}` });
    const error: unknown = await gone.call("kafka_list_topics").catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect(String(error)).not.toContain(String(port));
  });
});

describe("the account", () => {
  const emitted = async (access: string) => {
    const principals = await emitPrincipals(
      `apiVersion: topology/v1\nstack: stack\ncomponents: {bridge: {type: kafka_bridge, topics: {orders: {topic: shop.orders}, payments: {}}}}\nlinks: {mcp: {bridge: ${access}}}\n`,
    );
    const conf = principals.text("bridge/nginx.conf");
    principals.remove();
    return conf;
  };

  it("S5: the proxy lets the drawn topics and nameless consumers through, and no commit, subscription or password", async () => {
    const reading = await emitted("read");
    expect(reading).toContain("location ~ ^/topics/shop\\.orders(?:/partitions/[0-9]+/offsets)?$ {");
    expect(reading).not.toContain("location = /topics/");
    expect(reading).not.toMatch(/subscription|\/offsets\|/);
    const writing = await emitted("{only: {orders: write, payments: read}}");
    expect(writing.match(/location = \/topics\/\S+/g)).toEqual(["location = /topics/shop.orders"]);
    const commands = spawnSync("grep", ["-c", "password"], { input: writing, encoding: "utf8" });
    expect(commands.stdout.trim()).toBe("0");
  });
});
