import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Request } from "./no-change.ts";
import { wantsColor } from "./terminal.ts";

/** Today in UTC; the one clock reading of the generator, and only warnings depend on it. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** Where the built files stand: all that the program consists of. */
export function programFolder(): string {
  return dirname(fileURLToPath(import.meta.url));
}

/** What this process was asked, and all else beside files that its answer depends on. */
export function currentRequest(): Request {
  return {
    args: process.argv.slice(2),
    cwd: process.cwd(),
    node: process.version,
    program: programFolder(),
    today: today(),
    color: wantsColor(),
  };
}
