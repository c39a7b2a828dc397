import { cutText } from "#runtime/json-shape";
import type { BridgeRecord } from "#runtime/kafka-bridge/bridge";

export const DECODINGS = ["auto", "utf8", "json", "base64"] as const;
type Decoding = (typeof DECODINGS)[number];

/** Of one value; keys and headers are shorter. */
export const MAX_VALUE_BYTES = 16_384;
const MAX_KEY = 512;
const MAX_HEADERS = 20;
const MAX_HEADER = 256;
const LOSSY = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes as text, or `undefined` when they are not; `stream` lets the end of a cut value be half a character. */
function textOf(bytes: Buffer, isCut: boolean): string | undefined {
  try {
    const text = isCut
      ? new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true })
      : STRICT.decode(bytes);
    return /[^\P{Cc}\t\n\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function decode(bytes: Buffer, as: Decoding, isCut: boolean): object {
  if (as === "utf8") return { value: LOSSY.decode(bytes), encoding: "utf8" };
  const text = as === "base64" ? undefined : textOf(bytes, isCut);
  if (text === undefined) return { value: bytes.toString("base64"), encoding: "base64" };
  if (as === "json" && !isCut) {
    try {
      return { value: JSON.parse(text) as unknown, encoding: "json" };
    } catch {
      // Not JSON: shown as what it is.
    }
  }
  return { value: text, encoding: "utf8" };
}

function short(bytes: Buffer | null, max: number): string | null {
  if (bytes === null) return null;
  const text = textOf(bytes, false);
  return cutText(text ?? `base64:${bytes.toString("base64")}`, max);
}

export interface Shown {
  readonly message: object;
  readonly isCut: boolean;
}

/** A message as AI sees it: its value at most `max` bytes, with the whole size where it was cut. */
export function shownOf(
  { partition, offset, timestamp, key, value, headers }: BridgeRecord,
  as: Decoding,
  max: number,
): Shown {
  const most = Math.min(max, MAX_VALUE_BYTES);
  const isCut = value !== null && value.length > most;
  const date = timestamp === null ? null : new Date(timestamp);
  const at = date === null || Number.isNaN(date.getTime()) ? {} : { timestamp: date.toISOString() };
  const shownHeaders = headers.slice(0, MAX_HEADERS).map(([name, bytes]) => ({
    [cutText(name, MAX_HEADER)]: short(bytes, MAX_HEADER),
  }));
  return {
    message: {
      partition,
      offset,
      ...at,
      key: short(key, MAX_KEY),
      ...(value === null ? { value: null } : decode(value.subarray(0, most), as, isCut)),
      ...(isCut ? { value_bytes: value.length } : {}),
      ...(headers.length === 0 ? {} : { headers: shownHeaders }),
    },
    isCut,
  };
}
