import { cutText, foreignAnswer } from "#runtime/json-shape";
import { askStore } from "#runtime/seaweedfs/store";
import type { Account } from "#runtime/seaweedfs/store";
import { childrenOf, readXml, textOf } from "#runtime/seaweedfs/xml";

const MAX_PAIRS = 20;
const MAX_PAIR = 300;

/** What a store says about an object without its bytes. */
export interface ObjectFacts {
  readonly size: number;
  readonly type: string;
  readonly etag: string;
  readonly modified: string | null;
  /** How the stored bytes are packed, as whoever stored them said. */
  readonly encoding: string;
  readonly version: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

function metadataIn(headers: Headers): Readonly<Record<string, string>> {
  const own = [...headers].filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(
    own
      .slice(0, MAX_PAIRS)
      .map(([name, value]) => [name.slice("x-amz-meta-".length, MAX_PAIR), cutText(value, MAX_PAIR)]),
  );
}

export async function headObject(
  account: Account,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<ObjectFacts> {
  const { headers } = await askStore(account, bucket, key, { method: "HEAD", signal });
  const size = Number(headers.get("content-length") ?? "");
  if (!Number.isSafeInteger(size)) throw foreignAnswer();
  const modified = Date.parse(headers.get("last-modified") ?? "");
  return {
    size,
    type: cutText(headers.get("content-type"), MAX_PAIR),
    etag: cutText(headers.get("etag"), MAX_PAIR).replaceAll('"', ""),
    modified: Number.isNaN(modified) ? null : new Date(modified).toISOString(),
    encoding: cutText(headers.get("content-encoding"), MAX_PAIR),
    version: headers.get("x-amz-version-id"),
    metadata: metadataIn(headers),
  };
}

/** Of an object's bytes the given range, which must not be empty. A store that sends all of them is cut here. */
export async function readRange(
  account: Account,
  bucket: string,
  key: string,
  range: { readonly start: number; readonly length: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const { start, length } = range;
  const headers = { range: `bytes=${start}-${start + length - 1}` };
  const answer = await askStore(account, bucket, key, { headers, signal });
  if (answer.headers.has("content-range")) return answer.bytes.subarray(0, length);
  return answer.bytes.subarray(start, start + length);
}

export async function tagsOf(
  account: Account,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { bytes } = await askStore(account, bucket, key, { query: { tagging: "" }, signal });
  const sets = childrenOf(readXml(bytes.toString("utf8")), "TagSet");
  const tags = sets.flatMap((set) => childrenOf(set, "Tag")).slice(0, MAX_PAIRS);
  return Object.fromEntries(
    tags.map((tag) => [textOf(tag, "Key").slice(0, MAX_PAIR), cutText(textOf(tag, "Value"), MAX_PAIR)]),
  );
}
