/** Documents of any shape, cut to a size that can be read. */
const MAX_TEXT = 1000;
const MAX_ITEMS = 20;
const MAX_KEYS = 60;
const MAX_DEPTH = 8;

export interface Shrunk {
  readonly value: unknown;
  readonly isCut: boolean;
}

function shrinkList(list: readonly unknown[], depth: number): Shrunk {
  const kept = list.slice(0, MAX_ITEMS).map((item) => shrink(item, depth + 1));
  const more = list.length - kept.length;
  return {
    value: [...kept.map(({ value }) => value), ...(more > 0 ? [`… (${more} more)`] : [])],
    isCut: more > 0 || kept.some(({ isCut }) => isCut),
  };
}

function shrinkRecord(record: object, depth: number): Shrunk {
  const entries = Object.entries(record);
  const kept = entries.slice(0, MAX_KEYS).map(([key, item]) => [key, shrink(item, depth + 1)] as const);
  const isShort = kept.length < entries.length;
  const shown = kept.map(([key, { value }]) => [key, value] as const);
  return {
    value: Object.fromEntries(
      isShort ? [...shown, ["…", `${entries.length - kept.length} more fields`]] : shown,
    ),
    isCut: isShort || kept.some(([, { isCut }]) => isCut),
  };
}

/** Long texts, long lists, wide and deep objects lose their rest, and say so. */
export function shrink(value: unknown, depth = 0): Shrunk {
  if (typeof value === "string" && value.length > MAX_TEXT)
    return { value: `${value.slice(0, MAX_TEXT)}… (${value.length} characters)`, isCut: true };
  if (typeof value !== "object" || value === null) return { value, isCut: false };
  if (depth >= MAX_DEPTH) return { value: "…", isCut: true };
  return Array.isArray(value) ? shrinkList(value, depth) : shrinkRecord(value, depth);
}
