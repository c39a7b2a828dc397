import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { KeyPair } from "../../test/harness/sealing.ts";
import { liveScript } from "../../test/live/server.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a home of its own, so that SOPS finds the keys that it is given, and no others. */
export interface Workplace {
  readonly folder: string;
  write(name: string, text: string): string;
  read(name: string): string;
  /** Fails when sops does. */
  sops(
    args: readonly string[],
    keys: readonly KeyPair[],
    environment?: Readonly<Record<string, string>>,
    /** Below the folder. */
    cwd?: string,
  ): string;
  run(
    command: string,
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
    input?: string,
    cwd?: string,
  ): Ended;
  discard(name: string): void;
  remove(): void;
}

export function sopsPath(): string {
  return execFileSync("bash", [liveScript("seal"), "path"], { encoding: "utf8" }).trim();
}

export function workplace(): Workplace {
  const folder = mkdtempSync(join(tmpdir(), "topogate-sops-"));
  const sopsProgram = sopsPath();
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (name.endsWith(".sh")) chmodSync(path, 0o755);
    return path;
  };
  const run: Workplace["run"] = (command, args, environment = {}, input = "", cwd = ".") => {
    const env = { PATH: process.env["PATH"], HOME: folder, ...environment };
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd: join(folder, cwd),
      env,
      input,
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  const sops: Workplace["sops"] = (args, keys, environment = {}, cwd = ".") => {
    const SOPS_AGE_KEY = keys.map(({ identity }) => identity).join("\n");
    const own = { SOPS_AGE_KEY, SOPS_DISABLE_VERSION_CHECK: "true", ...environment };
    const ended = run(sopsProgram, args, own, "", cwd);
    if (ended.status !== 0) throw new Error(`sops ${args[0]} exited ${ended.status}:\n${ended.stderr}`);
    return ended.stdout;
  };
  return {
    folder,
    write,
    read: (name) => readFileSync(join(folder, name), "utf8"),
    run,
    sops,
    discard: (name) => rmSync(join(folder, name)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
