import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountsOf } from "./component.ts";

const HERE = "templates/mongodb";

interface Role {
  readonly role: string;
  readonly db: string;
}

interface Account {
  readonly user: string;
  /** Variable of its password. */
  readonly password: string;
  readonly roles: readonly Role[];
}

/** The accounts, and the roles of our own that they need: MongoDB has none that may write but not remove. */
function planOf({ link, environment }: LinkModule): object {
  const { databases, writable } = accountsOf(link);
  const reader: Account = {
    user: "mcp_ro",
    password: `${environment}_PASSWORD`,
    roles: databases.map((db) => ({ role: "read", db })),
  };
  const writer: Account = {
    user: "mcp_rw",
    password: `${environment}_RW_PASSWORD`,
    roles: writable.map(({ database }) => ({ role: "mcp_write_one", db: database })),
  };
  return {
    roles: writable.map(({ database, collections }) => ({
      db: database,
      role: "mcp_write_one",
      privileges: collections.map((collection) => ({
        resource: { db: database, collection },
        actions: ["insert", "update"],
      })),
    })),
    users: writable.length === 0 ? [reader] : [reader, writer],
  };
}

function readmeView(module: LinkModule): object {
  const { name, host, port } = module.link.component;
  const { databases, writable } = accountsOf(module.link);
  const server = `--host ${shellWord(host ?? name)} --port ${port ?? 27017}`;
  return {
    component: name,
    databases: databases.join(", "),
    writable: writable
      .map(({ database, collections }) => `${collections.join(", ") || "no collection yet"} of ${database}`)
      .join("; "),
    command: `mongosh ${server} --authenticationDatabase admin --username admin --file ${shellWord(`principals/${name}/account.js`)}`,
    never: writable.length === 0 ? "writing, " : "removing, ",
  };
}

/** The accounts of each link, as a script that an administrator runs in MongoDB's own shell. */
export default defineOutput({
  name: "mongodb",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "mongodb")
      .flatMap((module): FileSpec[] => {
        const folder = `principals/${module.link.component.name}`;
        return [
          {
            kind: "rendered",
            path: `${folder}/README.md`,
            from: `${HERE}/principal-readme.md.hbs`,
            view: readmeView(module),
          },
          {
            kind: "rendered",
            path: `${folder}/account.js`,
            from: `${HERE}/principal.js.hbs`,
            view: { plan: planOf(module) },
          },
        ];
      }),
});
