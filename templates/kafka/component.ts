import { choice, defineComponent, flag, integer, text } from "#contract";
import type { McpLink } from "#contract";
import { commands } from "./commands.ts";
import type * as module from "./tools.ts";

type Topic = (typeof module.topics)[number];

const dashed = (name: string): string => name.replaceAll("_", "-");

/** Name of the link's own account: a KafkaUser, whose name is the login. */
export function accountOf({ component }: McpLink): string {
  return `mcp-${dashed(component.name)}`;
}

/** What Strimzi calls the cluster. */
export function clusterOf({ component }: McpLink): string {
  return dashed(component.name);
}

export function topicsOf({ targets }: McpLink): readonly Topic[] {
  return targets.map(({ sub }) => ({ name: sub.name, topic: String(sub.attributes["topic"] ?? sub.name) }));
}

/** Drawn names of the topics that may be written. */
export function writableOf({ targets }: McpLink): readonly string[] {
  return targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

const hasLogin = ({ component }: McpLink): boolean => component.attributes["sasl"] !== "none";

export default defineComponent<typeof module>({
  type: "kafka",
  summary: "Apache Kafka, run by Strimzi.",
  group: "messaging",
  port: 9092,
  host: "{name}-kafka-bootstrap.{namespace}.svc.{cluster_domain}",
  attributes: {
    brokers: integer({ doc: "Brokers of the cluster.", min: 1 }),
    username: text({ doc: "User of clients that log in." }),
    tls: flag({ doc: "Whether the listener speaks TLS, as Strimzi's on 9093 does.", default: false }),
    sasl: choice({
      doc: "How clients log in; none is a listener without accounts.",
      values: ["scram-sha-512", "scram-sha-256", "none"],
      default: "scram-sha-512",
    }),
  },
  secrets: { password: { doc: "Password of clients that log in." } },
  subComponents: {
    topics: {
      kind: "topic",
      doc: "Topics of the cluster.",
      attributes: {
        topic: text({
          doc: "Name in the cluster, when it is not the key.",
          pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$",
          default: "{name}",
        }),
        partitions: integer({ doc: "Partitions of the topic.", min: 1 }),
        replicas: integer({ doc: "Copies of each partition.", min: 1 }),
        retention: text({ doc: "How long messages are kept: 7d." }),
      },
    },
    bridges: {
      kind: "bridge",
      doc: "HTTP bridges in front of the cluster.",
      attributes: { port: integer({ doc: "Port of the bridge.", min: 1, max: 65535, default: 8080 }) },
    },
    connectors: {
      kind: "connector",
      doc: "Connectors that move messages in or out.",
      attributes: { class: text({ doc: "Class of the connector." }) },
    },
  },
  access: ["produce", "consume", "both"],
  podLabels: { "strimzi.io/name": "{name}-kafka" },
  mcp: "tools",
  testedOn: ["Apache Kafka 4.1.1"],
  commands,
  tools: {
    prefix: "kafka",
    service: "KAFKA",
    scope: "topics",
    libraries: ["@platformatic/kafka"],
    slots: (link) => ({
      topics: topicsOf(link),
      writable: writableOf(link),
      strimzi: { cluster: clusterOf(link), namespace: link.component.namespace },
    }),
    settings: (link) => [
      { name: "BOOTSTRAP_SERVERS", value: `${link.component.host ?? ""}:${link.component.port ?? 9092}` },
      { name: "SASL_MECHANISM", value: String(link.component.attributes["sasl"] ?? "scram-sha-512") },
      ...(hasLogin(link) ? [{ name: "USER", value: accountOf(link) }] : []),
      { name: "TLS", value: String(link.component.attributes["tls"] === true) },
    ],
    credentials: (link) =>
      hasLogin(link) ? [{ name: "PASSWORD", doc: "Password of the link's own account on the cluster." }] : [],
    playbooks: {
      health: {
        tool: "kafka_cluster_overview",
        how: "to see brokers that are gone and partitions that are offline or behind",
      },
    },
  },
});
