import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import {
  accountOf,
  exchangesOf,
  queuesOf,
  vhostsOf,
  writableExchangesOf,
  writableQueuesOf,
} from "./reach.ts";

const HERE = "templates/rabbitmq";
const NOTHING = "^$";

/** A regular expression of the broker that matches these names and no other. */
function exactly(names: readonly string[]): string {
  const literal = names.map((name) => name.replace(/[^A-Za-z0-9_]/gu, "\\$&"));
  return literal.length === 0 ? NOTHING : `^(${literal.join("|")})$`;
}

export interface Permission {
  readonly vhost: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** What the account may do in each virtual host, for the write tools that the link keeps. */
export function permissionsOf({ link, tools, nameOf }: LinkModule): readonly Permission[] {
  const has = (tool: string): boolean => tools.some(({ name }) => name === nameOf(tool));
  const takes = has("rabbitmq_peek_messages") || has("rabbitmq_purge_queue");
  const queues = queuesOf(link).filter(({ name }) => writableQueuesOf(link).includes(name));
  const exchanges = exchangesOf(link).filter(({ name }) => writableExchangesOf(link).includes(name));
  return vhostsOf(link).map((vhost) => {
    const taken = queues.filter((queue) => takes && queue.vhost === vhost);
    const reached = queues.some((queue) => queue.vhost === vhost) ? ["amq.default"] : [];
    const published = exchanges.filter((exchange) => exchange.vhost === vhost);
    return {
      vhost,
      configure: NOTHING,
      write: exactly(
        has("rabbitmq_publish") ? [...published.map(({ exchange }) => exchange), ...reached] : [],
      ),
      read: exactly(taken.map(({ queue }) => queue)),
    };
  });
}

function readmeView(module: LinkModule): object {
  const { link, environment } = module;
  const account = accountOf(link);
  const password = `printf '%s' "$${environment}_PASSWORD"`;
  const permissions = permissionsOf(module);
  return {
    component: link.component.name,
    account,
    commands: [
      `${password} | rabbitmqctl -q add_user ${account} 2>/dev/null || ${password} | rabbitmqctl -q change_password ${account}`,
      `rabbitmqctl -q set_user_tags ${account} monitoring`,
      ...permissions.map(
        ({ vhost, configure, write, read }) =>
          `rabbitmqctl -q set_permissions -p ${[vhost, account, configure, write, read].map(shellWord).join(" ")}`,
      ),
    ],
    vhosts: permissions.map(({ vhost }) => vhost).join(", "),
    takes: permissions.some(({ read }) => read !== NOTHING),
    publishes: permissions.some(({ write }) => write.includes("amq\\.default")),
  };
}

/** The same account for the operator that keeps users and permissions as objects of the cluster. */
function operatorView(module: LinkModule): object {
  const { component } = module.link;
  const account = accountOf(module.link);
  const object = account.replaceAll("_", "-");
  return {
    account,
    object,
    cluster: component.name,
    namespace: component.namespace,
    permissions: permissionsOf(module).map((permission, index) => ({
      ...permission,
      name: `${object}-${index + 1}`,
    })),
  };
}

/** The account of each link, as commands and as objects of the operator. */
export default defineOutput({
  name: "rabbitmq",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "rabbitmq")
      .flatMap((module) => {
        const file = (name: string, template: string, view: object): FileSpec => ({
          kind: "rendered",
          path: `principals/${module.link.component.name}/${name}`,
          from: `${HERE}/${template}`,
          view,
        });
        return [
          file("README.md", "principal-readme.md.hbs", readmeView(module)),
          file("operator.yaml", "principal.yaml.hbs", operatorView(module)),
        ];
      }),
});
