/** Entries encrypted and put together with their code. */
import type { WrappedKey } from "./age.ts";
import { cipherKey, encrypt, IV_LENGTH, KEY_LENGTH } from "./cipher.ts";
import type { WantedEntry } from "./entries.ts";
import { macOf } from "./mac.ts";
import type { Randomness } from "./randomness.ts";
import { SealError } from "./seal-error.ts";
import { MOST_BYTES, placeOf, rulesOf, writeSealedFile } from "./sealed-file.ts";
import type { SealedEntry, SealedFile, SealedFormat } from "./sealed-file.ts";
import type { SecretHead } from "./secret-yaml.ts";

/** The SOPS whose format this is; a constant, so that the line changes in no diff. */
const VERSION = "3.9.4";

/** What every file of a request shares, whatever its entries. */
export interface Target {
  readonly path: string;
  readonly format: SealedFormat;
  readonly head: SecretHead | undefined;
}

/** A data key, and its copies for those who may read the file. */
export interface Lock {
  readonly key: Uint8Array;
  readonly wrapped: readonly WrappedKey[];
}

/** Copies of the data key for more recipients, in their order. */
export async function wrapFor(
  key: Uint8Array,
  recipients: readonly string[],
  randomness: Randomness,
): Promise<readonly WrappedKey[]> {
  const wrapped: WrappedKey[] = [];
  for (const recipient of recipients) wrapped.push({ recipient, enc: await randomness.wrap(key, recipient) });
  return wrapped;
}

export async function newLock(recipients: readonly string[], randomness: Randomness): Promise<Lock> {
  const key = randomness.randomBytes(KEY_LENGTH);
  return { key, wrapped: await wrapFor(key, recipients, randomness) };
}

/** RFC 3339 in whole seconds: SOPS binds the code to the time as it prints it, which is without fractions. */
function timeText(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

export function fileText(target: Target, file: SealedFile): string {
  const text = writeSealedFile(file);
  if (text.length <= MOST_BYTES) return text;
  const problem = `it would be larger than the ${MOST_BYTES / 1024 / 1024} MiB that its readers take`;
  throw new SealError(target.path, "too-large", problem);
}

/**
 * The file with these entries.
 *
 * `kept` holds encrypted values to be used again, each for the very text that it was made from under the same
 * key: then its line does not change, and no IV is ever used for two texts.
 */
export function sealedText(
  target: Target,
  entries: readonly WantedEntry[],
  lock: Lock,
  randomness: Randomness,
  kept: ReadonlyMap<string, string> = new Map(),
  version = VERSION,
): string {
  const { format, head } = target;
  const rules = rulesOf(format);
  const key = cipherKey(lock.key);
  const seal = (text: string, place: string): string =>
    encrypt(text, key, place, randomness.randomBytes(IV_LENGTH));
  const sealed: readonly SealedEntry[] = entries.map(({ name, value }) => ({
    name,
    sealed: kept.get(name) ?? seal(value, placeOf(format, name)),
  }));
  const lastModified = timeText(randomness.now());
  const code = macOf(
    entries.map(({ value }) => value),
    rules.macOnlyEncrypted,
  );
  const metadata = {
    groups: [{ age: lock.wrapped, others: [] }],
    threshold: 1,
    lastModified,
    mac: seal(code, lastModified),
    rules,
    version,
  };
  return fileText(target, { entries: sealed, metadata, head });
}
