export const MAX_CELL = 2048;

/** Integers that arrive as text, since a number of JSON would lose digits; those that fit become numbers again. */
const OF_64_BITS = /^(?:Nullable\()?U?Int64\)?$|^LowCardinality\((?:Nullable\()?U?Int64\)+$/;

/** Characters of a value as JSON; plain text counts as it is. */
export function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return typeof value === "object" && value !== null ? JSON.stringify(value).length : 0;
}

/** One value of a row; what is longer than a cell becomes text that ends in `…`. */
export function cellOf(value: unknown, type: string): unknown {
  if (typeof value === "string" && OF_64_BITS.test(type)) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (lengthOf(value) <= MAX_CELL) return value;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `${text.slice(0, MAX_CELL - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

type Scalar = string | number | boolean | null;
export type Value = Scalar | readonly Scalar[];

function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll("\t", "\\t")
    .replaceAll("\n", "\\n")
    .replaceAll("\0", "\\0");
}

/** A value as the server reads it for `{name:Type}`: text has its escapes, the members of an array are literals. */
export function parameterOf(value: Value): string {
  if (value === null) return "\\N";
  if (typeof value === "string") return escaped(value);
  if (typeof value !== "object") return String(value);
  const members = value.map((member) => {
    if (member === null) return "NULL";
    return typeof member === "string" ? `'${escaped(member).replaceAll("'", "\\'")}'` : String(member);
  });
  return `[${members.join(",")}]`;
}
