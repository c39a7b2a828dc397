import { dirname, join } from "node:path";
import { readIdentities } from "../credentials/identities.ts";
import { repositoryOf } from "../credentials/repository.ts";
import type { SealHow, SealSurroundings } from "../credentials/surroundings.ts";
import { watchVariables } from "../credentials/variables.ts";
import type { Variables } from "../credentials/variables.ts";
import { systemRandomness } from "../seal/system-randomness.ts";
import type { FileSystem } from "../tree/disk.ts";
import type { Request } from "./no-change.ts";

/** Everything about sealing that depends on this process: its environment, its keys, its chance. */
export interface Sealing {
  readonly variables: Variables;
  around(stackPath: string): SealSurroundings;
}

export function sealingOf(fs: FileSystem, request: Request, how: SealHow = {}): Sealing {
  const variables = watchVariables(process.env);
  const identities = new Map<string, readonly string[]>();
  return {
    variables,
    around: (stackPath) => {
      const folder = dirname(stackPath);
      const repository = repositoryOf(fs, folder);
      const places = { fs, variables, configFolder: request.config, repository };
      const known = identities.get(folder) ?? readIdentities(places);
      identities.set(folder, known);
      const isExample = folder === join(dirname(request.program), "stacks");
      return {
        fs,
        variables,
        identities: known,
        folder,
        repository,
        isExample,
        randomness: systemRandomness,
        how,
      };
    },
  };
}
