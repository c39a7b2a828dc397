import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";

const HERE = "templates/prometheus";

function accountView({ link: { component }, environment }: LinkModule): object {
  const account = `mcp_${component.name.replaceAll("-", "_")}`;
  const host = component.host ?? component.name;
  const password = `${environment}_PASSWORD`;
  return {
    component: component.name,
    account,
    host,
    address: `${host}:${component.port ?? 9090}`,
    scheme: String(component.attributes["scheme"] ?? "http"),
    secure: component.attributes["scheme"] === "https",
    path: String(component.attributes["path"] ?? ""),
    user: `${environment}_USER`,
    password,
    command: `printf '%s' "$${password}" | openssl passwd -6 -stdin | sed 's/^/${account}:/' > ${account}.htpasswd`,
  };
}

/** An account for a service that knows none: a proxy in front of it, and what is said about it. */
export default defineOutput({
  name: "prometheus",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "prometheus")
      .flatMap((link) => {
        const folder = `principals/${link.link.component.name}`;
        const file = (name: string, template: string): FileSpec => ({
          kind: "rendered",
          path: `${folder}/${name}`,
          from: `${HERE}/${template}`,
          view: accountView(link),
        });
        return [file("README.md", "principal-readme.md.hbs"), file("nginx.conf", "principal.conf.hbs")];
      }),
});
