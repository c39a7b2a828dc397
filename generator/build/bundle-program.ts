import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { Plugin } from "esbuild";
import { compiledName, PROGRAM, programText } from "../cli/program.ts";

/** What an ES module calls `import.meta.url`, in the CommonJS that is bundled. */
const MODULE_URL = 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;';

/** Commander asks for processes as soon as it is loaded, and uses them only for commands that are programs. */
const lateProcesses: Plugin = {
  name: "late-processes",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:child_process$/ }, ({ path, importer, namespace }) =>
      namespace === "file" && importer.includes("/commander/") ? { path, namespace: "late" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "late" }, ({ path }) => ({
      contents: `exports.spawn = (...args) => require(${JSON.stringify(path)}).spawn(...args);`,
    }));
  },
};

/**
 * Libraries in files of their own, so that only runs that need them read them: age seals and opens, conditions
 * of rules are in CEL, and bundles travel as archives.
 */
const APART: Readonly<Record<string, { readonly file: string; readonly entry: string }>> = {
  "age-encryption": { file: "topogate-age.cjs", entry: "node_modules/age-encryption/dist/index.js" },
  "@marcbachmann/cel-js": {
    file: "topogate-cel.cjs",
    entry: "node_modules/@marcbachmann/cel-js/lib/index.js",
  },
  "tar-stream": { file: "topogate-tar.cjs", entry: "node_modules/tar-stream/index.js" },
};

const librariesApart: Plugin = {
  name: "libraries-apart",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^(age-encryption|@marcbachmann\/cel-js|tar-stream)$/ }, ({ path }) => ({
      path: `./${APART[path]?.file ?? ""}`,
      external: true,
    }));
  },
};

/** The module and what it needs as one CommonJS text, but for what stands in a file of its own. */
export async function bundled(
  root: string,
  entry: string,
  banner: string,
  plugins: readonly Plugin[] = [lateProcesses, librariesApart],
): Promise<string> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minify: true,
    legalComments: "none",
    charset: "ascii",
    logLevel: "error",
    banner: { js: banner },
    define: { "import.meta.url": "moduleUrl" },
    // The program runs as a script, which can call for files beside it but cannot import them.
    supported: { "dynamic-import": false },
    plugins: [...plugins],
    write: false,
  });
  return result.outputFiles.map(({ text }) => text).join("");
}

/** A reader sees the old file or the new one, even while a build is under way. */
function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o755 });
  renameSync(temporary, path);
}

/** Runs the program on this repository's stacks to learn which functions a run needs. */
async function compile(root: string, dist: string, file: string): Promise<void> {
  const compiler = join(dist, ".compile-code.cjs");
  writeFileSync(compiler, await bundled(root, "generator/build/compile-code.ts", ""));
  const scratch = mkdtempSync(join(tmpdir(), "topogate-build-"));
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const args = [compiler, dist, temporary, "generate", "--out", scratch];
    const run = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    if (!existsSync(temporary))
      throw new Error(`the built program does not start:\n${run.stdout}${run.stderr}`);
    renameSync(temporary, file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Writes the files of the command line and the code that V8 made of them; returns the size of the program. */
export async function bundleProgram(root: string, dist: string): Promise<{ readonly bytes: number }> {
  const main = await bundled(root, "generator/cli/main.ts", MODULE_URL);
  const digest = createHash("sha256").update(main).digest("hex");
  replace(join(dist, PROGRAM), programText(digest, main));
  const entry = await bundled(root, "generator/cli/entry.ts", `#!/usr/bin/env node\n${MODULE_URL}`);
  replace(join(dist, "topogate.cjs"), entry);
  for (const { file, entry } of Object.values(APART))
    replace(join(dist, file), await bundled(root, entry, MODULE_URL, []));
  const compiled = compiledName(digest);
  for (const name of readdirSync(dist))
    if (name.endsWith(".code") && name !== compiled) rmSync(join(dist, name));
  await compile(root, dist, join(dist, compiled));
  return { bytes: main.length + entry.length };
}
