/** The public keys that a file is sealed to. */
import { parseRecipient } from "./age-keys.ts";
import { SealError } from "./seal-error.ts";

/** More than anybody needs; a file with more was made to keep its reader busy. */
export const MOST_RECIPIENTS = 100;

/** Whether the text is a public key of age, X25519 or post-quantum, without a typing error. */
export function isRecipient(text: string): boolean {
  return parseRecipient(text) !== undefined;
}

/**
 * The recipients in the order in which they are written: sorted, each once.
 *
 * Fails on none at all, on more than {@link MOST_RECIPIENTS}, and on one that no age would accept.
 */
export function checkedRecipients(path: string, recipients: readonly string[]): readonly string[] {
  const wanted = [...new Set(recipients)].sort();
  if (wanted.length === 0)
    throw new SealError(path, "no-recipients", "there is no recipient to seal to: add an age1... key");
  if (wanted.length > MOST_RECIPIENTS) {
    const problem = `${wanted.length} recipients are too many: at most ${MOST_RECIPIENTS}`;
    throw new SealError(path, "too-many-recipients", problem);
  }
  const wrong = wanted.find((recipient) => !isRecipient(recipient));
  if (wrong !== undefined) {
    // Somebody may have put the private key here, so not even its beginning is shown.
    const at = recipients.indexOf(wrong) + 1;
    const problem = `recipient ${at} is no public key of age: it begins with age1 or age1pq1 and is copied whole`;
    throw new SealError(path, "bad-recipient", problem);
  }
  return wanted;
}
