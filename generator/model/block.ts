/** A map of the stack file. */
export type Block = Readonly<Record<string, unknown>>;

export function isBlock(value: unknown): value is Block {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a person calls a value: `text`, `a number`, `a list` ... never the value itself. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "number":
      return "a number";
    default:
      return "a map";
  }
}

function isSorted(keys: readonly string[]): boolean {
  for (let index = 1; index < keys.length; index++) {
    if ((keys[index - 1] ?? "") > (keys[index] ?? "")) return false;
  }
  return true;
}

/** The keys in order. Most blocks are small and in order already, and sorting them costs more than looking. */
export function sortedKeys(block: Block): readonly string[] {
  const keys = Object.keys(block);
  return isSorted(keys) ? keys : keys.sort();
}

/** The same block with its keys in order; itself when they are in order already. */
export function sortKeys<T>(block: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  const keys = Object.keys(block);
  if (isSorted(keys)) return block;
  const sorted: Record<string, T> = {};
  for (const key of keys.sort()) sorted[key] = block[key] as T;
  return sorted;
}

/**
 * `overlay` on top of `base`, key by key; `null` removes, lists replace. What does not differ is the
 * base's own object, so an environment costs what it changes.
 */
export function mergeBlocks(base: Block, overlay: Block): Block {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(overlay)) {
    const below = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isBlock(value) && isBlock(below) ? mergeBlocks(below, value) : value;
  }
  return merged;
}
