/** What may be sealed: names that every reader takes, values that every reader takes for the same. */
import { SealError } from "./seal-error.ts";
import { isEntryName } from "./sealed-file.ts";
import type { SealedFormat } from "./sealed-file.ts";

export interface SealEntry {
  readonly name: string;
  /** `undefined` when no source has a value: what the file holds is kept, else no entry is written. */
  readonly value: string | undefined;
}

/** An entry that will stand in the file. */
export interface WantedEntry {
  readonly name: string;
  readonly value: string;
}

/**
 * Characters that SOPS, kustomize, godotenv, npm's dotenv and Node read alike in a dotenv file. No quotes,
 * blanks, `#`, `$`, backslashes or newlines: each of them is dropped, cut or replaced by at least one reader.
 */
const SAFE_IN_DOTENV = /^[A-Za-z0-9_./:@%+,=~^*()!?|&;<>{}[\]-]*$/;

function checkNames(path: string, entries: readonly SealEntry[], format: SealedFormat): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (!isEntryName(name, format)) {
      const problem = `"${name}" cannot be a name here: A-Z, 0-9 and _, no digit first, and not SOPS_`;
      throw new SealError(path, "bad-name", problem, [name]);
    }
    if (seen.has(name)) throw new SealError(path, "duplicate-name", `${name} is given twice`, [name]);
    seen.add(name);
  }
}

const isSorted = (entries: readonly SealEntry[]): boolean =>
  entries.every(({ name }, at) => at === 0 || (entries[at - 1]?.name ?? "") < name);

/** Sorted by name, which is the order of the file and part of its message authentication code. */
export function checkedEntries(
  path: string,
  entries: readonly SealEntry[],
  format: SealedFormat,
): readonly SealEntry[] {
  checkNames(path, entries, format);
  return isSorted(entries) ? entries : [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Fails with the name, never the value, of an entry that some reader would take for something else. */
export function checkValue(path: string, format: SealedFormat, { name, value }: WantedEntry): void {
  if (value === "")
    throw new SealError(path, "empty-value", `${name} has an empty value: leave it out, or give it one`, [
      name,
    ]);
  if (!value.isWellFormed() || value.includes("\0")) {
    const problem = `the value of ${name} is no text: give it in base64, as ${name}_B64`;
    throw new SealError(path, "unsafe-value", problem, [name]);
  }
  if (format === "dotenv" && !SAFE_IN_DOTENV.test(value)) {
    const problem =
      `the value of ${name} has a character that readers of dotenv files take differently (a quote, blank, ` +
      `newline, backslash, # or $, or one beyond ASCII): take it from the Kubernetes Secret, which holds any ` +
      `text, or give it in base64, as ${name}_B64`;
    throw new SealError(path, "unsafe-value", problem, [name]);
  }
}
