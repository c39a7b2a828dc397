import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import { listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { firstPart } from "#runtime/page";
import { MARKER_HEADER, markerLine } from "#runtime/marker";
import { integer, oneOf, shaped, text } from "#runtime/parameter";
import { ask, command, pageOfApi, pageOfWhole } from "#runtime/rabbitmq/api";
import type { Context, Json } from "#runtime/rabbitmq/api";
import { globExpression } from "#runtime/rabbitmq/glob";
import { CHECKS, nodesOf, overviewOf, runCheck } from "#runtime/rabbitmq/health";
import { isCut, messageOf } from "#runtime/rabbitmq/message";
import { PROPERTIES } from "#runtime/rabbitmq/properties";
import {
  BINDING_COLUMNS,
  CONNECTION_COLUMNS,
  CONSUMER_COLUMNS,
  EXCHANGE_COLUMNS,
  QUEUE_COLUMNS,
  bindingRow,
  connectionRow,
  consumerRow,
  exchangeRow,
  numberOf,
  queueInfo,
  queueRow,
} from "#runtime/rabbitmq/rows";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { LinkFacts } from "#runtime/tool";

export const link: LinkFacts = slot("link", {
  id: "mcp->rabbitmq",
  component: "rabbitmq",
  type: "rabbitmq",
  env: "MCP_RABBITMQ",
  host: "127.0.0.1",
  port: 5672,
});

/** The virtual hosts of what is drawn: there is no way to another one. */
export const vhosts: readonly string[] = slot("vhosts", ["/", "shop"]);

/** The drawn queues, by the names that AI uses for them. */
export const queues: readonly { readonly name: string; readonly queue: string; readonly vhost: string }[] =
  slot("queues", [
    { name: "emails", queue: "emails", vhost: "/" },
    { name: "invoices", queue: "billing.invoices", vhost: "shop" },
  ]);

export const exchanges: readonly {
  readonly name: string;
  readonly exchange: string;
  readonly vhost: string;
}[] = slot("exchanges", [{ name: "events", exchange: "events", vhost: "/" }]);

/** Names of the queues and exchanges that were drawn with propose or write. */
export const writableQueues: readonly string[] = slot("writableQueues", ["emails", "invoices"]);
export const writableExchanges: readonly string[] = slot("writableExchanges", ["events"]);

const MAX_ROWS = 200;
const MAX_STARS = 5;
const MAX_PEEKED = 10;
const MAX_PEEKED_BYTES = 4096;
const MAX_PAYLOAD = 65_536;
const DEFAULT_EXCHANGE = "amq.default";
const SORTS = {
  messages: "messages",
  unacked: "messages_unacknowledged",
  consumers: "consumers",
  memory: "memory",
} as const;

const vhost = oneOf(vhosts, { optional: true, doc: "Needed only where several are drawn." });
const queue = oneOf(
  queues.map(({ name }) => name),
  {},
);
const limit = integer({ min: 1, max: MAX_ROWS, default: 50 });
const cursor = text({ max: 256, optional: true });
const pattern = text({
  min: 1,
  max: 200,
  optional: true,
  doc: `Glob on the name, at most ${MAX_STARS} stars.`,
});

function invalid(message: string, hint?: string): ToolFault {
  return new ToolFault("invalid_argument", message, hint === undefined ? {} : { hint });
}

/** The one that was asked for, or the only one there is. */
function vhostOf(asked: string | undefined): string {
  const [only, ...others] = vhosts;
  if (asked !== undefined && vhosts.includes(asked)) return asked;
  if (asked !== undefined || only === undefined)
    throw new ToolFault("not_linked", "the vhost is not drawn for this link");
  if (others.length > 0) throw invalid("several vhosts are drawn: name one in vhost");
  return only;
}

/** A drawn thing by its name; `vhost`, when it is given, must be the one that it is in. */
function drawn<T extends { readonly name: string; readonly vhost: string }>(
  things: readonly T[],
  name: string,
  kind: string,
  vhost?: string,
): T {
  const found = things.find((thing) => thing.name === name);
  if (found === undefined) throw new ToolFault("not_linked", `the ${kind} is not drawn for this link`);
  if (vhost !== undefined && vhost !== found.vhost)
    throw invalid(`the ${kind} is in another vhost`, "leave vhost out: the drawing says where it is");
  return found;
}

/** By what name the other tools know what the broker calls `name`. */
function drawnQueue(vhost: string, name: unknown): string | null {
  return queues.find((queue) => queue.vhost === vhost && queue.queue === name)?.name ?? null;
}

function drawnExchange(vhost: string, name: unknown): string | null {
  return exchanges.find((each) => each.vhost === vhost && each.exchange === name)?.name ?? null;
}

function nameFilter(
  glob: string | undefined,
): Json & { readonly name?: string; readonly use_regex?: string } {
  if (glob === undefined) return {};
  if (glob.split("*").length > MAX_STARS + 1) throw invalid(`the pattern has more than ${MAX_STARS} stars`);
  return { name: globExpression(glob), use_regex: "true" };
}

const overview = defineTool({
  name: named("rabbitmq_overview"),
  title: "Broker at a glance",
  description:
    "Use first: alarms, version, messages that wait, object totals and message rates of the whole broker.",
  effect: "read",
  parameters: {},
  handler: async (_, context: Context) => {
    const [alarms, totals] = await Promise.all([
      runCheck(context, "alarms"),
      ask(context, { path: ["overview"] }),
    ]);
    return { data: { alarms: alarms.about, ...overviewOf(totals) } };
  },
});

const listQueues = defineTool({
  name: named("rabbitmq_list_queues"),
  title: "List queues",
  description:
    "Use to find backlogs and queues without consumers, largest first: messages, ready, unacked, consumers, memory and rates. drawn is the name that other tools take.",
  effect: "read",
  parameters: {
    vhost,
    pattern,
    sort: oneOf(["messages", "unacked", "consumers", "memory"], { default: "messages" }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const within = vhostOf(search.vhost);
    const query = {
      columns: QUEUE_COLUMNS,
      sort: SORTS[search.sort],
      sort_reverse: "true",
      ...nameFilter(search.pattern),
    };
    const asking = { tool: named("rabbitmq_list_queues"), args: search, cursor, limit };
    const { items, about } = await pageOfApi(
      context,
      { path: ["queues", within], query },
      (row) => queueRow(row, drawnQueue(within, row["name"])),
      asking,
    );
    return { ...about, data: { queues: items } };
  },
});

const info = defineTool({
  name: named("rabbitmq_queue_info"),
  title: "Describe a queue",
  description:
    "Use to learn about one drawn queue: counts, rates, arguments such as its dead-letter exchange, policy, idle_since, replicas.",
  effect: "read",
  parameters: { vhost, queue },
  handler: async ({ vhost, queue }, context: Context) => {
    const found = drawn(queues, queue, "queue", vhost);
    const row = await ask(context, { path: ["queues", found.vhost, found.queue] });
    return { data: queueInfo(recordOf(row), found.name) };
  },
});

const listExchanges = defineTool({
  name: named("rabbitmq_list_exchanges"),
  title: "List exchanges",
  description: "Use to see where messages are published: type, durable, internal, in_rate and out_rate.",
  effect: "read",
  parameters: { vhost, pattern, limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const within = vhostOf(search.vhost);
    const query = { columns: EXCHANGE_COLUMNS, sort: "name", ...nameFilter(search.pattern) };
    const asking = { tool: named("rabbitmq_list_exchanges"), args: search, cursor, limit };
    const { items, about } = await pageOfApi(
      context,
      { path: ["exchanges", within], query },
      (row) => exchangeRow(row, drawnExchange(within, row["name"])),
      asking,
    );
    return { ...about, data: { exchanges: items } };
  },
});

/** The bindings of a queue, those that start at an exchange, or all of a virtual host. */
function bindingsPath(search: {
  readonly vhost?: string;
  readonly queue?: string;
  readonly exchange?: string;
}): readonly string[] {
  if (search.queue !== undefined) {
    const { vhost, queue } = drawn(queues, search.queue, "queue", search.vhost);
    return ["queues", vhost, queue, "bindings"];
  }
  if (search.exchange === undefined) return ["bindings", vhostOf(search.vhost)];
  const { vhost, exchange } = drawn(exchanges, search.exchange, "exchange", search.vhost);
  return ["exchanges", vhost, exchange, "bindings", "source"];
}

const listBindings = defineTool({
  name: named("rabbitmq_list_bindings"),
  title: "List bindings",
  description:
    "Use to see which messages reach a drawn queue, or where a drawn exchange sends them; with neither, all bindings of the vhost.",
  effect: "read",
  parameters: {
    vhost,
    queue: oneOf(
      queues.map(({ name }) => name),
      { optional: true },
    ),
    exchange: oneOf(
      exchanges.map(({ name }) => name),
      { optional: true },
    ),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    if (search.queue !== undefined && search.exchange !== undefined)
      throw invalid("give queue or exchange, not both");
    const asking = { tool: named("rabbitmq_list_bindings"), args: search, cursor, limit };
    const listed = { path: bindingsPath(search), query: { columns: BINDING_COLUMNS } };
    const { items, about } = await pageOfWhole(context, listed, bindingRow, asking);
    return { ...about, data: { bindings: items } };
  },
});

const listConsumers = defineTool({
  name: named("rabbitmq_list_consumers"),
  title: "List consumers",
  description: "Use to see who consumes from which queue: user, prefetch, ack_required, active, status.",
  effect: "read",
  parameters: { vhost, limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const asking = { tool: named("rabbitmq_list_consumers"), args: search, cursor, limit };
    const listed = { path: ["consumers", vhostOf(search.vhost)], query: { columns: CONSUMER_COLUMNS } };
    const { items, about } = await pageOfWhole(context, listed, consumerRow, asking);
    return { ...about, data: { consumers: items } };
  },
});

const listConnections = defineTool({
  name: named("rabbitmq_list_connections"),
  title: "List connections",
  description:
    "Use to find clients that leak connections or channels, or are blocked: user, client_name, state, channels, rates.",
  effect: "read",
  parameters: { vhost, limit, cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const asking = { tool: named("rabbitmq_list_connections"), args: search, cursor, limit };
    const path = ["vhosts", vhostOf(search.vhost), "connections"];
    const listed = { path, query: { columns: CONNECTION_COLUMNS } };
    const { items, about } = await pageOfWhole(context, listed, connectionRow, asking);
    return { ...about, data: { connections: items } };
  },
});

const nodeHealth = defineTool({
  name: named("rabbitmq_node_health"),
  title: "Check nodes",
  description:
    "Use when publishers are blocked or the broker is slow: its own health checks, and memory, disk, files, sockets and partitions of each node.",
  effect: "read",
  parameters: {},
  handler: async (_, context: Context) => {
    const [nodes, ...checks] = await Promise.all([
      nodesOf(context),
      ...CHECKS.map(async (check) => await runCheck(context, check)),
    ]);
    return { data: { healthy: checks.every(({ ok }) => ok), checks, nodes } };
  },
});

const target = oneOf(writableQueues, {});
const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

function writableQueue(name: string): (typeof queues)[number] {
  if (!writableQueues.includes(name)) throw new ToolFault("not_linked", "the queue is not drawn for writing");
  return drawn(queues, name, "queue");
}

const peek = defineTool({
  name: named("rabbitmq_peek_messages"),
  title: "Look at messages",
  description: `Use to see the first messages of a drawn queue. Each is taken and put back: it is marked redelivered, may change its place, and counts towards a delivery limit. At most ${MAX_PEEKED} messages.`,
  effect: "additive",
  parameters: {
    queue: target,
    count: integer({ min: 1, max: MAX_PEEKED, default: 1 }),
    truncate: integer({
      min: 1,
      max: MAX_PEEKED_BYTES,
      default: MAX_PEEKED_BYTES,
      doc: "Bytes of a payload.",
    }),
    reason,
  },
  handler: async ({ queue, count, truncate }, context: Context) => {
    const found = writableQueue(queue);
    const json = { count, ackmode: "ack_requeue_true", encoding: "auto", truncate };
    const answer = await ask(context, { path: ["queues", found.vhost, found.queue, "get"], json });
    const taken = itemsOf(answer);
    const messages = taken.map((message) => messageOf(message, truncate));
    const { items, about } = firstPart(messages, count, "ask for fewer messages");
    const behind = numberOf(recordOf(taken.at(-1) ?? {})["message_count"]);
    const data = { queue, messages: items, behind: behind ?? 0 };
    if (about.truncation !== undefined || !taken.some((message) => isCut(message, truncate)))
      return { ...about, data };
    return { ...about, data, truncation: { by: "cells", limit: truncate } };
  },
});

/** Where a message goes: to a drawn exchange, or through the broker's own to one drawn queue. */
function destinationOf(asked: {
  readonly queue?: string;
  readonly exchange?: string;
  readonly routing_key?: string;
}): {
  readonly vhost: string;
  readonly exchange: string;
  readonly routingKey: string;
} {
  if ((asked.queue === undefined) === (asked.exchange === undefined))
    throw invalid("give either queue or exchange");
  if (asked.queue !== undefined) {
    if (asked.routing_key !== undefined) throw invalid("routing_key is for an exchange");
    const { vhost, queue } = writableQueue(asked.queue);
    return { vhost, exchange: DEFAULT_EXCHANGE, routingKey: queue };
  }
  const name = asked.exchange ?? "";
  if (!writableExchanges.includes(name))
    throw new ToolFault("not_linked", "the exchange is not drawn for writing");
  const { vhost, exchange } = drawn(exchanges, name, "exchange");
  return { vhost, exchange, routingKey: asked.routing_key ?? "" };
}

const publish = defineTool({
  name: named("rabbitmq_publish"),
  title: "Publish a message",
  description: `Use to send a text of at most ${MAX_PAYLOAD} bytes to a drawn exchange, or straight to a drawn queue. routed=false: no queue took it, it is gone.`,
  effect: "additive",
  parameters: {
    exchange: oneOf(writableExchanges, { optional: true }),
    queue: oneOf(writableQueues, { optional: true }),
    routing_key: text({ max: 255, optional: true }),
    payload: text({ max: MAX_PAYLOAD }),
    properties: shaped<Json>(PROPERTIES, { default: {} }),
    reason,
  },
  handler: async ({ payload, properties, ...asked }, context: Context) => {
    const { vhost, exchange, routingKey } = destinationOf(asked);
    if (Buffer.byteLength(payload) > MAX_PAYLOAD) throw invalid(`payload has more than ${MAX_PAYLOAD} bytes`);
    const { marker } = context;
    const given = recordOf(properties["headers"] ?? {});
    const headers =
      marker === undefined ? {} : { headers: { ...given, [MARKER_HEADER]: markerLine(marker) } };
    const json = {
      properties: { ...properties, ...headers },
      routing_key: routingKey,
      payload,
      payload_encoding: "string",
    };
    const { routed } = recordOf(
      await ask(context, { path: ["exchanges", vhost, exchange, "publish"], json }),
    );
    const lost = "no queue is bound for this routing key: the message is gone";
    return { data: { routed: routed === true }, warnings: routed === true ? [] : [lost] };
  },
});

const purge = defineTool({
  name: named("rabbitmq_purge_queue"),
  title: "Empty a queue",
  description:
    "Use to throw away every message of a drawn queue that waits; cannot be undone. confirm repeats the queue's name. ready_before is the broker's last count.",
  effect: "destructive",
  parameters: { queue: target, confirm: text({ max: 255 }), reason },
  handler: async ({ queue, confirm }, context: Context) => {
    const found = writableQueue(queue);
    if (confirm !== queue) throw invalid("confirm is not the name of the queue");
    const path = ["queues", found.vhost, found.queue];
    // With the name, because the broker answers a list where it has counted nothing yet.
    const before = recordOf(await ask(context, { path, query: { columns: "name,messages_ready" } }));
    await command(context, { path: [...path, "contents"], method: "DELETE" });
    return { data: { queue, purged: true, ready_before: numberOf(before["messages_ready"]) } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [
    overview,
    listQueues,
    info,
    listExchanges,
    listBindings,
    listConsumers,
    listConnections,
    nodeHealth,
    peek,
    publish,
    purge,
  ],
});
