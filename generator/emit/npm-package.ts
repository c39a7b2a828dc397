import type { LockedPackage } from "../catalog/compiled.ts";

export interface PackageRequest {
  readonly name: string;
  readonly description: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

type Lock = Readonly<Record<string, LockedPackage>>;

function versions(lock: Lock, names: readonly string[]): Record<string, string> {
  const sorted = [...new Set(names)].sort();
  return Object.fromEntries(sorted.map((name) => [name, versionOf(lock, name)]));
}

function versionOf(lock: Lock, name: string): string {
  const entry = lock[`node_modules/${name}`];
  if (entry === undefined) throw new Error(`package "${name}" is in no compiled lock: name it in libraries`);
  return entry.version;
}

function reachable(lock: Lock, names: readonly string[]): ReadonlySet<string> {
  const seen = new Set(names.map((name) => `node_modules/${name}`));
  for (const path of seen) for (const next of lock[path]?.uses ?? []) seen.add(next);
  return seen;
}

const ENGINES = { node: ">=20.19" };

/**
 * `package.json` and `package-lock.json` of an emitted folder: the reachable part of this project's own lock
 * file, so that what was tested here is what runs there, and no library that no link needs is installed.
 */
export function npmPackage(
  lock: Lock,
  request: PackageRequest,
): { readonly packageJson: object; readonly packageLock: object } {
  const dependencies = versions(lock, request.dependencies);
  const devDependencies = versions(lock, request.devDependencies);
  const head = { name: request.name, version: "0.0.0" };
  const needed = { dependencies, devDependencies, engines: ENGINES };
  const runtime = reachable(lock, request.dependencies);
  const all = [...new Set([...runtime, ...reachable(lock, request.devDependencies)])].sort();
  const packages: Record<string, unknown> = { "": { ...head, ...needed } };
  for (const path of all) {
    const { version, ...entry } = lock[path]?.entry ?? {};
    packages[path] = { version, ...entry, ...(runtime.has(path) ? {} : { dev: true }) };
  }
  return {
    packageJson: {
      ...head,
      description: request.description,
      private: true,
      type: "module",
      scripts: request.scripts,
      imports: request.imports,
      ...needed,
    },
    packageLock: { ...head, lockfileVersion: 3, requires: true, packages },
  };
}
