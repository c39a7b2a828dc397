import { describeConfigsV4, listOffsetsV7 } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";
import type { Cluster, TopicMetadata } from "#runtime/kafka/cluster";
import { failOn } from "#runtime/kafka/faults";

type Partition = TopicMetadata["partitions"][number];

export const EARLIEST = -2n;
export const LATEST = -1n;
const NO_LEADER = -1;
const READ_COMMITTED = 1;
const TOPIC_RESOURCE = 2;
/** Where a setting comes from, when the topic itself has it. */
const OF_THE_TOPIC = 1;
const MAX_SETTING = 300;

/** A topic that must be there. */
export async function topicOf(cluster: Cluster, name: string): Promise<TopicMetadata> {
  const [topic] = (await cluster.metadata([name])).topics;
  if (topic === undefined) throw new ToolFault("not_found", "the cluster has no such topic");
  failOn(topic.errorCode);
  return topic;
}

export const isOffline = ({ leaderId }: Partition): boolean => leaderId === NO_LEADER;
export const isUnderReplicated = ({ replicaNodes, isrNodes }: Partition): boolean =>
  isrNodes.length < replicaNodes.length;

export function summaryOf({ name, isInternal, partitions }: TopicMetadata): object {
  return {
    topic: name,
    partitions: partitions.length,
    replicas: Math.max(0, ...partitions.map(({ replicaNodes }) => replicaNodes.length)),
    under_replicated: partitions.filter(isUnderReplicated).length,
    offline: partitions.filter(isOffline).length,
    ...(isInternal ? { internal: true } : {}),
  };
}

/** Partitions by the broker that leads them; those without one are left out. */
export function byLeader<T extends { readonly leader: number }>(
  partitions: readonly T[],
): ReadonlyMap<number, readonly T[]> {
  const leaders = new Map<number, T[]>();
  for (const each of partitions) {
    if (each.leader === NO_LEADER) continue;
    leaders.set(each.leader, [...(leaders.get(each.leader) ?? []), each]);
  }
  return leaders;
}

export interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  /** Milliseconds, `EARLIEST` or `LATEST`. */
  readonly at: bigint;
}

export const offsetKey = (topic: string, partition: number): string => `${partition}:${topic}`;

/**
 * Offsets by `offsetKey`: the first whose message is not older than asked for, as a consumer with
 * `read_committed` sees them. -1 when there is none; absent for a partition without a leader.
 */
export async function offsetsOf(
  cluster: Cluster,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<string, bigint>> {
  const asked = [...byLeader(wanted)].map(async ([leader, ofLeader]) => {
    const topics = [...new Set(ofLeader.map(({ topic }) => topic))].map((name) => ({
      name,
      partitions: ofLeader
        .filter(({ topic }) => topic === name)
        .map(({ partition, at }) => ({ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: at })),
    }));
    return await cluster.askBroker(leader, listOffsetsV7.api, -1, READ_COMMITTED, topics);
  });
  const found = new Map<string, bigint>();
  for (const { topics } of await Promise.all(asked)) {
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, offset } of partitions) found.set(offsetKey(name, partitionIndex), offset);
    }
  }
  return found;
}

/** What the topic itself sets, by name; values that Kafka calls sensitive are never sent. */
export async function overridesOf(
  cluster: Cluster,
  topic: string,
): Promise<Readonly<Record<string, string>>> {
  const resource = { resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null };
  const { results } = await cluster.ask(describeConfigsV4.api, [resource as never], false, false);
  const own = (results[0]?.configs ?? []).filter(({ configSource }) => configSource === OF_THE_TOPIC);
  return Object.fromEntries(
    own.map(({ name, value, isSensitive }) => [
      name,
      isSensitive ? "***" : String(value).slice(0, MAX_SETTING),
    ]),
  );
}

/** Each partition with its offsets; `null` while it has no leader. */
export async function describedPartitions(
  cluster: Cluster,
  topic: TopicMetadata,
): Promise<readonly object[]> {
  const name = topic.name ?? "";
  const wanted = topic.partitions.map(({ partitionIndex, leaderId }) => ({
    topic: name,
    partition: partitionIndex,
    leader: leaderId,
  }));
  const [begins, ends] = await Promise.all(
    [EARLIEST, LATEST].map(
      async (at) =>
        await offsetsOf(
          cluster,
          wanted.map((each) => ({ ...each, at })),
        ),
    ),
  );
  return topic.partitions.map((partition) => {
    const key = offsetKey(name, partition.partitionIndex);
    const [begin, end] = [begins?.get(key), ends?.get(key)];
    return {
      partition: partition.partitionIndex,
      leader: isOffline(partition) ? null : partition.leaderId,
      replicas: partition.replicaNodes,
      isr: partition.isrNodes,
      begin: begin === undefined ? null : Number(begin),
      end: end === undefined ? null : Number(end),
    };
  });
}
