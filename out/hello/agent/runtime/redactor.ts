import { describesSecret } from "#runtime/json/described-secret";
import { MAX_DEPTH, mapStrings } from "#runtime/json/map-strings";
import { plainText } from "#runtime/plain-text";

const MARK = "[redacted]";
/** Shorter values would match by chance and turn results into rubble. */
const SHORTEST = 6;

/** Replaces credentials in whatever leaves the process, and counts what it replaced. */
export interface Redactor {
  /** Adds a credential of this server; its encoded forms are found as well. */
  learn(secret: string): void;
  text(text: string): Redacted<string>;
  /** Of a JSON-like value: strings, keys, and members whose key names a secret. */
  value(value: unknown): Redacted<unknown>;
}
export interface Redacted<T> {
  readonly value: T;
  readonly count: number;
  /** The JSON of a value in which nothing was replaced, if it was made on the way; ASCII only. */
  readonly json?: string;
}

interface Shape {
  readonly pattern: RegExp;
  /** Written after what the first group keeps. */
  readonly mark: string;
}

// A variable such as {password} only says where a secret would go.
// Every quantifier is bounded or ends where the next match may start, so that hostile text costs linear time.
const SHAPES: readonly Shape[] = [
  {
    pattern:
      /()-----BEGIN [A-Z0-9 ]{1,40}-----(?:[\s\S]{0,20000}?-----END [A-Z0-9 ]{1,40}-----|[\s\S]{0,20000})/g,
    mark: MARK,
  },
  { pattern: /()(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{8,8192}\.[\w-]{0,8192}/g, mark: MARK },
  { pattern: /()\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA)[0-9A-Z]{16}\b/g, mark: MARK },
  { pattern: /(:\/\/)[^\s/?#@"'<>]{1,1280}@/g, mark: `${MARK}@` },
  {
    pattern:
      /(\bauthorization\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?(?:Bearer|Basic|Token|Digest)\s{1,3})[^\s"',;\\]{1,8192}/gi,
    mark: MARK,
  },
  {
    pattern:
      /((?:password|passwd|secret|token|api[_-]?key|authorization|private[_-]?key)\\?["']?\s{0,3}[:=]\s{0,3})(?!\[redacted\]|\*\*\*|\{[a-z_]{1,64}\}|\\?["']?(?:Bearer|Basic|Token|Digest)\s)(?:\\?"[^"\\]{1,4096}\\?"?|'[^']{1,4096}'?|[^\s"',;&}\]]{1,4096})/gi,
    mark: MARK,
  },
];

/** Some part of every shape, so that most texts are looked at once and not once for each. */
const HINT =
  /-----BEGIN |eyJ|AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|:\/\/|authorization|passw|secret|token|api[_-]?key|private[_-]?key/i;

/** JSON of printable ASCII without an escape: a text in it is what it looks like. */
const PLAIN = /^[ -[\]-~]*$/;

const SECRET_WORDS = /^(?:password|passwd|secret|token|authorization|apikey|privatekey)s?$/;
/** `secretName` and `token_count` say something about a secret; they do not hold it. */
const ABOUT_A_SECRET = new Set(["count", "name", "names", "type", "length", "size", "ttl", "version", "age"]);

function wordsOf(key: string): readonly string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

function namesSecret(key: string): boolean {
  const words = wordsOf(key.slice(0, 256));
  if (ABOUT_A_SECRET.has(words.at(-1) ?? "")) return false;
  return words.some((word, at) => SECRET_WORDS.test(word) || SECRET_WORDS.test(word + (words[at + 1] ?? "")));
}

/** Base64 of a secret that stands anywhere inside a longer encoded text: the three possible alignments. */
function base64Forms(secret: string, encoding: "base64" | "base64url"): readonly string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(encoding)
      .replaceAll("=", "");
    const tail = (shift + bytes.length) % 3 === 0 ? 0 : 1;
    return encoded.slice(shift === 0 ? 0 : shift + 1, encoded.length - tail);
  });
}

function formsOf(secret: string): readonly string[] {
  const percent = encodeURIComponent(secret.toWellFormed());
  const hex = Buffer.from(secret).toString("hex");
  return [
    secret,
    plainText(secret),
    ...base64Forms(secret, "base64"),
    ...base64Forms(secret, "base64url"),
    percent,
    percent.replaceAll("%20", "+"),
    percent.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    hex,
    hex.toUpperCase(),
    JSON.stringify(secret).slice(1, -1),
  ].filter((form) => form.length >= SHORTEST);
}

/** Whether a value is nothing but JSON and none of its keys names a secret. */
function isHarmless(value: unknown, names: (key: string) => boolean, depth = 0): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object") return typeof value === "string" || typeof value === "boolean";
  if (value === null) return true;
  if (depth === MAX_DEPTH || "toJSON" in value) return false;
  if (Array.isArray(value)) return value.every((item) => isHarmless(item, names, depth + 1));
  for (const key of Object.keys(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (names(key) || !isHarmless(member, names, depth + 1)) return false;
  }
  return true;
}

/** Strings and numbers under a key that names a secret; a plural with a number is a count. */
function hideSecret(key: string, held: unknown, onMatch: () => void): unknown {
  const hide = (text: string): string => {
    // Three stars are how this project shows a secret that it never had in hand.
    if (text === "" || text === "***") return text;
    onMatch();
    return MARK;
  };
  if (typeof held === "number" && !key.endsWith("s")) return hide(String(held));
  return mapStrings(held, { text: hide, key: (name) => name });
}

export function createRedactor(): Redactor {
  const forms = new Set<string>();
  let longestFirst: readonly string[] = [];

  const replaceForms = (text: string, onMatch: () => void): string => {
    let result = text;
    for (const form of longestFirst) {
      if (!result.includes(form)) continue;
      const parts = result.split(form);
      parts.slice(1).forEach(onMatch);
      result = parts.join(MARK);
    }
    return result;
  };
  const redact = (text: string, onMatch: () => void): string => {
    let result = replaceForms(plainText(text), onMatch);
    if (!HINT.test(result)) return result;
    for (const { pattern, mark } of SHAPES) {
      result = result.replace(pattern, (_, kept: string) => {
        onMatch();
        return kept + mark;
      });
    }
    return result;
  };
  /** Most results have nothing to hide: one look at their whole text is enough for them. */
  const cleanJson = (value: unknown, names: (key: string) => boolean): string | undefined => {
    if (!isHarmless(value, names)) return undefined;
    const json = JSON.stringify(value);
    const isClean = PLAIN.test(json) && !HINT.test(json) && !longestFirst.some((form) => json.includes(form));
    return isClean ? json : undefined;
  };
  const counting = <T>(work: (onMatch: () => void) => T): Redacted<T> => {
    let count = 0;
    const value = work(() => (count += 1));
    return { value, count };
  };

  return {
    learn: (secret) => {
      formsOf(secret).forEach((form) => forms.add(form));
      longestFirst = [...forms].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
    },
    text: (text) => counting((onMatch) => redact(text, onMatch)),
    value: (value) => {
      // Rows repeat their keys.
      const naming = new Map<string, boolean>();
      const names = (key: string): boolean => {
        const known = naming.get(key) ?? namesSecret(key);
        naming.set(key, known);
        return known;
      };
      const json = cleanJson(value, names);
      if (json !== undefined) return { value, count: 0, json };
      return counting((onMatch) =>
        mapStrings(value, {
          text: (text) => redact(text, onMatch),
          key: (key) => replaceForms(plainText(key), onMatch),
          member: (key, held) =>
            names(key) && !describesSecret(held) ? hideSecret(key, held, onMatch) : undefined,
        }),
      );
    },
  };
}
