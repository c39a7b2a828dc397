/** Why a sealed file was refused, or could not be made. */
export type SealReason =
  /** What was asked for cannot be sealed. */
  | "bad-name"
  | "duplicate-name"
  | "empty-value"
  | "unsafe-value"
  | "no-recipients"
  | "bad-recipient"
  | "bad-identity"
  | "too-many-recipients"
  /** The file cannot be edited without what is missing. */
  | "no-identity"
  | "values-missing"
  /** The file is not what was sealed. */
  | "mac-missing"
  | "mac-empty"
  | "mac-not-authentic"
  | "mac-mismatch"
  | "order"
  | "unencrypted-value"
  | "value-moved"
  | "value-not-authentic"
  | "bad-type"
  | "bad-ciphertext"
  | "rules"
  | "files-differ"
  | "unknown-key"
  | "other-keys"
  /** The file is not one that this project reads. */
  | "not-sealed"
  | "bad-metadata"
  | "bad-syntax"
  | "unsupported"
  | "ambiguous-path"
  | "too-large";

/**
 * A sealed file that is not to be trusted, or cannot be made.
 *
 * The message says which file and which name, and what to do. It never holds a value, a ciphertext or a key,
 * not even in part, because messages end up in the logs of CI.
 */
export class SealError extends Error {
  readonly path: string;
  readonly reason: SealReason;
  /** The entries that the message speaks of. */
  readonly names: readonly string[];

  constructor(path: string, reason: SealReason, problem: string, names: readonly string[] = []) {
    super(`${path}: ${problem}`);
    this.name = "SealError";
    this.path = path;
    this.reason = reason;
    this.names = names;
  }
}
