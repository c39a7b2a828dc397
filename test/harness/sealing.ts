import { createHash } from "node:crypto";
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from "age-encryption";
import { wrapDataKey } from "../../generator/seal/age.ts";
import type { Randomness, SealRequest } from "../../generator/seal/seal.ts";

export interface KeyPair {
  readonly identity: string;
  readonly recipient: string;
}

/** A new pair, by age's own library. */
export async function keyPair(kind: "x25519" | "hybrid" = "x25519"): Promise<KeyPair> {
  const identity = await (kind === "hybrid" ? generateHybridIdentity() : generateX25519Identity());
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Pairs in the order of their recipients, so that a test knows who stands first in a file. */
export async function keyPairs(count: number): Promise<readonly KeyPair[]> {
  const pairs = await Promise.all(Array.from({ length: count }, async () => await keyPair()));
  return pairs.sort((a, b) => (a.recipient < b.recipient ? -1 : 1));
}

/** A clock that stands still and random numbers that come again with the same seed; the wrapping is real. */
export function steadyRandomness(seed: string, time = "2026-01-31T12:00:00.789Z"): Randomness {
  let drawn = 0;
  return {
    now: () => new Date(time),
    randomBytes: (count) =>
      createHash("shake256", { outputLength: count }).update(`${seed}:${drawn++}`).digest(),
    wrap: wrapDataKey,
  };
}

export const HEAD = {
  name: "shop-mcp-credentials",
  namespace: "shop",
  labels: { "app.kubernetes.io/name": "shop-mcp" },
};

export function entriesOf(values: Readonly<Record<string, string | undefined>>): SealRequest["entries"] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/** What a line of a sealed file is about: the name before its first `=` or `:`; armor is armor. */
function subject(line: string): string {
  if (/^\s*(?:[A-Za-z0-9+/]{20,}=*|-----.*-----)$/.test(line)) return "armor";
  return /^\s*-?\s*"?([A-Za-z0-9_./-]+)"?[=:]/.exec(line)?.[1] ?? "armor";
}

function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

/** The subjects of the lines that only one of two texts has, as a diff would show them. */
export function lineDiff(
  before: string,
  after: string,
): { readonly removed: readonly string[]; readonly added: readonly string[] } {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return { removed: without(old, now).map(subject), added: without(now, old).map(subject) };
}
