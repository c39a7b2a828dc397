/**
 * Runs the live suites whose server is installed and names the others. `REQUIRE_LIVE=1` makes an absent
 * server a failure; `npm run test:live -- valkey` runs one, `-- --install` installs what is missing first.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SUITE_FOLDERS, liveVersion, suiteFolder } from "./server.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const VITEST = join(ROOT, "node_modules/vitest/vitest.mjs");

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const suites = SUITE_FOLDERS.flatMap((folder) =>
  readdirSync(folder).filter((name) => existsSync(join(folder, name, "live.test.ts"))),
)
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  .sort();

if (process.argv.includes("--install")) {
  for (const name of suites.filter((suite) => liveVersion(suite) === undefined)) {
    spawnSync("bash", [join(suiteFolder(name), "live.sh"), "install"], { stdio: "inherit" });
  }
}

/** The suite of the whole chain needs all of these servers at once. */
const CHAIN = ["postgresql", "prometheus", "valkey"];

const versions = new Map(suites.map((name) => [name, liveVersion(name)]));
const present = suites.filter((name) => versions.get(name) !== undefined);
const absent = suites.filter((name) => versions.get(name) === undefined);
for (const name of present) console.log(`${name}: ${versions.get(name)}`);
for (const name of absent) console.log(`${name}: not installed here, its live suite does not run`);

let failed = suites.length === 0 || (absent.length > 0 && process.env["REQUIRE_LIVE"] === "1");
if (present.length > 0) {
  const chain = CHAIN.every((name) => present.includes(name)) ? ["test/live/end-to-end.test.ts"] : [];
  const files = [...present.map((name) => join(suiteFolder(name), "live.test.ts")), ...chain];
  const run = spawnSync(
    process.execPath,
    [VITEST, "run", "--config", "test/live/vitest.config.ts", ...files],
    { cwd: ROOT, stdio: "inherit" },
  );
  failed ||= run.status !== 0;
}
process.exitCode = failed ? 1 : 0;
