import { defineComponent, flag, integer, text } from "#contract";
import type { McpLink } from "#contract";
import { commandsWith } from "./commands.ts";
import type * as module from "./tools.ts";

type Keyspace = (typeof module.keyspaces)[number];

/**
 * Longest prefix first, so that a key belongs to the most specific keyspace.
 *
 * A write tool acts with the widest word of the link, so a keyspace with a narrower word is not writable.
 */
export function keyspacesOf(link: McpLink): readonly Keyspace[] {
  const drawn = link.targets.map(({ sub, access }) => ({
    name: sub.name,
    prefix: String(sub.attributes["prefix"] ?? `${sub.name}:`),
    database: Number(sub.attributes["db"] ?? link.component.attributes["db"] ?? 0),
    writable: access !== "read" && access === link.access,
  }));
  return drawn.sort((a, b) => b.prefix.length - a.prefix.length || (a.name < b.name ? -1 : 1));
}

/** Name of the link's own account on the server. */
export function accountOf(link: McpLink): string {
  return `mcp_${link.component.name.replaceAll("-", "_")}`;
}

const shape = {
  group: "cache",
  port: 6379,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    db: integer({ doc: "Number of the database that holds the keys.", min: 0, default: 0 }),
    tls: flag({ doc: "Whether the server speaks TLS on its port.", default: false }),
  },
  secrets: { password: { doc: "Password of the server's default user." } },
  subComponents: {
    keyspaces: {
      kind: "keyspace",
      doc: "The keys that share a prefix. Once one is drawn, tools reach drawn prefixes only.",
      attributes: {
        prefix: text({
          doc: "What the keys start with.",
          pattern: "^[^\\s\"'\\\\]{1,128}$",
          default: "{name}:",
        }),
        db: integer({ doc: "Number of the database, when it is not the component's.", min: 0 }),
      },
    },
  },
  access: ["read", "write", "readwrite"],
  commands: commandsWith(accountOf),
  mcp: "tools",
  testedOn: ["Redis 7.0.15"],
  tools: {
    prefix: "valkey",
    service: "VALKEY",
    scope: "keyspaces",
    libraries: ["ioredis"],
    slots: (link: McpLink) => ({ keyspaces: keyspacesOf(link) }),
    settings: (link: McpLink) => [
      { name: "HOST", value: link.component.host ?? "" },
      { name: "PORT", value: String(link.component.port ?? 6379) },
      { name: "USER", value: accountOf(link) },
      { name: "TLS", value: String(link.component.attributes["tls"] === true) },
      { name: "DB", value: String(link.component.attributes["db"] ?? 0) },
    ],
    credentials: () => [{ name: "PASSWORD", doc: "Password of the link's own account on the server." }],
    playbooks: {
      health: { tool: "valkey_info", how: "to see memory, clients, replication and evictions" },
    },
  },
} as const;

const valkey = defineComponent<typeof module>({
  ...shape,
  type: "valkey",
  summary: "Valkey, an in-memory key-value store.",
});

const redis = defineComponent<typeof module>({
  ...shape,
  type: "redis",
  summary: "Redis, an in-memory key-value store.",
});

/** Two names of one protocol: they share the tools, the prefix and the write flag. */
export default [valkey, redis];
