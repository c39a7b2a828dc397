/** Values as SOPS encrypts them: AES-256-GCM with an IV of 32 bytes, bound to the place of the value. */
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";

export const IV_LENGTH = 32;
export const KEY_LENGTH = 32;
const OPTIONS = { authTagLength: 16 };

/** A value in its encrypted form, taken apart. */
export interface Ciphertext {
  readonly data: Buffer;
  readonly iv: Buffer;
  readonly tag: Buffer;
  /** What the value was: `str`, `int`, `float`, `bool`, `bytes`, `time` or `comment`. Nothing vouches for it. */
  readonly type: string;
}

const OPENING = "ENC[AES256_GCM,data:";
const TYPES = new Set(["str", "int", "float", "bool", "bytes", "time", "comment"]);
/** Last characters of base64 that leave no bits over, by the signs of padding behind them. */
const LAST = ["", "AEIMQUYcgkosw048", "AQgw"];

export function looksSealed(text: string): boolean {
  return text.startsWith("ENC[AES256_GCM,");
}

/** Of the second alphabet of base64, which Node takes for the first. */
const isOther = (text: string): boolean => text.includes("-") || text.includes("_", OPENING.length);

/** The bytes, when the text is the one way to write them. Node skips what it does not know: bytes are missing then. */
function strictBase64(text: string): Buffer | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.length !== (text.length / 4) * 3 - padding) return undefined;
  const last = text.charAt(text.length - 1 - padding);
  return padding === 0 || LAST[padding]?.includes(last) === true ? bytes : undefined;
}

/**
 * The parts of `ENC[AES256_GCM,...]`, or `undefined` for any other text.
 *
 * A tag must have all of its 16 bytes: a shorter one would be accepted by the cipher, and forged by trying.
 */
export function parseCiphertext(text: string): Ciphertext | undefined {
  const ivAt = text.indexOf(",iv:", OPENING.length);
  const tagAt = text.indexOf(",tag:", ivAt);
  const typeAt = text.indexOf(",type:", tagAt);
  if (ivAt === -1 || tagAt === -1 || typeAt === -1) return undefined;
  if (!text.startsWith(OPENING) || !text.endsWith("]") || isOther(text)) return undefined;
  const data = strictBase64(text.slice(OPENING.length, ivAt));
  const iv = strictBase64(text.slice(ivAt + ",iv:".length, tagAt));
  const tag = strictBase64(text.slice(tagAt + ",tag:".length, typeAt));
  const type = text.slice(typeAt + ",type:".length, -1);
  if (data === undefined || iv === undefined || tag === undefined || !TYPES.has(type)) return undefined;
  return tag.length === OPTIONS.authTagLength ? { data, iv, tag, type } : undefined;
}

/** A data key, prepared for many values. */
export function cipherKey(key: Uint8Array): KeyObject {
  return createSecretKey(key);
}

/** `undefined` when the key, the place or any byte is not what it was when the value was sealed. */
export function decrypt(sealed: Ciphertext, key: KeyObject, place: string): Buffer | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.iv, OPTIONS);
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

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("base64");

/** Seals a text at its place. An IV must never be used for another text under the same key. */
export function encrypt(text: string, key: KeyObject, place: string, iv: Uint8Array): string {
  const cipher = createCipheriv("aes-256-gcm", key, iv, OPTIONS);
  cipher.setAAD(Buffer.from(place));
  const data = cipher.update(text, "utf8").toString("base64");
  // In this mode nothing is left for the end but the tag.
  cipher.final();
  const tag = cipher.getAuthTag().toString("base64");
  return `ENC[AES256_GCM,data:${data},iv:${base64(iv)},tag:${tag},type:str]`;
}
