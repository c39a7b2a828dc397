import { createHash } from "node:crypto";
import { consumersOf, defineComponent, flag, text, variablePart } from "#contract";
import type { McpLink, Topology } from "#contract";
import type * as module from "./tools.ts";

type Database = (typeof module.databases)[number];

/** Names that need no thought in SQL, in a shell, and as a pattern of a GRANT. */
const NAME = "^[A-Za-z0-9_$-]{1,64}$";
/** MySQL cuts no name of an account: it refuses longer ones. */
const MAX_ACCOUNT = 32;

function accountName(prefix: string, name: string): string {
  const whole = `${prefix}${name.replaceAll(/[^A-Za-z0-9_]/g, "_")}`;
  if (whole.length <= MAX_ACCOUNT) return whole;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${whole.slice(0, MAX_ACCOUNT - 9)}_${digest}`;
}

function databasesOf(link: McpLink, topology: Topology): readonly Database[] {
  return link.targets.map(({ sub }) => ({
    name: sub.name,
    database: String(sub.attributes["database"] ?? sub.name),
    env: variablePart(sub.name),
    consumers: consumersOf(topology, link.component.name, sub),
  }));
}

/** One of the link's own accounts: each database has one that reads, and one that writes where that was drawn. */
export interface Account {
  readonly account: string;
  /** Of its variables: `APP_DB` or `APP_DB_RW`. */
  readonly part: string;
  /** The database as drawn, and as the server calls it. */
  readonly name: string;
  readonly database: string;
  readonly writes: boolean;
}

/** A link whose write tools were all left out needs no account that writes. */
export function accountsOf(link: McpLink): readonly Account[] {
  return link.targets.flatMap(({ sub, access }) => {
    const part = variablePart(sub.name);
    const database = String(sub.attributes["database"] ?? sub.name);
    const reader = {
      account: accountName("mcp_ro_", sub.name),
      part,
      name: sub.name,
      database,
      writes: false,
    };
    if (access === "read" || link.tools?.length === 0) return [reader];
    return [
      reader,
      { ...reader, account: accountName("mcp_rw_", sub.name), part: `${part}_RW`, writes: true },
    ];
  });
}

const shape = {
  group: "databases",
  port: 3306,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    tls: flag({ doc: "Whether the server speaks TLS; then nothing else is spoken with it.", default: true }),
  },
  secrets: { admin_password: { doc: "Password of the administrator." } },
  subComponents: {
    databases: {
      kind: "database",
      doc: "Databases of the server.",
      attributes: {
        database: text({
          doc: "Name on the server, when it is not the key.",
          default: "{name}",
          pattern: NAME,
        }),
        username: text({ doc: "User that owns it.", default: "{name}" }),
      },
      secrets: { password: { doc: "Password of that user." } },
    },
  },
  access: ["read", "write", "readwrite", "owner"],
  mcp: "tools",
} as const;

const family = {
  prefix: "mysql",
  scope: "databases",
  targetParameter: "database",
  libraries: ["mysql2"],
  slots: (link: McpLink, topology: Topology) => ({
    databases: databasesOf(link, topology),
    writable: link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name),
  }),
  settings: (link: McpLink) => [
    { name: "HOST", value: link.component.host ?? "" },
    { name: "PORT", value: String(link.component.port ?? 3306) },
    { name: "TLS", value: String(link.component.attributes["tls"] !== false) },
    ...accountsOf(link).map(({ part, account }) => ({ name: `${part}_USER`, value: account })),
  ],
  credentials: (link: McpLink) =>
    accountsOf(link).map(({ part, writes, name }) => ({
      name: `${part}_PASSWORD`,
      doc: `Password of the link's own account that ${writes ? "writes" : "reads"} ${name}.`,
    })),
  playbooks: {
    health: { tool: "mysql_table_stats", how: "for each database, to see the largest tables and their rows" },
  },
};

/** Two names of one protocol: they share the tools, the prefix and the write flag. */
export default [
  defineComponent<typeof module>({
    ...shape,
    type: "mysql",
    summary: "MySQL, a relational database.",
    tools: { ...family, service: "MYSQL" },
  }),
  defineComponent<typeof module>({
    ...shape,
    type: "mariadb",
    summary: "MariaDB, a relational database.",
    testedOn: ["MariaDB 10.11.19"],
    tools: { ...family, service: "MYSQL" },
  }),
];
