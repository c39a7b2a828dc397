import { nameOf } from "#runtime/rabbitmq/api";
import type { Json } from "#runtime/rabbitmq/api";
import { cutText, recordOf } from "#runtime/json-shape";

const MAX_ARGUMENTS = 500;

/** What the API is asked for, of each thing: everything else stays there. */
export const QUEUE_COLUMNS =
  "name,type,state,messages,messages_ready,messages_unacknowledged,consumers,memory,message_stats.publish_details.rate,message_stats.deliver_get_details.rate";
export const EXCHANGE_COLUMNS =
  "name,type,durable,internal,policy,message_stats.publish_in_details.rate,message_stats.publish_out_details.rate";
export const BINDING_COLUMNS = "source,destination,destination_type,routing_key,arguments";
export const CONSUMER_COLUMNS =
  "queue,consumer_tag,ack_required,active,activity_status,prefetch_count,channel_details.user";
export const CONNECTION_COLUMNS =
  "user,user_provided_name,state,protocol,channels,ssl,connected_at,recv_oct_details.rate,send_oct_details.rate";

/** A number, or `null` while the broker has not counted yet. */
export function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function inner(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Json)[key] : undefined),
    value,
  );
}

/** Per second, over the last few seconds; nothing happened yet means 0. */
export function rateOf(row: Json, ...keys: readonly string[]): number {
  return numberOf(inner(row, ...keys, "rate")) ?? 0;
}

/** Arguments are free JSON of whoever declared the thing: shown as text of bounded length. */
export function jsonText(value: unknown): string | null {
  const text = JSON.stringify(value ?? {});
  return text === "{}" || text === "[]" ? null : cutText(text, MAX_ARGUMENTS);
}

/** `drawn` is the name by which the other tools know the queue. */
export function queueRow(row: Json, drawn: string | null): object {
  return {
    name: nameOf(row["name"]),
    drawn,
    type: nameOf(row["type"]),
    state: nameOf(row["state"]),
    messages: numberOf(row["messages"]),
    ready: numberOf(row["messages_ready"]),
    unacked: numberOf(row["messages_unacknowledged"]),
    consumers: numberOf(row["consumers"]),
    memory_bytes: numberOf(row["memory"]),
    publish_rate: rateOf(row, "message_stats", "publish_details"),
    deliver_rate: rateOf(row, "message_stats", "deliver_get_details"),
  };
}

/** Everything about one queue but its consumers and the internals of its store. */
export function queueInfo(row: Json, drawn: string): object {
  return {
    ...queueRow(row, drawn),
    durable: row["durable"] === true,
    exclusive: row["exclusive"] === true,
    auto_delete: row["auto_delete"] === true,
    arguments: jsonText(row["arguments"]),
    policy: row["policy"] === undefined || row["policy"] === null ? null : nameOf(row["policy"]),
    policy_definition: jsonText(row["effective_policy_definition"]),
    message_bytes: numberOf(row["message_bytes"]),
    consumer_capacity: numberOf(row["consumer_capacity"]),
    idle_since: cutText(row["idle_since"], 40) || null,
    ack_rate: rateOf(row, "message_stats", "ack_details"),
    redeliver_rate: rateOf(row, "message_stats", "redeliver_details"),
    members: Array.isArray(row["members"]) ? row["members"].length : null,
    online: Array.isArray(row["online"]) ? row["online"].length : null,
  };
}

export function exchangeRow(row: Json, drawn: string | null): object {
  return {
    name: nameOf(row["name"]),
    drawn,
    type: nameOf(row["type"]),
    durable: row["durable"] === true,
    internal: row["internal"] === true,
    in_rate: rateOf(row, "message_stats", "publish_in_details"),
    out_rate: rateOf(row, "message_stats", "publish_out_details"),
  };
}

export function bindingRow(row: Json): object {
  return {
    source: nameOf(row["source"]),
    destination: nameOf(row["destination"]),
    to: row["destination_type"] === "exchange" ? "exchange" : "queue",
    routing_key: nameOf(row["routing_key"]),
    arguments: jsonText(row["arguments"]),
  };
}

/** Who consumes, without the address that they come from. */
export function consumerRow(row: Json): object {
  return {
    queue: nameOf(recordOf(row["queue"])["name"]),
    user: nameOf(inner(row, "channel_details", "user")),
    consumer_tag: nameOf(row["consumer_tag"]),
    ack_required: row["ack_required"] === true,
    active: row["active"] === true,
    status: nameOf(row["activity_status"]),
    prefetch: numberOf(row["prefetch_count"]),
  };
}

/** A connection without addresses, certificates and what the client says about itself, but for the name it chose. */
export function connectionRow(row: Json): object {
  const connected = numberOf(row["connected_at"]);
  return {
    user: nameOf(row["user"]),
    client_name: nameOf(row["user_provided_name"]) || null,
    state: nameOf(row["state"]),
    protocol: nameOf(row["protocol"]),
    channels: numberOf(row["channels"]),
    tls: row["ssl"] === true,
    connected_at: connected === null ? null : new Date(connected).toISOString(),
    received_bytes_rate: rateOf(row, "recv_oct_details"),
    sent_bytes_rate: rateOf(row, "send_oct_details"),
  };
}
