/** A data key wrapped for an X25519 key of age, and opened with one. */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { deriveKey, openBytes, openPayload, sealBytes, toUnpadded, writeAgeFile } from "./age-file.ts";
import type { AgeFile, Stanza } from "./age-file.ts";

const LABEL = "age-encryption.org/v1/X25519";
const POINT_LENGTH = 32;
const FILE_KEY_LENGTH = 16;
const NONCE_LENGTH = 16;
/** The key of a stanza is used once, so its nonce may be zero. */
const ONCE = Buffer.alloc(12);

const CURVE = { kty: "OKP", crv: "X25519" };

/** As JWK, which is read several times faster than DER. */
function publicKey(point: Buffer): KeyObject {
  return createPublicKey({ key: { ...CURVE, x: point.toString("base64url") }, format: "jwk" });
}

/** What a raw private key is preceded by in DER: the lengths, and that it is one of X25519. */
const PRIVATE_HEADER = Buffer.from("302e020100300506032b656e04220420", "hex");

/**
 * JWK has a place for the public half, which is not at hand. Node works it out by itself and reads nothing
 * there; a Node that did would refuse the empty text, and then DER, which takes longer, needs no public half.
 */
function privateKey(bytes: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: { ...CURVE, x: "", d: bytes.toString("base64url") }, format: "jwk" });
  } catch {
    const key = Buffer.concat([PRIVATE_HEADER, bytes]);
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  }
}

/** The point of a key: its public half as bytes. */
function pointOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}

/** `undefined` for a point that would give everybody the same secret. */
function sharedSecret(own: KeyObject, other: Buffer): Buffer | undefined {
  try {
    return diffieHellman({ privateKey: own, publicKey: publicKey(other) });
  } catch {
    return undefined;
  }
}

/** A private key, ready to be tried on many files. */
export interface X25519Identity {
  readonly key: KeyObject;
  readonly point: Buffer;
}

export function x25519Identity(bytes: Buffer): X25519Identity {
  const key = privateKey(bytes);
  return { key, point: pointOf(key) };
}

function fileKeyOf({ args, body }: Stanza, { key, point }: X25519Identity): Buffer | undefined {
  const [kind, share = ""] = args;
  const ephemeral = Buffer.from(share, "base64");
  if (kind !== "X25519" || args.length !== 2 || ephemeral.length !== POINT_LENGTH) return undefined;
  const secret = toUnpadded(ephemeral) === share ? sharedSecret(key, ephemeral) : undefined;
  if (secret === undefined) return undefined;
  const fileKey = openBytes(deriveKey(secret, Buffer.concat([ephemeral, point]), LABEL), ONCE, body);
  return fileKey?.length === FILE_KEY_LENGTH ? fileKey : undefined;
}

/** What the file holds; `undefined` when it is for another key, or was changed. */
export function openWithX25519(file: AgeFile, identity: X25519Identity): Buffer | undefined {
  for (const stanza of file.stanzas) {
    const fileKey = fileKeyOf(stanza, identity);
    if (fileKey !== undefined) return openPayload(file, fileKey);
  }
  return undefined;
}

/** The content for the owner of one public key, as an armored age file. */
export function wrapForX25519(content: Uint8Array, recipient: Buffer): string {
  const fileKey = randomBytes(FILE_KEY_LENGTH);
  const own = generateKeyPairSync("x25519");
  const point = pointOf(own.publicKey);
  const secret = sharedSecret(own.privateKey, recipient);
  if (secret === undefined) throw new Error("this recipient is no point of the curve");
  const key = deriveKey(secret, Buffer.concat([point, recipient]), LABEL);
  const stanza = { args: ["X25519", toUnpadded(point)], body: sealBytes(key, ONCE, fileKey) };
  return writeAgeFile(stanza, fileKey, randomBytes(NONCE_LENGTH), content);
}
