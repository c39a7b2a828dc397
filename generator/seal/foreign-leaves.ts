/** The values of a tree that SOPS encrypted: opened at their places, and verified as a whole. */
import { isUtf8 } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { decrypt, looksSealed, parseCiphertext } from "./cipher.ts";
import type { IsEncrypted } from "./crypt-rules.ts";
import { floatText } from "./go-scalar.ts";
import { macOf } from "./mac.ts";
import type { Metadata } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import { isBranch, isList } from "./tree.ts";
import type { Branch, Tree, Typed } from "./tree.ts";

/** A value with the names that lead to it, and with the positions in lists as well. */
interface Leaf {
  readonly keys: readonly string[];
  readonly path: readonly string[];
  readonly value: string | Typed;
}

/** A value in the clear. */
export interface OpenedLeaf extends Leaf {
  readonly isEncrypted: boolean;
}

/** In a list a comment is encrypted as an item, though it is none; what it is written as is all there is to tell. */
function isComment(tree: Tree): boolean {
  return typeof tree === "string" && looksSealed(tree) && tree.endsWith(",type:comment]");
}

function* leavesOf(tree: Tree, keys: readonly string[] = [], path: readonly string[] = []): Generator<Leaf> {
  if (isBranch(tree)) {
    for (const [key, value] of tree) yield* leavesOf(value, [...keys, key], [...path, key]);
  } else if (isList(tree)) {
    const items = tree.filter((item) => !isComment(item));
    for (const [index, item] of items.entries()) yield* leavesOf(item, keys, [...path, String(index)]);
  } else yield { keys, path, value: tree };
}

/** A decrypted value by its type, as SOPS takes it; `undefined` for a comment, which is no value. */
function typedValue(path: string, name: string, type: string, text: string): string | Typed | undefined {
  switch (type) {
    case "str":
    case "bytes":
      return text;
    case "int":
      if (/^-?\d+$/.test(text)) return { type, text: String(BigInt(text)) };
      break;
    case "float":
      return { type, text: floatText(Number(text)) };
    case "bool":
      return { type, text: /^(?:1|t|true)$/i.test(text) ? "True" : "False" };
    case "time":
      return { type, text };
    case "comment":
      return undefined;
  }
  throw new SealError(path, "bad-type", `${name} is of a type that SOPS does not have`, [name]);
}

function openLeaf(path: string, leaf: Leaf, key: KeyObject): string | Typed | undefined {
  const name = leaf.path.join(".");
  const { value } = leaf;
  if (value === "") return value;
  if (typeof value !== "string" || !looksSealed(value))
    throw new SealError(path, "unencrypted-value", `${name} stands there unencrypted`, [name]);
  const sealed = parseCiphertext(value);
  if (sealed === undefined)
    throw new SealError(path, "bad-ciphertext", `${name} is damaged: not all of what SOPS wrote is there`, [
      name,
    ]);
  const plain = decrypt(sealed, key, `${leaf.keys.join(":")}:`);
  if (plain !== undefined && !isUtf8(plain))
    throw new SealError(path, "unsupported", `${name} is no text`, [name]);
  if (plain !== undefined) return typedValue(path, name, sealed.type, plain.toString());
  const problem = `${name} was not sealed under this name with this file's key, or was changed since`;
  throw new SealError(path, "value-not-authentic", problem, [name]);
}

/** Every value of the documents in the clear, in their order; nulls and comments are none. */
export function openLeaves(
  path: string,
  documents: readonly Branch[],
  key: KeyObject,
  rule: IsEncrypted,
): readonly OpenedLeaf[] {
  const opened: OpenedLeaf[] = [];
  for (const leaf of documents.flatMap((document) => [...leavesOf(document)])) {
    if (typeof leaf.value !== "string" && leaf.value.type === "null") continue;
    // Where comments decide, the form of the value does: the code then tells whether somebody changed it.
    const isEncrypted = rule(leaf.keys) ?? (typeof leaf.value === "string" && looksSealed(leaf.value));
    const value = isEncrypted ? openLeaf(path, leaf, key) : leaf.value;
    if (value !== undefined) opened.push({ ...leaf, value, isEncrypted });
  }
  return opened;
}

/** Fails unless the code of the file was made over these values, in this order, at its lastmodified. */
export function verifyLeaves(
  path: string,
  { mac, lastModified, rules }: Metadata,
  key: KeyObject,
  leaves: readonly OpenedLeaf[],
): void {
  if (mac === "") throw new SealError(path, "mac-missing", "it has no message authentication code (mac)");
  const sealed = parseCiphertext(mac);
  const code = sealed === undefined ? undefined : decrypt(sealed, key, lastModified);
  if (code === undefined) {
    const problem = "its lastmodified or its mac was changed: the one was not sealed with the other";
    throw new SealError(path, "mac-not-authentic", problem);
  }
  const covered = leaves.filter(({ isEncrypted }) => isEncrypted || !rules.macOnlyEncrypted);
  const texts = covered.map(({ value }) => (typeof value === "string" ? value : value.text));
  if (macOf(texts, rules.macOnlyEncrypted) === code.toString()) return;
  const problem = "values were added, removed, moved or changed since it was sealed: its code (mac) differs";
  throw new SealError(path, "mac-mismatch", problem);
}
