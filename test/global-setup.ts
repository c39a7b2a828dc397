import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;
const SOURCES = ["generator", "hooks", "templates"];

function newest(): number {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }).map((entry) =>
      join(entry.parentPath, entry.name),
    ),
  );
  return Math.max(
    ...["package.json", "package-lock.json"]
      .map((name) => join(ROOT, name))
      .concat(files)
      .map((path) => statSync(path).mtimeMs),
  );
}

function builtAt(): number {
  return statSync(join(ROOT, "dist/topogate.cjs"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The suites run the built program; an old build would test yesterday's code. */
export default function setup(): void {
  if (builtAt() > newest()) return;
  const run = spawnSync("npm", ["run", "--silent", "build"], { cwd: ROOT, encoding: "utf8" });
  if (run.status !== 0) throw new Error(`the build failed:\n${run.stdout}${run.stderr}`);
}
