/** The dotenv dialect of SOPS: no quotes, no trimming, no escapes but `\n` for a newline. */
import { flatMetadata, METADATA_PREFIX, unflatten } from "./flat-metadata.ts";
import type { Metadata } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import type { Branch } from "./tree.ts";

export interface DotenvFile {
  /** In the order of the file, comments left out. */
  readonly entries: ReadonlyMap<string, string>;
  /** `undefined` when the file holds no SOPS metadata. */
  readonly metadata: Branch | undefined;
}

/** Both parts of a dotenv file, just as SOPS reads it. */
export function readDotenv(path: string, text: string): DotenvFile {
  const entries = new Map<string, string>();
  const flat: [string, string][] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    if (equals === -1) throw new SealError(path, "bad-syntax", `line ${number} is not NAME=value`);
    const name = line.slice(0, equals);
    const value = line.slice(equals + 1).replaceAll("\\n", "\n");
    if (name.startsWith(METADATA_PREFIX)) flat.push([name.slice(METADATA_PREFIX.length), value]);
    else if (entries.has(name))
      throw new SealError(path, "duplicate-name", `line ${number} gives a name that an earlier one gave`);
    else entries.set(name, value);
  }
  return { entries, metadata: flat.length === 0 ? undefined : unflatten(path, flat) };
}

/** The whole file. Values are encrypted ones, which hold no newline. */
export function writeDotenv(
  entries: Iterable<{ readonly name: string; readonly sealed: string }>,
  metadata: Metadata,
): string {
  const lines = [...entries].map(({ name, sealed }) => `${name}=${sealed}`);
  return `${[...lines, ...flatMetadata(metadata)].join("\n")}\n`;
}
