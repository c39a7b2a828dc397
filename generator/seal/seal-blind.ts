/** Sealing without a private key: names and recipients can be compared, values cannot. */
import { checkValue } from "./entries.ts";
import { isResolved, sealAnew } from "./job.ts";
import type { Job, Sealed } from "./job.ts";
import { SealError } from "./seal-error.ts";
import { hasOurRules, wrappedKeys } from "./sealed-file.ts";
import type { SealedFile } from "./sealed-file.ts";
import { isSameHead } from "./secret-yaml.ts";
import { fileText } from "./write.ts";

function sameSet(some: readonly string[], others: readonly string[]): boolean {
  const set = new Set(some);
  return set.size === new Set(others).size && others.every((other) => set.has(other));
}

/** Whether everything that can be seen without a key is as it is wanted. */
function looksTheSame(job: Job, file: SealedFile, inFile: ReadonlySet<string>): boolean {
  const names = job.entries.filter((entry) => isResolved(entry) || inFile.has(entry.name));
  const readers = wrappedKeys(file).map(({ recipient }) => recipient);
  return (
    sameSet(
      names.map(({ name }) => name),
      [...inFile],
    ) &&
    sameSet(readers, job.recipients) &&
    hasOurRules(file.metadata, job.target.format)
  );
}

/** A value that only the file has would be lost; one that nothing has is left out, as in a first run. */
function refuseLoss(job: Job, inFile: ReadonlySet<string>): void {
  const missing = job.entries.filter((entry) => !isResolved(entry) && inFile.has(entry.name));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const problem =
    `it has to be sealed anew, and without a private key the values that only it holds would be lost: ` +
    `give a private key, or values for ${names.join(", ")}`;
  throw new SealError(job.target.path, "values-missing", problem, names);
}

/**
 * The file that is to stand in the place of `previous`, which has been taken apart as `file`.
 *
 * One entry cannot be changed on its own, since the message authentication code covers all values. So the
 * file stays as it is, or is sealed anew from values that are all at hand.
 */
export async function sealBlind(job: Job, file: SealedFile, previous: string): Promise<Sealed> {
  const inFile = new Set(file.entries.map(({ name }) => name));
  const { target } = job;
  if (!job.anew && looksTheSame(job, file, inFile)) {
    if (isSameHead(file.head, target.head))
      return { text: previous, outcome: "kept-not-compared", removedRecipients: [] };
    // The code covers the encrypted values alone, so what stands above them may change without it.
    const text = fileText(target, { ...file, head: target.head });
    return { text, outcome: "changed", removedRecipients: [] };
  }
  refuseLoss(job, inFile);
  const wanted = job.entries.filter(isResolved);
  for (const entry of wanted) checkValue(target.path, target.format, entry);
  return await sealAnew(job, wanted, "resealed", wrappedKeys(file));
}
