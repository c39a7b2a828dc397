import { defineComponent, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

type Topic = (typeof module.topics)[number];

/** Name of the account that the proxy in front of the bridge knows. */
export function accountOf({ component }: McpLink): string {
  return `mcp_${component.name.replaceAll("-", "_")}`;
}

export function topicsOf({ targets }: McpLink): readonly Topic[] {
  return targets.map(({ sub }) => ({ name: sub.name, topic: String(sub.attributes["topic"] ?? sub.name) }));
}

export function writableOf({ targets }: McpLink): readonly string[] {
  return targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

export default defineComponent<typeof module>({
  type: "kafka_bridge",
  summary: "Strimzi's HTTP bridge to Kafka, drawn as a component of its own.",
  group: "messaging",
  port: 8080,
  host: "{name}-bridge-service.{namespace}.svc.{cluster_domain}",
  attributes: {},
  subComponents: {
    topics: {
      kind: "topic",
      doc: "Topics that are reached through the bridge.",
      attributes: {
        topic: text({
          doc: "Name in the cluster, when it is not the key.",
          pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$",
          default: "{name}",
        }),
      },
    },
  },
  access: ["produce", "consume", "both"],
  podLabels: { "strimzi.io/name": "{name}-bridge" },
  mcp: "tools",
  testedOn: ["fake of the Strimzi HTTP bridge's API 0.1.0"],
  tools: {
    prefix: "kafka",
    service: "KAFKA_BRIDGE",
    scope: "topics",
    slots: (link) => ({ topics: topicsOf(link), writable: writableOf(link) }),
    settings: ({ component }) => [
      { name: "URL", value: `http://${component.host ?? ""}:${component.port ?? 8080}` },
    ],
    credentials: () => [
      { name: "USER", doc: "User of the proxy in front of the bridge.", optional: true },
      { name: "PASSWORD", doc: "Password of that user.", optional: true },
    ],
  },
});
