/**
 * How a JSON file is laid out: `pretty` for people, or `rows` with every element of a top-level list on a line
 * of its own, which is small, loads fast, and shows in a diff what was drawn.
 */
export type JsonLayout = "pretty" | "rows";

/** A symbol, which no drawing can hold: what stands under it is written as it is. */
const SERIALISED: unique symbol = Symbol.for("topogate.serialised");

/** Elements of a top-level list that have been serialised already, in place of the list. */
export interface JsonRows {
  readonly [SERIALISED]: readonly string[];
}

export function jsonRows(texts: readonly string[]): JsonRows {
  return { [SERIALISED]: texts };
}

function isSerialised(value: unknown): value is JsonRows {
  return typeof value === "object" && value !== null && SERIALISED in value;
}

const known = new WeakMap<readonly unknown[], readonly string[]>();

/** The elements of a list, serialised once: whoever lays a large list out also measures or digests it. */
export function rowTexts(list: readonly unknown[]): readonly string[] {
  let texts = known.get(list);
  if (texts === undefined) {
    texts = list.map((item) => JSON.stringify(item));
    known.set(list, texts);
  }
  return texts;
}

function textsOf(value: unknown): readonly string[] {
  if (isSerialised(value)) return value[SERIALISED];
  return Array.isArray(value) ? rowTexts(value) : [];
}

/** The members of an object; `gap` stands between the elements of each list. */
function members(value: object, gap: "" | "\n"): readonly string[] {
  const space = gap === "" ? "" : " ";
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]: [string, unknown]) => {
      const texts = textsOf(item);
      const list = texts.length === 0 ? "[]" : `[${gap}${texts.join(`,${gap}`)}${gap}]`;
      const isList = Array.isArray(item) || isSerialised(item);
      return `${JSON.stringify(key)}:${space}${isList ? list : JSON.stringify(item)}`;
    });
}

/** What `JSON.stringify` says, from rows that are serialised anyway. */
export function compactJson(value: object): string {
  return `{${members(value, "").join(",")}}`;
}

/** JSON by construction: nothing else can come out, so it needs no second look. */
export function jsonText(value: object, layout: JsonLayout): string {
  if (layout === "pretty") return `${JSON.stringify(value, null, 2)}\n`;
  return `{\n${members(value, "\n").join(",\n")}\n}\n`;
}
