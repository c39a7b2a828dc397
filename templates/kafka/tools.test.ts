import { gzipSync } from "node:zlib";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { Reader, Writer, compressionsAlgorithms } from "@platformatic/kafka";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_UNFOLDED_BYTES, unfold } from "#runtime/kafka/compression";
import { fetchApi } from "#runtime/kafka/fetch";
import { matchesGlob } from "#runtime/kafka/glob";
import { topicManifest } from "#runtime/kafka/manifest";
import { shownOf } from "#runtime/kafka/message";
import { decodePositions, encodePositions } from "#runtime/kafka/positions";
import { overviewOf } from "#runtime/kafka/overview";
import type { McpLink } from "../../generator/model/topology.ts";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { freePort } from "../../test/live/server.ts";
import { accountOf, topicsOf, writableOf } from "./component.ts";
import { tools } from "./tools.ts";

const opened: { module: OpenModule; server?: Server }[] = [];
const REASON = "a test of writes";

function moduleAt(port: number, environment: Record<string, string> = {}): OpenModule {
  const module = openModule(tools, {
    MCP_KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${port}`,
    MCP_KAFKA_PASSWORD: "secret",
    ...environment,
  });
  opened.push({ module });
  return module;
}

/** Something that listens where a broker is expected. */
async function listener(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ module: moduleAt(1), server });
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const { module, server } of opened.splice(0)) {
    await module.close();
    server?.close();
  }
});

describe("the tools as data", () => {
  it("S32: the names are those of the specification, reads before writes", () => {
    expect(moduleAt(1).names).toEqual(
      "kafka_cluster_overview kafka_list_topics kafka_describe_topic kafka_list_consumer_groups kafka_consumer_lag kafka_peek kafka_produce kafka_create_topic kafka_alter_topic".split(
        " ",
      ),
    );
  });

  it("P7: every description says when to use the tool, and a tool stays within its share of the list", () => {
    for (const { name, title, description, inputSchema } of tools.tools) {
      expect(description).toMatch(/^Use /);
      expect(JSON.stringify({ name, title, description, inputSchema }).length, name).toBeLessThan(1400);
    }
  });

  it("S10: only the three write tools are marked as such", () => {
    const writes = tools.tools
      .filter(({ effect }) => effect !== "read")
      .map(({ name, effect }) => `${name} ${effect}`);
    expect(writes).toEqual([
      "kafka_produce additive",
      "kafka_create_topic additive",
      "kafka_alter_topic additive",
    ]);
  });

  it("R5: no parameter names a broker, a group to join or a credential", () => {
    for (const { inputSchema } of tools.tools) {
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|port|url|user|password|bootstrap|broker/i);
      expect(inputSchema).toMatchObject({ additionalProperties: false });
    }
  });
});

describe("arguments", () => {
  it.each<readonly [string, object]>([
    ["kafka_describe_topic", {}],
    ["kafka_describe_topic", { topic: "other" }],
    ["kafka_describe_topic", { topic: "shop.orders" }],
    ["kafka_peek", { topic: "orders", from: "middle" }],
    ["kafka_peek", { topic: "orders", from: { tail: 101 } }],
    ["kafka_peek", { topic: "orders", from: { tail: 0 } }],
    ["kafka_peek", { topic: "orders", from: { offset: -1 } }],
    ["kafka_peek", { topic: "orders", from: { offset: 1, tail: 1 } }],
    ["kafka_peek", { topic: "orders", limit: 101 }],
    ["kafka_peek", { topic: "orders", max_wait_ms: 10_001 }],
    ["kafka_peek", { topic: "orders", max_bytes: 49_153 }],
    ["kafka_peek", { topic: "orders", decode: "avro" }],
    ["kafka_peek", { topic: "orders", group: "billing" }],
    ["kafka_list_topics", { limit: 501 }],
    ["kafka_list_consumer_groups", { state: "Lost" }],
    ["kafka_consumer_lag", {}],
    ["kafka_consumer_lag", { group: "" }],
    ["kafka_produce", { topic: "orders", value: "x" }],
    ["kafka_produce", { topic: "payments", value: "x", reason: REASON }],
    ["kafka_produce", { topic: "orders", value: "x".repeat(65_537), reason: REASON }],
    ["kafka_produce", { topic: "orders", value: "x", headers: { a: 1 }, reason: REASON }],
    ["kafka_produce", { topic: "orders", value: "x", reason: "short" }],
    ["kafka_create_topic", { topic: "__internal", reason: REASON }],
    ["kafka_create_topic", { topic: "..", reason: REASON }],
    ["kafka_create_topic", { topic: "a/b", reason: REASON }],
    ["kafka_create_topic", { topic: "new", partitions: 1001, reason: REASON }],
    ["kafka_alter_topic", { topic: "payments", reason: REASON }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt(1).call(tool, { ...args })).rejects.toThrow("invalid arguments");
  });

  it("A3: nobody sends a marker of their own", async () => {
    const args = { topic: "orders", value: "x", headers: { "X-MCP-Marker": "mcp:forged" }, reason: REASON };
    await expect(moduleAt(1).call("kafka_produce", args)).rejects.toMatchObject({ code: "denied" });
  });

  it("kafka_produce counts bytes, not characters", async () => {
    const args = { topic: "orders", value: "é".repeat(40_000), reason: REASON };
    await expect(moduleAt(1).call("kafka_produce", args)).rejects.toThrow("more than 65536 bytes");
  });

  it("a cursor that was made up is refused before the cluster is asked", async () => {
    const module = moduleAt(await freePort());
    for (const tool of ["kafka_list_topics", "kafka_list_consumer_groups"])
      await expect(module.call(tool, { cursor: "MA" }), tool).rejects.toThrow("does not belong");
    await expect(module.call("kafka_peek", { topic: "orders", cursor: "e30" })).rejects.toThrow(
      "does not belong",
    );
    const positions = new Map([[0, 12n]]);
    const cursor = encodePositions("t", { a: 1 }, positions);
    expect(decodePositions("t", { a: 1 }, cursor)).toEqual(positions);
    expect(() => decodePositions("t", { a: 2 }, cursor)).toThrow("does not belong");
  });
});

describe("a cluster that is not there, or is something else", () => {
  const failure = async (module: OpenModule): Promise<unknown> =>
    await module.call("kafka_list_topics").catch((error: unknown) => error);

  it("a closed port is an answer at once, without the address", async () => {
    const port = await freePort();
    const started = performance.now();
    const error = await failure(moduleAt(port));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect(String(error) + JSON.stringify(error)).not.toMatch(new RegExp(`127\\.0\\.0\\.1|${port}`));
  });

  it("the second bootstrap address is tried when the first is closed", async () => {
    let asked = 0;
    const port = await listener((socket) => {
      asked += 1;
      socket.destroy();
    });
    const servers = `127.0.0.1:${await freePort()},127.0.0.1:${port}`;
    expect(await failure(moduleAt(1, { MCP_KAFKA_BOOTSTRAP_SERVERS: servers }))).toMatchObject({
      code: "upstream_unavailable",
    });
    expect(asked).toBe(1);
  });

  it("a network that drops packets, a silent port and a name that does not resolve are answers within three seconds", async () => {
    const dropping = await droppingPort();
    const silent = await listener(() => undefined);
    const started = performance.now();
    const failures = await Promise.all([
      failure(moduleAt(dropping.port)),
      failure(moduleAt(silent)),
      failure(moduleAt(silent, { MCP_KAFKA_TLS: "true" })),
      failure(moduleAt(1, { MCP_KAFKA_BOOTSTRAP_SERVERS: "no-such-host.invalid:9092" })),
    ]);
    for (const error of failures) expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(3500);
    expect(JSON.stringify(failures.map(String))).not.toContain("no-such-host");
    await dropping.close();
  });

  it("another protocol, a port that hangs up and one that never stops sending", async () => {
    const http = await listener((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await failure(moduleAt(http))).toMatchObject({ code: "upstream_unavailable" });
    const rude = await listener((socket) => socket.destroy());
    expect(await failure(moduleAt(rude))).toMatchObject({ code: "upstream_unavailable" });
    const endless = await listener((socket) => {
      const size = Buffer.alloc(4);
      size.writeInt32BE(600_000_000);
      socket.write(size);
      const sendMore = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536, "x")));
      };
      socket.on("drain", sendMore);
      sendMore();
    });
    expect(await failure(moduleAt(endless))).toMatchObject({ code: "too_large" });
  });

  it("an abort ends a call that waits for a silent broker", async () => {
    const silent = await listener(() => undefined);
    const controller = new AbortController();
    const call = moduleAt(silent).call("kafka_list_topics", {}, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(call).rejects.toThrow("enough");
  });

  it("a setting that cannot be used names its variable, and an absent password its own", async () => {
    const said = async (environment: Record<string, string>): Promise<string> => {
      const error = await failure(moduleAt(1, environment));
      return `${String(error)} ${JSON.stringify(error)}`;
    };
    expect(await said({ MCP_KAFKA_TLS: "yes" })).toContain("MCP_KAFKA_TLS must be true or false");
    expect(await said({ MCP_KAFKA_SASL_MECHANISM: "gssapi" })).toContain(
      "MCP_KAFKA_SASL_MECHANISM must be none or one of",
    );
    for (const servers of ["kafka", "http://kafka:9092", "user@kafka:9092", "kafka:9092;evil"])
      expect(await said({ MCP_KAFKA_BOOTSTRAP_SERVERS: servers })).toContain(
        "MCP_KAFKA_BOOTSTRAP_SERVERS must be a list",
      );
    expect(await said({ MCP_KAFKA_PASSWORD: "" })).toContain("MCP_KAFKA_PASSWORD");
    expect(await said({ MCP_KAFKA_TLS: "true", MCP_KAFKA_CA_FILE: "/nowhere/ca.crt" })).toContain(
      "MCP_KAFKA_CA_FILE",
    );
    expect(await said({ MCP_KAFKA_TLS: "true", MCP_KAFKA_CA_FILE: "/nowhere/ca.crt" })).not.toContain(
      "/nowhere",
    );
  });
});

describe("decompression", () => {
  const CODECS = { gzip: 1, snappy: 2, lz4: 3 } as const;

  it("gives back what every codec packed, up to the limit and not past it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(40), (bytes, times) => {
        const data = Buffer.concat(Array.from({ length: times + 1 }, () => Buffer.from(bytes)));
        for (const [name, codec] of Object.entries(CODECS)) {
          const packed = compressionsAlgorithms[name as "gzip"].compressSync(data);
          expect(unfold(packed, codec, Math.max(1, data.length)).equals(data)).toBe(true);
          if (data.length > 1)
            expect(() => unfold(packed, codec, data.length - 1)).toThrow("unfold to more than");
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a bomb is refused before it unfolds, whatever its codec", () => {
    const zeros = Buffer.alloc(60_000_000);
    for (const [name, codec] of Object.entries(CODECS)) {
      const packed = compressionsAlgorithms[name as "gzip"].compressSync(zeros);
      const started = performance.now();
      expect(() => unfold(packed, codec, MAX_UNFOLDED_BYTES), name).toThrow("unfold to more than");
      expect(performance.now() - started, name).toBeLessThan(1500);
    }
  });

  it("bytes that are no compression fail and do not hang", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(1, 2, 3, 4, 5), (bytes, codec) => {
        try {
          expect(unfold(Buffer.from(bytes), codec, 1_000_000).length).toBeLessThanOrEqual(1_000_000);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

/** An answer to Fetch with one partition, as a broker writes it. */
function answerWith(records: Buffer, aborted: readonly (readonly [bigint, bigint])[] = []): Reader {
  const writer = Writer.create()
    .appendInt32(0)
    .appendInt16(0)
    .appendInt32(0)
    .appendArray([0], (w) =>
      w.appendString("t").appendArray([0], (p) => {
        p.appendInt32(7).appendInt16(0).appendInt64(0n).appendInt64(0n).appendInt64(0n);
        p.appendArray([...aborted], (a, [producer, first]) => a.appendInt64(producer).appendInt64(first));
        p.appendInt32(-1)
          .appendUnsignedVarInt(records.length + 1)
          .append(records);
      }),
    )
    .appendTaggedFields();
  return Reader.from(writer.buffer);
}

/** One batch of records with values, at an offset; `attributes` as in the protocol. */
function batch(first: bigint, values: readonly string[], attributes = 0, producer = -1n): Buffer {
  const records = Buffer.concat(
    values.map((value, index) => {
      const body = Writer.create()
        .appendInt8(0)
        .appendVarInt64(0n)
        .appendVarInt(index)
        .appendVarIntBytes(null)
        .appendVarIntBytes(Buffer.from(value))
        .appendVarInt(0).buffer;
      return Buffer.concat([Writer.create().appendVarInt(body.length).buffer, body]);
    }),
  );
  const data = (attributes & 7) === 1 ? gzipSync(records) : records;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(first, 0);
  head.writeInt32BE(49 + data.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(attributes, 21);
  head.writeInt32BE(values.length - 1, 23);
  head.writeBigInt64BE(producer, 43);
  head.writeInt32BE(values.length, 57);
  return Buffer.concat([head, data]);
}

describe("what a broker sends", () => {
  /** The parser is reached as the library reaches it: through a connection that answers at once. */
  function parsed(reader: Reader) {
    let result: unknown;
    const connection = {
      send: (
        _key: number,
        _version: number,
        _request: unknown,
        parse: (c: number, k: number, v: number, r: Reader) => unknown,
      ) => {
        result = parse(0, 1, 12, reader);
      },
    };
    fetchApi(connection as never, 0, 0, 0, 0, 0, 0, [], [], "");
    return (
      result as { partitions: { messages: { offset: bigint; value: Buffer }[]; next: bigint | null }[] }
    ).partitions[0];
  }
  const valuesOf = (reader: Reader) =>
    parsed(reader)?.messages.map(({ offset, value }) => `${offset}=${value.toString()}`);

  it("batches, plain and packed, with a last one that is cut", () => {
    const cut = batch(4n, ["never"]).subarray(0, 70);
    const found = parsed(answerWith(Buffer.concat([batch(0n, ["a", "b"]), batch(2n, ["c", "d"], 1), cut])));
    expect(found?.messages.map(({ offset, value }) => `${offset}=${value.toString()}`)).toEqual([
      "0=a",
      "1=b",
      "2=c",
      "3=d",
    ]);
    expect(found?.next).toBe(4n);
  });

  it("what an aborted transaction wrote and its markers are left out, and what came after it is not", () => {
    const TX = 0x10;
    const MARK = 0x30;
    const bytes = Buffer.concat([
      batch(0n, ["kept"], TX, 1n),
      batch(1n, ["lost"], TX, 2n),
      batch(2n, ["plain"]),
      batch(3n, ["marker"], MARK, 2n),
      batch(4n, ["later"], TX, 2n),
    ]);
    expect(valuesOf(answerWith(bytes, [[2n, 1n]]))).toEqual(["0=kept", "2=plain", "4=later"]);
  });

  it("damaged bytes end in an error or in fewer messages, never in a hang", () => {
    const whole = Buffer.concat([batch(0n, ["a", "b"]), batch(2n, ["c"], 1)]);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        try {
          expect(parsed(answerWith(damaged))?.messages.length).toBeLessThan(1000);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

describe("messages as AI sees them", () => {
  const message = (value: Buffer | null, more: object = {}) => ({
    partition: 0,
    offset: 1n,
    timestamp: 0n,
    key: null,
    value,
    headers: [],
    ...more,
  });

  it("a cut value keeps whole characters and its whole size, and is never parsed", () => {
    const { message: shown, isCut } = shownOf(message(Buffer.from('{"a":"grüße"}')), "json", 9);
    expect(shown).toMatchObject({ value: '{"a":"gr', encoding: "utf8", value_bytes: 15 });
    expect(isCut).toBe(true);
  });

  it("long keys, many headers and times that no calendar has are bounded", () => {
    const headers = Array.from(
      { length: 1000 },
      () => [Buffer.alloc(5000, "h"), Buffer.alloc(5000, "v")] as const,
    );
    const { message: shown } = shownOf(
      message(Buffer.from("x"), {
        key: Buffer.alloc(100_000, "k"),
        headers,
        timestamp: 9_223_372_036_854_775_807n,
      }),
      "auto",
      100,
    );
    expect(JSON.stringify(shown).length).toBeLessThan(12_000);
    expect(shown).toMatchObject({ headers_total: 1000, timestamp: "9223372036854775807" });
  });
});

describe("small parts", () => {
  it("a glob matches whole texts, in linear time", () => {
    expect(matchesGlob("a*c", "abc")).toBe(true);
    expect(matchesGlob("a*", "ab")).toBe(true);
    expect(matchesGlob("*b", "ab")).toBe(true);
    expect(matchesGlob("a", "ab")).toBe(false);
    expect(matchesGlob("ab*ba", "aba")).toBe(false);
    const started = performance.now();
    expect(matchesGlob(`${"a*".repeat(100)}b`, "a".repeat(249))).toBe(false);
    expect(performance.now() - started).toBeLessThan(50);
  });

  it("a manifest gets a name that Kubernetes accepts, or says why not", () => {
    const strimzi = { cluster: "kafka", namespace: "messaging" };
    expect(topicManifest(strimzi, "A_b", { config: {} })).toMatchObject({
      metadata: { name: "a-b" },
      spec: { topicName: "A_b" },
    });
    expect(() => topicManifest(strimzi, "-", { config: {} })).toThrow("no resource can have a name");
  });

  it("the overview names brokers that are gone and at most twenty ill partitions", () => {
    const partitions = Array.from({ length: 50 }, (_, index) => ({
      errorCode: 0,
      partitionIndex: index,
      leaderId: index === 0 ? -1 : 1,
      leaderEpoch: 0,
      replicaNodes: [1, 2],
      isrNodes: [1],
      offlineReplicas: [2],
    }));
    const topic = {
      errorCode: 0,
      name: "real",
      topicId: "",
      isInternal: false,
      partitions,
      topicAuthorizedOperations: 0,
    };
    const overview = overviewOf(
      {
        throttleTimeMs: 0,
        brokers: [{ nodeId: 1, host: "secret-host", port: 1, rack: null }],
        clusterId: "c",
        controllerId: 1,
        topics: [topic],
      },
      () => "drawn",
    );
    expect(overview).toMatchObject({ brokers: [1], gone_brokers: [2], offline: 1, under_replicated: 50 });
    expect((overview as { ill: object[] }).ill).toHaveLength(20);
    expect((overview as { ill: object[] }).ill[0]).toMatchObject({ topic: "drawn", leader: -1 });
    expect(JSON.stringify(overview)).not.toContain("secret-host");
  });
});

describe("the drawing", () => {
  const link = {
    access: "write",
    component: { name: "event_bus", attributes: {} },
    targets: [
      { access: "write", sub: { name: "orders", attributes: { topic: "shop.orders" } } },
      { access: "read", sub: { name: "payments", attributes: {} } },
    ],
  } as unknown as McpLink;

  it("S1: topics become closed lists, writable ones by their own word", () => {
    expect(topicsOf(link)).toEqual([
      { name: "orders", topic: "shop.orders" },
      { name: "payments", topic: "payments" },
    ]);
    expect(writableOf(link)).toEqual(["orders"]);
    expect(accountOf(link)).toBe("mcp-event-bus");
  });

  it("S5: the KafkaUser names topics and operations one by one and holds no password", async () => {
    const emitted = async (link: string, attributes = ""): Promise<string> => {
      const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {kafka: {${attributes}}}
links: {mcp: {kafka: ${link}}}
`);
      const text = principals.text("kafka/kafkauser.yaml");
      principals.remove();
      return text;
    };
    const all = await emitted("write", "topics: [a, b]");
    expect(all.match(/operations: .*/g)).toEqual([
      "operations: [Describe, DescribeConfigs, Read, Write]",
      "operations: [Describe, DescribeConfigs, Read, Write]",
      "operations: [Describe]",
      "operations: [Describe]",
    ]);
    expect(await emitted("{access: write, tools: [kafka_create_topic]}", "topics: [a]")).not.toContain(
      "Write",
    );
    expect(await emitted("read")).toContain(
      '{type: topic, name: "*", patternType: literal}\n        operations: [Describe]\n',
    );
    expect(await emitted("read", "sasl: none")).toBe("");
  });
});
