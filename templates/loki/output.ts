import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";

const HERE = "templates/loki";

function accountView({ link: { component }, environment }: LinkModule): object {
  const account = `mcp_${component.name.replaceAll("-", "_")}`;
  const host = component.host ?? component.name;
  const password = `${environment}_PASSWORD`;
  const tenant = String(component.attributes["tenant"] ?? "");
  return {
    component: component.name,
    account,
    host,
    address: `${host}:${component.port ?? 3100}`,
    scheme: String(component.attributes["scheme"] ?? "http"),
    secure: component.attributes["scheme"] === "https",
    path: String(component.attributes["path"] ?? ""),
    tenant,
    reads: tenant === "" ? "the logs of a server without tenants" : `the logs of the tenant ${tenant}`,
    user: `${environment}_USER`,
    password,
    command: `printf '%s' "$${password}" | openssl passwd -6 -stdin | sed 's/^/${account}:/' > ${account}.htpasswd`,
  };
}

/** An account for a service that knows none: a proxy in front of it, and what is said about it. */
export default defineOutput({
  name: "loki",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "loki")
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
