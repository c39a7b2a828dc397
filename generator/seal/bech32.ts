/** The text form of age's keys: bytes with a prefix and a checksum, so that a typing error is noticed. */

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_LENGTH = 6;

/** What each value of the five bits that are shifted out adds to the checksum. */
const CARRIES = Array.from({ length: 32 }, (_, top) =>
  GENERATOR.reduce((sum, generator, bit) => ((top >>> bit) & 1 ? sum ^ generator : sum), 0),
);

function checksumOf(values: readonly number[], start: number): number {
  return values.reduce((sum, value) => ((sum & 0x1ffffff) << 5) ^ value ^ (CARRIES[sum >>> 25] ?? 0), start);
}

function spread(prefix: string): readonly number[] {
  const codes = Array.from(prefix, (character) => character.charCodeAt(0));
  return [...codes.map((code) => code >>> 5), 0, ...codes.map((code) => code & 31)];
}

/** Groups of five bits as bytes; `undefined` when bits are left over that are not zero. */
function toBytes(values: readonly number[]): Buffer | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const value of values) {
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >>> bits) & 0xff);
  }
  return bits < 5 && (held & ((1 << bits) - 1)) === 0 ? Buffer.from(bytes) : undefined;
}

/** The bytes of a key with this prefix, in lower case; `undefined` when it is none. */
export function decodeBech32(prefix: string, text: string): Buffer | undefined {
  if (!text.startsWith(`${prefix}1`)) return undefined;
  const values = Array.from(text.slice(prefix.length + 1), (character) => ALPHABET.indexOf(character));
  if (values.includes(-1) || checksumOf(values, checksumOf(spread(prefix), 1)) !== 1) return undefined;
  return toBytes(values.slice(0, -CHECKSUM_LENGTH));
}
