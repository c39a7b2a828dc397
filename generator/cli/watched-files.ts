import { resolve } from "node:path";
import type { FileSystem } from "../tree/disk.ts";
import { statusOf } from "./no-change.ts";
import type { Status } from "./no-change.ts";

export interface WatchedFiles {
  readonly fs: FileSystem;
  /** Every path that was looked at, with its status from before the first look. */
  readonly seen: ReadonlyMap<string, Status>;
  /** Milliseconds since the epoch, from before the first look. */
  readonly started: number;
  /** Whether the list is all that the run depends on, and still true: nothing was written, each status was readable. */
  isComplete(): boolean;
}

const READS: ReadonlySet<PropertyKey> = new Set(["existsSync", "lstatSync", "readFileSync", "readdirSync"]);

/**
 * The same file system, with a list of all that a run depends on: a run reads nothing else, so there is no
 * second list of inputs that somebody could forget to extend.
 */
export function watchFiles(fs: FileSystem): WatchedFiles {
  const seen = new Map<string, Status>();
  let complete = true;
  const note = (method: PropertyKey, path: unknown): void => {
    if (!READS.has(method) || typeof path !== "string") complete = false;
    else if (complete && !seen.has(resolve(path))) {
      try {
        seen.set(resolve(path), statusOf(path));
      } catch {
        // The run itself is about to meet the same obstacle, and decides what it means.
        complete = false;
      }
    }
  };
  const watched = new Proxy(fs, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]): unknown => {
        note(name, args[0]);
        return Reflect.apply(method, target, args);
      };
    },
  });
  return { fs: watched, seen, started: Date.now(), isComplete: () => complete };
}
