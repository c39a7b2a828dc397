/** The broker of the live suite, and what an administrator puts into it. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

export interface Broker extends LiveServer {
  /** What `rabbitmqctl` needs to find the node. */
  readonly environment: Readonly<Record<string, string>>;
  /** One request of the administrator; anything but 2xx throws. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>;
  /** A client with a connection of its own that consumes from a queue and acknowledges nothing. */
  consume(vhost: string, queue: string): ChildProcess;
  ctl(...args: string[]): string;
  /** As a client does it, since the API takes no large body. */
  publish(queue: string, payload: string): void;
  /** Stops the broker where it is, or lets it go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
}

const ADMINISTRATOR = `Basic ${Buffer.from("guest:guest").toString("base64")}`;

export async function startBroker(): Promise<Broker> {
  const amqp = await freePort();
  const ports = { EPMD_PORT: await freePort(), DIST_PORT: await freePort(), AMQP_PORT: amqp };
  const live = await startLive(
    "rabbitmq",
    Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
  );
  const lines = readFileSync(join(live.folder, "node.env"), "utf8").trim().split("\n");
  const environment = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const ctl = (...args: string[]): string => {
    const run = spawnSync("rabbitmqctl", args, { env: environment, encoding: "utf8" });
    if (run.status !== 0) throw new Error(run.stdout + run.stderr);
    return run.stdout;
  };
  // The port of the management API is open before the command line finds the node.
  ctl("await_startup");
  const pid = Number(/\d+/.exec(ctl("eval", "os:getpid()."))?.[0]);
  const url = (vhost: string): string => `amqp://guest:guest@127.0.0.1:${amqp}/${encodeURIComponent(vhost)}`;
  return {
    ...live,
    environment,
    ctl,
    signal: (name) => process.kill(pid, name),
    admin: async (method, path, body) => {
      const answer = await fetch(`http://127.0.0.1:${live.port}/api/${path}`, {
        method,
        headers: { authorization: ADMINISTRATOR, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    publish: (queue, payload) => {
      const run = spawnSync("amqp-publish", [`--url=${url("/")}`, "-r", queue], { input: payload });
      if (run.status !== 0) throw new Error(run.stderr.toString());
    },
    consume: (vhost, queue) =>
      spawn("amqp-consume", [`--url=${url(vhost)}`, "-q", queue, "-p", "7", "sleep", "600"], {
        stdio: "ignore",
      }),
  };
}

export const HIDDEN = "hidden/vhost";

/** The drawn queues and exchange, one queue beside them, and a virtual host that nobody drew. */
export async function seed({ admin }: Broker): Promise<void> {
  for (const vhost of ["shop", HIDDEN]) await admin("PUT", `vhosts/${encodeURIComponent(vhost)}`);
  const queue = async (vhost: string, name: string, args: object = {}): Promise<unknown> =>
    await admin("PUT", `queues/${encodeURIComponent(vhost)}/${name}`, { durable: true, arguments: args });
  await queue("/", "emails", { "x-dead-letter-exchange": "events" });
  await queue("/", "undrawn");
  await queue("shop", "billing.invoices", { "x-queue-type": "quorum" });
  await queue(HIDDEN, "secret");
  await admin("PUT", "exchanges/%2F/events", { type: "topic", durable: true });
  await admin("POST", "bindings/%2F/e/events/q/emails", { routing_key: "mail.*" });
  await admin("POST", "bindings/%2F/e/events/q/undrawn", { routing_key: "other.*" });
}

export async function put(
  { admin }: Broker,
  vhost: string,
  queue: string,
  payload: string,
  properties: object = {},
): Promise<void> {
  await admin("POST", `exchanges/${encodeURIComponent(vhost)}/amq.default/publish`, {
    properties,
    routing_key: queue,
    payload,
    payload_encoding: "string",
  });
}

/** What the broker holds now, by its own count, which is taken anew for each queue. */
export function ready({ ctl }: Broker, vhost: string): Readonly<Record<string, number>> {
  const rows = JSON.parse(
    ctl("-q", "list_queues", "-p", vhost, "--formatter", "json", "name", "messages_ready"),
  ) as { name: string; messages_ready: number }[];
  return Object.fromEntries(rows.map(({ name, messages_ready }) => [name, messages_ready]));
}

/** What an account with the tag administrator may do, and that of a link must not. */
export const FORBIDDEN: readonly (readonly [method: string, path: string, body?: object])[] = [
  ["PUT", "queues/%2F/new", {}],
  ["DELETE", "queues/%2F/emails"],
  ["DELETE", "queues/%2F/undrawn/contents"],
  ["POST", "queues/%2F/undrawn/get", { count: 1, ackmode: "ack_requeue_false", encoding: "auto" }],
  ["POST", "queues/%2F/emails/actions", { action: "sync" }],
  ["PUT", "exchanges/%2F/new", { type: "direct" }],
  ["DELETE", "exchanges/%2F/events"],
  ["POST", "bindings/%2F/e/events/q/undrawn", { routing_key: "#" }],
  ["DELETE", "bindings/%2F/e/events/q/emails/mail.%2A"],
  [
    "POST",
    "exchanges/%2F/amq.topic/publish",
    { properties: {}, routing_key: "x", payload: "x", payload_encoding: "string" },
  ],
  ["GET", "queues/hidden%2Fvhost"],
  ["GET", "queues/hidden%2Fvhost/secret"],
  ["GET", "exchanges/hidden%2Fvhost"],
  ["GET", "bindings/hidden%2Fvhost"],
  ["GET", "vhosts/hidden%2Fvhost/connections"],
  ["POST", "queues/hidden%2Fvhost/secret/get", { count: 1, ackmode: "ack_requeue_true", encoding: "auto" }],
  ["PUT", "policies/%2F/p", { pattern: ".*", definition: { "max-length": 1 } }],
  ["PUT", "operator-policies/%2F/p", { pattern: ".*", definition: { "max-length": 1 } }],
  ["GET", "parameters"],
  ["PUT", "global-parameters/x", { value: 1 }],
  ["GET", "definitions"],
  ["POST", "definitions", {}],
  ["GET", "definitions/%2F"],
  ["GET", "users"],
  ["PUT", "users/mcp_rabbitmq", { password: "x", tags: "administrator" }],
  ["DELETE", "users/guest"],
  ["GET", "permissions"],
  ["PUT", "permissions/%2F/mcp_rabbitmq", { configure: ".*", write: ".*", read: ".*" }],
  ["PUT", "topic-permissions/%2F/mcp_rabbitmq", { exchange: "", write: ".*", read: ".*" }],
  ["PUT", "vhosts/mine", {}],
  ["DELETE", "vhosts/shop"],
  ["PUT", "vhost-limits/%2F/max-queues", { value: 1 }],
  ["PUT", "user-limits/mcp_rabbitmq/max-connections", { value: 1 }],
  ["PUT", "cluster-name", { name: "x" }],
  ["POST", "rebalance/queues"],
  ["DELETE", "reset"],
  ["GET", "aliveness-test/%2F"],
];
