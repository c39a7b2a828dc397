import { defineOutput, shellWord } from "#hook";
import type { LinkModule } from "#hook";
import { urlOf } from "./component.ts";

/** The commands that an administrator runs, whose password reaches curl on its standard input only. */
function commandsOf(account: string, role: string, url: string): readonly string[] {
  const post = (body: object, path: string): string =>
    `login | curl -sf --config - -H 'Content-Type: application/json' -d ${shellWord(JSON.stringify(body))} ${shellWord(`${url}/api/serviceaccounts`)}${path}`;
  return [
    `login() { printf '%s' "$GRAFANA_ADMIN_PASSWORD" | sed 's/[\\"]/\\\\&/g; s/^/user = "admin:/; s/$/"/'; }`,
    `id=$(${post({ name: account, role }, "")} | sed -nE 's/.*"id": ?([0-9]+).*/\\1/p')`,
    `(umask 077; ${post({ name: account }, '/"$id"/tokens')} | sed -nE 's/.*"key": ?"([^"]+)".*/\\1/p' > ${account}.token)`,
  ];
}

function accountView({ link, environment, tools }: LinkModule): object {
  const account = `mcp_${link.component.name.replaceAll("-", "_")}`;
  const canWrite = tools.some(({ effect }) => effect !== "read");
  const role = canWrite ? "Editor" : "Viewer";
  return {
    component: link.component.name,
    account,
    role,
    canWrite,
    token: `${environment}_TOKEN`,
    file: `${account}.token`,
    organisation: String(link.component.attributes["org_id"] ?? 1),
    commands: commandsOf(account, role, urlOf(link)),
  };
}

/** The service account of each link, as commands that an administrator runs. */
export default defineOutput({
  name: "grafana",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "grafana")
      .map((module) => ({
        kind: "rendered",
        path: `principals/${module.link.component.name}/README.md`,
        from: "templates/grafana/principal-readme.md.hbs",
        view: accountView(module),
      })),
});
