/** Sealing with as few changed lines as the cryptography allows, so that a review shows what changed. */
import { checkedEntries, checkValue } from "./entries.ts";
import type { SealEntry } from "./entries.ts";
import { isResolved, sealAnew } from "./job.ts";
import type { Job, Sealed } from "./job.ts";
import type { Randomness } from "./randomness.ts";
import { checkedRecipients } from "./recipients.ts";
import { sealBlind } from "./seal-blind.ts";
import { sealOpened } from "./seal-opened.ts";
import { readSealedFile } from "./sealed-file.ts";
import type { SealedFormat } from "./sealed-file.ts";
import type { SecretHead } from "./secret-yaml.ts";

export type { SealEntry } from "./entries.ts";
export type { Sealed, SealOutcome } from "./job.ts";
export type { Randomness } from "./randomness.ts";
export { SealError } from "./seal-error.ts";
export type { SealedFormat } from "./sealed-file.ts";

/** One file to be sealed. */
export interface SealRequest {
  /** For messages only. */
  readonly path: string;
  readonly format: SealedFormat;
  readonly entries: readonly SealEntry[];
  /** What stands above the entries in the format `secret`. */
  readonly secret?: SecretHead;
  /** Public keys of age, X25519 or post-quantum. */
  readonly recipients: readonly string[];
  /** The text of the file on disk. */
  readonly previous: string | undefined;
  /** Private keys of age. Without one, values can be neither compared with those of the file nor kept. */
  readonly identities: readonly string[];
  /** A new data key, and every value encrypted anew. */
  readonly rotate?: boolean;
  /** The same, where it is asked for because values cannot be compared. */
  readonly reseal?: boolean;
}

function headOf({ format, secret }: SealRequest): SecretHead | undefined {
  if (format === "dotenv") return undefined;
  if (secret === undefined) throw new Error("a sealed Secret needs a name and a namespace");
  return secret;
}

function jobFrom(request: SealRequest, randomness: Randomness): Job {
  const { path, format, identities } = request;
  return {
    target: { path, format, head: headOf(request) },
    entries: checkedEntries(path, request.entries, format),
    recipients: checkedRecipients(path, request.recipients),
    identities,
    anew: request.rotate === true || request.reseal === true,
    randomness,
  };
}

/**
 * The text of the sealed file.
 *
 * What did not change keeps its bytes: the whole file, else every value that is still the same. A recipient
 * who is removed, and `rotate`, make everything new. Nothing is written here, and nothing is repaired: a
 * previous file that does not open, or that is not what was sealed, is a {@link SealError}.
 */
export async function seal(request: SealRequest, randomness: Randomness): Promise<Sealed> {
  const job = jobFrom(request, randomness);
  const { path, format } = job.target;
  const { previous } = request;
  if (previous === undefined) {
    const wanted = job.entries.filter(isResolved);
    for (const entry of wanted) checkValue(path, format, entry);
    return await sealAnew(job, wanted, "created", []);
  }
  const file = readSealedFile(path, previous, format);
  return job.identities.length === 0
    ? await sealBlind(job, file, previous)
    : await sealOpened(job, file, previous);
}
