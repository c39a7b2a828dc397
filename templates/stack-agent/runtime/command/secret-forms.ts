import { plainText } from "#runtime/plain-text";

/** Shorter values would match by chance and turn output into rubble. */
export const SHORTEST = 6;
const MARK = "[redacted]";

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const reversed = (text: string): string => [...text].toReversed().join("");

function rotated(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
  });
}

function htmlEscaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

/** Base64 of bytes that stand anywhere inside a longer encoded text: the three possible alignments. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replaceAll("=", "");
    const tail = (shift + bytes.length) % 3 === 0 ? 0 : 1;
    const inner = encoded.slice(shift === 0 ? 0 : shift + 1, encoded.length - tail);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/** The texts that stand for a secret, however it was encoded once. */
function textForms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const wide = Buffer.from(secret, "utf16le");
  const percent = encodeURIComponent(secret.toWellFormed());
  return [
    secret,
    plainText(secret),
    reversed(secret),
    rotated(secret),
    htmlEscaped(secret),
    JSON.stringify(secret).slice(1, -1),
    percent,
    percent.replaceAll("%20", "+"),
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    bytes.toString("hex"),
    wide.toString("hex"),
    ...base64Forms(bytes),
    ...base64Forms(wide),
    ...base64Forms(Buffer.from(reversed(secret))),
  ];
}

/** The same with something between the characters, or as numbers. */
function spacedForms(secret: string): readonly string[] {
  const bytes = [...Buffer.from(secret)];
  const numbers = (base: number, digits: number): readonly string[] =>
    bytes.map((byte) => byte.toString(base).padStart(digits, "0"));
  const between = "[\\s.,;:|_\\\\'\"-]{1,3}";
  return [
    [...secret].map(escaped).join(between),
    numbers(10, 1).join("[\\s,;]{1,2}"),
    numbers(8, 3).join("[\\s,;\\\\]{1,2}"),
    numbers(16, 2).join("[\\s,;:]{1,2}"),
    numbers(16, 2).join("\\\\x"),
  ];
}

/** How a secret is found: a fast look whether it may be there at all, and the slow one that takes it out. */
export interface SecretPattern {
  /** In small letters; one of them is in every text that holds the secret in a row. */
  readonly probes: readonly string[];
  /** The same for a text without what may stand between characters. */
  readonly compactProbes: readonly string[];
  readonly pattern: RegExp;
}

const BETWEEN = /[\s.,;:|_\\'"-]+/g;
const compact = (text: string): string => text.toLowerCase().replace(BETWEEN, "");

/** Every form that a program could print a secret in; upper and lower case are one. */
export function secretPattern(secret: string): SecretPattern | undefined {
  if (secret.length < SHORTEST) return undefined;
  const bytes = [...Buffer.from(secret)];
  const texts = [...new Set(textForms(secret))].filter((form) => form.length >= SHORTEST);
  const numbers = [10, 8, 16].map((base) => bytes.map((byte) => byte.toString(base)).join(""));
  const octal = bytes.map((byte) => byte.toString(8).padStart(3, "0")).join("");
  const hexEscapes = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("x");
  const patterns = [...texts.sort((a, b) => b.length - a.length).map(escaped), ...spacedForms(secret)];
  return {
    probes: texts.map((form) => form.toLowerCase()),
    compactProbes: [secret, ...numbers, octal, hexEscapes, Buffer.from(secret).toString("hex")].map(compact),
    pattern: new RegExp(patterns.join("|"), "giu"),
  };
}

/** The text with every secret taken out. The patterns are costly, so that only those which may match are run. */
export function hideSecrets(text: string, secrets: readonly SecretPattern[]): string {
  const lower = text.toLowerCase();
  const bare = compact(text);
  const found = secrets.filter(
    ({ probes, compactProbes }) =>
      probes.some((probe) => lower.includes(probe)) || compactProbes.some((probe) => bare.includes(probe)),
  );
  return found.reduce((shown, { pattern }) => shown.replace(pattern, MARK), text);
}
