import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";

const HERE = "templates/tempo";

function accountView({ link: { component }, environment }: LinkModule): object {
  const account = `mcp_${component.name.replaceAll("-", "_")}`;
  const host = component.host ?? component.name;
  const password = `${environment}_PASSWORD`;
  const tenant = String(component.attributes["tenant"] ?? "");
  return {
    component: component.name,
    account,
    host,
    address: `${host}:${component.port ?? 3200}`,
    scheme: String(component.attributes["scheme"] ?? "http"),
    secure: component.attributes["scheme"] === "https",
    path: String(component.attributes["path"] ?? ""),
    tenant,
    reads: tenant === "" ? "the traces of a server without tenants" : `the traces of the tenant ${tenant}`,
    user: `${environment}_USER`,
    password,
    command: `printf '%s' "$${password}" | openssl passwd -6 -stdin | sed 's/^/${account}:/' > ${account}.htpasswd`,
  };
}

/** An account for a service that knows none: a proxy in front of it, and what is said about it. */
export default defineOutput({
  name: "tempo",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "tempo")
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
