import type { LockedPackage } from "../catalog/compiled.ts";

interface LockEntry {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>;
  readonly [key: string]: unknown;
}
type Lock = { readonly packages: Readonly<Record<string, LockEntry>> };

/** Where Node finds `name` from the package at `path`: its own node_modules first, then each parent's. */
function resolve(lock: Lock, path: string, name: string): string | undefined {
  for (let base = path; ;) {
    const candidate = base === "" ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (Object.hasOwn(lock.packages, candidate)) return candidate;
    if (base === "") return undefined;
    const parent = base.lastIndexOf("/node_modules/");
    base = parent === -1 ? "" : base.slice(0, parent);
  }
}

function usesOf(lock: Lock, path: string, entry: LockEntry): string[] {
  const peers = Object.keys(entry.peerDependencies ?? {}).filter(
    (name) => entry.peerDependenciesMeta?.[name]?.optional !== true,
  );
  const names = [
    ...Object.keys(entry.dependencies ?? {}),
    ...Object.keys(entry.optionalDependencies ?? {}),
    ...peers,
  ];
  return names.flatMap((name) => resolve(lock, path, name) ?? []).sort();
}

/** The part of the lock file that the given packages reach, without what only describes this repository. */
export function compileLock(
  text: string,
  libraries: Iterable<string>,
): Readonly<Record<string, LockedPackage>> {
  const lock = JSON.parse(text) as Lock;
  const reached = new Map<string, LockedPackage>();
  const queue = [...libraries].map((name) => `node_modules/${name}`);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const entry = lock.packages[path];
    if (entry?.version === undefined)
      throw new Error(`package-lock.json has no ${path}: install it and name it in package.json`);
    if (reached.has(path)) continue;
    const { dev: _dev, peer: _peer, devOptional: _devOptional, resolved: _resolved, ...kept } = entry;
    const uses = usesOf(lock, path, entry);
    reached.set(path, { version: entry.version, entry: kept, uses });
    queue.push(...uses);
  }
  return Object.fromEntries([...reached].sort(([a], [b]) => (a < b ? -1 : 1)));
}
