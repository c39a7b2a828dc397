/**
 * A fake of Strimzi's HTTP bridge, in memory, after the description that the vendor publishes (OpenAPI, version 0.1.0).
 * It knows the requests of the tools and those that an account must not make; anything else is a 404, as in the bridge.
 */
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";

const JSON_TYPE = "application/vnd.kafka.v2+json";
const BINARY_TYPE = "application/vnd.kafka.binary.v2+json";

interface StoredRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: readonly { readonly key: string; readonly value: string }[];
}

interface FakeConsumer {
  readonly positions: Map<string, number>;
  assigned: readonly { readonly topic: string; readonly partition: number }[];
}

export interface FakeBridge {
  readonly url: string;
  readonly port: number;
  /** Partitions of each topic, each a list of records. */
  readonly topics: Map<string, StoredRecord[][]>;
  readonly consumers: Map<string, FakeConsumer>;
  readonly requests: string[];
  readonly commits: string[];
  stop(): void;
}

interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly type?: string;
}

const fault = (status: number, message: string): Reply => ({ status, body: { error_code: status, message } });
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A record whose key and value are texts. */
export function record(
  offset: number,
  value: string | null,
  more: { key?: string; timestamp?: number; headers?: StoredRecord["headers"] } = {},
): StoredRecord {
  const { key, timestamp, headers } = more;
  return {
    offset,
    timestamp: timestamp ?? offset,
    key: key === undefined ? null : base64(key),
    value: value === null ? null : base64(value),
    ...(headers === undefined ? {} : { headers }),
  };
}

type Body = Readonly<Record<string, unknown>>;
interface Asked {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Body;
  readonly accept: string;
  readonly contentType: string;
}

function aboutTopics(bridge: FakeBridge, { method, path, body, contentType }: Asked): Reply {
  const [, name = "", , index = "", last] = path;
  if (path.length === 1) return { status: 200, body: [...bridge.topics.keys()] };
  const partitions = bridge.topics.get(name);
  if (partitions === undefined) return fault(404, "This server does not host this topic-partition.");
  if (path.length === 5 && last === "offsets") {
    const records = partitions[Number(index)];
    if (records === undefined) return fault(404, "Topic partition does not exist.");
    const end = (records.at(-1)?.offset ?? -1) + 1;
    return { status: 200, body: { beginning_offset: records[0]?.offset ?? end, end_offset: end } };
  }
  if (path.length !== 2) return fault(404, "Not Found");
  if (method === "GET") {
    const replicas = [
      { broker: 0, leader: true, in_sync: true },
      { broker: 1, leader: false, in_sync: false },
    ];
    const list = partitions.map((_records, partition) => ({ partition, leader: 0, replicas }));
    return { status: 200, body: { name, configs: { "retention.ms": "1000" }, partitions: list } };
  }
  if (contentType !== BINARY_TYPE) return fault(422, `unexpected content type ${contentType}`);
  const [sent] = body["records"] as [
    { value: string; key?: string; partition?: number; headers?: StoredRecord["headers"] },
  ];
  const to = sent.partition ?? 0;
  const records = partitions[to];
  if (records === undefined)
    return { status: 200, body: { offsets: [{ error_code: 500, message: "Invalid partition" }] } };
  const offset = (records.at(-1)?.offset ?? -1) + 1;
  const { headers } = sent;
  const kept = headers === undefined ? {} : { headers };
  records.push({ offset, timestamp: Date.now(), key: sent.key ?? null, value: sent.value, ...kept });
  return { status: 200, body: { offsets: [{ partition: to, offset }] } };
}

function polled(bridge: FakeBridge, consumer: FakeConsumer, maxBytes: number): Reply {
  const found = consumer.assigned.flatMap(({ topic, partition }) => {
    const key = `${topic}/${partition}`;
    const from = consumer.positions.get(key) ?? 0;
    const records = (bridge.topics.get(topic)?.[partition] ?? [])
      .filter(({ offset }) => offset >= from)
      .slice(0, 500);
    consumer.positions.set(key, (records.at(-1)?.offset ?? from - 1) + 1);
    return records.map((each) => ({ topic, partition, ...each }));
  });
  const bytes = found.reduce((sum, { value }) => sum + ((value?.length ?? 0) * 3) / 4, 0);
  if (bytes > maxBytes)
    return fault(422, "Response exceeds the maximum number of bytes the consumer can receive");
  return { status: 200, body: found, type: BINARY_TYPE };
}

function aboutConsumers(
  bridge: FakeBridge,
  { method, path, query, body, accept, contentType }: Asked,
): Reply {
  const [, group = "", , name = "", action] = path;
  if (path.length === 2 && method === "POST") {
    if (contentType !== JSON_TYPE) return fault(422, "unexpected content type");
    const key = `${group}/${String(body["name"])}`;
    if (bridge.consumers.has(key))
      return fault(409, "A consumer instance with the specified name already exists in the Kafka Bridge.");
    if (body["enable.auto.commit"] !== false) bridge.commits.push(`automatic ${key}`);
    bridge.consumers.set(key, { positions: new Map(), assigned: [] });
    return {
      status: 200,
      body: { instance_id: body["name"], base_uri: "http://another-host.invalid/consumers" },
    };
  }
  const consumer = bridge.consumers.get(`${group}/${name}`);
  if (consumer === undefined) return fault(404, "The specified consumer instance was not found.");
  if (path.length === 4 && method === "DELETE") {
    bridge.consumers.delete(`${group}/${name}`);
    return { status: 204 };
  }
  if (action === "assignments") {
    consumer.assigned = body["partitions"] as FakeConsumer["assigned"];
    return { status: 204 };
  }
  if (action === "positions") {
    for (const { topic, partition, offset } of body["offsets"] as {
      topic: string;
      partition: number;
      offset: number;
    }[])
      consumer.positions.set(`${topic}/${partition}`, offset);
    return { status: 204 };
  }
  if (action === "offsets") {
    bridge.commits.push(`${group}/${name}`);
    return { status: 204 };
  }
  if (action !== "records" || method !== "GET") return fault(404, "Not Found");
  if (accept !== BINARY_TYPE)
    return fault(
      406,
      "The `format` used in the consumer creation request does not match the embedded format in the Accept header of this request.",
    );
  return polled(bridge, consumer, Number(query.get("max_bytes")));
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === "" ? {} : (JSON.parse(text) as Body);
}

export async function startFakeBridge(): Promise<FakeBridge> {
  const topics: FakeBridge["topics"] = new Map();
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "", "http://bridge");
      requests.push(`${request.method} ${url.pathname}`);
      const asked: Asked = {
        method: request.method ?? "",
        path: url.pathname.slice(1).split("/").map(decodeURIComponent),
        query: url.searchParams,
        body: await bodyOf(request),
        accept: String(request.headers.accept),
        contentType: String(request.headers["content-type"]),
      };
      const { status, body, type } =
        asked.path[0] === "topics"
          ? aboutTopics(bridge, asked)
          : asked.path[0] === "consumers"
            ? aboutConsumers(bridge, asked)
            : fault(404, "Not Found");
      // An empty poll takes its time, as it does in the bridge.
      if (Array.isArray(body) && body.length === 0 && asked.path.at(-1) === "records")
        await new Promise((resolve) => setTimeout(resolve, Number(asked.query.get("timeout"))));
      response.writeHead(status, body === undefined ? {} : { "content-type": type ?? JSON_TYPE });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  const bridge: FakeBridge = {
    url: `http://127.0.0.1:${port}`,
    port,
    topics,
    consumers: new Map(),
    requests,
    commits: [],
    stop,
  };
  return bridge;
}
