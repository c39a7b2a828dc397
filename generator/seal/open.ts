import { unwrapDataKey } from "./age.ts";
import { cipherKey } from "./cipher.ts";
import { checkRules, readSealedFile, wrappedKeys } from "./sealed-file.ts";
import type { SealedEntry, SealedFormat } from "./sealed-file.ts";
import { openVerified } from "./verify.ts";

export interface Opened {
  /** In the order of the file. */
  readonly entries: readonly { readonly name: string; readonly value: string }[];
  readonly recipients: readonly string[];
}

/**
 * The values of a file that {@link seal} made, or that SOPS edited since.
 *
 * The code over all values is always verified, and the file must be one of this project's: the same values
 * encrypted, none of them empty, age alone. Anything else is a {@link SealError}, also a file that none of
 * the private keys opens.
 */
export async function openSealed(
  path: string,
  text: string,
  format: SealedFormat,
  identities: readonly string[],
): Promise<Opened> {
  const file = readSealedFile(path, text, format);
  checkRules(path, file, format);
  const wrapped = wrappedKeys(file);
  const key = await unwrapDataKey(path, wrapped, identities);
  const entries = openVerified(path, file, cipherKey(key), format).map(({ name, value }) => ({
    name,
    value,
  }));
  return { entries, recipients: wrapped.map(({ recipient }) => recipient) };
}

/** What anybody can read of a sealed file. Nothing vouches for any of it. */
export interface SealedNames {
  readonly names: readonly string[];
  readonly recipients: readonly string[];
  readonly entries: readonly SealedEntry[];
}

/** Names and recipients of a sealed file, for which it takes no private key. */
export function readSealedNames(path: string, text: string, format: SealedFormat): SealedNames {
  const file = readSealedFile(path, text, format);
  return {
    names: file.entries.map(({ name }) => name),
    recipients: wrappedKeys(file).map(({ recipient }) => recipient),
    entries: file.entries,
  };
}
