import { ToolFault } from "#runtime/fault";
import type { Cluster, TopicMetadata } from "#runtime/kafka/cluster";
import { failOn } from "#runtime/kafka/faults";
import { fetchApi } from "#runtime/kafka/fetch";
import type { KafkaMessage } from "#runtime/kafka/fetch";
import { EARLIEST, LATEST, byLeader, offsetKey, offsetsOf } from "#runtime/kafka/topics";

/** A topic with more is looked at one partition at a time. */
export const MAX_PARTITIONS = 100;
const FETCH_BYTES = 512 * 1024;
const PARTITION_BYTES = 64 * 1024;
/** Values that one call keeps; past it partitions stay for the next page. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const READ_COMMITTED = 1;
const FETCH_MS = 100;

/** Where to start: at a message, a time in milliseconds, or so many messages before the end. */
export type From =
  | "earliest"
  | "latest"
  | { readonly offset: number }
  | { readonly timestamp: number }
  | { readonly tail: number };

export interface Wish {
  readonly topic: TopicMetadata;
  readonly partition: number | undefined;
  readonly from: From;
  /** Where an earlier page ended, by partition. */
  readonly positions: ReadonlyMap<number, bigint> | undefined;
  readonly limit: number;
  readonly until: number;
}

interface Reading {
  readonly partition: number;
  readonly leader: number;
  readonly begin: bigint;
  /** Nothing at or past it is waited for; `null` while new messages are what is wanted. */
  readonly end: bigint | null;
  position: bigint;
  readonly messages: KafkaMessage[];
  isRead: boolean;
}

export interface Peeked {
  readonly messages: readonly KafkaMessage[];
  /** Where the next page starts, by partition. */
  readonly positions: ReadonlyMap<number, bigint>;
  /** Whether there is one. */
  readonly hasMore: boolean;
  readonly offline: number;
  /** Whether there was time and room for every partition. */
  readonly isComplete: boolean;
}

const clamp = (offset: bigint, begin: bigint, end: bigint): bigint =>
  offset < begin ? begin : offset > end ? end : offset;

function chosen({ topic, partition }: Wish): TopicMetadata["partitions"] {
  const found =
    partition === undefined
      ? topic.partitions
      : topic.partitions.filter(({ partitionIndex }) => partitionIndex === partition);
  if (found.length === 0)
    throw new ToolFault("not_found", "the topic has no such partition", {
      hint: `it has ${topic.partitions.length}, counted from 0`,
    });
  if (found.length > MAX_PARTITIONS)
    throw new ToolFault("invalid_argument", `the topic has more than ${MAX_PARTITIONS} partitions`, {
      hint: "name one",
    });
  return found;
}

async function readingsOf(cluster: Cluster, wish: Wish): Promise<readonly Reading[]> {
  const name = wish.topic.name ?? "";
  const parts = chosen(wish).map(({ partitionIndex, leaderId }) => ({
    topic: name,
    partition: partitionIndex,
    leader: leaderId,
  }));
  const ask = async (at: bigint): Promise<ReadonlyMap<string, bigint>> =>
    await offsetsOf(
      cluster,
      parts.map((part) => ({ ...part, at })),
    );
  const { from, positions } = wish;
  const isTimed = typeof from === "object" && "timestamp" in from && positions === undefined;
  const [begins, ends, times] = await Promise.all([
    ask(EARLIEST),
    ask(LATEST),
    isTimed ? ask(BigInt(from.timestamp)) : undefined,
  ]);
  return parts.flatMap(({ partition, leader }): Reading[] => {
    const key = offsetKey(name, partition);
    const begin = begins.get(key);
    const end = ends.get(key);
    if (begin === undefined || end === undefined) return [];
    const waits = from === "latest";
    const start = positions?.get(partition) ?? startOf(wish, begin, end, times?.get(key));
    const position = clamp(start, begin, waits && positions !== undefined ? start : end);
    return [
      {
        partition,
        leader,
        begin,
        end: waits ? null : end,
        position,
        messages: [],
        isRead: !waits && position >= end,
      },
    ];
  });
}

function startOf({ from, limit }: Wish, begin: bigint, end: bigint, timed: bigint | undefined): bigint {
  if (from === "earliest") return begin;
  if (from === "latest") return end;
  if ("offset" in from) return BigInt(from.offset);
  if ("tail" in from) return end - BigInt(Math.min(from.tail, limit));
  return timed === undefined || timed < 0n ? end : timed;
}

const bytesOf = ({ key, value }: KafkaMessage): number => (key?.length ?? 0) + (value?.length ?? 0);

interface Round {
  readonly bytes: number;
  readonly throttleMs: number;
}

/** One Fetch of all that one broker leads. */
async function fetchFrom(
  cluster: Cluster,
  leader: number,
  readings: readonly Reading[],
  wish: Wish,
): Promise<Round> {
  const wait = Math.max(0, Math.min(FETCH_MS, wish.until - performance.now()));
  const partitions = readings.map(({ partition, position }) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: position,
    lastFetchedEpoch: -1,
    partitionMaxBytes: PARTITION_BYTES,
  }));
  const topics = [{ topicId: wish.topic.name ?? "", partitions }];
  const { throttleMs, partitions: fetched } = await cluster.askBroker(
    leader,
    fetchApi,
    Math.ceil(wait),
    1,
    FETCH_BYTES,
    READ_COMMITTED,
    0,
    -1,
    topics,
    [],
    "",
  );
  const isEmpty = throttleMs === 0 && fetched.every(({ next }) => next === null);
  let bytes = 0;
  for (const { partition, errorCode, messages, next } of fetched) {
    const reading = readings.find((each) => each.partition === partition);
    if (reading === undefined) continue;
    failOn(errorCode);
    const fresh = messages.filter(
      ({ offset }) => offset >= reading.position && (reading.end === null || offset < reading.end),
    );
    const room = wish.limit + 1 - reading.messages.length;
    reading.messages.push(...fresh.slice(0, room));
    bytes += fresh.slice(0, room).reduce((sum, message) => sum + bytesOf(message), 0);
    if (next !== null) reading.position = next;
    // Nothing at all, although the end is further on: what was there is compacted away.
    else if (isEmpty && reading.end !== null) reading.position = reading.end;
    const isAtEnd = reading.end !== null && reading.position >= reading.end;
    reading.isRead = isAtEnd || reading.messages.length > wish.limit;
  }
  return { bytes, throttleMs };
}

async function readAll(cluster: Cluster, readings: readonly Reading[], wish: Wish): Promise<void> {
  let kept = 0;
  const isEnough = (): boolean =>
    wish.from === "latest" && readings.reduce((sum, each) => sum + each.messages.length, 0) > wish.limit;
  // At least one round, however little time is left.
  for (
    let round = 0;
    round === 0 || (performance.now() < wish.until && kept < MAX_KEPT_BYTES && !isEnough());
    round += 1
  ) {
    const pending = byLeader(readings.filter(({ isRead }) => !isRead));
    if (pending.size === 0) return;
    const rounds = await Promise.all(
      [...pending].map(async ([leader, ofLeader]) => await fetchFrom(cluster, leader, ofLeader, wish)),
    );
    kept += rounds.reduce((sum, { bytes }) => sum + bytes, 0);
    const throttleMs = Math.max(...rounds.map((each) => each.throttleMs));
    if (throttleMs === 0 || performance.now() + throttleMs < wish.until) continue;
    if (readings.some(({ messages }) => messages.length > 0)) return;
    throw new ToolFault(
      "rate_limited",
      "the cluster holds this account back: it has read as much as its quota lets it",
      {
        hint: `try again in ${Math.ceil(throttleMs / 1000)} s`,
      },
    );
  }
}

/** The oldest first among the heads of all partitions, each in its own order. */
function merged(readings: readonly Reading[]): readonly KafkaMessage[] {
  const queues = readings.map(({ messages }) => [...messages]);
  const all: KafkaMessage[] = [];
  for (;;) {
    let oldest: KafkaMessage[] | undefined;
    for (const queue of queues) {
      const head = queue[0];
      if (head !== undefined && (oldest?.[0] === undefined || head.timestamp < oldest[0].timestamp))
        oldest = queue;
    }
    const next = oldest?.shift();
    if (next === undefined) return all;
    all.push(next);
  }
}

function positionsAfter(
  readings: readonly Reading[],
  starts: ReadonlyMap<number, bigint>,
  shown: readonly KafkaMessage[],
): Pick<Peeked, "positions" | "hasMore"> {
  let hasMore = false;
  const positions = new Map<number, bigint>();
  for (const { partition, messages, position, isRead, end } of readings) {
    const seen = shown.filter((message) => message.partition === partition);
    const last = seen.at(-1);
    const isDrained = seen.length === messages.length;
    hasMore ||= !isDrained || (!isRead && end !== null);
    positions.set(
      partition,
      isDrained ? position : last === undefined ? (starts.get(partition) ?? position) : last.offset + 1n,
    );
  }
  return { positions, hasMore };
}

/** Messages from somewhere on, at most `limit`, with the place to go on; of a tail, the last ones by time. */
export async function peek(cluster: Cluster, wish: Wish): Promise<Peeked> {
  const readings = await readingsOf(cluster, wish);
  const offline = chosen(wish).length - readings.length;
  const starts = new Map(readings.map(({ partition, position }) => [partition, position]));
  await readAll(cluster, readings, wish);
  const all = merged(readings);
  const isComplete = readings.every(({ isRead, end }) => isRead || end === null);
  const isTail = typeof wish.from === "object" && "tail" in wish.from;
  const wanted = isTail ? Math.min((wish.from as { readonly tail: number }).tail, wish.limit) : wish.limit;
  if (isTail) return { messages: all.slice(-wanted), positions: starts, hasMore: false, offline, isComplete };
  const messages = all.slice(0, wanted);
  return { messages, ...positionsAfter(readings, starts, messages), offline, isComplete };
}
