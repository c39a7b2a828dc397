/** The real broker of the live suite, what it holds, and the account that the emitted KafkaUser describes. */
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
  ScramMechanisms,
  alterUserScramCredentialsV0,
} from "@platformatic/kafka";
import { vi } from "vitest";
import { parse } from "yaml";
import { freePort, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

export interface LiveKafka {
  readonly server: LiveServer;
  readonly admin: Admin;
  readonly client: number;
  readonly tls: number;
  stop(): Promise<void>;
}

export const bootstrap = (port: number): string[] => [`127.0.0.1:${port}`];

export async function startKafka(): Promise<LiveKafka> {
  const [client, tls, controller] = [await freePort(), await freePort(), await freePort()];
  const server = await startLive("kafka", {
    CLIENT_PORT: String(client),
    TLS_PORT: String(tls),
    CONTROLLER_PORT: String(controller),
  });
  const admin = new Admin({
    clientId: "live",
    bootstrapBrokers: bootstrap(server.port),
    retries: 10,
    retryDelay: 300,
  });
  await vi.waitFor(async () => await admin.listTopics(), { timeout: 60_000, interval: 500 });
  const stop = async (): Promise<void> => {
    await admin.close();
    await server.stop();
  };
  return { server, admin, client, tls, stop };
}

interface KafkaUser {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly authentication: { readonly type: string };
    readonly authorization: {
      readonly acls: readonly {
        readonly resource: {
          readonly type: "topic" | "group" | "cluster";
          readonly name?: string;
          readonly patternType?: string;
        };
        readonly operations: readonly string[];
      }[];
    };
    readonly quotas: { readonly consumerByteRate: number; readonly producerByteRate: number };
  };
}

const upper = (name: string): string => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();

/** What Strimzi's user operator does with a KafkaUser: the login, the ACLs and the quotas. */
export async function applyKafkaUser(
  { admin }: LiveKafka,
  manifest: string,
  password: string,
): Promise<string> {
  const { metadata, spec } = parse(manifest) as KafkaUser;
  if (spec.authentication.type !== "scram-sha-512")
    throw new Error(`unknown authentication ${spec.authentication.type}`);
  const salt = randomBytes(24);
  const iterations = 4096;
  const [connection] = (await admin.connectToBrokers()).values();
  if (connection === undefined) throw new Error("no broker");
  const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, "sha512");
  const login = {
    name: metadata.name,
    mechanism: ScramMechanisms.SCRAM_SHA_512,
    iterations,
    salt,
    saltedPassword,
  };
  await alterUserScramCredentialsV0.api.async(connection, [], [login]);
  const creations = spec.authorization.acls.flatMap(({ resource, operations }) =>
    operations.map((operation) => ({
      resourceType: ResourceTypes[upper(resource.type) as "TOPIC"],
      resourceName: resource.name ?? "kafka-cluster",
      resourcePatternType: ResourcePatternTypes[upper(resource.patternType ?? "literal") as "LITERAL"],
      principal: `User:${metadata.name}`,
      host: "*",
      operation: AclOperations[upper(operation) as "READ"],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
  await admin.createAcls({ creations });
  const ops = [
    { key: "consumer_byte_rate" as const, value: spec.quotas.consumerByteRate, remove: false as const },
    { key: "producer_byte_rate" as const, value: spec.quotas.producerByteRate, remove: false as const },
  ];
  await admin.alterClientQuotas({
    entries: [{ entities: [{ entityType: "user", entityName: metadata.name }], ops }],
  });
  return metadata.name;
}

interface Sent {
  readonly key?: string;
  readonly value: string | Buffer | null;
  readonly partition?: number;
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const bytes = (value: string | Buffer): Buffer => (typeof value === "string" ? Buffer.from(value) : value);

type Compression = "none" | "gzip" | "snappy" | "lz4";

export async function send(
  port: number,
  topic: string,
  messages: readonly Sent[],
  compression: Compression = "none",
): Promise<void> {
  const producer = new Producer({ clientId: "seed", bootstrapBrokers: bootstrap(port), compression });
  try {
    await producer.send({ messages: messages.map((message) => messageOf(topic, message)) });
  } finally {
    await producer.close();
  }
}

function messageOf(topic: string, { key, value, headers, timestamp, partition }: Sent) {
  return {
    topic,
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    ...(value === null ? {} : { value: bytes(value) }),
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
    headers: new Map(
      Object.entries(headers ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const),
    ),
  };
}

/** Three committed messages around two that a transaction took back. */
export async function sendTransactions(port: number, topic: string): Promise<void> {
  const producer = new Producer({
    clientId: "tx",
    bootstrapBrokers: bootstrap(port),
    transactionalId: "tx",
    idempotent: true,
    retries: 10,
  });
  for (const [values, isKept] of [
    [["a"], true],
    [["lost-1", "lost-2"], false],
    [["b", "c"], true],
  ] as const) {
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: values.map((value) => messageOf(topic, { value, partition: 0 })) });
    await (isKept ? transaction.commit() : transaction.abort());
  }
  await producer.close();
}

export const T0 = Date.parse("2026-01-01T00:00:00Z");

export async function seed({ admin, server: { port } }: LiveKafka): Promise<void> {
  const setting = (name: string, value: string) => ({ name, value });
  await admin.createTopics({
    topics: ["shop.orders"],
    partitions: 3,
    replicas: 1,
    configs: [setting("retention.ms", "-1")],
  });
  await admin.createTopics({ topics: ["payments", "hidden"], partitions: 1, replicas: 1 });
  const parts = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }));
  const orders = [{ name: "shop.orders", partitions: parts }];
  // A client that sends before every partition has its leader sends some of it twice.
  await vi.waitFor(async () => await admin.listOffsets({ topics: orders }), {
    timeout: 20_000,
    interval: 300,
  });
  await send(port, "shop.orders", [
    { key: "k1", value: '{"id":1,"token":"t"}', partition: 0, timestamp: T0, headers: { trace: "abc" } },
    { key: "k2", value: "grüße", partition: 1, timestamp: T0 + 1000 },
    { value: Buffer.from([0xff, 0x00, 0x01]), partition: 2, timestamp: T0 + 2000 },
    { key: "k4", value: null, partition: 0, timestamp: T0 + 3000 },
    { key: "k5", value: "v".repeat(20_000), partition: 1, timestamp: T0 + 4000 },
  ]);
  await send(port, "hidden", [{ value: "out of reach" }]);
  await sendTransactions(port, "payments");
  const topics = [
    {
      name: "shop.orders",
      partitionOffsets: [
        { partition: 0, offset: 1n },
        { partition: 1, offset: 0n },
      ],
    },
  ];
  await vi.waitFor(async () => await admin.alterConsumerGroupOffsets({ groupId: "billing", topics }), {
    timeout: 30_000,
    interval: 500,
  });
}

/** Connections of this machine to a port of it, as the kernel sees them. */
export function connectionsTo(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const ESTABLISHED = "01";
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return rows.filter((row) => {
    const [, , remote, state] = row.trim().split(/\s+/);
    return remote?.endsWith(`:${hex}`) === true && state === ESTABLISHED;
  }).length;
}
