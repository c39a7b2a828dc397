import { defineOutput } from "#hook";
import { accountsOf } from "./component.ts";

const TEMPLATE = "templates/postgresql/principal.sql.hbs";

/** The accounts of each link, as SQL that an administrator runs in the database it is for. */
export default defineOutput({
  name: "postgresql",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "postgresql")
      .flatMap(({ link }) =>
        accountsOf(link).map((account) => ({
          kind: "rendered",
          path: `principals/${link.component.name}/${account.name}.${account.writes ? "write" : "read"}.sql`,
          from: TEMPLATE,
          view: account,
        })),
      ),
});
