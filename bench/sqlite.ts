import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

interface Statement {
  run(...values: readonly unknown[]): unknown;
  all(...values: readonly unknown[]): readonly unknown[];
}

/** The part of better-sqlite3 that the benchmarks use. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  transaction(work: () => void): () => void;
  close(): void;
}

const PACKAGE = "better-sqlite3@12.11.1";

/**
 * A database in memory. The package is no dependency of this project: it is native, and an install must work
 * where nothing can be compiled or fetched for it.
 */
export function openDatabase(): Database {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const folder = join(cache, "topogate", "better-sqlite3");
  try {
    const Sqlite = createRequire(join(folder, "package.json"))("better-sqlite3") as new (
      path: string,
    ) => Database;
    return new Sqlite(":memory:");
  } catch (error) {
    throw new Error(`no ${PACKAGE} to compare with: npm install --prefix ${folder} ${PACKAGE}`, {
      cause: error,
    });
  }
}
