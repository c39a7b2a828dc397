/**
 * The age file format, version 1, for what SOPS puts into it: a data key of a few bytes for one recipient.
 *
 * It stands here on Node's own cryptography because the library for age takes longer to load and to warm up
 * than everything else that a run does; the library opens and makes what is post-quantum, and checks this in
 * the tests, as the age program does in the live suite.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

/** One wrapped copy of the file key, and for which kind of key it is. */
export interface Stanza {
  readonly args: readonly string[];
  readonly body: Buffer;
}

export interface AgeFile {
  readonly stanzas: readonly Stanza[];
  /** The header up to its own code, which covers these bytes. */
  readonly header: string;
  readonly mac: Buffer;
  readonly payload: Buffer;
}

const BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";
const END = "-----END AGE ENCRYPTED FILE-----";
const VERSION_LINE = "age-encryption.org/v1";
const COLUMNS = 64;
const CHUNK = 64 * 1024;
const NONCE_LENGTH = 16;
const TAG_LENGTH = 16;
const MAC_LENGTH = 32;

/** Base64 without padding, as age's headers have it, and nothing beside it. */
function unpadded(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return toUnpadded(bytes) === text ? bytes : undefined;
}

export function toUnpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}

export function deriveKey(secret: Uint8Array, salt: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, purpose, 32));
}

/** ChaCha20-Poly1305, ciphertext and tag together. */
export function sealBytes(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): Buffer {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** `undefined` when the key is another one, or the bytes were changed. */
export function openBytes(key: Uint8Array, nonce: Uint8Array, bytes: Buffer): Buffer | undefined {
  if (bytes.length < TAG_LENGTH) return undefined;
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(bytes.subarray(-TAG_LENGTH));
  const plain = decipher.update(bytes.subarray(0, -TAG_LENGTH));
  try {
    decipher.final();
  } catch {
    // A tag that does not fit is the one failure of `final`, and Node gives it no code of its own.
    return undefined;
  }
  return plain;
}

function unarmored(armored: string): Buffer | undefined {
  const lines = armored.trim().split("\n");
  if (lines.shift() !== BEGIN || lines.pop() !== END) return undefined;
  const text = lines.join("");
  const bytes = Buffer.from(text, "base64");
  const isWrapped = lines.every((line, at) => line.length === COLUMNS || at === lines.length - 1);
  return isWrapped && bytes.toString("base64") === text ? bytes : undefined;
}

function armored(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `${[BEGIN, ...lines, END].join("\n")}\n`;
}

/** A stanza's body ends with the first line that is not full, which may be empty. */
function readStanza(lines: string[]): Stanza | undefined {
  const args = lines.shift()?.split(" ").slice(1) ?? [];
  let text = "";
  for (let isFull = true; isFull;) {
    const line = lines.shift();
    if (line === undefined || line.length > COLUMNS) return undefined;
    text += line;
    isFull = line.length === COLUMNS;
  }
  const body = unpadded(text);
  return body === undefined || args.length === 0 ? undefined : { args, body };
}

/** An armored age file taken apart; `undefined` when it is none. Nothing has been verified yet. */
export function readAgeFile(text: string): AgeFile | undefined {
  const bytes = unarmored(text);
  const marker = bytes?.indexOf("\n--- ") ?? -1;
  const end = bytes?.indexOf("\n", marker + 1) ?? -1;
  if (bytes === undefined || marker === -1 || end === -1) return undefined;
  const header = bytes.toString("latin1", 0, marker + 4);
  const mac = unpadded(bytes.toString("latin1", marker + 5, end));
  const lines = header.slice(0, marker).split("\n");
  if (lines.shift() !== VERSION_LINE || mac?.length !== MAC_LENGTH) return undefined;
  const stanzas: Stanza[] = [];
  while (lines.length > 0) {
    const stanza = lines[0]?.startsWith("-> ") === true ? readStanza(lines) : undefined;
    if (stanza === undefined) return undefined;
    stanzas.push(stanza);
  }
  return { stanzas, header, mac, payload: bytes.subarray(end + 1) };
}

function headerCode(fileKey: Uint8Array, header: string): Buffer {
  const key = deriveKey(fileKey, Buffer.alloc(0), "header");
  return createHmac("sha256", key).update(header, "latin1").digest();
}

/** The nonce of the first chunk when it is the last as well: all that a data key needs. */
function onlyChunk(): Buffer {
  const nonce = Buffer.alloc(12);
  nonce[11] = 1;
  return nonce;
}

/** What the file holds, given its key; `undefined` when header or content are not what was made with it. */
export function openPayload({ header, mac, payload }: AgeFile, fileKey: Uint8Array): Buffer | undefined {
  if (!timingSafeEqual(headerCode(fileKey, header), mac)) return undefined;
  if (payload.length > NONCE_LENGTH + CHUNK + TAG_LENGTH) return undefined;
  const key = deriveKey(fileKey, payload.subarray(0, NONCE_LENGTH), "payload");
  return openBytes(key, onlyChunk(), payload.subarray(NONCE_LENGTH));
}

/** An armored age file. The nonce is random, and the file key is used for no other file. */
export function writeAgeFile(
  stanza: Stanza,
  fileKey: Uint8Array,
  nonce: Uint8Array,
  content: Uint8Array,
): string {
  const body = toUnpadded(stanza.body);
  const header = `${VERSION_LINE}\n-> ${stanza.args.join(" ")}\n${body}\n---`;
  const mac = toUnpadded(headerCode(fileKey, header));
  const payload = sealBytes(deriveKey(fileKey, nonce, "payload"), onlyChunk(), content);
  return armored(Buffer.concat([Buffer.from(`${header} ${mac}\n`, "latin1"), nonce, payload]));
}
