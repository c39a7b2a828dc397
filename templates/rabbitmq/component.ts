import { choice, defineComponent, flag, integer, text } from "#contract";

export default defineComponent({
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
        queue: text({ doc: "Name on the broker, when it is not the key.", default: "{name}" }),
        durable: flag({ doc: "Survives a restart of the broker.", default: true }),
        dead_letter: text({ doc: "Exchange for messages that were refused." }),
      },
    },
    exchanges: {
      kind: "exchange",
      doc: "Exchanges of the virtual host.",
      attributes: {
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
    management_port: integer({ doc: "Port of the management API.", min: 1, max: 65535, default: 15672 }),
    vhost: text({ doc: "Virtual host of queues and exchanges.", default: "/" }),
    username: text({ doc: "User of applications." }),
  },
  secrets: { password: { doc: "Password of applications." } },
  mcp: "later",
});
