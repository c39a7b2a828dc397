import { randomUUID } from "node:crypto";
import { ToolFault } from "#runtime/fault";
import { requestJson, requestText } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { listOf, recordOf } from "#runtime/json-shape";

const JSON_TYPE = "application/vnd.kafka.v2+json";
export const BINARY_TYPE = "application/vnd.kafka.binary.v2+json";
/** The proxy in front of the bridge lets no other group through. */
const GROUP_PREFIX = "mcp-peek-";

type Ask = Omit<HttpRequest, "signal">;

export async function ask(service: HttpService, signal: AbortSignal, request: Ask): Promise<unknown> {
  return await requestJson(service, { accept: JSON_TYPE, contentType: JSON_TYPE, ...request, signal });
}

/** For what is answered without a body. */
async function tell(service: HttpService, signal: AbortSignal, request: Ask): Promise<void> {
  await requestText(service, { accept: JSON_TYPE, contentType: JSON_TYPE, ...request, signal });
}

export interface Offsets {
  readonly partition: number;
  readonly begin: number;
  readonly end: number;
}

export async function offsetsOf(
  service: HttpService,
  signal: AbortSignal,
  topic: string,
  partitions: readonly number[],
): Promise<readonly Offsets[]> {
  const asked = partitions.map(async (partition) => {
    const path = ["topics", topic, "partitions", String(partition), "offsets"];
    const { beginning_offset, end_offset } = recordOf(await ask(service, signal, { path }));
    return { partition, begin: Number(beginning_offset), end: Number(end_offset) };
  });
  return await Promise.all(asked);
}

export interface BridgeRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer])[];
}

const bytesOf = (value: unknown): Buffer | null =>
  typeof value === "string" ? Buffer.from(value, "base64") : null;

function recordIn(value: unknown): BridgeRecord {
  const { partition, offset, timestamp, key, value: content, headers } = recordOf(value);
  return {
    partition: Number(partition),
    offset: Number(offset),
    timestamp: typeof timestamp === "number" ? timestamp : null,
    key: bytesOf(key),
    value: bytesOf(content),
    headers: (Array.isArray(headers) ? headers : []).map((header: unknown) => {
      const { key: name, value: text } = recordOf(header);
      return [String(name), bytesOf(text) ?? Buffer.alloc(0)] as const;
    }),
  };
}

export interface Polling {
  readonly starts: ReadonlyMap<number, number>;
  readonly until: number;
  readonly maxBytes: number;
  /** Whether what was read is enough. */
  isEnough(records: readonly BridgeRecord[]): boolean;
}

/**
 * Reads with a consumer that nobody else knows: partitions are assigned and never subscribed to, so that no group
 * is balanced, nothing is committed, and the consumer is deleted whatever happened.
 */
export async function poll(
  service: HttpService,
  signal: AbortSignal,
  topic: string,
  wish: Polling,
): Promise<readonly BridgeRecord[]> {
  const name = randomUUID();
  const group = `${GROUP_PREFIX}${name}`;
  const path = ["consumers", group, "instances", name];
  const consumer = {
    name,
    format: "binary",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": false,
    "isolation.level": "read_committed",
  };
  await ask(service, signal, { path: ["consumers", group], json: consumer });
  try {
    const partitions = [...wish.starts.keys()].map((partition) => ({ topic, partition }));
    const offsets = [...wish.starts].map(([partition, offset]) => ({ topic, partition, offset }));
    await tell(service, signal, { path: [...path, "assignments"], json: { partitions } });
    await tell(service, signal, { path: [...path, "positions"], json: { offsets } });
    return await pollUntil(service, signal, [...path, "records"], wish);
  } finally {
    // The call may have been cancelled; what it made in the bridge must still go.
    await tell(service, AbortSignal.timeout(2000), { path, method: "DELETE" }).catch(() => undefined);
  }
}

async function pollUntil(
  service: HttpService,
  signal: AbortSignal,
  path: readonly string[],
  wish: Polling,
): Promise<readonly BridgeRecord[]> {
  const found: BridgeRecord[] = [];
  while (!wish.isEnough(found)) {
    const left = wish.until - performance.now();
    if (left <= 0) break;
    const query = { timeout: Math.max(1, Math.min(500, Math.ceil(left))), max_bytes: wish.maxBytes };
    const answer = await ask(service, signal, { path, query, accept: BINARY_TYPE }).catch(
      (error: unknown) => {
        throw error instanceof ToolFault && error.code === "invalid_argument"
          ? new ToolFault("too_large", `the messages there have more than ${wish.maxBytes} bytes`, {
              hint: "read from a later offset, or one partition",
            })
          : error;
      },
    );
    found.push(...listOf(answer).map(recordIn));
  }
  return found;
}
