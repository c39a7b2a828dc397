import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { foreignAnswer } from "#runtime/json-shape";
import { MAX_PAGE_BYTES } from "#runtime/page";
import { askStore } from "#runtime/seaweedfs/store";
import type { Account } from "#runtime/seaweedfs/store";
import { childrenOf, readXml, textOf } from "#runtime/seaweedfs/xml";
import type { Element } from "#runtime/seaweedfs/xml";
import type { ToolResult } from "#runtime/tool";

/** What S3 gives in one answer. */
export const MAX_KEYS = 1000;

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  readonly modified: string;
  readonly etag: string;
}
export type Entry = StoredObject | { readonly prefix: string };

export interface Batch {
  /** In the order of the store: by the bytes of key or prefix. */
  readonly entries: readonly Entry[];
  readonly next: string | null;
}

export interface Scope {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
}

export function nameOf(entry: Entry): string {
  return "key" in entry ? entry.key : entry.prefix;
}

function objectOf(element: Element): StoredObject {
  const size = Number(textOf(element, "Size"));
  const key = textOf(element, "Key");
  if (key === "" || !Number.isSafeInteger(size)) throw foreignAnswer();
  return {
    key,
    size,
    modified: textOf(element, "LastModified"),
    etag: textOf(element, "ETag").replaceAll('"', ""),
  };
}

function batchOf(document: string): Batch {
  const result = readXml(document);
  if (result.name !== "ListBucketResult") throw foreignAnswer();
  const objects = childrenOf(result, "Contents").map(objectOf);
  const prefixes = childrenOf(result, "CommonPrefixes").map((each) => ({ prefix: textOf(each, "Prefix") }));
  const entries = [...objects, ...prefixes].map((entry) => ({ entry, bytes: Buffer.from(nameOf(entry)) }));
  entries.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const next = textOf(result, "NextContinuationToken");
  const isLast = textOf(result, "IsTruncated") !== "true";
  if (!isLast && next === "") throw foreignAnswer();
  return { entries: entries.map(({ entry }) => entry), next: isLast ? null : next };
}

/** The next `limit` objects and folders after `token`; what ends a listing is the store's word, never a full page. */
export async function listBatch(
  account: Account,
  { bucket, prefix, delimiter }: Scope,
  at: { readonly limit: number; readonly token: string | null },
  signal: AbortSignal,
): Promise<Batch> {
  const query = {
    "list-type": "2",
    "max-keys": at.limit,
    prefix,
    delimiter: delimiter === "" ? undefined : delimiter,
    "continuation-token": at.token ?? undefined,
  };
  const { bytes } = await askStore(account, bucket, null, { query, signal });
  return batchOf(bytes.toString("utf8"));
}

/** Where a page starts: `skip` entries after `token`, and `seen` after the first of all. */
interface Position {
  readonly seen: number;
  readonly skip: number;
  readonly token: string | null;
}

function positionIn(text: string): Position {
  const [, seen = "0", skip = "0", token = ""] = /^(\d{1,12}) (\d{1,4}) (.*)$/s.exec(text) ?? [];
  return { seen: Number(seen), skip: Number(skip), token: token === "" ? null : token };
}

function fitting(entries: readonly Entry[], limit: number): number {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (index === limit || (index > 0 && bytes > MAX_PAGE_BYTES)) return index;
  }
  return entries.length;
}

/**
 * One page of a listing. A page that ends at the bytes ends inside of what the store sent, so the cursor says how much
 * of that to leave out next time; the store's own tokens lead only from answer to answer.
 */
export async function listPage(
  account: Account,
  scope: Scope,
  page: {
    readonly tool: string;
    readonly args: Readonly<Record<string, unknown>>;
    readonly cursor: string | undefined;
    readonly limit: number;
  },
  signal: AbortSignal,
): Promise<{ readonly entries: readonly Entry[]; readonly about: Omit<ToolResult, "data"> }> {
  const { tool, args, cursor, limit } = page;
  const at = cursor === undefined ? positionIn("") : positionIn(String(decodeCursor(tool, args, cursor)));
  const asked = Math.min(MAX_KEYS, at.skip + limit);
  const batch = await listBatch(account, scope, { limit: asked, token: at.token }, signal);
  const rest = batch.entries.slice(at.skip);
  const count = fitting(rest, limit);
  const entries = rest.slice(0, count);
  const seen = at.seen + count;
  const isCut = count < rest.length;
  if (!isCut && batch.next === null)
    return { entries, about: { page: { returned: count, total: seen, next_cursor: null } } };
  const position = isCut ? `${seen} ${at.skip + count} ${at.token ?? ""}` : `${seen} 0 ${batch.next ?? ""}`;
  const about = { page: { returned: count, total: null, next_cursor: encodeCursor(tool, args, position) } };
  const hint = "go on with next_cursor";
  return {
    entries,
    about: {
      ...about,
      truncation: isCut ? { by: "bytes", limit: MAX_PAGE_BYTES, hint } : { by: "rows", limit, hint },
    },
  };
}
