/** The words of YAML's core schema. */
const words: ReadonlyMap<string, boolean | null> = new Map([
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
  ...["null", "Null", "NULL", "~"].map((word) => [word, null] as const),
]);

const safeNumber = /^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?$/;

/** Everything that the core schema or YAML 1.1 reads as a number and `safeNumber` does not. */
const doubtfulNumber =
  /^[-+.]?[0-9][0-9_:]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?$|^[-+]?0[xob]|^[-+]?\.(?:[0-9]|inf|nan)/i;

const firstOfWords: ReadonlySet<number> = new Set([...words.keys()].map((word) => word.charCodeAt(0)));

/**
 * What an unquoted scalar means, or `undefined` when that is not certain.
 *
 * Certain is what every YAML parser agrees on; `012`, `0x1F`, `1_000`, `1:30`, `+1`, `1e3` and `.inf` are
 * left to the strict parser.
 */
export function resolvePlain(text: string): string | number | boolean | null | undefined {
  const first = text.charCodeAt(0);
  const numeric = first < 0x3a && first > 0x2a;
  if (!numeric) {
    const word = text.length <= 5 && firstOfWords.has(first) ? words.get(text) : undefined;
    return word === undefined ? text : word;
  }
  if (safeNumber.test(text)) return text === "-0" ? undefined : Number(text);
  return doubtfulNumber.test(text) ? undefined : text;
}
