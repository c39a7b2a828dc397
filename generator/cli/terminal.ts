import { fstatSync } from "node:fs";

/** What every command shares with its caller: exit codes, and how a failure is said. */
export const ExitCode = {
  ok: 0,
  /** Errors in a drawing, or an output that is not up to date. */
  findings: 1,
  /** A file that could not be read, or a command that makes no sense. */
  unreadable: 2,
  /** Generated files were edited by hand; nothing was written. */
  edited: 3,
} as const;

/** Failures with a message that tells a person what to do. Anything else is a fault of ours. */
const EXPECTED = new Set([
  "LockedError",
  "ManifestError",
  "SealError",
  "StackFileError",
  "UnknownEnvironmentError",
  "UnsafePathError",
  "UsageError",
]);

/** A command line that asks for something that does not exist. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** One line for an expected failure; a fault of the generator says so and keeps its stack for the report. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  const isSystem = "code" in error && typeof error.code === "string" && "syscall" in error;
  if (EXPECTED.has(error.name) || isSystem) return `error: ${error.message}`;
  return `internal error, please report it: ${error.stack ?? error.message}`;
}

/**
 * Colour only on a terminal, and never when NO_COLOR is set. What is no device is no terminal: that is asked
 * first, since Node loads its streams to answer for a device.
 */
export function wantsColor(): boolean {
  return (
    (process.env["NO_COLOR"] ?? "") === "" &&
    fstatSync(1).isCharacterDevice() &&
    process.stdout.isTTY === true
  );
}
