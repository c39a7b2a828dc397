/** Programs that stand where psql and the others would, and tell what was done with them. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAMS = [
  "clickhouse-client",
  "curl",
  "kcat",
  "kubectl",
  "pg_isready",
  "psql",
  "redis-cli",
  "sh",
  "bash",
  "touch",
  "id",
  "cat",
  "env",
];

/** Tells that it was started, then everything that it knows: the worst that a program can say. */
const TELLTALE = `printf '%s\\n' "$0" "$@" >>"$log"; env; printf '%s\\n' "$@"; cat`;

export interface Observer {
  /** To be searched for programs. */
  readonly folder: string;
  /** A path that no test may bring into being. */
  readonly marker: string;
  /** What was started since the last look, one line each for a program and its arguments. */
  started(): readonly string[];
  /** Puts a script of its own in the place of a program. */
  replace(program: string, script: string): void;
  remove(): void;
}

export function createObserver(): Observer {
  const folder = mkdtempSync(join(tmpdir(), "topogate-observer-"));
  const log = join(folder, "log");
  const write = (program: string, script: string): void => {
    writeFileSync(join(folder, program), `#!/bin/bash\nlog='${log}'\n${script}\n`);
    chmodSync(join(folder, program), 0o755);
  };
  for (const program of PROGRAMS) write(program, TELLTALE);
  return {
    folder,
    marker: join(folder, "marker"),
    started: () => {
      const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
      rmSync(log, { force: true });
      return lines;
    },
    replace: write,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Every process of the machine that comes from a test of commands, by its mark or as a child of this process. */
export function strayProcesses(): readonly string[] {
  const isOurs = (pid: string): boolean => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const isMarked = readFileSync(`/proc/${pid}/environ`, "latin1").includes(
        `TOPOGATE_RUN=${process.pid}-`,
      );
      return isMarked || (parent === process.pid && !KNOWN.has(pid));
    } catch {
      return false;
    }
  };
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOurs(name));
  return names.map(commandLineOf).filter((line) => line !== "");
}

/** For people: what runs there; empty for a process that is gone by now. */
function commandLineOf(pid: string): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()}`;
  } catch {
    return "";
  }
}

const KNOWN = new Set<string>();

/** Children that this process had before the tests. */
export function rememberProcesses(): void {
  for (const line of strayProcesses()) KNOWN.add(line.split(" ")[0] ?? "");
}
