import { ToolFault } from "#runtime/fault";
import type { Marker } from "#runtime/marker";
import { askStore, storeFault } from "#runtime/seaweedfs/store";
import type { Bucket, Store } from "#runtime/seaweedfs/store";
import { writerOf } from "#runtime/seaweedfs/writer";

export const MAX_BODY_BYTES = 65_536;
const PRECONDITION_FAILED = 412;

function faultIn(status: number, text: string): ToolFault | undefined {
  if (status !== PRECONDITION_FAILED) return storeFault(status, text);
  return new ToolFault("invalid_argument", "an object with this key exists", {
    hint: 'if_none_match="" writes over it',
  });
}

/** `condition` is `*` when an object with this key must not exist yet, and empty when it is written over. */
export async function putText(
  store: Store,
  bucket: Bucket,
  object: {
    readonly key: string;
    readonly body: string;
    readonly condition: string;
    /** Kept as metadata of the object. */
    readonly marker: Marker | undefined;
  },
  signal: AbortSignal,
): Promise<object> {
  const { key, body, condition, marker } = object;
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BODY_BYTES || !body.isWellFormed())
    throw new ToolFault("invalid_argument", `body is more than ${MAX_BODY_BYTES} bytes, or not text`);
  const { headers } = await askStore(writerOf(store, bucket), bucket.bucket, key, {
    method: "PUT",
    text: body,
    contentType: "text/plain; charset=utf-8",
    headers: {
      ...(condition === "" ? {} : { "if-none-match": condition }),
      ...(marker === undefined
        ? {}
        : { "x-amz-meta-mcp-marker": `mcp:${marker.argsSha}`, "x-amz-meta-mcp-approver": marker.approver }),
    },
    signal,
    faultIn,
  });
  const etag = (headers.get("etag") ?? "").replaceAll('"', "");
  return { key, bytes, etag, version_id: headers.get("x-amz-version-id") };
}
