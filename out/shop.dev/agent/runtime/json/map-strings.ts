/** What becomes of the parts of a JSON-like value. */
export interface StringMapper {
  text(text: string): string;
  key(key: string): string;
  /** Decides about a whole member by its key; `undefined` leaves it to the other two. */
  member?(key: string, value: unknown): unknown;
}

/** Deeper values are null. */
export const MAX_DEPTH = 64;

/** A plain JSON value equal to `value` with its strings mapped; what JSON cannot hold becomes null. */
export function mapStrings(value: unknown, mapper: StringMapper, depth = 0): unknown {
  if (typeof value === "string") return mapper.text(value);
  if (typeof value === "bigint") return mapper.text(String(value));
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null || depth >= MAX_DEPTH) return null;
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return mapStrings(value.toJSON(), mapper, depth + 1);
  }
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, mapper, depth + 1));
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => [
      mapper.key(key),
      mapper.member?.(key, member) ?? mapStrings(member, mapper, depth + 1),
    ]);
  return Object.fromEntries(members);
}
