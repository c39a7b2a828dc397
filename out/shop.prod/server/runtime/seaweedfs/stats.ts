import { MAX_KEYS, listBatch } from "#runtime/seaweedfs/listing";
import type { Scope, StoredObject } from "#runtime/seaweedfs/listing";
import type { Account } from "#runtime/seaweedfs/store";
import type { ToolResult } from "#runtime/tool";

export const MAX_LARGEST = 10;
const MAX_EXTENSIONS = 20;
/** No further answer of the store is asked for after this. */
const MAX_SCAN_MS = 1500;

interface Scan {
  readonly objects: readonly StoredObject[];
  /** Why it ended before the last object; `null` when it saw all of them. */
  readonly stopped: "rows" | "time" | null;
}

async function scan(account: Account, scope: Scope, most: number, signal: AbortSignal): Promise<Scan> {
  const deadline = performance.now() + MAX_SCAN_MS;
  const objects: StoredObject[] = [];
  let token: string | null = null;
  for (;;) {
    const limit = Math.min(MAX_KEYS, most - objects.length);
    const batch: Awaited<ReturnType<typeof listBatch>> = await listBatch(
      account,
      scope,
      { limit, token },
      signal,
    );
    for (const entry of batch.entries) if ("key" in entry) objects.push(entry);
    token = batch.next;
    if (token === null) return { objects, stopped: null };
    if (objects.length >= most) return { objects, stopped: "rows" };
    if (performance.now() > deadline) return { objects, stopped: "time" };
  }
}

function extensionOf({ key }: StoredObject): string {
  return /\.([a-z0-9]{1,12})$/i.exec(key)?.[1]?.toLowerCase() ?? "";
}

function byExtension(objects: readonly StoredObject[]): readonly object[] {
  const sums = new Map<string, { count: number; bytes: number }>();
  for (const object of objects) {
    const { count, bytes } = sums.get(extensionOf(object)) ?? { count: 0, bytes: 0 };
    sums.set(extensionOf(object), { count: count + 1, bytes: bytes + object.size });
  }
  return [...sums]
    .map(([extension, sum]) => ({ extension, ...sum }))
    .sort((a, b) => b.bytes - a.bytes || (a.extension < b.extension ? -1 : 1))
    .slice(0, MAX_EXTENSIONS);
}

const shown = ({ key, size, modified }: StoredObject): object => ({ key, size, modified });

/** What lies under a prefix, from a scan of at most `most` objects in the order of their keys. */
export async function statsOf(
  account: Account,
  scope: Scope,
  most: number,
  signal: AbortSignal,
): Promise<ToolResult> {
  const { objects, stopped } = await scan(account, scope, most, signal);
  const bySize = [...objects].sort((a, b) => b.size - a.size);
  const byTime = [...objects].sort((a, b) => (a.modified < b.modified ? -1 : 1));
  const [oldest, newest] = [byTime[0], byTime.at(-1)];
  const data = {
    count: objects.length,
    bytes: objects.reduce((sum, { size }) => sum + size, 0),
    largest: bySize.slice(0, MAX_LARGEST).map(shown),
    by_extension: byExtension(objects),
    oldest: oldest === undefined ? null : shown(oldest),
    newest: newest === undefined ? null : shown(newest),
  };
  if (stopped === null) return { data };
  const limit = stopped === "rows" ? most : MAX_SCAN_MS;
  return {
    data,
    truncation: { by: stopped, limit, hint: "these are the first keys only: narrow with prefix" },
  };
}
