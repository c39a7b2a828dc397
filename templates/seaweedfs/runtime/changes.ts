import { ToolFault } from "#runtime/fault";
import { headObject } from "#runtime/seaweedfs/object";
import { accountOf, askStore } from "#runtime/seaweedfs/store";
import type { Account, Bucket, Store } from "#runtime/seaweedfs/store";

export const MAX_BODY_BYTES = 65_536;

/** The other account of a bucket: it writes, and reads nothing. */
function writerOf(store: Store, { env }: Bucket): Account {
  return accountOf(store, `${env}_WRITER`);
}

/** `condition` is `*` when an object with this key must not exist yet, and empty when it is written over. */
export async function putText(
  store: Store,
  bucket: Bucket,
  object: { readonly key: string; readonly body: string; readonly condition: string },
  signal: AbortSignal,
): Promise<object> {
  const { key, body, condition } = object;
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BODY_BYTES || !body.isWellFormed())
    throw new ToolFault("invalid_argument", `body is more than ${MAX_BODY_BYTES} bytes, or not text`);
  const { headers } = await askStore(writerOf(store, bucket), bucket.bucket, key, {
    method: "PUT",
    text: body,
    contentType: "text/plain; charset=utf-8",
    headers: condition === "" ? {} : { "if-none-match": condition },
    signal,
  });
  const etag = (headers.get("etag") ?? "").replaceAll('"', "");
  return { key, bytes, etag, version_id: headers.get("x-amz-version-id") };
}

/** Stores answer the same for an object that is not there, so it is looked at before. */
export async function deleteObject(
  store: Store,
  reader: Account,
  bucket: Bucket,
  object: { readonly key: string; readonly version: string | undefined },
  signal: AbortSignal,
): Promise<object> {
  const { key, version } = object;
  const facts = version === undefined ? await headObject(reader, bucket.bucket, key, signal) : undefined;
  const { headers } = await askStore(writerOf(store, bucket), bucket.bucket, key, {
    method: "DELETE",
    query: { versionId: version },
    signal,
  });
  return {
    key,
    size: facts?.size ?? null,
    version_id: headers.get("x-amz-version-id"),
    delete_marker: headers.get("x-amz-delete-marker") === "true",
  };
}
