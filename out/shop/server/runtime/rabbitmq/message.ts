import { cutText, recordOf } from "#runtime/json-shape";
import { nameOf } from "#runtime/rabbitmq/api";
import type { Json } from "#runtime/rabbitmq/api";
import { jsonText, numberOf } from "#runtime/rabbitmq/rows";

const SHOWN = ["content_type", "correlation_id", "message_id", "type", "expiration"] as const;

/** The broker cuts between bytes and calls a text that ends in half a character no text. */
function payloadOf(
  message: Json,
  cut: boolean,
): { readonly encoding: "text" | "base64"; readonly payload: string } {
  const payload = typeof message["payload"] === "string" ? message["payload"] : "";
  if (message["payload_encoding"] !== "base64") return { encoding: "text", payload };
  if (!cut) return { encoding: "base64", payload };
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    return { encoding: "text", payload: decoder.decode(Buffer.from(payload, "base64"), { stream: true }) };
  } catch {
    return { encoding: "base64", payload };
  }
}

/** A message that was looked at: its start, how long it is, and how it came here. */
export function messageOf(value: unknown, truncate: number): object {
  const message = recordOf(value);
  const { headers, priority, timestamp, ...others } = recordOf(propertiesOf(message));
  const shown = SHOWN.filter((name) => typeof others[name] === "string");
  return {
    exchange: nameOf(message["exchange"]),
    routing_key: nameOf(message["routing_key"]),
    redelivered: message["redelivered"] === true,
    bytes: numberOf(message["payload_bytes"]),
    ...payloadOf(message, isCut(value, truncate)),
    properties: {
      ...Object.fromEntries(shown.map((name) => [name, cutText(others[name], 255)])),
      priority: numberOf(priority),
      timestamp: numberOf(timestamp),
    },
    headers: jsonText(headers),
  };
}

/** The API gives an empty list where a message has none. */
function propertiesOf({ properties }: Json): unknown {
  return Array.isArray(properties) ? {} : properties;
}

/** Whether the payload is longer than what was asked for. */
export function isCut(value: unknown, truncate: number): boolean {
  return (numberOf(recordOf(value)["payload_bytes"]) ?? 0) > truncate;
}
