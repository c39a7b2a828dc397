/** The data key of a file, wrapped for each recipient as an age file of its own. */
import type * as Age from "age-encryption";
import { readAgeFile } from "./age-file.ts";
import { parseIdentity, parseRecipient } from "./age-keys.ts";
import { openWithX25519, wrapForX25519, x25519Identity } from "./age-x25519.ts";
import { KEY_LENGTH } from "./cipher.ts";
import { SealError } from "./seal-error.ts";

/** What it takes to read a file: the data key for one recipient, as armored age. */
export interface WrappedKey {
  readonly recipient: string;
  readonly enc: string;
}

/** Tries to open one copy of the data key; `undefined` when it is for somebody else, or damaged. */
type Opener = (enc: string) => Promise<Uint8Array | undefined>;

/** The library is loaded by runs that meet a post-quantum key, and by no others. */
const loadAge = async (): Promise<typeof Age> => await import("age-encryption");

function openerForX25519(bytes: Buffer): Opener {
  const identity = x25519Identity(bytes);
  return async (enc) => {
    const file = readAgeFile(enc);
    return await Promise.resolve(file === undefined ? undefined : openWithX25519(file, identity));
  };
}

function openerForHybrid(identity: string): Opener {
  return async (enc) => {
    const { armor, Decrypter } = await loadAge();
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    try {
      return await decrypter.decrypt(armor.decode(enc));
    } catch {
      // The library tells in no other way that the file is for somebody else.
      return undefined;
    }
  };
}

/** Those that need no library come first, so that most runs do without it. */
function openersFor(path: string, identities: readonly string[]): readonly Opener[] {
  const keys = identities.map((identity, index) => {
    const key = parseIdentity(identity);
    if (key !== undefined) return { ...key, identity };
    const problem = `private key ${index + 1} is none of age: AGE-SECRET-KEY-1... or AGE-SECRET-KEY-PQ-1..., whole`;
    throw new SealError(path, "bad-identity", problem);
  });
  return [
    ...keys.filter(({ kind }) => kind === "x25519").map(({ bytes }) => openerForX25519(bytes)),
    ...keys.filter(({ kind }) => kind === "hybrid").map(({ identity }) => openerForHybrid(identity)),
  ];
}

/**
 * The data key, from the first copy that any of the private keys opens. Which copy is for whom is tried, not
 * read: nothing vouches for what the file says about that.
 *
 * Fails with `no-identity` when none opens: the file is then left as it is.
 */
export async function unwrapDataKey(
  path: string,
  wrapped: readonly WrappedKey[],
  identities: readonly string[],
  length = KEY_LENGTH,
): Promise<Uint8Array> {
  for (const open of openersFor(path, identities)) {
    for (const { enc } of wrapped) {
      const key = await open(enc);
      if (key?.length === length) return key;
    }
  }
  const problem =
    identities.length === 0
      ? "it takes a private key to open it, and none was given"
      : "none of the private keys given opens it";
  throw new SealError(path, "no-identity", problem);
}

/** The data key as armored age for one recipient. */
export async function wrapDataKey(dataKey: Uint8Array, recipient: string): Promise<string> {
  const key = parseRecipient(recipient);
  if (key === undefined) throw new Error("this recipient is no public key of age");
  if (key.kind === "x25519") return wrapForX25519(dataKey, key.bytes);
  const { armor, Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(dataKey));
}
