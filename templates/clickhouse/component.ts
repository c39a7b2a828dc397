import { defineComponent, integer, text } from "#contract";
import { commands } from "./commands.ts";

export default defineComponent({
  type: "clickhouse",
  summary: "ClickHouse, a database for analytics.",
  group: "analytics",
  port: 8123,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  subComponents: {
    databases: {
      kind: "database",
      doc: "Databases of the server.",
      attributes: {
        database: text({ doc: "Name on the server, when it is not the key.", default: "{name}" }),
        username: text({ doc: "User that owns it.", default: "{name}" }),
      },
      secrets: { password: { doc: "Password of that user." } },
    },
  },
  access: ["read", "write", "readwrite", "owner"],
  attributes: {
    native_port: integer({ doc: "Port of the native protocol.", min: 1, max: 65535, default: 9000 }),
    username: text({ doc: "User of applications.", default: "default" }),
  },
  secrets: { password: { doc: "Password of applications." } },
  mcp: "later",
  commands,
});
