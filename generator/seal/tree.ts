/** Data as SOPS sees it: ordered, and with texts, numbers and truth values kept apart. */

/** A value that is not a collection; `null` takes part in nothing. */
export type Scalar = string | number | bigint | boolean | Date | null;

/** A map keeps its order, and any text may be a key: `__proto__` is one like others. */
export type Branch = ReadonlyMap<string, Tree>;

export type Tree = Scalar | Branch | readonly Tree[];

export function isBranch(tree: Tree | undefined): tree is Branch {
  return tree instanceof Map;
}

export function isList(tree: Tree | undefined): tree is readonly Tree[] {
  return Array.isArray(tree);
}
