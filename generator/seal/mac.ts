/** The message authentication code of a SOPS file: what holds the values of a file together. */
import { createHash } from "node:crypto";

/** SHA-256 of `sops`: makes the code over encrypted values alone differ from the one over all values. */
const ENCRYPTED_ONLY = Buffer.from("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69", "hex");

/**
 * SHA-512 over the values in the order of the file, without keys or separators, in upper-case hex.
 *
 * What stands between two values is not part of it; each encrypted value is bound to its place by itself.
 */
export function macOf(values: readonly string[], encryptedOnly: boolean): string {
  const hash = createHash("sha512");
  if (encryptedOnly) hash.update(ENCRYPTED_ONLY);
  return hash.update(values.join("")).digest("hex").toUpperCase();
}
