import { readFileSync, statSync } from "node:fs";

/** A file that may be replaced while the server runs; what it held last that could be used counts. */
export interface HotFile<T> {
  /** As of now; `undefined` until there has been a file that could be used. */
  current(): T | undefined;
  /** When the current content was read; `null` before there was any. */
  loadedAt(): Date | null;
  /** Why what lies there now is not in use; `null` when it is. */
  lastError(): string | null;
}

/** Changes with every replacement and every edit, and costs one system call; `undefined` for a file that is missing. */
function versionOf(path: string): string | undefined {
  // An exception for every call would cost more than all that is asked here.
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return `cannot be read (${String(error.code)})`;
  return error instanceof Error ? error.message : "cannot be used";
}

/**
 * Looks at the file whenever it is asked for, so that a change counts from the next call on. `parse` throws for
 * what cannot be used; that is said once on stderr under the name `what`, and the last good content stays. An
 * `optional` file may be missing, and then says nothing.
 */
export function openHotFile<T>(
  path: string,
  what: string,
  parse: (text: string) => T,
  presence: "optional" | "required" = "required",
): HotFile<T> {
  let version = "";
  let value: T | undefined;
  let loadedAt: Date | null = null;
  let error: string | null = null;
  const complain = (problem: string): void => {
    if (problem === error) return;
    error = problem;
    process.stderr.write(
      `${what} ${problem}${value === undefined ? "" : "; what it said before still counts"}\n`,
    );
  };
  const look = (): void => {
    try {
      const found = versionOf(path);
      if (found === version) return;
      version = found ?? "";
      if (found === undefined) {
        if (presence === "required") complain("is missing");
        else [value, error] = [undefined, null];
        return;
      }
      value = parse(readFileSync(path, "utf8"));
      loadedAt = new Date();
      error = null;
    } catch (problem) {
      complain(reasonOf(problem));
    }
  };
  return {
    current: () => {
      look();
      return value;
    },
    loadedAt: () => loadedAt,
    lastError: () => error,
  };
}
