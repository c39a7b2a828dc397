import { cutText } from "#runtime/json-shape";
import type { KafkaMessage } from "#runtime/kafka/fetch";
import { textOf, wholeCharacters } from "#runtime/kafka/text";

export const DECODINGS = ["auto", "utf8", "json", "base64"] as const;
type Decoding = (typeof DECODINGS)[number];

/** Of one value; keys and headers are shorter. */
export const MAX_VALUE_BYTES = 16_384;
const MAX_KEY_BYTES = 512;
const MAX_HEADERS = 20;
const MAX_HEADER_BYTES = 256;
const LOSSY = new TextDecoder("utf-8", { ignoreBOM: true });

/** JSON, text or base64, whichever the bytes are; what is cut is never parsed. */
function decode(bytes: Buffer, as: Decoding, isCut: boolean): object {
  if (as === "base64") return { value: bytes.toString("base64"), encoding: "base64" };
  if (as === "utf8") return { value: LOSSY.decode(bytes), encoding: "utf8" };
  const text = textOf(isCut ? wholeCharacters(bytes) : bytes);
  if (as === "json" && text !== undefined && !isCut) {
    try {
      return { value: JSON.parse(text) as unknown, encoding: "json" };
    } catch {
      // Not JSON: shown as what it is.
    }
  }
  return text === undefined
    ? { value: bytes.toString("base64"), encoding: "base64" }
    : { value: text, encoding: "utf8" };
}

function short(bytes: Buffer | null, max: number): string | null {
  if (bytes === null) return null;
  const text = textOf(bytes.length > max ? wholeCharacters(bytes.subarray(0, max)) : bytes);
  if (text === undefined)
    return `base64:${bytes.subarray(0, max).toString("base64")}${bytes.length > max ? "…" : ""}`;
  return bytes.length > max ? `${text}…` : text;
}

/** A list, because names of headers may repeat. */
function headersOf(headers: KafkaMessage["headers"]): object {
  if (headers.length === 0) return {};
  const shown = headers.slice(0, MAX_HEADERS).map(([name, value]) => ({
    // An object by name, so that the redactor sees it.
    [cutText(short(name, MAX_HEADER_BYTES), MAX_HEADER_BYTES)]: short(value, MAX_HEADER_BYTES),
  }));
  return { headers: shown, ...(headers.length > MAX_HEADERS ? { headers_total: headers.length } : {}) };
}

/** Before year 1 or past what a date can hold, the number stays. */
function timeOf(timestamp: bigint): string {
  const date = new Date(Number(timestamp));
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toISOString();
}

export interface Shown {
  readonly message: object;
  readonly isCut: boolean;
}

/** A message as AI sees it: its value at most `max` bytes, with the whole size where it was cut. */
export function shownOf(message: KafkaMessage, as: Decoding, max: number): Shown {
  const { partition, offset, timestamp, key, value, headers } = message;
  const most = Math.min(max, MAX_VALUE_BYTES);
  const isCut = value !== null && value.length > most;
  const about = {
    partition,
    offset: Number(offset),
    timestamp: timeOf(timestamp),
    key: short(key, MAX_KEY_BYTES),
  };
  // A null value deletes its key from a compacted topic.
  const shown = value === null ? { value: null } : decode(value.subarray(0, most), as, isCut);
  return {
    message: { ...about, ...shown, ...(isCut ? { value_bytes: value.length } : {}), ...headersOf(headers) },
    isCut,
  };
}
