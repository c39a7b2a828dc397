import type { Document } from "mongodb";

export const MAX_FIELDS = 200;
const MAX_DEPTH = 6;
const MAX_MEMBERS = 20;

interface Field {
  readonly types: Map<string, number>;
  documents: number;
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof Date) return "date";
  if (value instanceof RegExp) return "regex";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "double";
  if (typeof value !== "object") return typeof value;
  return "_bsontype" in value ? String(value._bsontype).toLowerCase() : "object";
}

function note(
  fields: Map<string, Field>,
  seen: Set<string>,
  path: string,
  value: unknown,
  depth: number,
): void {
  const field = fields.get(path) ?? { types: new Map<string, number>(), documents: 0 };
  fields.set(path, field);
  const type = typeOf(value);
  field.types.set(type, (field.types.get(type) ?? 0) + 1);
  if (!seen.has(path)) field.documents += 1;
  seen.add(path);
  if (depth >= MAX_DEPTH) return;
  if (type === "array")
    for (const member of (value as readonly unknown[]).slice(0, MAX_MEMBERS))
      note(fields, seen, `${path}[]`, member, depth + 1);
  if (type === "object")
    for (const [name, member] of Object.entries(value as object))
      note(fields, seen, `${path}.${name}`, member, depth + 1);
}

/** The fields of some documents with their types and how many documents have each; no value is shown. */
export function schemaOf(documents: readonly Document[]): {
  readonly fields: readonly {
    readonly path: string;
    readonly types: readonly string[];
    readonly present: number;
  }[];
  readonly more: boolean;
} {
  const fields = new Map<string, Field>();
  for (const document of documents) {
    const seen = new Set<string>();
    for (const [name, value] of Object.entries(document)) note(fields, seen, name, value, 0);
  }
  const all = [...fields].map(([path, { types, documents: present }]) => ({
    path: path.slice(0, 200),
    types: [...types].sort(([, a], [, b]) => b - a).map(([type]) => type),
    present,
  }));
  return { fields: all.slice(0, MAX_FIELDS), more: all.length > MAX_FIELDS };
}
