import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
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

/** Where the user's programs keep their configurations, private keys of age among them. */
function configFolder(): string {
  const own = process.env["XDG_CONFIG_HOME"] ?? "";
  return isAbsolute(own) ? own : join(homedir(), ".config");
}

/** What this process was asked, and all else beside files that its answer depends on. */
export function currentRequest(): Request {
  return {
    args: process.argv.slice(2),
    cwd: process.cwd(),
    node: process.version,
    program: programFolder(),
    config: configFolder(),
    today: today(),
    color: wantsColor(),
  };
}
