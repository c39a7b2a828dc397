import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT, topogate, workspace } from "./harness/emitted.ts";

/**
 * A case is a folder: `stack.yaml`, and what comes of it: `expected/` (the whole tree) or `stderr.txt` for one
 * that is refused, or both for one with warnings. `UPDATE_GOLDEN=1 npm test -- cases` writes them anew.
 *
 * Files that are copied byte for byte are not kept a second time: they must equal their source.
 */
const CASES = join(ROOT, "test/cases");
const UPDATE = process.env["UPDATE_GOLDEN"] === "1";

interface ManifestFile {
  readonly files: Readonly<Record<string, { readonly kind: string; readonly from: string }>>;
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function copiedFrom(folder: string): ReadonlyMap<string, string> {
  const path = join(folder, ".generated.json");
  if (!existsSync(path)) return new Map();
  const { files } = JSON.parse(readFileSync(path, "utf8")) as ManifestFile;
  return new Map(
    Object.entries(files).flatMap(([file, { kind, from }]) =>
      kind === "copied" ? [[file, from] as const] : [],
    ),
  );
}

/** Made from this project's lock file; kept out of the cases, or every upgrade would touch them all. */
const LOCK = /(^|\/)package-lock\.json$/;

/** Every generated file of every output of the case, by path. */
function outputOf(out: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const output of existsSync(out) ? readdirSync(out).sort() : []) {
    const copies = copiedFrom(join(out, output));
    for (const path of filesBelow(join(out, output))) {
      const text = readFileSync(join(out, output, path), "utf8");
      const source = copies.get(path);
      if (LOCK.test(path)) expect(() => JSON.parse(text) as unknown).not.toThrow();
      else if (source === undefined) files.set(`${output}/${path}`, text);
      else
        expect(text, `${output}/${path} must equal ${source}`).toBe(readFileSync(join(ROOT, source), "utf8"));
    }
  }
  return files;
}

function expectedOf(folder: string): ReadonlyMap<string, string> {
  return new Map(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

function update(folder: string, output: ReadonlyMap<string, string>, stderr: string): void {
  rmSync(join(folder, "expected"), { recursive: true, force: true });
  rmSync(join(folder, "stderr.txt"), { force: true });
  for (const [path, text] of output) {
    mkdirSync(dirname(join(folder, "expected", path)), { recursive: true });
    writeFileSync(join(folder, "expected", path), text);
  }
  if (stderr !== "") writeFileSync(join(folder, "stderr.txt"), stderr);
}

describe("cases", () => {
  const work = workspace();
  afterAll(work.remove);
  const names = readdirSync(CASES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  it("there are cases", () => {
    expect(names.length).toBeGreaterThan(10);
  });

  it.each(names)("%s", (name) => {
    const folder = join(CASES, name);
    rmSync(work.path("stacks"), { recursive: true, force: true });
    rmSync(work.path("out"), { recursive: true, force: true });
    mkdirSync(work.path("stacks"));
    for (const file of readdirSync(folder).filter((each) => each.endsWith(".yaml"))) {
      work.draw(file.slice(0, -5), readFileSync(join(folder, file), "utf8"));
    }
    const run = topogate(["generate", "stack"], { cwd: work.folder });
    const output = outputOf(work.path("out"));
    if (UPDATE) update(folder, output, run.stderr);
    const wantedErrors = join(folder, "stderr.txt");
    expect(run.stderr).toBe(existsSync(wantedErrors) ? readFileSync(wantedErrors, "utf8") : "");
    const expected = expectedOf(join(folder, "expected"));
    expect([...output.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [path, text] of expected) expect(output.get(path), path).toBe(text);
    expect(run.status).toBe(expected.size === 0 ? 1 : 0);
  });
});
