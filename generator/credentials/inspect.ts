import type { Report } from "../diagnostics/report.ts";
import { allCredentials } from "./credential.ts";
import { resolveCredentials } from "./resolve.ts";
import type { Resolution } from "./resolve.ts";
import { readSealedBefore } from "./sealed-before.ts";
import type { SealedBefore } from "./sealed-before.ts";
import { secretFiles } from "./secret-files.ts";
import type { OutputToSeal, SealSurroundings } from "./surroundings.ts";

export interface Inspection {
  readonly before: SealedBefore;
  /** Every credential that the drawing needs, sorted by name. */
  readonly resolutions: readonly Resolution[];
}

/** What is needed, what is there, and where each value comes from; nothing is sealed. */
export async function inspectCredentials(
  output: OutputToSeal,
  around: SealSurroundings,
  report: Report,
): Promise<Inspection> {
  const before = await readSealedBefore(
    around.fs,
    output.root,
    around.identities,
    around.how.reseal === true,
  );
  const resolutions = await resolveCredentials(allCredentials(output.seal.credentials), {
    stack: output.topology.stack,
    variables: around.variables,
    files: secretFiles(around),
    existing: before.values,
    sealed: before.names,
    regenerate: around.how.regenerate ?? new Set(),
    randomBytes: around.randomness.randomBytes,
    report,
  });
  return { before, resolutions };
}

/** A credential that works only with a value, and has none. */
export function isMissing({ credential, origin }: Resolution): boolean {
  return origin === "missing" && !(credential.optional && credential.source.from === "implied");
}
