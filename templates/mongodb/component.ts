import { choice, defineComponent, list, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

type Sub = McpLink["targets"][number]["sub"];

function databaseOf(sub: Sub): string {
  return String(sub.attributes["database"] ?? sub.name);
}

function collectionsOf(sub: Sub): readonly string[] {
  const drawn = sub.attributes["collections"];
  return Array.isArray(drawn) ? drawn.map(String) : [];
}

/** A link whose write tools were all left out needs no account that writes. */
function writableOf(link: McpLink): readonly Sub[] {
  if (link.tools?.length === 0) return [];
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub);
}

/** What the link's own accounts may do: one reads the drawn databases, one writes where that was drawn. */
export function accountsOf(link: McpLink): {
  readonly databases: readonly string[];
  readonly writable: readonly { readonly database: string; readonly collections: readonly string[] }[];
} {
  return {
    databases: [...new Set(link.targets.map(({ sub }) => databaseOf(sub)))],
    writable: writableOf(link).map((sub) => ({
      database: databaseOf(sub),
      collections: collectionsOf(sub),
    })),
  };
}

export default defineComponent<typeof module>({
  type: "mongodb",
  summary: "MongoDB, a document database.",
  group: "databases",
  port: 27017,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  subComponents: {
    databases: {
      kind: "database",
      doc: "Databases of the server.",
      attributes: {
        database: text({
          doc: "Name on the server, when it is not the key.",
          pattern: "^[\\w-]{1,63}$",
          default: "{name}",
        }),
        username: text({ doc: "User that owns it.", default: "{name}" }),
        collection: text({ doc: "The collection that matters most." }),
        collections: list({
          doc: "Collections that may be written to where propose or write is drawn; left out, none.",
          pattern: "^(?!system\\.)[\\w.-]{1,200}$",
        }),
      },
      secrets: { password: { doc: "Password of that user." } },
    },
  },
  access: ["read", "write", "readwrite", "owner"],
  attributes: {
    replica_set: text({
      doc: "Name of the replica set, whose members are then all asked; left out, the drawn host alone.",
      pattern: "^[\\w.-]{1,100}$",
      default: "",
    }),
    tls: choice({ doc: "Whether the server is reached over TLS.", values: ["on", "off"], default: "off" }),
  },
  secrets: { admin_password: { doc: "Password of the administrator." } },
  mcp: "tools",
  testedOn: ["FerretDB 1.24.2, which speaks MongoDB's protocol over SQLite; accounts on a fake shell"],
  tools: {
    prefix: "mongo",
    service: "MONGODB",
    scope: "databases",
    targetParameter: "database",
    libraries: ["mongodb"],
    slots: (link) => ({
      databases: link.targets.map(({ sub }) => ({ name: sub.name, database: databaseOf(sub) })),
      writable: writableOf(link).map((sub) => ({ name: sub.name, collections: collectionsOf(sub) })),
      changeable: [...new Set(writableOf(link).flatMap(collectionsOf))].sort(),
    }),
    settings: (link) => {
      const { host, port, attributes } = link.component;
      const replicaSet = String(attributes["replica_set"] ?? "");
      return [
        { name: "HOST", value: host ?? "" },
        { name: "PORT", value: String(port ?? 27017) },
        { name: "TLS", value: String(attributes["tls"] === "on") },
        ...(replicaSet === "" ? [] : [{ name: "REPLICA_SET", value: replicaSet }]),
        { name: "USER", value: "mcp_ro" },
        ...(writableOf(link).length === 0 ? [] : [{ name: "RW_USER", value: "mcp_rw" }]),
      ];
    },
    credentials: (link) => [
      { name: "PASSWORD", doc: "Password of the link's own account that reads." },
      ...(writableOf(link).length === 0
        ? []
        : [{ name: "RW_PASSWORD", doc: "Password of the link's own account that writes." }]),
    ],
  },
});
