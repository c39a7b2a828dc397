import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheFolder, recall, remember, statusOf } from "./no-change.ts";
import type { Request, Said } from "./no-change.ts";
import { watchFiles } from "./watched-files.ts";

const SAID: readonly Said[] = [
  { stream: "stderr", text: "1 warning\n" },
  { stream: "stdout", text: "out/shop: generated 0, unchanged 2, deleted 0\n" },
];

const VARIABLES = new Map([
  ["MCP_VALKEY_PASSWORD", null],
  ["SOPS_AGE_KEY_FILE", "/keys/age.txt"],
]);
const ENVIRONMENT = { MCP_VALKEY_PASSWORD: "", SOPS_AGE_KEY_FILE: "/keys/age.txt", PATH: "/bin" };

let root: string;
const at = (...segments: string[]): string => join(root, ...segments);

function write(path: string, text: string): void {
  fs.mkdirSync(join(at(path), ".."), { recursive: true });
  fs.writeFileSync(at(path), text);
}

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "topogate-no-change-"));
  write("program/topogate.cjs", "program");
  write("program/data/valkey.json", "{}");
  write("stacks/shop.yaml", "stack: shop");
  write("out/shop/README.md", "readme");
  write("out/shop/server/tools/valkey.ts", "tools");
});

afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const request = (): Request => ({
  args: ["generate"],
  cwd: root,
  node: "v20.20.2",
  program: at("program"),
  config: at("config"),
  today: "2026-11-20",
  color: false,
});

/** Long enough after everything was written, without waiting for it. */
const LATER_MS = 10_000;

function lookAtEverything(files: typeof fs): void {
  files.readdirSync(at("stacks"));
  files.readFileSync(at("stacks/shop.yaml"));
  files.existsSync(at("stacks/sre.yaml"));
  for (const folder of ["out", "out/shop", "out/shop/server", "out/shop/server/tools"])
    files.readdirSync(at(folder));
  for (const file of ["out/shop/README.md", "out/shop/server/tools/valkey.ts"]) files.readFileSync(at(file));
}

/** A complete run, as the command line does one; whether it was kept. */
function run(started = Date.now() + LATER_MS, asked = request()): boolean {
  const watched = watchFiles(fs);
  lookAtEverything(watched.fs as typeof fs);
  expect(watched.isComplete()).toBe(true);
  return remember(at("cache"), asked, { seen: watched.seen, said: SAID, variables: VARIABLES, started });
}

const answer = (
  asked = request(),
  environment: NodeJS.ProcessEnv = ENVIRONMENT,
): readonly Said[] | undefined => recall(at("cache"), asked, environment);

/** The edit that is hardest to see: same size, same times as far as a program can set them. */
function editInSecret(path: string): void {
  const { atime, mtime, size } = fs.statSync(at(path));
  fs.writeFileSync(at(path), "x".repeat(size));
  fs.utimesSync(at(path), atime, mtime);
}

function replaceByTwin(path: string): void {
  const { atime, mtime, mode } = fs.statSync(at(path));
  fs.writeFileSync(at("twin"), fs.readFileSync(at(path)), { mode });
  fs.utimesSync(at("twin"), atime, mtime);
  fs.renameSync(at("twin"), at(path));
}

function replaceByLink(path: string): void {
  fs.renameSync(at(path), at("elsewhere"));
  fs.symlinkSync(at("elsewhere"), at(path));
}

const FILES = [
  "program/topogate.cjs",
  "program/data/valkey.json",
  "stacks/shop.yaml",
  "out/shop/README.md",
  "out/shop/server/tools/valkey.ts",
];
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  "is edited, with its size and times kept": editInSecret,
  "is replaced by a file with the same bytes and times": replaceByTwin,
  "becomes a link to its own bytes": replaceByLink,
  grows: (path) => fs.appendFileSync(at(path), "x"),
  "is deleted": (path) => fs.rmSync(at(path)),
  "becomes a folder": (path) => {
    fs.rmSync(at(path));
    fs.mkdirSync(at(path));
  },
  "loses a permission": (path) => fs.chmodSync(at(path), 0o400),
};
const CASES = FILES.flatMap((path) => Object.keys(CHANGES).map((change) => [path, change] as const));

const ADDED = [
  "stacks/other.yaml",
  "stacks/sre.yaml",
  "out/shop/mine.md",
  "out/shop/server/mine.ts",
  "out/shop/server/tools/x.ts",
  "out/shop.dev/a",
  "out/shop/.generated.lock",
  "program/data/new.json",
];

describe("a run without changes", () => {
  it("is answered with what the last one said", () => {
    expect(answer()).toBeUndefined();
    expect(run()).toBe(true);
    expect(answer()).toEqual(SAID);
  });

  it.each(CASES)("is not assumed when %s %s", (path, change) => {
    run();
    CHANGES[change]?.(path);
    expect(answer()).toBeUndefined();
  });

  it.each(ADDED)("is not assumed when %s appears", (path) => {
    run();
    write(path, "new");
    expect(answer()).toBeUndefined();
  });

  it.each([
    { args: ["generate", "--check"] },
    { args: [] },
    { cwd: "/" },
    { node: "v22.22.0" },
    { program: "/elsewhere" },
    { today: "2026-11-21" },
    { color: true },
  ])("is not assumed for another request: %j", (other) => {
    run();
    expect(answer({ ...request(), ...other })).toBeUndefined();
    fs.readdirSync(at("cache")).forEach((name) => expect(name).toMatch(/^[0-9a-f]{16}\.txt$/));
  });

  it.each([
    { MCP_VALKEY_PASSWORD: "set" },
    { SOPS_AGE_KEY_FILE: "/keys/other.txt" },
    { SOPS_AGE_KEY_FILE: "" },
  ])("is not assumed with another environment: %j", (other) => {
    run();
    expect(answer()).toEqual(SAID);
    expect(answer(request(), { ...ENVIRONMENT, ...other })).toBeUndefined();
  });

  it("S5: a record holds no private key, only what cannot be turned back into one", () => {
    run();
    const [name = ""] = fs.readdirSync(at("cache"));
    expect(fs.readFileSync(at("cache", name), "utf8")).not.toContain("/keys/age.txt");
  });

  it("is not assumed from a record under another request's name", () => {
    run();
    const [name = ""] = fs.readdirSync(at("cache"));
    run(undefined, { ...request(), args: ["generate", "--check"] });
    const other = fs.readdirSync(at("cache")).find((each) => each !== name);
    fs.renameSync(at("cache", other ?? ""), at("cache", name));
    expect(answer()).toBeUndefined();
  });
});

describe("a run is not kept", () => {
  it("when a file changed in the tick in which the run began: it could change again without a trace", () => {
    fs.appendFileSync(at("stacks/shop.yaml"), "x");
    expect(run(Date.now())).toBe(false);
    expect(answer()).toBeUndefined();
  });

  it("when the file system counts whole seconds and the file is two seconds young", () => {
    fs.utimesSync(at("stacks/shop.yaml"), 1_700_000_000, 1_700_000_000);
    const changed = Number((statusOf(at("stacks/shop.yaml"))?.ctimeNs ?? 0n) / 1_000_000n);
    expect(run(changed + 2_000)).toBe(false);
    expect(run(changed + 2_200)).toBe(true);
  });

  it("when the clock went back: the files come from the future", () => {
    expect(run(Date.now() - 3_600_000)).toBe(false);
    fs.utimesSync(at("out/shop/README.md"), 4_000_000_000, 4_000_000_000);
    expect(run()).toBe(false);
  });

  it("when a link is among its files: what it leads to can change behind it", () => {
    fs.renameSync(at("stacks"), at("drawings"));
    fs.symlinkSync(at("drawings"), at("stacks"));
    expect(run()).toBe(false);
  });

  it("when it wrote anything, or met a path whose status cannot be read", () => {
    const writing = watchFiles(fs);
    writing.fs.mkdirSync(at("made"));
    expect(writing.isComplete()).toBe(false);
    const failing = watchFiles(fs);
    expect(failing.fs.existsSync(at("x".repeat(300)))).toBe(false);
    expect(failing.isComplete()).toBe(false);
  });

  it("when the cache cannot be written, and that is no failure", () => {
    write("cache", "a file where the folder goes");
    expect(run()).toBe(false);
    expect(answer()).toBeUndefined();
  });
});

describe("the status of a file", () => {
  it("is the one from before it was read, so an edit during the run shows in the next", () => {
    const watched = watchFiles(fs);
    lookAtEverything(watched.fs as typeof fs);
    editInSecret("stacks/shop.yaml");
    watched.fs.readFileSync(at("stacks/shop.yaml"));
    remember(at("cache"), request(), {
      seen: watched.seen,
      said: SAID,
      variables: VARIABLES,
      started: Date.now() + LATER_MS,
    });
    expect(answer()).toBeUndefined();
  });
});

describe("a record", () => {
  const path = (): string => at("cache", fs.readdirSync(at("cache"))[0] ?? "");

  it("that was cut off anywhere is not believed", () => {
    run();
    const whole = fs.readFileSync(path());
    for (let length = 0; length < whole.length; length++) {
      fs.writeFileSync(path(), whole.subarray(0, length));
      expect(answer(), `${length} bytes`).toBeUndefined();
    }
    fs.writeFileSync(path(), whole);
    expect(answer()).toEqual(SAID);
  });

  it("without one of its lines is not believed", () => {
    run();
    const lines = fs.readFileSync(path(), "utf8").split("\n");
    for (let index = 0; index < lines.length; index++) {
      fs.writeFileSync(path(), lines.toSpliced(index, 1).join("\n"));
      expect(answer(), `without line ${index}`).toBeUndefined();
    }
  });

  it("of another version, or of no version, is not believed", () => {
    run();
    const text = fs.readFileSync(path(), "utf8");
    for (const other of [
      text.replace("no-change 2", "no-change 3"),
      "",
      "\u0000\u0001",
      "{}",
      `topogate-no-change 2 {"request":`,
    ]) {
      fs.writeFileSync(path(), other);
      expect(answer()).toBeUndefined();
    }
    fs.rmSync(path());
    run();
    const name = path();
    fs.rmSync(name);
    fs.mkdirSync(name);
    expect(answer()).toBeUndefined();
  });

  it("that came with somebody's project is not believed: it cannot know this machine's program", () => {
    run();
    const [head = "", ...lines] = fs.readFileSync(path(), "utf8").split("\n");
    const kept = lines.filter((line) => !line.includes(at("program")));
    const forged = [head.replace(/"paths":\d+/, `"paths":${kept.length - 1}`), ...kept].join("\n");
    fs.writeFileSync(path(), forged);
    expect(answer()).toBeUndefined();
  });

  it("makes room: work folders come and go", () => {
    for (let index = 0; index < 70; index++)
      run(undefined, { ...request(), args: ["generate", `s${index}`] });
    expect(fs.readdirSync(at("cache"))).toHaveLength(64);
    expect(answer({ ...request(), args: ["generate", "s69"] })).toEqual(SAID);
  });
});

describe("the cache folder", () => {
  it("is beside the project's other caches, else beside the user's", () => {
    expect(cacheFolder(at("stacks"), { XDG_CACHE_HOME: "/caches" })).toBe("/caches/topogate");
    expect(cacheFolder(at("stacks"), { XDG_CACHE_HOME: "relative" })).toMatch(/\.cache\/topogate$/);
    fs.mkdirSync(at("node_modules"));
    expect(cacheFolder(at("stacks"), { XDG_CACHE_HOME: "/caches" })).toBe(at("node_modules/.cache/topogate"));
  });
});

describe("the built program", () => {
  const DIST = new URL("../../dist", import.meta.url).pathname;

  /** Runs a copy of the program; `loaded` says whether it needed more than its small first part. */
  function generate(...args: string[]): {
    status: number | null;
    stdout: string;
    stderr: string;
    loaded: boolean;
  } {
    const coverage = fs.mkdtempSync(at("coverage-"));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [at("dist/topogate.cjs"), "generate", ...args],
      {
        cwd: root,
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: root, NODE_V8_COVERAGE: coverage },
      },
    );
    const scripts = fs.readdirSync(coverage).map((name) => fs.readFileSync(join(coverage, name), "utf8"));
    expect(scripts.join("")).toContain("dist/topogate.cjs");
    return { status, stdout, stderr, loaded: scripts.join("").includes("dist/topogate-main.cjs") };
  }

  const waitATick = (): Promise<void> => new Promise((done) => setTimeout(done, 2_500));

  beforeEach(async () => {
    fs.cpSync(DIST, at("dist"), { recursive: true });
    fs.rmSync(at("out"), { recursive: true });
    write(
      "stacks/shop.yaml",
      "apiVersion: topology/v1\nstack: shop\ncomponents:\n  valkey:\n  spare: {type: valkey}\nlinks:\n  mcp: {valkey: read}\n",
    );
    expect(generate().status).toBe(0);
    await waitATick();
    expect(generate().loaded).toBe(true);
  });

  it("G2: answers an unchanged project from its record, in the same words", () => {
    const short = generate();
    fs.rmSync(at(".cache"), { recursive: true });
    const full = generate();
    expect([short.loaded, full.loaded]).toEqual([false, true]);
    expect({ ...short, loaded: true }).toEqual(full);
    expect(full.stderr).toContain("W-UNLINKED");
  });

  it("sees an edited drawing, an edited output, a foreign file and a missing one", () => {
    editInSecret("out/shop/README.md");
    expect(generate().status).toBe(3);
    expect(generate("--force").status).toBe(0);
    write("out/shop/server/tools/mine.ts", "export {};\n");
    expect(generate().stderr).toContain("unmanaged-file: out/shop/server/tools/mine.ts");
    expect(generate("--check").status).toBe(1);
    fs.rmSync(at("out/shop/server/tools/mine.ts"));
    fs.rmSync(at("out/shop/server/tools/valkey.ts"));
    expect(generate("--check").stdout).toContain("+ out/shop/server/tools/valkey.ts");
    expect(generate().stdout).toContain("generated 1,");
    write(
      "stacks/shop.yaml",
      fs.readFileSync(at("stacks/shop.yaml"), "utf8").replace("valkey: read", "spare: read"),
    );
    expect(generate().stdout).toMatch(/deleted [1-9]/);
  });

  it("keeps no record of a run that found something to report or to do", async () => {
    fs.rmSync(at(".cache"), { recursive: true });
    write("out/shop/mine.md", "mine");
    await waitATick();
    expect(generate().status).toBe(0);
    expect(generate().loaded).toBe(true);
    expect(generate("--dry-run").loaded).toBe(true);
    expect(fs.existsSync(at(".cache"))).toBe(false);
  });
});
