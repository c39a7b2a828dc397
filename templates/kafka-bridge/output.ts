import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountOf, topicsOf, writableOf } from "./component.ts";

const HERE = "templates/kafka-bridge";

function accountView({ link, environment, tools }: LinkModule): object {
  const { name, host, port } = link.component;
  const writes = new Set(tools.some((tool) => tool.effect !== "read") ? writableOf(link) : []);
  const account = accountOf(link);
  const drawn = topicsOf(link);
  const password = `${environment}_PASSWORD`;
  return {
    component: name,
    account,
    address: `${host ?? name}:${port ?? 8080}`,
    readable: drawn.map(({ topic }) => topic),
    writable: drawn.filter((each) => writes.has(each.name)).map(({ topic }) => topic),
    user: `${environment}_USER`,
    password,
    command: `printf '%s' "$${password}" | openssl passwd -6 -stdin | sed 's/^/${account}:/' > ${account}.htpasswd`,
  };
}

/** An account for a service that knows none: a proxy in front of it, and what is said about it. */
export default defineOutput({
  name: "kafka-bridge",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "kafka-bridge")
      .flatMap((link): FileSpec[] => {
        const folder = `principals/${link.link.component.name}`;
        const view = accountView(link);
        return [
          { kind: "rendered", path: `${folder}/README.md`, from: `${HERE}/principal-readme.md.hbs`, view },
          { kind: "rendered", path: `${folder}/nginx.conf`, from: `${HERE}/principal.conf.hbs`, view },
        ];
      }),
});
