import { attribute, attributesOf } from "#runtime/tempo/attributes";
import type { Attributes } from "#runtime/tempo/attributes";
import { cutText, foreignAnswer, listOf, recordOf } from "#runtime/json-shape";

const MAX_NAME = 200;
const MAX_MESSAGE = 300;

export interface Span {
  readonly id: string;
  readonly parent: string;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly isError: boolean;
  readonly message: string;
  /** Read when they are shown: most spans are not. */
  attributes(): Attributes;
}

/** An identifier in hex: bytes in JSON are base64, and some servers write hex. */
function idOf(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  if (/^(?:[0-9a-fA-F]{16})?$/.test(text)) return text.toLowerCase();
  return Buffer.from(text.slice(0, 64), "base64").toString("hex");
}

function nanoseconds(value: unknown): bigint {
  if (!/^\d{1,19}$/.test(String(value))) throw foreignAnswer();
  return BigInt(String(value));
}

/** The word of an enumeration, which JSON may also give as its number. */
function isStatusError(code: unknown): boolean {
  return code === "STATUS_CODE_ERROR" || code === 2;
}

/** What an exception event or the status says. */
function messageOf(message: unknown, events: unknown): string {
  if (typeof message === "string" && message !== "") return cutText(message, MAX_MESSAGE);
  const exception = listOf(events ?? []).find((event) => recordOf(event)["name"] === "exception");
  if (exception === undefined) return "";
  const { attributes } = recordOf(exception);
  const words = ["exception.type", "exception.message"].map((name) => attribute(attributes, name));
  return cutText(words.filter((word) => word !== "").join(": "), MAX_MESSAGE);
}

function spanOf(value: unknown, service: string): Span {
  const span = recordOf(value);
  const { code, message } = recordOf(span["status"] ?? {});
  const isError = isStatusError(code);
  return {
    id: idOf(span["spanId"]),
    parent: idOf(span["parentSpanId"]),
    service,
    name: cutText(span["name"], MAX_NAME),
    kind: String(span["kind"] ?? "")
      .replace("SPAN_KIND_", "")
      .toLowerCase()
      .slice(0, 20),
    startNs: nanoseconds(span["startTimeUnixNano"]),
    endNs: nanoseconds(span["endTimeUnixNano"]),
    isError,
    message: isError ? messageOf(message, span["events"]) : "",
    attributes: () => attributesOf(span["attributes"]),
  };
}

/** Every span of a trace, with the name of the service that made it. */
export function spansOf(trace: unknown): readonly Span[] {
  const { resourceSpans, batches } = recordOf(trace);
  return listOf(resourceSpans ?? batches ?? []).flatMap((each) => {
    const { resource, scopeSpans } = recordOf(each);
    const service = attribute(recordOf(resource ?? {})["attributes"], "service.name").slice(0, MAX_NAME);
    return listOf(scopeSpans ?? []).flatMap((scope) =>
      listOf(recordOf(scope)["spans"] ?? []).map((span) => spanOf(span, service)),
    );
  });
}
