/** Names of tools that somebody else named first. */
import { hash } from "node:crypto";

const MAX_NAME = 64;
const DIGEST = 6;

function snake(id: string): string {
  return id
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
}

/**
 * What follows the prefix in each tool's name, in the same order. A name that is taken, that two have or that is
 * too long ends in a digest of `distinct`, so that it does not depend on what stands beside it in the document.
 */
export function toolNames(
  all: readonly { readonly id: string; readonly distinct: string }[],
  { taken, prefixes }: { readonly taken: readonly string[]; readonly prefixes: readonly string[] },
): readonly string[] {
  const longest = MAX_NAME - 1 - Math.max(...prefixes.map(({ length }) => length));
  const wanted = new Map(taken.map((name) => [name, 1]));
  for (const { id } of all) wanted.set(snake(id), (wanted.get(snake(id)) ?? 0) + 1);
  return all.map(({ id, distinct }) => {
    const name = snake(id);
    if (wanted.get(name) === 1 && name !== "" && name.length <= longest) return name;
    const digest = hash("sha256", distinct, "hex").slice(0, DIGEST);
    const head = name.slice(0, Math.max(0, longest - DIGEST - 1)).replace(/_+$/, "");
    return head === "" ? digest : `${head}_${digest}`;
  });
}
