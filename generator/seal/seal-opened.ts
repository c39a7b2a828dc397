/** Sealing over a file that a private key opens: values are compared, and only what differs is written. */
import { unwrapDataKey } from "./age.ts";
import type { WrappedKey } from "./age.ts";
import { cipherKey } from "./cipher.ts";
import { checkValue } from "./entries.ts";
import type { WantedEntry } from "./entries.ts";
import { isResolved, removedRecipients, sealAnew } from "./job.ts";
import type { Job, Sealed } from "./job.ts";
import { checkRules, wrappedKeys } from "./sealed-file.ts";
import type { SealedFile } from "./sealed-file.ts";
import { isSameHead } from "./secret-yaml.ts";
import { openVerified } from "./verify.ts";
import type { OpenedEntry } from "./verify.ts";
import { fileText, sealedText, wrapFor } from "./write.ts";
import type { Lock } from "./write.ts";

/** What stands in the file, by name. */
type Opened = ReadonlyMap<string, OpenedEntry>;

/** The value of the sources, else that of the file; an entry that has neither is left out. */
function wantedOver({ entries, target }: Job, opened: Opened): readonly WantedEntry[] {
  const wanted = entries
    .map((entry) => (isResolved(entry) ? entry : { ...entry, value: opened.get(entry.name)?.value }))
    .filter(isResolved);
  for (const entry of wanted) checkValue(target.path, target.format, entry);
  return wanted;
}

/** Who can read the file already keeps the place and the copy of the key; new recipients follow. */
async function lockOver(job: Job, key: Uint8Array, before: readonly WrappedKey[]): Promise<Lock> {
  const known = new Set(before.map(({ recipient }) => recipient));
  const added = job.recipients.filter((recipient) => !known.has(recipient));
  return { key, wrapped: [...before, ...(await wrapFor(key, added, job.randomness))] };
}

/** The very values, code and time of before, for other readers or under another head. */
function withSameValues(job: Job, file: SealedFile, { wrapped }: Lock): Sealed {
  const metadata = { ...file.metadata, groups: [{ age: wrapped, others: [] }] };
  const { head } = job.target;
  const outcome = isSameHead(file.head, head) ? "recipients-added" : "changed";
  const text = fileText(job.target, { entries: file.entries, metadata, head });
  return { text, outcome, removedRecipients: [] };
}

/** New ciphertext for the values that are new, and for no others. */
function withValues(
  job: Job,
  file: SealedFile,
  wanted: readonly WantedEntry[],
  opened: Opened,
  lock: Lock,
): Sealed {
  const kept = new Map<string, string>();
  for (const { name, value } of wanted) {
    const before = opened.get(name);
    if (before?.value === value) kept.set(name, before.sealed);
  }
  const text = sealedText(job.target, wanted, lock, job.randomness, kept, file.metadata.version);
  return { text, outcome: "changed", removedRecipients: [] };
}

/**
 * The file that is to stand in the place of `previous`, which has been taken apart as `file`.
 *
 * A file that no private key opens, or whose values are not those that were sealed, fails: writing it anew
 * would make what somebody put there look genuine.
 */
export async function sealOpened(job: Job, file: SealedFile, previous: string): Promise<Sealed> {
  const { path, format, head } = job.target;
  checkRules(path, file, format);
  const before = wrappedKeys(file);
  const key = await unwrapDataKey(path, before, job.identities);
  const opened = new Map<string, OpenedEntry>();
  for (const entry of openVerified(path, file, cipherKey(key), format)) opened.set(entry.name, entry);
  const wanted = wantedOver(job, opened);
  if (job.anew || removedRecipients(job, before).length > 0)
    return await sealAnew(job, wanted, "resealed", before);
  const lock = await lockOver(job, key, before);
  const isSame =
    wanted.length === opened.size && wanted.every(({ name, value }) => opened.get(name)?.value === value);
  if (!isSame) return withValues(job, file, wanted, opened, lock);
  if (lock.wrapped.length === before.length && isSameHead(file.head, head))
    return { text: previous, outcome: "kept", removedRecipients: [] };
  return withSameValues(job, file, lock);
}
