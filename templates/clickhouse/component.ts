import { choice, consumersOf, defineComponent, integer, list, text } from "#contract";
import type { McpLink } from "#contract";
import { commands } from "./commands.ts";
import type * as module from "./tools.ts";

type Sub = McpLink["targets"][number]["sub"];

function databaseOf(sub: Sub): string {
  return String(sub.attributes["database"] ?? sub.name);
}

function tablesOf(sub: Sub): readonly string[] {
  const drawn = sub.attributes["tables"];
  return Array.isArray(drawn) ? drawn.map(String) : [];
}

/** A link whose write tools were all left out needs no account that inserts. */
function writableOf(link: McpLink): readonly Sub[] {
  if (link.tools?.length === 0) return [];
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub);
}

/** The link's own accounts on the server: one reads the drawn databases, one inserts into the drawn tables. */
export function accountsOf(link: McpLink): {
  readonly databases: readonly string[];
  readonly tables: readonly { readonly database: string; readonly table: string }[];
  readonly writes: boolean;
} {
  const writable = writableOf(link);
  return {
    databases: [...new Set(link.targets.map(({ sub }) => databaseOf(sub)))],
    tables: writable.flatMap((sub) => tablesOf(sub).map((table) => ({ database: databaseOf(sub), table }))),
    writes: writable.length > 0,
  };
}

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${port ?? 8123}`;
}

export default defineComponent<typeof module>({
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
        database: text({
          doc: "Name on the server, when it is not the key.",
          pattern: "^[\\w.-]{1,200}$",
          default: "{name}",
        }),
        username: text({ doc: "User that owns it.", default: "{name}" }),
        tables: list({
          doc: "Tables that rows may be inserted into where propose or write is drawn; left out, none.",
          pattern: "^[\\w.-]{1,200}$",
        }),
      },
      secrets: { password: { doc: "Password of that user." } },
    },
  },
  access: ["read", "write", "readwrite", "owner"],
  attributes: {
    scheme: choice({
      doc: "How the HTTP interface is reached; https is on port 8443.",
      values: ["http", "https"],
      default: "http",
    }),
    native_port: integer({ doc: "Port of the native protocol.", min: 1, max: 65535, default: 9000 }),
    username: text({ doc: "User of applications.", default: "default" }),
  },
  secrets: { password: { doc: "Password of applications." } },
  mcp: "tools",
  testedOn: ["ClickHouse 26.7.2.1 (clickhouse-local of chdb with its HTTP interface)"],
  commands,
  tools: {
    prefix: "ch",
    service: "CLICKHOUSE",
    scope: "databases",
    targetParameter: "database",
    slots: (link, topology) => ({
      databases: link.targets.map(({ sub }) => ({
        name: sub.name,
        database: databaseOf(sub),
        consumers: consumersOf(topology, link.component.name, sub),
      })),
      writable: writableOf(link).map((sub) => ({ name: sub.name, tables: tablesOf(sub) })),
      insertable: [...new Set(writableOf(link).flatMap(tablesOf))].sort(),
    }),
    settings: (link) => [
      { name: "URL", value: urlOf(link) },
      { name: "USER", value: "mcp_ro" },
      ...(accountsOf(link).writes ? [{ name: "RW_USER", value: "mcp_rw" }] : []),
    ],
    credentials: (link) => [
      { name: "PASSWORD", doc: "Password of the link's own account that reads." },
      ...(accountsOf(link).writes
        ? [{ name: "RW_PASSWORD", doc: "Password of the link's own account that inserts." }]
        : []),
    ],
  },
});
