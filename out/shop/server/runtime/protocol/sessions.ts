/** What a session id leads to. */
interface Session<T> {
  readonly owner: string;
  readonly value: T;
  lastUsed: number;
}

/** Sessions that belong to one principal each, are limited in number, and end when nobody uses them. */
export interface Sessions<T> {
  add(id: string, owner: string, value: T): void;
  /** `undefined` for another principal's session too: an id is a name, not a permission. */
  find(id: string, owner: string): T | undefined;
  remove(id: string): void;
  closeAll(): Promise<void>;
}

interface SessionLimits {
  readonly perOwner: number;
  readonly idleMs: number;
}

/** `close` ends a session that expired or had to make room. Its failure ends nothing but that session. */
export function createSessions<T>(limits: SessionLimits, close: (value: T) => Promise<void>): Sessions<T> {
  // Kept in order of use, the longest unused first.
  const sessions = new Map<string, Session<T>>();

  const drop = async (id: string): Promise<void> => {
    const session = sessions.get(id);
    sessions.delete(id);
    if (session === undefined) return;
    try {
      await close(session.value);
    } catch (error) {
      process.stderr.write(
        `a session did not end as it should: ${error instanceof Error ? error.name : "error"}\n`,
      );
    }
  };
  const expire = (): void => {
    const oldest = performance.now() - limits.idleMs;
    for (const [id, session] of sessions) if (session.lastUsed < oldest) void drop(id);
  };
  const sweep = setInterval(expire, Math.min(limits.idleMs, 60_000));
  sweep.unref();

  return {
    add: (id, owner, value) => {
      const own = [...sessions].filter(([, session]) => session.owner === owner);
      const [longestUnused] = own;
      if (own.length >= limits.perOwner && longestUnused !== undefined) void drop(longestUnused[0]);
      sessions.set(id, { owner, value, lastUsed: performance.now() });
    },
    find: (id, owner) => {
      expire();
      const session = sessions.get(id);
      if (session?.owner !== owner) return undefined;
      sessions.delete(id);
      sessions.set(id, { ...session, lastUsed: performance.now() });
      return session.value;
    },
    remove: (id) => void sessions.delete(id),
    closeAll: async () => {
      clearInterval(sweep);
      await Promise.all([...sessions.keys()].map(drop));
    },
  };
}
