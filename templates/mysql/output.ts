import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountsOf } from "./component.ts";
import type { Account } from "./component.ts";

const HERE = "templates/mysql";

function fileOf({ name, writes }: Account): string {
  return `${name}.${writes ? "write" : "read"}.sql`;
}

/** In a GRANT the name of a database is a pattern, in which `_` would stand for any character. */
function patternOf(database: string): string {
  return database.replace(/[_%]/g, "\\$&");
}

function accountView(account: Account, { link }: LinkModule): object {
  return {
    ...account,
    pattern: patternOf(account.database),
    tls: link.component.attributes["tls"] !== false,
    // MySQL has such a limit for SELECT only, and for a session; the tools set it there.
    statementTime: link.component.type === "mariadb",
    rights: account.writes ? "SELECT, INSERT, UPDATE, DELETE" : "SELECT",
  };
}

function readmeView({ link, environment }: LinkModule): object {
  const { name, host, port, type } = link.component;
  const accounts = accountsOf(link);
  const client = `${type} -h ${shellWord(host ?? name)} -P ${port ?? 3306}`;
  return {
    component: name,
    accounts: accounts.map((account) => {
      const hex = `$(printf '%s' "$${environment}_${account.part}_PASSWORD" | od -An -v -tx1 | tr -d ' \\n')`;
      const password = `printf "SET @password = CONVERT(X'%s' USING utf8mb4);\\n" "${hex}"`;
      const file = shellWord(`principals/${name}/${fileOf(account)}`);
      return {
        account: account.account,
        does: account.writes ? "reads and changes rows of" : "reads",
        database: account.database,
        command: `{ ${password}; cat ${file}; } | ${client}`,
      };
    }),
    never: accounts.some(({ writes }) => writes) ? "" : "writing, ",
  };
}

/** The accounts of each link, as SQL that an administrator runs. */
export default defineOutput({
  name: "mysql",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "mysql")
      .flatMap((module): FileSpec[] => {
        const rendered = (name: string, template: string, view: object): FileSpec => ({
          kind: "rendered",
          path: `principals/${module.link.component.name}/${name}`,
          from: `${HERE}/${template}`,
          view,
        });
        return [
          rendered("README.md", "principal-readme.md.hbs", readmeView(module)),
          ...accountsOf(module.link).map((account) =>
            rendered(fileOf(account), "principal.sql.hbs", accountView(account, module)),
          ),
        ];
      }),
});
