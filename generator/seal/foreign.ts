/** SOPS files that are not this project's, as a source of values: any rule, any nesting. */
import { unwrapDataKey } from "./age.ts";
import { cipherKey, KEY_LENGTH } from "./cipher.ts";
import { isEncryptedBy } from "./crypt-rules.ts";
import { readDotenv } from "./dotenv.ts";
import { openLeaves, verifyLeaves } from "./foreign-leaves.ts";
import { metadataFrom } from "./metadata.ts";
import type { KeyGroup, Metadata } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import { MOST_BYTES } from "./sealed-file.ts";
import { combine } from "./shamir.ts";
import { readStructured } from "./structured.ts";
import { isBranch, plainText } from "./tree.ts";
import type { Branch } from "./tree.ts";

export type ForeignFormat = "yaml" | "json" | "dotenv";

/** Documents without their metadata, and the metadata of the first, which holds for all. */
interface ForeignFile {
  readonly documents: readonly Branch[];
  readonly metadata: Branch | undefined;
}

async function readForeign(path: string, text: string, format: ForeignFormat): Promise<ForeignFile> {
  if (Buffer.byteLength(text) > MOST_BYTES)
    throw new SealError(path, "too-large", `it is larger than ${MOST_BYTES / 1024 / 1024} MiB`);
  if (format === "dotenv") {
    const { entries, metadata } = readDotenv(path, text);
    return { documents: [entries], metadata };
  }
  const documents = await readStructured(path, text, format);
  const metadata = documents[0]?.get("sops");
  return {
    documents: documents.map((document) => new Map([...document].filter(([key]) => key !== "sops"))),
    metadata: isBranch(metadata) ? metadata : undefined,
  };
}

/** The data key: whole in one group, or combined from what enough groups open. */
async function dataKeyOf(
  path: string,
  { groups, threshold }: Metadata,
  identities: readonly string[],
): Promise<Uint8Array> {
  if (groups.every(({ age }) => age.length === 0))
    throw new SealError(path, "no-identity", "it is sealed to no key of age, and no others are known here");
  const [only] = groups;
  if (only !== undefined && groups.length === 1) return await unwrapDataKey(path, only.age, identities);
  const parts: Uint8Array[] = [];
  for (const group of groups) {
    const part = await partOf(path, group, identities);
    if (part !== undefined) parts.push(part);
  }
  const key = parts.length < threshold ? undefined : combine(parts);
  if (key?.length === KEY_LENGTH) return key;
  const problem = `it takes keys of ${threshold} groups to open it, and those given open ${parts.length}`;
  throw new SealError(path, "no-identity", problem);
}

async function partOf(
  path: string,
  { age }: KeyGroup,
  identities: readonly string[],
): Promise<Uint8Array | undefined> {
  try {
    return await unwrapDataKey(path, age, identities, KEY_LENGTH + 1);
  } catch (error) {
    if (error instanceof SealError && error.reason === "no-identity") return undefined;
    throw error;
  }
}

/**
 * The values of any file that SOPS wrote and a key of age opens, by their path: `db.users.0.password`.
 *
 * Verified before any value is given out: each at its place, encrypted wherever the file's own rule says so,
 * and the code over all of them. Numbers and truth values are given as text; comments and nulls are left out.
 * Fails with a {@link SealError}, also when two values would have the same path.
 */
export async function openForeign(
  path: string,
  text: string,
  format: ForeignFormat,
  identities: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const file = await readForeign(path, text, format);
  if (file.metadata === undefined)
    throw new SealError(path, "not-sealed", "it holds no SOPS metadata: it was never sealed, or was opened");
  const metadata = metadataFrom(path, file.metadata);
  const key = cipherKey(await dataKeyOf(path, metadata, identities));
  const leaves = openLeaves(path, file.documents, key, isEncryptedBy(path, metadata.rules));
  verifyLeaves(path, metadata, key, leaves);
  const values = new Map<string, string>();
  for (const leaf of leaves) {
    const name = leaf.path.join(".");
    if (values.has(name))
      throw new SealError(path, "ambiguous-path", `${name} leads to more than one value`, [name]);
    values.set(name, plainText(leaf.value));
  }
  return values;
}
