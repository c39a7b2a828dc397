import { choice, defineComponent, flag, httpCommands, integer, text } from "#contract";
import {
  accountOf,
  exchangesOf,
  managementPortOf,
  queuesOf,
  vhostsOf,
  writableExchangesOf,
  writableQueuesOf,
} from "./reach.ts";
import type * as module from "./tools.ts";

/** What RabbitMQ accepts as a name, without what could not stand in a file of ours. */
const NAME = "^[^\\u0000-\\u001f\\u007f]{1,200}$";

const vhost = text({ doc: "Virtual host it is in, when it is not the component's.", pattern: NAME });

export default defineComponent<typeof module>({
  type: "rabbitmq",
  summary: "RabbitMQ, a message broker.",
  group: "messaging",
  port: 5672,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  subComponents: {
    queues: {
      kind: "queue",
      doc: "Queues of the virtual host.",
      attributes: {
        queue: text({ doc: "Name on the broker, when it is not the key.", default: "{name}", pattern: NAME }),
        vhost,
        durable: flag({ doc: "Survives a restart of the broker.", default: true }),
        dead_letter: text({ doc: "Exchange for messages that were refused." }),
      },
    },
    exchanges: {
      kind: "exchange",
      doc: "Exchanges of the virtual host.",
      attributes: {
        exchange: text({
          doc: "Name on the broker, when it is not the key.",
          default: "{name}",
          pattern: NAME,
        }),
        vhost,
        kind: choice({
          doc: "How messages are routed.",
          values: ["direct", "topic", "fanout", "headers"],
          default: "direct",
        }),
      },
    },
  },
  access: ["publish", "consume", "both"],
  attributes: {
    scheme: choice({
      doc: "How the management API is reached.",
      values: ["http", "https"],
      default: "http",
    }),
    management_port: integer({ doc: "Port of the management API.", min: 1, max: 65535, default: 15672 }),
    vhost: text({ doc: "Virtual host of queues and exchanges.", default: "/", pattern: NAME }),
    username: text({ doc: "User of applications." }),
  },
  secrets: { password: { doc: "Password of applications." } },
  mcp: "tools",
  testedOn: ["RabbitMQ 3.10.8"],
  commands: httpCommands({
    port: "management_port",
    paths: "^/api/(overview|health/checks/(alarms|local-alarms|virtual-hosts))$",
    logins: [{ flag: "-u", written: "^\\{username\\}:\\{password\\}$" }],
    accounts: (link) => [
      {
        variables: {
          username: { name: "USER", value: accountOf(link) },
          password: { name: "PASSWORD", secret: true },
        },
      },
    ],
    checks: ["curl -sf -u {username}:{password} http://{host}:{management_port}/api/health/checks/alarms"],
  }),
  tools: {
    prefix: "rabbitmq",
    service: "RABBITMQ",
    scope: "queues",
    targetParameter: "queue",
    slots: (link) => ({
      vhosts: vhostsOf(link),
      queues: queuesOf(link),
      exchanges: exchangesOf(link),
      writableQueues: writableQueuesOf(link),
      writableExchanges: writableExchangesOf(link),
    }),
    settings: (link) => {
      const { attributes, host } = link.component;
      const url = `${String(attributes["scheme"] ?? "http")}://${host ?? ""}:${managementPortOf(link)}`;
      return [
        { name: "URL", value: url },
        { name: "USER", value: accountOf(link) },
      ];
    },
    credentials: () => [{ name: "PASSWORD", doc: "Password of the link's own account on the broker." }],
    ports: (link) => [managementPortOf(link)],
    playbooks: {
      health: {
        tool: "rabbitmq_overview",
        how: "to see alarms and messages that wait, then the queues by messages",
      },
    },
  },
});
