import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/** The write flags that are on: true in the environment and permitted by the drawing. */
export type WriteFlags = ReadonlySet<string>;

const TRUE = new Set(["true", "True", "TRUE"]);
const FALSE = new Set(["false", "False", "FALSE"]);

function flagValue(name: string, text: string | undefined): boolean {
  if (text === undefined || FALSE.has(text)) return false;
  if (TRUE.has(text)) return true;
  throw new StartError(`${name} must be true or false (also True, TRUE, False, FALSE), or not set`);
}

/**
 * Reads every flag of the drawing; throws a StartError for an unreadable value, and for a flag that is true
 * where the drawing says read: starting with fewer tools than the operator asked for would hide the mistake.
 */
export function readWriteFlags(
  flags: Readonly<Record<string, boolean>>,
  environment: Environment,
): WriteFlags {
  const on = new Set<string>();
  for (const [name, permitted] of Object.entries(flags)) {
    if (!flagValue(name, environment[name])) continue;
    if (!permitted) {
      throw new StartError(
        `${name} is true, but the drawing gives this link read access only: unset it, or draw the link with write`,
      );
    }
    on.add(name);
  }
  return on;
}
