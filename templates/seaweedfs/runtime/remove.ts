import { headObject } from "#runtime/seaweedfs/object";
import { askStore } from "#runtime/seaweedfs/store";
import type { Account, Bucket, Store } from "#runtime/seaweedfs/store";
import { writerOf } from "#runtime/seaweedfs/writer";

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
