import { defineComponent, text } from "#contract";

export default defineComponent({
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
        database: text({ doc: "Name on the server, when it is not the key.", default: "{name}" }),
        username: text({ doc: "User that owns it.", default: "{name}" }),
        collection: text({ doc: "The collection that matters most." }),
      },
      secrets: { password: { doc: "Password of that user." } },
    },
  },
  access: ["read", "write", "readwrite", "owner"],
  attributes: {},
  secrets: { admin_password: { doc: "Password of the administrator." } },
  mcp: "later",
});
