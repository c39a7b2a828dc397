/** Formats that nothing but a credential has. Repetitions are bounded: the text may be megabytes of anything. */
const KNOWN_SHAPES = new RegExp(
  [
    "-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
    "\\bhf_[A-Za-z0-9]{20,}",
    "\\bgh[opsru]_[A-Za-z0-9]{20,}",
    "\\bgithub_pat_[A-Za-z0-9_]{20,}",
    "\\bglpat-[A-Za-z0-9_-]{16,}",
    "\\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "\\bsk-[A-Za-z0-9_-]{20,}",
    "\\b(?:AKIA|ASIA)[0-9A-Z]{16}\\b",
    "\\bAIza[0-9A-Za-z_-]{30,}",
    "\\bAGE-SECRET-KEY-",
    "\\beyJ[A-Za-z0-9_-]{8,200}\\.[A-Za-z0-9_-]{8}",
    "://[^\\s/:@]{0,128}:[^\\s/@]{1,256}@",
  ].join("|"),
);

/** Length of the shortest token format; a URL with a password can be shorter. */
const SHORTEST = 15;

/** Public by nature, however random they look. */
const PUBLIC_SHAPE = /^(?:age1[a-z0-9]+|sha(?:256|384|512)[:-].+)$/;
const TOKEN = /^[A-Za-z0-9+/_=-]{24,}$/;
const HEX_TOKEN = /^[0-9a-f]{32,}$/i;

/** In bits per character. Random base64 of 24 characters has 4.3 on average, camel-case words about 3.9. */
const RANDOM_ENTROPY = 4.1;

function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

function isRandom(word: string): boolean {
  if (word.length < 24 || PUBLIC_SHAPE.test(word)) return false;
  if (HEX_TOKEN.test(word)) return /[0-9]/.test(word) && /[a-f]/i.test(word);
  if (!TOKEN.test(word)) return false;
  return /[a-z]/.test(word) && /[A-Z]/.test(word) && /[0-9]/.test(word) && entropy(word) >= RANDOM_ENTROPY;
}

/** True for a known token format, a private key, a URL with a password, or a long random word. */
export function looksSecret(text: string): boolean {
  if (text.length < SHORTEST && !text.includes("://")) return false;
  if (KNOWN_SHAPES.test(text)) return true;
  return text.length >= 24 && text.split(/[\s,;"'@]+/).some(isRandom);
}
