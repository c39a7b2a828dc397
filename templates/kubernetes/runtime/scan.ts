import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import type { Batch, Json } from "#runtime/kubernetes/api";
import { MAX_PAGE_BYTES } from "#runtime/page";
import type { ToolResult } from "#runtime/tool";

/** Objects that one call looks at, in each collection that it reads. */
export const MAX_SCANNED = 5000;
const BATCH = 500;
const MAX_SCAN_MS = 1500;

/** Asks for `limit` objects after `token`. */
export type AskBatch = (query: { readonly limit: number; readonly continue?: string }) => Promise<Batch>;

export interface Scan {
  readonly items: readonly Json[];
  /** Why it ended before the last object; `null` when it saw all of them. */
  readonly stopped: "rows" | "time" | null;
}

/** A batch that fits into one answer, and how many objects it was asked to hold: objects have no bound on their size. */
async function fittingBatch(
  ask: AskBatch,
  limit: number,
  token: string | null,
): Promise<Batch & { readonly limit: number }> {
  try {
    return { ...(await ask({ limit, ...(token === null ? {} : { continue: token }) })), limit };
  } catch (error) {
    const isTooLarge = error instanceof ToolFault && error.code === "too_large";
    if (!isTooLarge || limit === 1) throw error;
    return await fittingBatch(ask, Math.ceil(limit / 8), token);
  }
}

/** The moment after which scans of one call stop. */
export function scanDeadline(): number {
  return performance.now() + MAX_SCAN_MS;
}

/** Reads a collection from its start; never more than `MAX_SCANNED` objects, and no further batch after the deadline. */
export async function scan(ask: AskBatch, deadline: number): Promise<Scan> {
  const items: Json[] = [];
  let token: string | null = null;
  let limit = BATCH;
  for (;;) {
    const batch: Awaited<ReturnType<typeof fittingBatch>> = await fittingBatch(ask, limit, token);
    items.push(...batch.items);
    limit = batch.limit;
    token = batch.next;
    if (token === null) return { items, stopped: null };
    if (items.length >= MAX_SCANNED) return { items, stopped: "rows" };
    if (performance.now() > deadline) return { items, stopped: "time" };
  }
}

type About = Omit<ToolResult, "data">;

/** What a page says when not everything was looked at: the total is not known, and the rest is out of its reach. */
export function withScan(about: About, stopped: Scan["stopped"], hint: string): About {
  if (stopped === null || about.page === undefined) return about;
  const page = { ...about.page, total: null };
  if (about.truncation !== undefined) return { page, truncation: about.truncation };
  const limit = stopped === "rows" ? MAX_SCANNED : MAX_SCAN_MS;
  return { page, truncation: { by: stopped, limit, hint } };
}

interface NativePage {
  readonly items: readonly Json[];
  readonly about: About;
}

/** Where a page starts: after `token`, `skip` objects further, and `seen` objects after the first of all. */
function positionOf(tool: string, args: Json, cursor: string | undefined): [number, number, string | null] {
  if (cursor === undefined) return [0, 0, null];
  const [seen = "0", skip = "0", token = ""] = String(decodeCursor(tool, args, cursor)).split(" ");
  return [Number(seen), Number(skip), token === "" ? null : token];
}

function fittingCount(items: readonly Json[]): number {
  let bytes = 0;
  const over = items.findIndex((item, index) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    return bytes > MAX_PAGE_BYTES && index > 0;
  });
  return over < 0 ? items.length : over;
}

/**
 * One page by the server's own paging, so that every object of a collection of any size is reached. A page that
 * its bytes end goes on in the middle of the batch that it was cut from.
 */
export async function nativePage(
  ask: AskBatch,
  show: (item: Json) => Json,
  at: {
    readonly tool: string;
    readonly args: Json;
    readonly cursor: string | undefined;
    readonly limit: number;
  },
): Promise<NativePage> {
  const [seen, skip, token] = positionOf(at.tool, at.args, at.cursor);
  const batch = await fittingBatch(ask, at.limit + skip, token);
  const shown = batch.items.slice(skip).map(show);
  const count = fittingCount(shown);
  const isCut = count < shown.length;
  const total = batch.remaining === null ? null : seen + shown.length + batch.remaining;
  const after = isCut ? `${seen + count} ${skip + count} ${token ?? ""}` : `${seen + count} 0 ${batch.next}`;
  const next = isCut || batch.next !== null ? encodeCursor(at.tool, at.args, after) : null;
  const page = { returned: count, total, next_cursor: next };
  const by = isCut
    ? ({ by: "bytes", limit: MAX_PAGE_BYTES } as const)
    : ({ by: "rows", limit: at.limit } as const);
  const hint = "go on with next_cursor";
  return {
    items: shown.slice(0, count),
    about: next === null ? { page } : { page, truncation: { ...by, hint } },
  };
}
