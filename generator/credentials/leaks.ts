import type { FileTree } from "../tree/file-tree.ts";
import type { Secret } from "./secret.ts";

/** A credential in a file that is not sealed. It names the file and the credential, never the value. */
export class LeakError extends Error {
  constructor(path: string, what: string) {
    super(
      `${path} would hold ${what}: nothing was written; this is a fault of its template, please report it`,
    );
    this.name = "LeakError";
  }
}

export interface NamedSecret {
  readonly name: string;
  readonly value: Secret;
}

/** Shorter values turn up by chance. */
const SHORTEST = 6;
const PRIVATE_KEY = /AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20}|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

/** The middle of a value's base64 when `before` bytes stand in front of it: what does not depend on its neighbours. */
function base64At(value: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), value])
    .toString("base64")
    .replace(/=+$/, "");
  const end = (before + value.length) % 3 === 0 ? text.length : text.length - 1;
  return text.slice(Math.ceil((before * 8) / 6), end);
}

function formsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((before) => base64At(bytes, before));
  const hex = bytes.toString("hex");
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/**
 * Looks through a whole output for every value in every form it could have, and for private keys.
 *
 * The last door before the disk: sealing is the only step that knows a value, and this shows that none of
 * them got anywhere else.
 */
export function refuseLeaks(tree: FileTree, secrets: readonly NamedSecret[]): void {
  const wanted = secrets
    .filter(({ value }) => value.reveal().length >= SHORTEST)
    .map(({ name, value }) => ({ name, forms: [...new Set(formsOf(value.reveal()))] }));
  for (const [path, { text }] of tree) {
    if (PRIVATE_KEY.test(text)) throw new LeakError(path, "a private key");
    const found = wanted.find(({ forms }) => forms.some((form) => text.includes(form)));
    if (found !== undefined) throw new LeakError(path, `the value of ${found.name}`);
  }
}
