/** Letters and digits survive every reader of env files; 60 of them divide 240, so that none is likelier. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwyz0123456789";
const FAIR = 256 - (256 % ALPHABET.length);

/** A value of `length` letters and digits; each carries 5.9 bits. */
export function generatedValue(length: number, randomBytes: (count: number) => Uint8Array): string {
  let value = "";
  while (value.length < length) {
    for (const byte of randomBytes(length))
      if (byte < FAIR && value.length < length) value += ALPHABET[byte % ALPHABET.length];
  }
  return value;
}
