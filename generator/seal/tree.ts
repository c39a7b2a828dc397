/** Data as SOPS sees it: ordered, and with texts, numbers and truth values kept apart. */

export type ScalarType = "str" | "int" | "float" | "bool" | "time" | "null";

/** A value that is no text, in the form in which the message authentication code takes it: `12`, `1.5`, `True`. */
export interface Typed {
  readonly type: Exclude<ScalarType, "str">;
  readonly text: string;
}

/** A map keeps its order, and any text may be a key: `__proto__` is one like others. */
export type Branch = ReadonlyMap<string, Tree>;

export type Tree = string | Typed | Branch | readonly Tree[];

export function isBranch(tree: Tree | undefined): tree is Branch {
  return tree instanceof Map;
}

export function isList(tree: Tree | undefined): tree is readonly Tree[] {
  return Array.isArray(tree);
}

/** A value as people write it: `true` where the code takes `True`, nothing where there is nothing. */
export function plainText(scalar: string | Typed): string {
  if (typeof scalar === "string") return scalar;
  if (scalar.type === "bool") return scalar.text.toLowerCase();
  return scalar.type === "null" ? "" : scalar.text;
}
