/**
 * How a JSON file is laid out: `pretty` for people, or `rows` with every element of a top-level list on a line
 * of its own, which is small, loads fast, and shows in a diff what was drawn.
 */
export type JsonLayout = "pretty" | "rows";

function row(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `[\n${value.map((item) => JSON.stringify(item)).join(",\n")}\n]`;
}

/** JSON by construction: nothing else can come out, so it needs no second look. */
export function jsonText(value: object, layout: JsonLayout): string {
  if (layout === "pretty") return `${JSON.stringify(value, null, 2)}\n`;
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{\n${members.map(([key, item]) => `${JSON.stringify(key)}: ${row(item)}`).join(",\n")}\n}\n`;
}
