/** Documents as JSON: MongoDB's Extended JSON, so that an id or a date of an answer can be used in the next filter. */
import { BSON } from "mongodb";
import type { Document } from "mongodb";
import { ToolFault } from "#runtime/fault";

export const MAX_TEXT = 2048;
const MAX_ITEMS = 100;
const MAX_DEPTH = 20;
/** Of one document as JSON. */
const MAX_DOCUMENT = 32_768;

type Json = Readonly<Record<string, unknown>>;

interface Cuts {
  count: number;
}

function textOf(text: string, cuts: Cuts): string {
  if (text.length <= MAX_TEXT) return text;
  cuts.count += 1;
  return `${text.slice(0, MAX_TEXT - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function typed(value: { readonly _bsontype: string }, cuts: Cuts): unknown {
  // A timestamp is a `Long` too, by its class.
  if (value._bsontype === "Long") {
    const number = (value as BSON.Long).toNumber();
    return Number.isSafeInteger(number) ? number : { $numberLong: value.toString() };
  }
  if (value instanceof BSON.Double || value instanceof BSON.Int32) return numberOf(value.valueOf());
  if (
    value instanceof BSON.Binary &&
    value.sub_type !== BSON.Binary.SUBTYPE_UUID &&
    value.length() > MAX_TEXT
  ) {
    cuts.count += 1;
    return { $binary: `${value.length()} bytes are not shown` };
  }
  const plain: unknown = JSON.parse(BSON.EJSON.stringify(value, { relaxed: false }));
  return valueOf(plain, cuts, 0);
}

function numberOf(number: number): unknown {
  return Number.isFinite(number) ? number : { $numberDouble: String(number) };
}

function listOf(values: readonly unknown[], cuts: Cuts, depth: number): readonly unknown[] {
  const shown = values.slice(0, MAX_ITEMS).map((value) => valueOf(value, cuts, depth + 1));
  if (values.length <= MAX_ITEMS) return shown;
  cuts.count += 1;
  return [...shown, `… ${values.length - MAX_ITEMS} more`];
}

function objectOf(value: object, cuts: Cuts, depth: number): Json {
  const entries = Object.entries(value);
  const shown = entries
    .slice(0, MAX_ITEMS)
    .map(([name, member]) => [textOf(name, cuts), valueOf(member, cuts, depth + 1)] as const);
  if (entries.length <= MAX_ITEMS) return Object.fromEntries(shown);
  cuts.count += 1;
  return { ...Object.fromEntries(shown), "…": `${entries.length - MAX_ITEMS} more fields` };
}

function valueOf(value: unknown, cuts: Cuts, depth: number): unknown {
  if (typeof value === "string") return textOf(value, cuts);
  if (typeof value === "number") return numberOf(value);
  if (typeof value === "bigint") return { $numberLong: String(value) };
  if (typeof value !== "object" || value === null) return value ?? null;
  if (value instanceof Date)
    return { $date: Number.isNaN(value.getTime()) ? String(value.getTime()) : value.toISOString() };
  if (value instanceof RegExp)
    return { $regularExpression: { pattern: textOf(value.source, cuts), options: value.flags } };
  if ("_bsontype" in value) return typed(value as { _bsontype: string }, cuts);
  if (depth >= MAX_DEPTH) {
    cuts.count += 1;
    return "…";
  }
  return Array.isArray(value) ? listOf(value, cuts, depth) : objectOf(value, cuts, depth);
}

/** A document as JSON of bounded size, and how many of its values were cut. */
export function documentOf(document: Document): { readonly json: Json; readonly cuts: number } {
  const cuts: Cuts = { count: 0 };
  const json = objectOf(document, cuts, 0);
  const size = JSON.stringify(json).length;
  if (size <= MAX_DOCUMENT) return { json, cuts: cuts.count };
  const names = Object.keys(document).slice(0, MAX_ITEMS).join(", ");
  const told = `a document of more than ${MAX_DOCUMENT} characters: project some of ${names}`;
  return { json: { _id: json["_id"] ?? null, "…": textOf(told, cuts) }, cuts: cuts.count + 1 };
}

/** What a caller wrote, with its ids, dates and long numbers as MongoDB's own types. */
export function fromJson(name: string, value: unknown): unknown {
  try {
    return BSON.EJSON.deserialize(value as Document, { relaxed: false });
  } catch {
    throw new ToolFault("invalid_argument", `${name} is not Extended JSON`, {
      hint: 'an id is {"$oid": "..."}, a time {"$date": "2026-01-02T03:04:05Z"}',
    });
  }
}
