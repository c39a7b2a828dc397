import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./measure.ts";
import type { Case } from "./measure.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Inside the repository, so that emitted servers find its packages; ignored by git. */
const ON_DISK = join(ROOT, ".topogate-cache", "bench");
const IN_MEMORY = "/dev/shm";

/** A copy, so that a build during the benchmark changes nothing. */
export function stageProgram(): string {
  const built = join(ROOT, "dist");
  if (!existsSync(join(built, "topogate.cjs"))) throw new Error("dist/ is not built: npm run build");
  const staged = join(ON_DISK, "program");
  rmSync(staged, { recursive: true, force: true });
  cpSync(built, staged, { recursive: true });
  return join(staged, "topogate.cjs");
}

export interface Workplace {
  readonly folder: string;
  path(...segments: string[]): string;
  draw(name: string, text: string): void;
  remove(): void;
}

/** An empty folder with `stacks/`; in memory where the machine has such a file system. */
export function workplace(name: string, where: "disk" | "memory" = "disk"): Workplace {
  const parent = where === "memory" && existsSync(IN_MEMORY) ? join(IN_MEMORY, "topogate-bench") : ON_DISK;
  const folder = join(parent, name);
  const path = (...segments: string[]): string => join(folder, ...segments);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path("stacks"), { recursive: true });
  return {
    folder,
    path,
    draw: (stack, text) => writeFileSync(path("stacks", `${stack}.yaml`), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs the program and fails with its own words. */
export function generate(program: string, place: Workplace, ...args: string[]): string {
  const ended = run(process.execPath, [program, "generate", ...args], place.folder);
  if (ended.status !== 0) throw new Error(`generate exited ${ended.status}:\n${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

const WAIT_MS = 2_500;

/** Brings a workplace to where the next run finds a record of the last one and nothing to do. */
export function settle(program: string, place: Workplace, ...args: string[]): void {
  generate(program, place, ...args);
  // A run keeps no record while its files are so young that a change could go unseen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
  generate(program, place, ...args);
}

export const emptyNode: Case = { name: "node -e 0", command: { node: ["-e", "0"] }, cwd: ROOT };

/** Paths below a folder in order, with a word for what stands at each. */
export function contents(folder: string, describe: (path: string) => string): readonly string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return paths.map((path) => `${path} ${describe(join(folder, path))}`);
}

export const bytesOf = (path: string): string =>
  lstatSync(path).isFile() ? readFileSync(path, "base64") : "folder";

export function stampOf(path: string): string {
  const { ino, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
  return `${ino} ${mtimeNs} ${ctimeNs}`;
}
