import { consumersOf, defineComponent, integer, list, text, variablePart } from "#contract";
import type { McpLink, Topology } from "#contract";
import { commandsWith } from "./commands.ts";
import type * as module from "./tools.ts";

type Database = (typeof module.databases)[number];
type Drawn = McpLink["targets"][number]["sub"];

function schemasOf(sub: Drawn): readonly string[] {
  const drawn = sub.attributes["schema"];
  return Array.isArray(drawn) ? drawn.map(String) : [];
}

function databasesOf(link: McpLink, topology: Topology): readonly Database[] {
  return link.targets.map(({ sub }) => ({
    name: sub.name,
    database: String(sub.attributes["database"] ?? sub.name),
    env: variablePart(sub.name),
    schemas: schemasOf(sub),
    consumers: consumersOf(topology, link.component.name, sub),
  }));
}

function writableOf(link: McpLink): readonly string[] {
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

/** One of the link's own accounts: each database has one that reads, and one that writes where that was drawn. */
export interface Account {
  readonly role: string;
  /** Of its variables: `APP_DB` or `APP_DB_RW`. */
  readonly part: string;
  /** The database as drawn, and as the server calls it. */
  readonly name: string;
  readonly database: string;
  readonly schemas: readonly string[];
  readonly owner: string | null;
  readonly writes: boolean;
}

/** A link whose write tools were all left out needs no account that writes. */
export function accountsOf(link: McpLink): readonly Account[] {
  return link.targets.flatMap(({ sub, access }) => {
    const part = variablePart(sub.name);
    const schemas = schemasOf(sub);
    const reader: Account = {
      role: `mcp_ro_${sub.name}`,
      part,
      name: sub.name,
      database: String(sub.attributes["database"] ?? sub.name),
      schemas: schemas.length === 0 ? ["public"] : schemas,
      owner: typeof sub.attributes["username"] === "string" ? sub.attributes["username"] : null,
      writes: false,
    };
    if (access === "read" || link.tools?.length === 0) return [reader];
    return [reader, { ...reader, role: `mcp_rw_${sub.name}`, part: `${part}_RW`, writes: true }];
  });
}

const databases = {
  kind: "database",
  doc: "A database of the server.",
  attributes: {
    database: text({
      doc: "Its name on the server.",
      default: "{name}",
      pattern: "^[^\\u0000-\\u001f]{1,63}$",
    }),
    username: text({
      doc: "The application's account, which owns the tables.",
      pattern: "^[^\\u0000-\\u001f]{1,63}$",
    }),
    schema: list({
      doc: "Schemas within reach; left out, public and whatever else the link's account may use.",
      pattern: "^[^\\u0000-\\u001f]{1,63}$",
    }),
  },
  secrets: { password: { doc: "Password of the application's account." } },
} as const;

const shape = {
  group: "databases",
  port: 5432,
  secrets: { admin_password: { doc: "Password of the server's administrator." } },
  subComponents: { databases },
  access: ["read", "write", "readwrite", "owner"],
  mcp: "tools",
  testedOn: ["PostgreSQL 15.18"],
  commands: commandsWith(accountsOf),
} as const;

const family = {
  prefix: "pg",
  scope: "databases",
  libraries: ["pg", "pg-cursor", "libpg-query"],
  slots: (link: McpLink, topology: Topology) => ({
    databases: databasesOf(link, topology),
    writable: writableOf(link),
  }),
  settings: (link: McpLink) => [
    { name: "HOST", value: link.component.host ?? "" },
    { name: "PORT", value: String(link.component.port ?? 5432) },
    { name: "SSLMODE", value: "verify-full" },
    ...accountsOf(link).map(({ part, role }) => ({ name: `${part}_USER`, value: role })),
  ],
  credentials: (link: McpLink) =>
    accountsOf(link).map(({ part, writes, name }) => ({
      name: `${part}_PASSWORD`,
      doc: `Password of the link's own account that ${writes ? "writes" : "reads"} ${name}.`,
    })),
  playbooks: {
    health: {
      tool: "pg_health",
      how: "for each database, to see connections, locks, replication and vacuum",
    },
  },
};

export const postgresql = defineComponent<typeof module>({
  ...shape,
  type: "postgresql",
  summary: "PostgreSQL, a relational database.",
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  tools: { ...family, service: "POSTGRESQL" },
});

export const cnpg = defineComponent<typeof module>({
  ...shape,
  type: "cnpg",
  summary: "CloudNativePG, PostgreSQL run by an operator.",
  host: "{cluster}-rw.{namespace}.svc.{cluster_domain}",
  attributes: {
    cluster: text({ doc: "Name of the Cluster object.", default: "cluster-{namespace}" }),
    instances: integer({ doc: "Servers in the cluster.", min: 1 }),
  },
  podLabels: { "cnpg.io/cluster": "{cluster}" },
  tools: { ...family, ownPrefix: "cnpg", service: "CNPG" },
});

export default [postgresql, cnpg];
