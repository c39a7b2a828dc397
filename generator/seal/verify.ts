/** The values of a sealed file, given its data key; never without its message authentication code. */
import { isUtf8 } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { decrypt, parseCiphertext } from "./cipher.ts";
import { macOf } from "./mac.ts";
import { SealError } from "./seal-error.ts";
import { ciphertextOf, placeOf, rulesOf } from "./sealed-file.ts";
import type { SealedEntry, SealedFile, SealedFormat } from "./sealed-file.ts";

export interface OpenedEntry extends SealedEntry {
  readonly value: string;
}

/** Says what happened to a value that its key does not open: it may be another entry's. */
function refuseValue(
  path: string,
  entry: SealedEntry,
  others: readonly SealedEntry[],
  key: KeyObject,
  format: SealedFormat,
): never {
  const { name } = entry;
  const sealed = ciphertextOf(path, entry);
  const owner = others.find((other) => decrypt(sealed, key, placeOf(format, other.name)) !== undefined);
  if (owner !== undefined) {
    const problem = `${name} holds what was sealed as ${owner.name}`;
    throw new SealError(path, "value-moved", problem, [name, owner.name]);
  }
  const problem = `${name} was not sealed under this name with this file's key, or was changed since`;
  throw new SealError(path, "value-not-authentic", problem, [name]);
}

function openEntry(
  path: string,
  entry: SealedEntry,
  { entries }: SealedFile,
  key: KeyObject,
  format: SealedFormat,
): OpenedEntry {
  const { name, sealed } = entry;
  const plain = decrypt(ciphertextOf(path, entry), key, placeOf(format, name));
  if (plain === undefined) return refuseValue(path, entry, entries, key, format);
  if (!isUtf8(plain)) throw new SealError(path, "bad-type", `${name} is no text`, [name]);
  return { name, sealed, value: plain.toString() };
}

function codeOf(path: string, { metadata }: SealedFile, key: KeyObject): string {
  const sealed = parseCiphertext(metadata.mac);
  const code = sealed === undefined ? undefined : decrypt(sealed, key, metadata.lastModified);
  if (code !== undefined) return code.toString();
  const problem = "its lastmodified or its mac was changed: the one was not sealed with the other";
  throw new SealError(path, "mac-not-authentic", problem);
}

const byName = (a: SealedEntry, b: SealedEntry): number => (a.name < b.name ? -1 : 1);

/**
 * Opens every value and verifies the code over all of them.
 *
 * Each fault has a reason and a message of its own, because what to do about it differs: an entry that was
 * renamed by hand, a merge that took lines from both sides, or somebody who should not have been there.
 */
export function openVerified(
  path: string,
  file: SealedFile,
  key: KeyObject,
  format: SealedFormat,
): readonly OpenedEntry[] {
  const entries = file.entries.map((entry) => openEntry(path, entry, file, key, format));
  const code = codeOf(path, file, key);
  const { macOnlyEncrypted } = rulesOf(format);
  const fits = (ordered: readonly OpenedEntry[]): boolean =>
    macOf(
      ordered.map(({ value }) => value),
      macOnlyEncrypted,
    ) === code;
  if (fits(entries)) return entries;
  if (fits([...entries].sort(byName)))
    throw new SealError(path, "order", "its entries stand in another order than when they were sealed");
  const problem =
    "entries were added or removed since it was sealed: its message authentication code differs";
  throw new SealError(path, "mac-mismatch", problem);
}
