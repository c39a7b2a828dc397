/** The public keys that a file is sealed to. */
import { SealError } from "./seal-error.ts";

/** More than anybody needs; a file with more was made to keep its reader busy. */
export const MOST_RECIPIENTS = 100;

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** The kinds of age key: prefix and length of the whole text, checksum included. */
const KINDS = [
  { prefix: "age1pq", length: 1959 },
  { prefix: "age", length: 62 },
];

function checksumOf(values: Iterable<number>): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, generator] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= generator;
  }
  return sum >>> 0;
}

function* valuesOf(prefix: string, data: string): Generator<number> {
  for (const character of prefix) yield character.charCodeAt(0) >>> 5;
  yield 0;
  for (const character of prefix) yield character.charCodeAt(0) & 31;
  for (const character of data) yield ALPHABET.indexOf(character);
}

/** Whether the text is a public key of age, X25519 or post-quantum, without a typing error. */
export function isRecipient(text: string): boolean {
  const kind = KINDS.find(({ prefix }) => text.startsWith(`${prefix}1`));
  if (kind === undefined || text.length !== kind.length) return false;
  const data = text.slice(kind.prefix.length + 1);
  if (![...data].every((character) => ALPHABET.includes(character))) return false;
  return checksumOf(valuesOf(kind.prefix, data)) === 1;
}

/**
 * The recipients in the order in which they are written: sorted, each once.
 *
 * Fails on none at all, on more than {@link MOST_RECIPIENTS}, and on one that no age would accept.
 */
export function checkedRecipients(path: string, recipients: readonly string[]): readonly string[] {
  const wanted = [...new Set(recipients)].sort();
  if (wanted.length === 0)
    throw new SealError(path, "no-recipients", "there is no recipient to seal to: add an age1... key");
  if (wanted.length > MOST_RECIPIENTS) {
    const problem = `${wanted.length} recipients are too many: at most ${MOST_RECIPIENTS}`;
    throw new SealError(path, "too-many-recipients", problem);
  }
  const wrong = wanted.find((recipient) => !isRecipient(recipient));
  // Somebody may have put the private key here, so not even its beginning is shown.
  if (wrong !== undefined) {
    const at = recipients.indexOf(wrong) + 1;
    const problem = `recipient ${at} is no public key of age: it begins with age1 or age1pq1 and is copied whole`;
    throw new SealError(path, "bad-recipient", problem);
  }
  return wanted;
}
