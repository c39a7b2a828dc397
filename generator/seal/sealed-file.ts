/** A sealed file taken apart: what can be known of it without a private key. */
import type { WrappedKey } from "./age.ts";
import { looksSealed, parseCiphertext } from "./cipher.ts";
import type { Ciphertext } from "./cipher.ts";
import { readDotenv, writeDotenv } from "./dotenv.ts";
import { metadataFrom } from "./metadata.ts";
import type { Metadata, Rules } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import { readSecret, writeSecret } from "./secret-yaml.ts";
import type { SecretHead } from "./secret-yaml.ts";

/** `secret` is one Kubernetes Secret in YAML. */
export type SealedFormat = "dotenv" | "secret";

/** One entry as it stands in the file. */
export interface SealedEntry {
  readonly name: string;
  /** `ENC[AES256_GCM,...]`. */
  readonly sealed: string;
}

export interface SealedFile {
  /** Each name once, in the order of the file. */
  readonly entries: readonly SealedEntry[];
  readonly metadata: Metadata;
  /** What stands above the entries of a Secret. */
  readonly head: SecretHead | undefined;
}

/** The largest file that Flux reads. */
export const MOST_BYTES = 5 * 1024 * 1024;

const NAME = /^[A-Z_][A-Z0-9_]*$/;

/** What gateways look for in a Secret; no variable is called so. */
const GATEWAY_KEY = "key";

/** Whether a name may stand in a sealed file: one that every shell, pod and dotenv reader takes. */
export function isEntryName(name: string, format: SealedFormat): boolean {
  return (NAME.test(name) && !name.startsWith("SOPS_")) || (format === "secret" && name === GATEWAY_KEY);
}

const RULES: Readonly<Record<SealedFormat, Rules>> = {
  dotenv: { name: "unencrypted_suffix", pattern: "_unencrypted", macOnlyEncrypted: false },
  secret: { name: "encrypted_regex", pattern: "^(data|stringData)$", macOnlyEncrypted: true },
};

/** What is encrypted in files of a format, as `.sops.yaml` and the files themselves say it. */
export function rulesOf(format: SealedFormat): Rules {
  return RULES[format];
}

/** What an encrypted value is bound to besides the key: its path in the file. */
export function placeOf(format: SealedFormat, name: string): string {
  return format === "dotenv" ? `${name}:` : `stringData:${name}:`;
}

function checkNames(path: string, entries: readonly SealedEntry[], format: SealedFormat): void {
  const wrong = entries.findIndex(({ name }) => !isEntryName(name, format));
  if (wrong === -1) return;
  const flagged = entries[wrong]?.name.endsWith("_unencrypted") === true;
  // The name itself is not shown: in a file that somebody changed it may be anything, a value too.
  const problem = flagged
    ? `entry ${wrong + 1} ends in _unencrypted, so SOPS would take it as it stands: nothing here is unencrypted`
    : `entry ${wrong + 1} is none of this project's: names are upper case, and not SOPS's own`;
  throw new SealError(path, "unknown-key", problem);
}

function checkValues(path: string, entries: readonly SealedEntry[]): void {
  for (const { name, sealed } of entries) {
    if (sealed === "")
      throw new SealError(path, "empty-value", `${name} is empty: a sealed value never is`, [name]);
    if (!looksSealed(sealed))
      throw new SealError(path, "unencrypted-value", `${name} stands there unencrypted`, [name]);
  }
}

/** The parts of an entry's value; fails when it is damaged, or not a text. */
export function ciphertextOf(path: string, { name, sealed }: SealedEntry): Ciphertext {
  const parsed = parseCiphertext(sealed);
  if (parsed === undefined)
    throw new SealError(path, "bad-ciphertext", `${name} is damaged: not all of what SOPS wrote is there`, [
      name,
    ]);
  if (parsed.type !== "str")
    throw new SealError(path, "bad-type", `${name} is no text: write its value in quotes`, [name]);
  return parsed;
}

function checkCode(path: string, { mac }: Metadata, written: boolean): void {
  if (!written) throw new SealError(path, "mac-missing", "it has no message authentication code (mac)");
  if (mac === "") throw new SealError(path, "mac-empty", "its message authentication code (mac) is empty");
}

function checkKeys(path: string, { groups }: Metadata): void {
  const others = groups.flatMap((group) => group.others);
  if (groups.length === 1 && others.length === 0) return;
  const problem =
    groups.length === 1
      ? `it is sealed to keys that are not of age as well (${others.join(", ")}), which this project cannot keep`
      : "its data key is split between groups of keys, which this project cannot keep";
  throw new SealError(path, "other-keys", problem);
}

/**
 * Takes a sealed file apart and checks everything that needs no key: names, that each value is encrypted,
 * that there is a code, and that age alone opens it.
 */
export function readSealedFile(path: string, text: string, format: SealedFormat): SealedFile {
  if (Buffer.byteLength(text) > MOST_BYTES)
    throw new SealError(path, "too-large", `it is larger than ${MOST_BYTES / 1024 / 1024} MiB`);
  const read = format === "dotenv" ? { ...readDotenv(path, text), head: undefined } : readSecret(path, text);
  if (read.metadata === undefined)
    throw new SealError(path, "not-sealed", "it holds no SOPS metadata: it was never sealed, or was opened");
  const metadata = metadataFrom(path, read.metadata);
  const entries = Array.from(read.entries, ([name, sealed]) => ({ name, sealed }));
  checkNames(path, entries, format);
  checkValues(path, entries);
  checkCode(path, metadata, read.metadata.has("mac"));
  checkKeys(path, metadata);
  return { entries, metadata, head: read.head };
}

/** Fails when the file says that other values are encrypted, or covered by the code, than this project's. */
export function checkRules(path: string, { metadata }: SealedFile, format: SealedFormat): void {
  if (hasOurRules(metadata, format)) return;
  const { name, pattern, macOnlyEncrypted } = rulesOf(format);
  const only = macOnlyEncrypted ? " and mac_only_encrypted" : "";
  const problem = `it says that other values are encrypted than ${name}: ${pattern}${only}`;
  throw new SealError(path, "rules", problem);
}

export function hasOurRules({ rules }: Metadata, format: SealedFormat): boolean {
  const ours = rulesOf(format);
  return (
    rules.name === ours.name &&
    rules.pattern === ours.pattern &&
    rules.macOnlyEncrypted === ours.macOnlyEncrypted
  );
}

/** Who can open the file. */
export function wrappedKeys({ metadata }: SealedFile): readonly WrappedKey[] {
  return metadata.groups.flatMap(({ age }) => age);
}

export function writeSealedFile({ entries, metadata, head }: SealedFile): string {
  return head === undefined ? writeDotenv(entries, metadata) : writeSecret(head, entries, metadata);
}
