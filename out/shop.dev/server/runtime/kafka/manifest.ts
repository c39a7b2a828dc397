import { ToolFault } from "#runtime/fault";

/** What Strimzi's operator needs to know to find the cluster. */
export interface StrimziCluster {
  readonly cluster: string;
  readonly namespace: string;
}

interface TopicSpec {
  readonly partitions?: number | undefined;
  readonly replicas?: number | undefined;
  readonly config: Readonly<Record<string, string | number | undefined>>;
}

const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** A name that Kubernetes accepts; the topic's own stands in the manifest where it differs. */
function resourceName(topic: string): string {
  const name = topic.toLowerCase().replaceAll("_", "-");
  if (NAME.test(name)) return name;
  throw new ToolFault("invalid_argument", "no resource can have a name like this topic's", {
    hint: "begin and end it with a letter or a digit",
  });
}

function present(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** The manifest that a person commits where Strimzi's topic operator is given its resources from. */
export function topicManifest(
  { cluster, namespace }: StrimziCluster,
  topic: string,
  { config, ...spec }: TopicSpec,
): object {
  const name = resourceName(topic);
  const settings = present(config);
  return {
    apiVersion: "kafka.strimzi.io/v1",
    kind: "KafkaTopic",
    metadata: { name, namespace, labels: { "strimzi.io/cluster": cluster } },
    spec: {
      ...(name === topic ? {} : { topicName: topic }),
      ...present(spec),
      ...(Object.keys(settings).length === 0 ? {} : { config: settings }),
    },
  };
}
