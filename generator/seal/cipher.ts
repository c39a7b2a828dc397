/** Values as SOPS encrypts them: AES-256-GCM with an IV of 32 bytes, bound to the place of the value. */
import { createCipheriv, createDecipheriv } from "node:crypto";

export const IV_LENGTH = 32;
export const KEY_LENGTH = 32;
const TAG_LENGTH = 16;

/** A value in its encrypted form, taken apart. */
export interface Ciphertext {
  readonly data: Buffer;
  readonly iv: Buffer;
  readonly tag: Buffer;
  /** What the value was: `str`, `int`, `float`, `bool`, `bytes`, `time` or `comment`. Nothing vouches for it. */
  readonly type: string;
}

const SEALED = /^ENC\[AES256_GCM,data:([^,]+),iv:([^,]+),tag:([^,]+),type:([a-z]+)\]$/;

export function looksSealed(text: string): boolean {
  return text.startsWith("ENC[AES256_GCM,");
}

/** Padded base64 with nothing beside it: Node by itself skips whatever it does not know. */
function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/**
 * The parts of `ENC[AES256_GCM,...]`, or `undefined` for any other text.
 *
 * A tag must have all of its 16 bytes: a shorter one would be accepted by the cipher, and forged by trying.
 */
export function parseCiphertext(text: string): Ciphertext | undefined {
  const [, data, iv, tag, type] = SEALED.exec(text) ?? [];
  if (data === undefined || iv === undefined || tag === undefined || type === undefined) return undefined;
  const bytes = { data: strictBase64(data), iv: strictBase64(iv), tag: strictBase64(tag) };
  if (bytes.data === undefined || bytes.iv === undefined || bytes.tag?.length !== TAG_LENGTH)
    return undefined;
  return { data: bytes.data, iv: bytes.iv, tag: bytes.tag, type };
}

/** `undefined` when the key, the place or any byte is not what it was when the value was sealed. */
export function decrypt(sealed: Ciphertext, key: Uint8Array, place: string): Buffer | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.iv, { authTagLength: TAG_LENGTH });
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(sealed.tag);
  const plain = decipher.update(sealed.data);
  try {
    decipher.final();
  } catch {
    // The one failure of `final` is a tag that does not fit, and Node gives it no code of its own.
    return undefined;
  }
  return plain;
}

/** Seals a text at its place. An IV must never be used for another text under the same key. */
export function encrypt(text: string, key: Uint8Array, place: string, iv: Uint8Array): string {
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_LENGTH });
  cipher.setAAD(Buffer.from(place));
  const data = cipher.update(text, "utf8", "base64") + cipher.final("base64");
  const tag = cipher.getAuthTag().toString("base64");
  return `ENC[AES256_GCM,data:${data},iv:${Buffer.from(iv).toString("base64")},tag:${tag},type:str]`;
}
