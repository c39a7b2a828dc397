import type { Cluster } from "#runtime/kafka/cluster";
import { isOffline, isUnderReplicated } from "#runtime/kafka/topics";

/** The worst are named, the others counted. */
const MAX_NAMED = 20;

type Metadata = Awaited<ReturnType<Cluster["metadata"]>>;

/** Brokers by number only: their addresses are nobody's business here. */
export function overviewOf(
  { brokers, controllerId, topics }: Metadata,
  asDrawn: (topic: string) => string,
): object {
  const alive = new Set(brokers.map(({ nodeId }) => nodeId));
  const known = topics.filter(({ errorCode }) => errorCode === 0);
  const partitions = known.flatMap(({ name, partitions: own }) =>
    own.map((each) => ({ topic: asDrawn(name ?? ""), ...each })),
  );
  const offline = partitions.filter(isOffline);
  const behind = partitions.filter(isUnderReplicated);
  const named = new Set(partitions.flatMap(({ replicaNodes }) => replicaNodes));
  const ill = [...offline, ...behind.filter((each) => !isOffline(each))];
  return {
    brokers: [...alive].sort((a, b) => a - b),
    gone_brokers: [...named].filter((id) => !alive.has(id)).sort((a, b) => a - b),
    controller: controllerId,
    topics: known.length,
    partitions: partitions.length,
    offline: offline.length,
    under_replicated: behind.length,
    ...(ill.length === 0
      ? {}
      : {
          ill: ill.slice(0, MAX_NAMED).map(({ topic, partitionIndex, leaderId, isrNodes, replicaNodes }) => ({
            topic,
            partition: partitionIndex,
            leader: leaderId,
            isr: isrNodes,
            replicas: replicaNodes,
          })),
        }),
  };
}
