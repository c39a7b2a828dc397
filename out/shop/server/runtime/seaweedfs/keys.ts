import { ToolFault } from "#runtime/fault";
import type { Bucket } from "#runtime/seaweedfs/store";

/** The drawn bucket of that name; the parameter's closed list makes anything else unreachable. */
export function drawnBucket(buckets: readonly Bucket[], name: string): Bucket {
  const found = buckets.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the bucket is not drawn for this link");
  return found;
}

function outside(what: string, prefix: string): ToolFault {
  return new ToolFault("denied", `${what} is outside of what was drawn for this bucket`, {
    hint: `it must start with ${prefix}`,
  });
}

/** The key, when it lies within `prefix` and can be the path of a request as it stands. */
export function keyWithin(prefix: string, key: string): string {
  if (!key.isWellFormed() || key.split("/").some((part) => /^\.{0,2}$/.test(part))) {
    throw new ToolFault(
      "invalid_argument",
      "a part of the key is empty, . or .., which these tools do not reach",
      {
        hint: "what ends in / is a folder: list it with prefix",
      },
    );
  }
  if (!key.startsWith(prefix)) throw outside("the key", prefix);
  return key;
}

/** The prefix of a listing: the drawn one, or what was asked for within it. */
export function prefixWithin({ prefix }: Bucket, asked: string | undefined): string {
  const wanted = asked ?? prefix;
  if (!wanted.isWellFormed()) throw new ToolFault("invalid_argument", "prefix is not text");
  if (!wanted.startsWith(prefix)) throw outside("the prefix", prefix);
  return wanted;
}
