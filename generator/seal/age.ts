/** The data key of a file, wrapped for each recipient as an age file of its own. */
import type * as Age from "age-encryption";
import { KEY_LENGTH } from "./cipher.ts";
import { SealError } from "./seal-error.ts";

/** What it takes to read a file: the data key for one recipient, as armored age. */
export interface WrappedKey {
  readonly recipient: string;
  readonly enc: string;
}

const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]{58}$/;

/** The age library is loaded by runs that seal or open something, and by no others. */
const loadAge = async (): Promise<typeof Age> => await import("age-encryption");

async function decrypterFor(path: string, identities: readonly string[]): Promise<Age.Decrypter> {
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  for (const [index, identity] of identities.entries()) {
    const problem = `private key ${index + 1} is not one of age: AGE-SECRET-KEY-1... or AGE-SECRET-KEY-PQ-1...`;
    if (!IDENTITY.test(identity)) throw new SealError(path, "bad-identity", problem);
    try {
      decrypter.addIdentity(identity);
    } catch {
      // The library's own error may quote the key.
      throw new SealError(path, "bad-identity", problem);
    }
  }
  return decrypter;
}

async function unwrapOne(decrypter: Age.Decrypter, { enc }: WrappedKey): Promise<Uint8Array | undefined> {
  const { armor } = await loadAge();
  try {
    return await decrypter.decrypt(armor.decode(enc));
  } catch {
    // Wrapped for somebody else, or damaged: another recipient's copy may still open.
    return undefined;
  }
}

/**
 * The data key, from the first copy that any of the private keys opens.
 *
 * Fails with `no-identity` when none does: the file is then left as it is.
 */
export async function unwrapDataKey(
  path: string,
  wrapped: readonly WrappedKey[],
  identities: readonly string[],
): Promise<Uint8Array> {
  const decrypter = await decrypterFor(path, identities);
  for (const each of wrapped) {
    const key = await unwrapOne(decrypter, each);
    if (key === undefined) continue;
    if (key.length === KEY_LENGTH) return key;
    throw new SealError(path, "bad-data-key", `its data key has ${key.length} bytes, not ${KEY_LENGTH}`);
  }
  const problem =
    identities.length === 0
      ? "it takes a private key to open it, and none was given"
      : "none of the private keys given opens it";
  throw new SealError(path, "no-identity", problem);
}

/** The data key as armored age for one recipient. */
export async function wrapDataKey(dataKey: Uint8Array, recipient: string): Promise<string> {
  const { Encrypter, armor } = await loadAge();
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(dataKey));
}
