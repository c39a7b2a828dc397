import { defineComponent, text } from "#contract";

const shape = {
  group: "databases",
  port: 3306,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  secrets: { admin_password: { doc: "Password of the administrator." } },
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
  mcp: "later",
} as const;

export default [
  defineComponent({ ...shape, type: "mysql", summary: "MySQL, a relational database." }),
  defineComponent({ ...shape, type: "mariadb", summary: "MariaDB, a relational database." }),
];
