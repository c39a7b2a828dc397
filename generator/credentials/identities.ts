import { join, resolve } from "node:path";
import type { FileSystem } from "../tree/disk.ts";
import { isExampleIdentity } from "./example-key.ts";
import { isCommitted } from "./repository.ts";
import type { Variables } from "./variables.ts";

/** A private key that cannot be used, or must not be: the message names the file and what to do. */
export class IdentityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "IdentityError";
  }
}

export interface IdentityPlaces {
  readonly fs: FileSystem;
  readonly variables: Variables;
  /** The user's folder of configurations: `~/.config`. */
  readonly configFolder: string;
  readonly repository: string | undefined;
}

/** The private keys of a text, as age writes them: one a line, comments between them. */
function keysIn(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function keysInFile(path: string, { fs, repository }: IdentityPlaces): readonly string[] {
  const keys = keysIn(fs.readFileSync(path, "utf8"));
  if (isCommitted(repository, path) && !keys.every(isExampleIdentity)) {
    throw new IdentityError(
      `${path} is a private key inside the repository: move it out, and make new keys if it was ever committed`,
    );
  }
  return keys;
}

/**
 * The private keys that may open sealed files, from where sops looks for them too: `SOPS_AGE_KEY`,
 * `SOPS_AGE_KEY_FILE`, then `sops/age/keys.txt` among the user's configurations.
 */
export function readIdentities(places: IdentityPlaces): readonly string[] {
  const { fs, variables, configFolder } = places;
  const direct = keysIn(variables.readKey("SOPS_AGE_KEY") ?? "");
  const named = variables.readKey("SOPS_AGE_KEY_FILE");
  if (named !== undefined && !fs.existsSync(resolve(named)))
    throw new IdentityError(`SOPS_AGE_KEY_FILE names ${named}, which does not exist`);
  const usual = join(configFolder, "sops", "age", "keys.txt");
  return [
    ...direct,
    ...(named === undefined ? [] : keysInFile(resolve(named), places)),
    ...(fs.existsSync(usual) ? keysInFile(usual, places) : []),
  ];
}
