/** A request whose parts have been checked, and the one thing that every way of sealing may come to. */
import type { WrappedKey } from "./age.ts";
import type { SealEntry, WantedEntry } from "./entries.ts";
import type { Randomness } from "./randomness.ts";
import { newLock, sealedText } from "./write.ts";
import type { Target } from "./write.ts";

/** What happened to the file. `kept-not-compared`: its values may be older than those of the sources. */
export type SealOutcome =
  | "created"
  | "kept"
  | "kept-not-compared"
  | "changed"
  | "recipients-added"
  | "resealed";

export interface Sealed {
  /** The file: the very text of before when the outcome begins with `kept`. */
  readonly text: string;
  readonly outcome: SealOutcome;
  /** Recipients of before that are none now. They have read the old values: change those at their services. */
  readonly removedRecipients: readonly string[];
}

export interface Job {
  readonly target: Target;
  /** Sorted by name. */
  readonly entries: readonly SealEntry[];
  /** Sorted, each once. */
  readonly recipients: readonly string[];
  readonly identities: readonly string[];
  /** Nothing of the old file is to be used again. */
  readonly anew: boolean;
  readonly randomness: Randomness;
}

export function isResolved(entry: SealEntry): entry is WantedEntry {
  return entry.value !== undefined;
}

export function removedRecipients(job: Job, before: readonly WrappedKey[]): readonly string[] {
  const names = new Set(before.map(({ recipient }) => recipient));
  for (const recipient of job.recipients) names.delete(recipient);
  return [...names].sort();
}

/** A new data key and new IVs: who has the old key reads nothing of this file. */
export async function sealAnew(
  job: Job,
  wanted: readonly WantedEntry[],
  outcome: SealOutcome,
  before: readonly WrappedKey[],
): Promise<Sealed> {
  const lock = await newLock(job.recipients, job.randomness);
  const text = sealedText(job.target, wanted, lock, job.randomness);
  return { text, outcome, removedRecipients: removedRecipients(job, before) };
}
