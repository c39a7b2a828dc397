/** Fetch without a group: nothing is joined, committed or remembered. */
import { Reader, createAPI, fetchV12, readRecord } from "@platformatic/kafka";
import { failOn } from "#runtime/kafka/faults";
import { MAX_UNFOLDED_BYTES, tooLarge, unfold } from "#runtime/kafka/compression";

const COMPRESSION = 0b111;
const TRANSACTIONAL = 0b1_0000;
const CONTROL = 0b10_0000;
/** Of a batch: everything in front of its records, and the part that its length does not count. */
const HEAD_BYTES = 61;
const UNCOUNTED_BYTES = 12;

export interface KafkaMessage {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly messages: readonly KafkaMessage[];
  /** Where to go on; the requested offset when nothing was there. */
  readonly next: bigint | null;
}

export interface Fetched {
  /** How long the broker holds the account back; it sends nothing meanwhile. */
  readonly throttleMs: number;
  readonly partitions: readonly FetchedPartition[];
}

interface Batch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly count: number;
  readonly data: Buffer;
}

/** The whole batches in the bytes; the last one may be cut. */
function batchesOf(bytes: Buffer): readonly Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const end = at + UNCOUNTED_BYTES + bytes.readInt32BE(at + 8);
    if (end > bytes.length || end < at + HEAD_BYTES) break;
    batches.push({
      firstOffset: bytes.readBigInt64BE(at),
      attributes: bytes.readInt16BE(at + 21),
      lastOffsetDelta: bytes.readInt32BE(at + 23),
      firstTimestamp: bytes.readBigInt64BE(at + 27),
      maxTimestamp: bytes.readBigInt64BE(at + 35),
      producerId: bytes.readBigInt64BE(at + 43),
      count: bytes.readInt32BE(at + 57),
      data: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return batches;
}

interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What is left over for the batches of one answer. */
interface Budget {
  bytes: number;
}

function messagesOf(batch: Batch, partition: number, budget: Budget): readonly KafkaMessage[] {
  const data = unfold(batch.data, batch.attributes & COMPRESSION, budget.bytes);
  budget.bytes -= data.length;
  if (budget.bytes < 0) throw tooLarge();
  const reader = Reader.from(data);
  // With the time of the broker, the producer's own times do not count.
  const isBrokerTime = (batch.attributes & 0b1000) !== 0;
  return Array.from({ length: batch.count }, () => {
    const { key, value, headers, offsetDelta, timestampDelta } = readRecord(reader);
    const timestamp = isBrokerTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta;
    return { partition, offset: batch.firstOffset + BigInt(offsetDelta), timestamp, key, value, headers };
  });
}

/** What a consumer with `read_committed` sees: no markers, and nothing of an aborted transaction. */
function committed(
  bytes: Buffer,
  partition: number,
  aborted: readonly Aborted[],
  budget: Budget,
): Pick<FetchedPartition, "messages" | "next"> {
  const waiting = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const failing = new Set<bigint>();
  const messages: KafkaMessage[] = [];
  let next: bigint | null = null;
  for (const batch of batchesOf(bytes)) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    next = last + 1n;
    while (waiting[0] !== undefined && waiting[0].firstOffset <= last)
      failing.add(waiting.shift()?.producerId ?? -1n);
    if ((batch.attributes & CONTROL) !== 0) failing.delete(batch.producerId);
    else if ((batch.attributes & TRANSACTIONAL) === 0 || !failing.has(batch.producerId))
      messages.push(...messagesOf(batch, partition, budget));
  }
  return { messages, next };
}

function parseFetch(_correlation: number, _key: number, _version: number, reader: Reader): Fetched {
  const throttleMs = reader.readInt32();
  failOn(reader.readInt16());
  reader.readInt32();
  const budget = { bytes: MAX_UNFOLDED_BYTES };
  const topics = reader.readArray((topic) => {
    topic.readString();
    return topic.readArray((r): FetchedPartition => {
      const partition = r.readInt32();
      const errorCode = r.readInt16();
      r.readInt64();
      r.readInt64();
      r.readInt64();
      const aborted = r.readNullableArray((each) => ({
        producerId: each.readInt64(),
        firstOffset: each.readInt64(),
      }));
      r.readInt32();
      const size = r.readUnsignedVarInt() - 1;
      if (size <= 0) return { partition, errorCode, messages: [], next: null };
      const bytes = r.buffer.slice(r.position, r.position + size);
      r.skip(size);
      return { partition, errorCode, ...committed(bytes, partition, aborted ?? [], budget) };
    });
  });
  return { throttleMs, partitions: topics.flat() };
}

/** The library's own parser unfolds whatever it is sent, of any size. */
export const fetchApi = createAPI<Parameters<typeof fetchV12.createRequest>, Fetched>(
  fetchV12.api.key,
  fetchV12.api.version,
  fetchV12.createRequest,
  parseFetch,
);
