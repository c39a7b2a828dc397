import { ToolFault } from "#runtime/fault";
import type { ToolResult } from "#runtime/tool";

/** Below the default size of a result, so that what a page holds is what the caller sees. */
export const MAX_PAGE_BYTES = 49_152;

/** What one SCAN-like command gave; `next` is `null` at the end. */
export interface Batch<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where to go on: a batch of the server and the place in it. `null` when everything was seen. */
  readonly position: string | null;
  /** Why the page ended: another item was there, or the rounds were used up. */
  readonly ended: "complete" | "rows" | "bytes" | "rounds";
}

export interface PageLimits<T> {
  readonly rows: number;
  readonly bytes: number;
  /** Batches of the server for one page. */
  readonly rounds: number;
  bytesOf(item: T): number;
}

/** A cursor can be forged; what it holds is checked like every other argument. */
export function forgedCursor(): ToolFault {
  return new ToolFault("invalid_argument", "the cursor does not belong to this call");
}

/**
 * Reads batches until the page is full, from `position` on; a batch is named by digits and `:`.
 *
 * A batch of the server may be larger than the page, so a position also counts the items of its batch that
 * earlier pages showed: nothing is lost between two pages.
 */
export async function readPage<T>(
  position: string | number,
  limits: PageLimits<T>,
  readBatch: (batch: string) => Promise<Batch<T>>,
): Promise<Page<T>> {
  let [, batch, skip] = /^(\d{1,20}(?::\d{1,20})?)\+(\d{1,7})$/.exec(String(position)) ?? [];
  if (batch === undefined) throw forgedCursor();
  const items: T[] = [];
  let bytes = 0;
  for (let round = 0; round < limits.rounds; round += 1) {
    const { items: found, next } = await readBatch(batch);
    for (let index = Number(skip); index < found.length; index += 1) {
      const item = found[index] as T;
      bytes += limits.bytesOf(item);
      const isFull =
        items.length === limits.rows ? "rows" : bytes > limits.bytes && items.length > 0 ? "bytes" : null;
      if (isFull !== null) return { items, position: `${batch}+${index}`, ended: isFull };
      items.push(item);
    }
    if (next === null) return { items, position: null, ended: "complete" };
    batch = next;
    skip = "0";
  }
  return { items, position: `${batch}+0`, ended: "rounds" };
}

/** What a page says about itself; `rows` is the caller's limit. */
export function aboutPage<T>(
  page: Page<T>,
  rows: number,
  total: number | null,
  next: string | null,
): Omit<ToolResult, "data"> {
  const about = { page: { returned: page.items.length, total, next_cursor: next } };
  if (page.ended === "complete") return about;
  if (page.ended === "rounds")
    return { ...about, warnings: ["only a part was searched: go on with next_cursor"] };
  const limit = page.ended === "rows" ? rows : MAX_PAGE_BYTES;
  return { ...about, truncation: { by: page.ended, limit, hint: "go on with next_cursor" } };
}
