import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountsOf } from "./component.ts";

const HERE = "templates/clickhouse";

/** Where the digest of a password goes; the password itself is in no file. */
function digestOf(environment: string, account: "" | "RW_"): string {
  return `SHA256_OF_${environment}_${account}PASSWORD`;
}

/** Reads a file with places for digests, fills them, and writes what the server takes; only shell builtins see them. */
function fillCommand(folder: string, environment: string, writes: boolean): string {
  const accounts = writes ? (["", "RW_"] as const) : ([""] as const);
  const filled = accounts.map(
    (account) =>
      `text=\${text//${digestOf(environment, account)}/$(printf '%s' "$${environment}_${account}PASSWORD" | sha256sum | cut -c 1-64)}`,
  );
  const source = `${shellWord(folder)}/account.$kind`;
  return `for kind in xml sql; do text=$(<${source}); ${filled.join("; ")}; printf '%s\\n' "$text" > mcp-account.$kind; done`;
}

function accountView({ link, environment }: LinkModule): object {
  const { name } = link.component;
  const accounts = accountsOf(link);
  return {
    ...accounts,
    component: name,
    digest: digestOf(environment, ""),
    writerDigest: digestOf(environment, "RW_"),
    umask: "umask 077",
    fill: fillCommand(`principals/${name}`, environment, accounts.writes),
    never: accounts.writes ? "changing or removing rows, " : "inserting, ",
  };
}

/** The accounts of each link, for the server's `users.d` folder and as SQL; both say the same. */
export default defineOutput({
  name: "clickhouse",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "clickhouse")
      .flatMap((link) => {
        const folder = `principals/${link.link.component.name}`;
        const file = (name: string, template: string): FileSpec => ({
          kind: "rendered",
          path: `${folder}/${name}`,
          from: `${HERE}/${template}`,
          view: accountView(link),
        });
        return [
          file("README.md", "principal-readme.md.hbs"),
          file("account.sql", "principal.sql.hbs"),
          file("account.xml", "principal.xml.hbs"),
        ];
      }),
});
