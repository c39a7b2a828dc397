import { findCoordinatorV4, offsetFetchV8 } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";
import type { Cluster, TopicMetadata } from "#runtime/kafka/cluster";
import { failOn, partialAnswer } from "#runtime/kafka/faults";
import { LATEST, offsetKey, offsetsOf } from "#runtime/kafka/topics";

const GROUP = 0;

export interface Lag {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number | null;
  readonly end: number | null;
  /** `null` without a commit, or while the partition has no leader. */
  readonly lag: number | null;
}

type Offsets = Awaited<ReturnType<typeof offsetFetchV8.api.async>>;

async function committedOf(
  cluster: Cluster,
  group: string,
  topics: readonly TopicMetadata[],
): Promise<ReadonlyMap<string, bigint>> {
  const { coordinators } = await cluster.ask(findCoordinatorV4.api, GROUP, [group]);
  const coordinator = coordinators[0];
  if (coordinator === undefined)
    throw new ToolFault("upstream_unavailable", "the group has no coordinator now");
  const asked = topics.map(({ name, partitions }) => ({
    name: name ?? "",
    partitionIndexes: partitions.map(({ partitionIndex }) => partitionIndex),
  }));
  const request = { groupId: group, topics: asked, memberId: null, memberEpoch: -1 };
  const { groups } = await cluster
    .askBroker(coordinator.nodeId, offsetFetchV8.api, [request as never], false)
    .catch((error: unknown) => partialAnswer<Offsets>(error));
  const found = new Map<string, bigint>();
  for (const { errorCode, topics: answered } of groups) {
    failOn(errorCode);
    for (const { name, partitions } of answered) {
      for (const { partitionIndex, committedOffset, errorCode: code } of partitions) {
        failOn(code);
        if (committedOffset >= 0n) found.set(offsetKey(name, partitionIndex), committedOffset);
      }
    }
  }
  return found;
}

/** How far a group is behind in the topics, partition by partition; `every` also shows where it never committed. */
export async function lagOf(
  cluster: Cluster,
  group: string,
  topics: readonly TopicMetadata[],
  every: boolean,
): Promise<readonly Lag[]> {
  const committed = await committedOf(cluster, group, topics);
  const wanted = topics.flatMap(({ name, partitions }) =>
    partitions
      .map(({ partitionIndex, leaderId }) => ({
        topic: name ?? "",
        partition: partitionIndex,
        leader: leaderId,
        at: LATEST,
      }))
      .filter(({ topic, partition }) => every || committed.has(offsetKey(topic, partition))),
  );
  const ends = await offsetsOf(cluster, wanted);
  return wanted.map(({ topic, partition }) => {
    const key = offsetKey(topic, partition);
    const at = committed.get(key);
    const end = ends.get(key);
    const lag = at === undefined || end === undefined ? null : Math.max(0, Number(end - at));
    return {
      topic,
      partition,
      committed: at === undefined ? null : Number(at),
      end: end === undefined ? null : Number(end),
      lag,
    };
  });
}
