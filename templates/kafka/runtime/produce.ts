import { randomInt } from "node:crypto";
import { murmur2, produceV9 } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";
import type { Cluster, TopicMetadata } from "#runtime/kafka/cluster";
import { isOffline } from "#runtime/kafka/topics";

const ALL_IN_SYNC = -1;
const PRODUCE_MS = 10_000;

export interface Outgoing {
  readonly key: string | undefined;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition: number | undefined;
}

/** Where the usual clients would send it: by key, or to any partition that has a leader. */
function partitionOf(
  topic: TopicMetadata,
  { key, partition }: Outgoing,
): TopicMetadata["partitions"][number] {
  const { partitions } = topic;
  const online = partitions.filter((each) => !isOffline(each));
  const index =
    partition ??
    (key === undefined ? undefined : (murmur2(Buffer.from(key)) & 0x7fff_ffff) % partitions.length);
  const found =
    index === undefined
      ? online[randomInt(Math.max(1, online.length))]
      : partitions.find(({ partitionIndex }) => partitionIndex === index);
  if (found === undefined && index !== undefined)
    throw new ToolFault("not_found", "the topic has no such partition", {
      hint: `it has ${partitions.length}, counted from 0`,
    });
  if (found === undefined || isOffline(found))
    throw new ToolFault("upstream_unavailable", "the partition has no leader now");
  return found;
}

/** Sends once and waits for every replica in sync: nothing is repeated, so nothing is written twice. */
export async function produce(
  cluster: Cluster,
  topic: TopicMetadata,
  outgoing: Outgoing,
): Promise<{ readonly partition: number; readonly offset: number }> {
  const { partitionIndex, leaderId } = partitionOf(topic, outgoing);
  const { key, value, headers } = outgoing;
  const message = {
    topic: topic.name ?? "",
    partition: partitionIndex,
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    value: Buffer.from(value),
    headers: new Map(
      Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const),
    ),
  };
  const answer = await cluster.askBroker(leaderId, produceV9.api, ALL_IN_SYNC, PRODUCE_MS, [message], {});
  const offset =
    typeof answer === "object" ? answer.responses[0]?.partitionResponses[0]?.baseOffset : undefined;
  if (offset === undefined)
    throw new ToolFault("upstream_unavailable", "the broker did not say where the message is");
  return { partition: partitionIndex, offset: Number(offset) };
}
