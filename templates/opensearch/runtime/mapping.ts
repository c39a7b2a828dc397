import { cutText, recordOf } from "#runtime/json-shape";

const MAX_NAME = 300;

export interface Field {
  readonly field: string;
  readonly type: string;
}

function walk(properties: unknown, prefix: string, found: Map<string, Set<string>>, depth: number): void {
  if (depth > 20 || properties === undefined) return;
  for (const [name, value] of Object.entries(recordOf(properties))) {
    const { type, properties: inner, fields } = recordOf(value);
    const path = `${prefix}${name}`;
    const kind = type === undefined ? "object" : cutText(type, MAX_NAME);
    found.set(path, (found.get(path) ?? new Set()).add(kind));
    walk(inner, `${path}.`, found, depth + 1);
    walk(fields, `${path}.`, found, depth + 1);
  }
}

/** Every field of all indices behind a name as one sorted list; types that differ stand side by side. */
export function fieldsOf(answer: Readonly<Record<string, unknown>>): readonly Field[] {
  const found = new Map<string, Set<string>>();
  for (const index of Object.values(answer))
    walk(recordOf(recordOf(index)["mappings"])["properties"], "", found, 0);
  return [...found]
    .map(([path, types]) => ({ field: path.slice(0, MAX_NAME), type: [...types].sort().join("|") }))
    .sort((a, b) => (a.field < b.field ? -1 : 1));
}
