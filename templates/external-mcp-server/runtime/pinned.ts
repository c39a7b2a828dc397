import type { JsonSchema } from "#runtime/parameter";
import { toolDigest } from "#runtime/digest";
import type { Effect } from "#runtime/tool";

/** A tool of another server as it was reviewed: a row that one handler serves. */
export interface PinnedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly inputSchema: JsonSchema;
  /** Its name on the other server. */
  readonly upstream: string;
  /** Digest of all that a model would read of it there. */
  readonly pin: string;
  /** Arguments that are for the audit here, and not for the other server. */
  readonly ours: readonly string[];
}

/** Changes exactly when a model would see a change; `null` for what is no definition of a tool. */
export function definitionDigest(definition: unknown): string | null {
  if (typeof definition !== "object" || definition === null || !("name" in definition)) return null;
  try {
    return toolDigest(definition as Parameters<typeof toolDigest>[0]);
  } catch {
    // It holds what JSON text cannot say exactly, such as half a character: then nothing can be compared.
    return null;
  }
}
