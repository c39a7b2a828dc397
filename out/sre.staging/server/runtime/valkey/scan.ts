import type { Redis } from "ioredis";
import { useDatabase } from "#runtime/valkey/connection";
import { ownerOf } from "#runtime/valkey/keyspace";
import type { Keyspace, Pass } from "#runtime/valkey/keyspace";
import { forgedCursor } from "#runtime/valkey/page";
import type { Batch } from "#runtime/valkey/page";
import { textOf } from "#runtime/valkey/text";

/** Keys the server looks at for one SCAN. */
export const SCAN_COUNT = 1000;
/** A key with a longer name is not listed and not accepted. */
export const MAX_KEY = 1024;

export interface FoundKey {
  readonly key: string;
  readonly database: number;
}

/**
 * One SCAN. The server lists the keys of every account, so the match is asked for and each name is checked
 * again: only keys whose own keyspace is the one of this pass are kept.
 */
async function scanOnce(
  redis: Redis,
  keyspaces: readonly Keyspace[],
  { keyspace, match }: Pass,
  from: string,
  type: string | undefined,
): Promise<{ readonly keys: readonly FoundKey[]; readonly unnamed: number; readonly next: string }> {
  const [next, found] =
    type === undefined
      ? await redis.scanBuffer(from, "MATCH", match, "COUNT", SCAN_COUNT)
      : await redis.scanBuffer(from, "MATCH", match, "COUNT", SCAN_COUNT, "TYPE", type);
  const names = new Set<string>();
  let unnamed = 0;
  for (const bytes of found) {
    const name = textOf(bytes);
    if (name === undefined || name.length > MAX_KEY) unnamed += 1;
    else if (ownerOf(keyspaces, name) === keyspace) names.add(name);
  }
  const { database } = keyspace;
  return { keys: [...names].map((key) => ({ key, database })), unnamed, next: next.toString() };
}

/**
 * Reads the keys of several passes, one after the other; a batch is named `pass:cursor`. `onUnnamed` learns
 * how many keys no call could name, because they are too long or not text.
 */
export function passReader(
  redis: Redis,
  keyspaces: readonly Keyspace[],
  passes: readonly Pass[],
  type: string | undefined,
  onUnnamed: (count: number) => void,
): (batch: string) => Promise<Batch<FoundKey>> {
  return async (batch) => {
    const [index = "", from = ""] = batch.split(":");
    const pass = passes[Number(index)];
    if (pass === undefined || from === "") throw forgedCursor();
    await useDatabase(redis, pass.keyspace.database);
    const { keys, unnamed, next } = await scanOnce(redis, keyspaces, pass, from, type);
    if (unnamed > 0) onUnnamed(unnamed);
    if (next !== "0") return { items: keys, next: `${index}:${next}` };
    const following = Number(index) + 1;
    return { items: keys, next: following < passes.length ? `${following}:0` : null };
  };
}

export interface Count {
  readonly keyspace: string;
  readonly prefix: string;
  readonly keys: number;
  readonly complete: boolean;
}

/** Counts the keys of each pass with at most `rounds` batches; all passes are in the connection's database. */
export async function countPasses(
  redis: Redis,
  keyspaces: readonly Keyspace[],
  passes: readonly Pass[],
  rounds: number,
): Promise<readonly Count[]> {
  const counts: Count[] = [];
  for (const pass of passes) {
    let keys = 0;
    let from = "0";
    for (let round = 0; round === 0 || (from !== "0" && round < rounds); round += 1) {
      const batch = await scanOnce(redis, keyspaces, pass, from, undefined);
      keys += batch.keys.length;
      from = batch.next;
    }
    const { name, prefix } = pass.keyspace;
    counts.push({ keyspace: name, prefix, keys, complete: from === "0" });
  }
  return counts;
}

/** Tells the caller about keys that exist and are not in the page. */
export function unnamedWarning(counts: readonly number[]): readonly string[] {
  const unnamed = counts.reduce((sum, count) => sum + count, 0);
  return unnamed === 0 ? [] : [`${unnamed} keys left out: not text, or longer than ${MAX_KEY}`];
}

/** What each key holds and for how long. */
export async function withMeta(redis: Redis, found: readonly FoundKey[]): Promise<readonly unknown[]> {
  return await Promise.all(
    found.map(async ({ key, database }) => {
      const [, type, ttl] = await Promise.all([
        useDatabase(redis, database),
        redis.type(key),
        redis.pttl(key),
      ]);
      return { key, type, ttl_ms: ttl };
    }),
  );
}
