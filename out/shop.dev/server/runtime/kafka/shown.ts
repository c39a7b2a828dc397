import { MAX_VALUE_BYTES, shownOf } from "#runtime/kafka/message";
import type { DECODINGS } from "#runtime/kafka/message";
import type { Peeked } from "#runtime/kafka/peek";
import type { ToolResult } from "#runtime/tool";

interface Wanted {
  readonly limit: number;
  readonly max_bytes: number;
  readonly decode: (typeof DECODINGS)[number];
  readonly cursorOf: (positions: ReadonlyMap<number, bigint>) => string;
}

/** As many messages as fit, each with as much of its value as fits; what follows is told by the next cursor. */
export function resultOf(
  { messages, positions, hasMore, offline, isComplete }: Peeked,
  { limit, max_bytes, decode, cursorOf }: Wanted,
): ToolResult {
  const rows = messages.map((message) => shownOf(message, decode, max_bytes));
  let bytes = 0;
  const fitting = rows.findIndex(({ message }, index) => {
    bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
    return bytes > max_bytes && index > 0;
  });
  const kept = fitting < 0 ? rows : rows.slice(0, fitting);
  // Those that are left over come again: from the first of each partition on.
  const again = new Map(positions);
  for (const { partition, offset } of messages.slice(kept.length).reverse()) again.set(partition, offset);
  const next = hasMore || kept.length < rows.length ? cursorOf(again) : null;
  const warnings = [
    ...(offline > 0 ? [`${offline} partitions have no leader and were left out`] : []),
    ...(isComplete ? [] : ["not every partition was read to its end in time"]),
  ];
  const about = { page: { returned: kept.length, total: null, next_cursor: next }, warnings };
  const data = { messages: kept.map(({ message }) => message) };
  const hint = "go on with next_cursor";
  if (kept.length < rows.length)
    return { ...about, data, truncation: { by: "bytes", limit: max_bytes, hint } };
  if (hasMore) return { ...about, data, truncation: { by: "rows", limit, hint } };
  if (!kept.some(({ isCut }) => isCut)) return { ...about, data };
  return { ...about, data, truncation: { by: "cells", limit: Math.min(max_bytes, MAX_VALUE_BYTES) } };
}
