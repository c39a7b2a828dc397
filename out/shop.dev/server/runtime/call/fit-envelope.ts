import type { Envelope } from "#runtime/call/envelope";
import { mapStrings } from "#runtime/json/map-strings";

const CELL_BYTES = 2_048;
const CELL_MARK = "... [cut]";
/** An object with more members than this is a map, with names that are data. */
const LARGEST_RECORD = 50;

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "null");
}

function cutCell(cell: string): string {
  if (Buffer.byteLength(cell) <= CELL_BYTES) return cell;
  const head = Buffer.from(cell)
    .subarray(0, CELL_BYTES - CELL_MARK.length)
    .toString("utf8");
  // A character that the cut went through has become U+FFFD.
  return `${head.replace(/\ufffd+$/, "")}${CELL_MARK}`;
}

/** A value with bytes taken out of it, and how many still have to go. */
interface Shrunk {
  readonly value: unknown;
  readonly excess: number;
}

function shrinkArray(rows: readonly unknown[], excess: number): Shrunk {
  let left = excess;
  let kept = rows.length;
  while (left > 0 && kept > 1) {
    kept -= 1;
    left -= jsonBytes(rows[kept]) + 1;
  }
  const [only] = rows;
  if (left <= 0 || only === undefined) return { value: rows.slice(0, kept), excess: left };
  const shrunk = shrink(only, left);
  return { value: [shrunk.value], excess: shrunk.excess };
}

function dropMembers(members: Map<string, unknown>, excess: number): Shrunk {
  let left = excess;
  for (const name of [...members.keys()].reverse()) {
    if (left <= 0) break;
    left -= jsonBytes(name) + jsonBytes(members.get(name)) + 2;
    members.delete(name);
  }
  return { value: Object.fromEntries(members), excess: left };
}

/** A record keeps its members and loses bytes inside of the largest; a map loses members from its end. */
function shrinkObject(object: object, excess: number): Shrunk {
  const members = new Map<string, unknown>(Object.entries(object));
  if (members.size > LARGEST_RECORD) return dropMembers(members, excess);
  const bySize = [...members].sort(([, a], [, b]) => jsonBytes(b) - jsonBytes(a));
  let left = excess;
  for (const [name, member] of bySize) {
    if (left <= 0) break;
    const shrunk = shrink(member, left);
    members.set(name, shrunk.value);
    left = shrunk.excess;
  }
  return dropMembers(members, left);
}

function shrink(value: unknown, excess: number): Shrunk {
  if (Array.isArray(value)) return shrinkArray(value, excess);
  if (typeof value === "object" && value !== null) return shrinkObject(value, excess);
  return { value, excess };
}

/**
 * The page of a result whose rows were cut. Its cursor points behind the rows that are gone, so following it
 * would lose them in silence.
 */
function pageAfterCut(page: Envelope["page"]): Envelope["page"] {
  return page === null ? null : { ...page, next_cursor: null };
}

/**
 * An envelope that is too large, in at most `maxBytes` of JSON: huge strings are cut to 2 kB first, then rows from the end of
 * the largest array. What was cut is said in `truncation`.
 */
export function fitEnvelope(envelope: Envelope, maxBytes: number): Envelope {
  const data = mapStrings(envelope.data, { text: cutCell, key: cutCell });
  const hint = "the result was too large: ask for fewer rows, a smaller range or a narrower filter";
  const cut: Envelope = {
    ...envelope,
    data,
    warnings: envelope.warnings.slice(0, 10).map((warning) => warning.slice(0, 200)),
    truncated: true,
    truncation: { by: "cells", limit: CELL_BYTES, hint },
  };
  if (jsonBytes(cut) <= maxBytes) return cut;
  const limited: Envelope = {
    ...cut,
    page: pageAfterCut(cut.page),
    truncation: { by: "bytes", limit: maxBytes, hint },
  };
  const shrunk = shrink(data, jsonBytes(limited) - maxBytes);
  const fitted = { ...limited, data: shrunk.value };
  return jsonBytes(fitted) <= maxBytes ? fitted : { ...limited, data: null };
}
