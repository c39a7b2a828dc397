import { BSON } from "mongodb";
import type { AggregationCursor, Document, FindCursor } from "mongodb";
import type { ToolResult } from "#runtime/tool";
import { documentOf } from "#runtime/mongodb/json";

/** Of the documents of one answer as JSON; below the default size of a result. */
export const MAX_PAGE_BYTES = 49_152;

export interface Read {
  readonly documents: readonly Readonly<Record<string, unknown>>[];
  /** What ended the documents early, proved by one more than was asked for. */
  readonly cut: "rows" | "bytes" | null;
  readonly cuts: number;
}

/** Of documents as the server sends them, before long values are cut: one alone may have 16 MB. */
const MAX_READ_BYTES = 1024 * 1024;
/** Documents that the server sends at a time, so that few are sent in vain. */
export const BATCH = 8;

/** Documents until there are enough bytes of them; the cursor is closed on the server when its reader stops. */
async function* within(
  cursor: FindCursor | AggregationCursor,
): AsyncGenerator<{ document: Document; isLast: boolean }> {
  let size = 0;
  try {
    for await (const document of cursor) {
      size += BSON.calculateObjectSize(document);
      yield { document, isLast: size > MAX_READ_BYTES };
    }
  } finally {
    await cursor.close();
  }
}

/** The first documents as they are, for a look at their shape. */
export async function sampleOf(cursor: FindCursor): Promise<readonly Document[]> {
  const documents: Document[] = [];
  for await (const { document, isLast } of within(cursor)) {
    documents.push(document);
    if (isLast) break;
  }
  return documents;
}

/** The first documents of a cursor as JSON, one read more than `limit`. */
export async function readDocuments(cursor: FindCursor | AggregationCursor, limit: number): Promise<Read> {
  const documents: Readonly<Record<string, unknown>>[] = [];
  let [bytes, cuts, enough] = [0, 0, false];
  for await (const { document, isLast } of within(cursor)) {
    if (documents.length === limit) return { documents, cut: "rows", cuts };
    const shown = documentOf(document);
    bytes += Buffer.byteLength(JSON.stringify(shown.json)) + 1;
    if (enough || (bytes > MAX_PAGE_BYTES && documents.length > 0)) return { documents, cut: "bytes", cuts };
    enough = isLast;
    cuts += shown.cuts;
    documents.push(shown.json);
  }
  return { documents, cut: null, cuts };
}

/** A page of documents; `next` makes the cursor of the one after. */
export function pageOf({ documents, cut, cuts }: Read, limit: number, next: () => string | null): ToolResult {
  const bound = cut === "bytes" ? MAX_PAGE_BYTES : limit;
  const hint = "go on with next_cursor, or project fewer fields";
  return {
    data: documents,
    page: { returned: documents.length, total: null, next_cursor: cut === null ? null : next() },
    ...(cut === null ? {} : { truncation: { by: cut, limit: bound, hint } }),
    ...(cuts === 0 ? {} : { warnings: [`${cuts} values were cut and end in …`] }),
  };
}
