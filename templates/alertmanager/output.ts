import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";

const HERE = "templates/alertmanager";

function accountView({ link: { component }, environment, tools, nameOf }: LinkModule): object {
  const account = `mcp_${component.name.replaceAll("-", "_")}`;
  const host = component.host ?? component.name;
  const password = `${environment}_PASSWORD`;
  const has = (tool: string): boolean => tools.some(({ name }) => name === nameOf(tool));
  const [creates, expires] = [has("am_create_silence"), has("am_expire_silence")];
  return {
    component: component.name,
    account,
    host,
    address: `${host}:${component.port ?? 9093}`,
    scheme: String(component.attributes["scheme"] ?? "http"),
    secure: component.attributes["scheme"] === "https",
    path: String(component.attributes["path"] ?? ""),
    user: `${environment}_USER`,
    password,
    creates,
    expires,
    may: [
      "GET on alerts, their groups, silences, receivers and metrics",
      ...(creates ? ["POST of a silence"] : []),
      ...(expires ? ["DELETE of one silence"] : []),
    ],
    command: `printf '%s' "$${password}" | openssl passwd -6 -stdin | sed 's/^/${account}:/' > ${account}.htpasswd`,
  };
}

/** An account for a service that knows none: a proxy in front of it, and what is said about it. */
export default defineOutput({
  name: "alertmanager",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "alertmanager")
      .flatMap((link) => {
        const file = (name: string, template: string): FileSpec => ({
          kind: "rendered",
          path: `principals/${link.link.component.name}/${name}`,
          from: `${HERE}/${template}`,
          view: accountView(link),
        });
        return [file("README.md", "principal-readme.md.hbs"), file("nginx.conf", "principal.conf.hbs")];
      }),
});
