import { defineComponent, integer, text } from "#contract";
import { commands } from "./commands.ts";

export default [
  defineComponent({
    type: "kafka",
    summary: "Apache Kafka, run by Strimzi.",
    group: "messaging",
    port: 9092,
    host: "{name}-kafka-bootstrap.{namespace}.svc.{cluster_domain}",
    attributes: {
      brokers: integer({ doc: "Brokers of the cluster.", min: 1 }),
      username: text({ doc: "User of clients that log in." }),
    },
    secrets: { password: { doc: "Password of clients that log in." } },
    subComponents: {
      topics: {
        kind: "topic",
        doc: "Topics of the cluster.",
        attributes: {
          topic: text({ doc: "Name in the cluster, when it is not the key.", default: "{name}" }),
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
    mcp: "later",
    commands,
  }),
  defineComponent({
    type: "kafka_bridge",
    summary: "Strimzi's HTTP bridge to Kafka, drawn as a component of its own.",
    group: "messaging",
    port: 8080,
    host: "{name}-bridge-service.{namespace}.svc.{cluster_domain}",
    attributes: {},
    access: ["produce", "consume", "both"],
    podLabels: { "strimzi.io/name": "{name}-bridge" },
    mcp: "never",
  }),
];
