/** Keys of age, public and private, as people pass them around. */
import { decodeBech32 } from "./bech32.ts";

/** `hybrid` is the post-quantum kind: X25519 together with ML-KEM-768. */
export type KeyKind = "x25519" | "hybrid";

export interface Key {
  readonly kind: KeyKind;
  readonly bytes: Buffer;
}

interface Form {
  readonly kind: KeyKind;
  readonly prefix: string;
  /** Of the key itself. */
  readonly bytes: number;
  /** Of its text, so that nothing long is decoded in vain. */
  readonly characters: number;
}

const PUBLIC: readonly Form[] = [
  { kind: "hybrid", prefix: "age1pq", bytes: 1216, characters: 1959 },
  { kind: "x25519", prefix: "age", bytes: 32, characters: 62 },
];

const PRIVATE: readonly Form[] = [
  { kind: "hybrid", prefix: "age-secret-key-pq-", bytes: 32, characters: 77 },
  { kind: "x25519", prefix: "age-secret-key-", bytes: 32, characters: 74 },
];

function parse(forms: readonly Form[], text: string): Key | undefined {
  for (const { kind, prefix, bytes, characters } of forms) {
    const decoded = text.length === characters ? decodeBech32(prefix, text) : undefined;
    if (decoded?.length === bytes) return { kind, bytes: decoded };
  }
  return undefined;
}

/** A public key: `age1...` or `age1pq1...`. */
export function parseRecipient(text: string): Key | undefined {
  return parse(PUBLIC, text);
}

/** A private key: `AGE-SECRET-KEY-1...` or `AGE-SECRET-KEY-PQ-1...`, in upper case as age prints it. */
export function parseIdentity(text: string): Key | undefined {
  return text === text.toUpperCase() ? parse(PRIVATE, text.toLowerCase()) : undefined;
}
