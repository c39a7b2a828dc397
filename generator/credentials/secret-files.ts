import { resolve } from "node:path";
import { SealError } from "../seal/seal-error.ts";
import type { FileSystem } from "../tree/disk.ts";
import { isCommitted } from "./repository.ts";

const SEALED = /\.sops\.(env|yaml|yml|json)$/;
const FORMATS = { env: "dotenv", yaml: "yaml", yml: "yaml", json: "json" } as const;

/** Why a file gives no value; `problem` completes the sentence `<file> ...`. */
export interface Unusable {
  readonly problem: string;
}

export interface SecretFiles {
  /**
   * The value at `path`, or at `path#key` for a SOPS file; `undefined` when there is no such file or key, or
   * when no private key is at hand to open it.
   */
  valueAt(reference: string): Promise<string | undefined | Unusable>;
}

export interface SecretFilesInput {
  readonly fs: FileSystem;
  /** What paths are relative to: the folder of the stack file. */
  readonly folder: string;
  readonly repository: string | undefined;
  readonly identities: readonly string[];
}

function split(reference: string): readonly [path: string, key: string | undefined] {
  const at = reference.lastIndexOf("#");
  return at < 0 ? [reference, undefined] : [reference.slice(0, at), reference.slice(at + 1)];
}

/** Reads each file once, however many values come from it. */
export function secretFiles({ fs, folder, repository, identities }: SecretFilesInput): SecretFiles {
  const opened = new Map<string, Promise<ReadonlyMap<string, string>>>();
  const open = async (path: string, format: keyof typeof FORMATS): Promise<ReadonlyMap<string, string>> => {
    const { openForeign } = await import("../seal/foreign.ts");
    try {
      return await openForeign(path, fs.readFileSync(path, "utf8"), FORMATS[format], identities);
    } catch (error) {
      // A key that does not fit is the same as none: what the file holds is missing, and that is said.
      if (error instanceof SealError && error.reason === "no-identity") return new Map();
      throw error;
    }
  };
  const entriesOf = (path: string, suffix: string): Promise<ReadonlyMap<string, string>> => {
    const known = opened.get(path) ?? open(path, suffix as keyof typeof FORMATS);
    opened.set(path, known);
    return known;
  };
  return {
    valueAt: async (reference) => {
      const [named, key] = split(reference);
      const path = resolve(folder, named);
      if (!fs.existsSync(path)) return undefined;
      const [, suffix] = SEALED.exec(path) ?? [];
      if (suffix !== undefined) {
        if (key === undefined) return { problem: "is a SOPS file: write which entry, as path#key" };
        return identities.length === 0 ? undefined : (await entriesOf(path, suffix)).get(key);
      }
      if (key !== undefined) return { problem: "is no SOPS file, and only those have entries" };
      if (isCommitted(repository, path))
        return {
          problem: "holds a secret in plain text inside the repository: move it out, or seal it with sops",
        };
      return fs.readFileSync(path, "utf8").replace(/\r?\n$/, "") || undefined;
    },
  };
}
