import { plainText } from "#runtime/plain-text";
import type { Redactor } from "#runtime/redactor";
import type { Collected } from "./collector.ts";
import { hideSecrets, secretPattern } from "./secret-forms.ts";
import type { SecretPattern } from "./secret-forms.ts";

/** Of one command, after redaction. */
export const MAX_OUTPUT = 65_536;
/** What is left out at the end of output that was cut: half a secret there would be recognised by nobody. */
const TAIL = 8_192;
const DECODER = new TextDecoder("utf-8");

/** Makes output that may be shown of output that was read. */
export interface Cleaner {
  /** Learns a secret of a run. */
  learn(secret: string): void;
  /** Redacts first and cuts afterwards. */
  clean(output: Collected): string;
  /** Whether a secret was learned that is too short to be found in output. */
  knowsShort(): boolean;
}

export function createCleaner(redactor: Redactor): Cleaner {
  const patterns = new Map<string, SecretPattern>();
  let short = false;
  return {
    learn: (secret) => {
      if (patterns.has(secret)) return;
      redactor.learn(secret);
      const pattern = secretPattern(secret);
      if (pattern === undefined) short = true;
      else patterns.set(secret, pattern);
    },
    knowsShort: () => short,
    clean: ({ bytes, cut }) => {
      const seen = plainText(DECODER.decode(bytes).replaceAll("\r", ""));
      const hidden = redactor.text(hideSecrets(seen, [...patterns.values()])).value;
      return cut ? hidden.slice(0, Math.max(0, hidden.length - TAIL)) : hidden;
    },
  };
}

/** The lines without the blocks below the named labels: each block is what is indented deeper than its label. */
export function conceal(text: string, labels: readonly string[]): string {
  if (labels.length === 0) return text;
  const kept: string[] = [];
  let deeperThan = Number.POSITIVE_INFINITY;
  for (const line of text.split("\n")) {
    const indent = line.length - line.trimStart().length;
    const isBlank = line.trim() === "";
    if (!isBlank && indent > deeperThan) continue;
    // An empty line ends no block.
    if (!isBlank) deeperThan = Number.POSITIVE_INFINITY;
    const label = labels.find((each) => line.trimStart().startsWith(`${each}:`));
    if (label !== undefined) deeperThan = indent;
    kept.push(label === undefined ? line : `${line.slice(0, indent)}${label}: (left out)`);
  }
  return kept.join("\n");
}
