import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountsOf } from "./component.ts";
import type { Account } from "./component.ts";

const HERE = "templates/postgresql";

function fileOf({ name, writes }: Account): string {
  return `${name}.${writes ? "write" : "read"}.sql`;
}

function readmeView({ link, environment }: LinkModule): object {
  const { name, host, port } = link.component;
  const accounts = accountsOf(link);
  const server = `-h ${shellWord(host ?? name)} -p ${port ?? 5432}`;
  return {
    component: name,
    accounts: accounts.map((account) => ({
      role: account.role,
      does: account.writes ? "reads and changes rows of" : "reads",
      database: account.database,
      command: `PASSWORD="$${environment}_${account.part}_PASSWORD" psql ${server} -d ${shellWord(account.database)} -f ${shellWord(`principals/${name}/${fileOf(account)}`)}`,
    })),
    never: accounts.some(({ writes }) => writes) ? "truncating, " : "writing, ",
  };
}

/** The accounts of each link, as SQL that an administrator runs in the database it is for. */
export default defineOutput({
  name: "postgresql",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "postgresql")
      .flatMap((module): FileSpec[] => {
        const folder = `principals/${module.link.component.name}`;
        const rendered = (name: string, template: string, view: object): FileSpec => ({
          kind: "rendered",
          path: `${folder}/${name}`,
          from: `${HERE}/${template}`,
          view,
        });
        return [
          rendered("README.md", "principal-readme.md.hbs", readmeView(module)),
          ...accountsOf(module.link).map((account) =>
            rendered(fileOf(account), "principal.sql.hbs", account),
          ),
        ];
      }),
});
