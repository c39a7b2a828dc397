/** The environment, with a list of what was asked of it: what a run depends on besides files. */
export interface Variables {
  /** An empty variable counts as absent. */
  read(name: string): string | undefined;
  /**
   * As `read`, for a value that may be kept as a digest: a private key, which nobody guesses, or a path. Any
   * other credential may be short enough to be found by trying.
   */
  readKey(name: string): string | undefined;
  /** Each variable that was asked for and its value, `null` when unset; nothing when one may not be kept. */
  seen(): ReadonlyMap<string, string | null> | undefined;
}

export function watchVariables(environment: Readonly<Record<string, string | undefined>>): Variables {
  const seen = new Map<string, string | null>();
  let mayBeKept = true;
  const look = (name: string): string | undefined => {
    const value = environment[name];
    const found = value === undefined || value === "" ? undefined : value;
    seen.set(name, found ?? null);
    return found;
  };
  return {
    read: (name) => {
      const found = look(name);
      if (found !== undefined) mayBeKept = false;
      return found;
    },
    readKey: look,
    seen: () => (mayBeKept ? seen : undefined),
  };
}
