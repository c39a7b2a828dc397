import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./emitted.ts";

const CACHE = join(ROOT, ".topogate-cache/nodes");
const VERSIONS = { "node-20": "20.20.2", "node-22": "22.23.3", "node-24": "24.9.0" };

/** Folders with a `node` of each version, by name. The package `node` brings the program. */
export function installNodes(): ReadonlyMap<string, string> {
  mkdirSync(CACHE, { recursive: true });
  const found = new Map<string, string>();
  for (const [name, version] of Object.entries(VERSIONS)) {
    const folder = join(CACHE, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ private: true, dependencies: { node: version } }),
    );
    const run = spawnSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, encoding: "utf8" });
    const bin = join(folder, "node_modules/node/bin");
    const answer = spawnSync(join(bin, "node"), ["--version"], { encoding: "utf8" }).stdout?.trim();
    if (run.status !== 0 || answer !== `v${version}`)
      throw new Error(`${name} could not be installed: ${run.stderr}`);
    found.set(name, bin);
  }
  return found;
}
