import type { Path } from "../model/topology.ts";

/** One place whose position somebody asked for. */
export interface PositionQuery {
  readonly path: Path;
  /** The default is the key; an item of a list has none, and an empty value is found at its key. */
  readonly on?: "key" | "value";
}

/**
 * The wanted paths as a tree, which a parser carries along and fills in.
 *
 * Looking for each path by itself would walk a map of 20 000 keys once per path.
 */
export interface Wanted {
  readonly children: Map<string | number, Wanted>;
  /** Offsets; -1 when the file has no such key or the value is empty. */
  key: number;
  value: number;
  /** Which of the two somebody asked for. */
  asks: { key: boolean; value: boolean };
}

function emptyWanted(): Wanted {
  return { children: new Map(), key: -1, value: -1, asks: { key: false, value: false } };
}

export function wantedPaths(queries: readonly PositionQuery[]): Wanted {
  const root = emptyWanted();
  for (const { path, on = "key" } of queries) {
    let place = root;
    for (const step of path) {
      let next = place.children.get(step);
      if (next === undefined) {
        next = emptyWanted();
        place.children.set(step, next);
      }
      place = next;
    }
    place.asks[on] = true;
  }
  return root;
}

/** How many offsets below `place` somebody asked for: a parser that has found them all may stop. */
export function asked({ asks, children }: Wanted): number {
  let sum = Number(asks.key) + Number(asks.value);
  for (const child of children.values()) sum += asked(child);
  return sum;
}

/** The offset of what `query` asks for, or of the nearest parent that the file has. */
export function offsetOf(root: Wanted, query: PositionQuery): number {
  let place = root;
  for (const step of query.path) {
    const next = place.children.get(step);
    if (next === undefined || (next.key < 0 && next.value < 0)) break;
    place = next;
  }
  const [first, second] = query.on === "value" ? [place.value, place.key] : [place.key, place.value];
  return Math.max(first < 0 ? second : first, 0);
}
