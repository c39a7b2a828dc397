import { spawn } from "node:child_process";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT, topogate, workspace } from "./harness/emitted.ts";

const CLI = join(ROOT, "dist/topogate.cjs");

const SMALL =
  "apiVersion: topology/v1\nstack: stack\ncomponents: {valkey: }\nlinks: {mcp: {stack_agent: read, valkey: read}}\n";
const LARGE = `apiVersion: topology/v1
stack: stack
components: {valkey: , prometheus: , cnpg: {databases: [app_db]}}
links: {mcp: {stack_agent: read, valkey: write, prometheus: read, cnpg: read}}
`;

function filesOf(folder: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]),
  );
}

function start(cwd: string, ...args: string[]): { readonly ended: Promise<number | null>; kill(): void } {
  const child = spawn(process.execPath, [CLI, "generate", ...args], { cwd, stdio: "ignore" });
  return {
    ended: new Promise((resolve) => child.once("exit", resolve)),
    kill: () => void child.kill("SIGKILL"),
  };
}

describe("a run that is interrupted", () => {
  const work = workspace();
  afterAll(work.remove);

  it("converges when killed at any moment, again and again", async () => {
    work.draw("stack", LARGE);
    work.generate();
    const large = filesOf(work.path("out/stack"));
    work.draw("stack", SMALL);
    work.generate();
    const small = filesOf(work.path("out/stack"));
    let killed = 0;
    for (let attempt = 0; attempt < 40; attempt++) {
      const wantsLarge = attempt % 2 === 0;
      work.draw("stack", wantsLarge ? LARGE : SMALL);
      const run = start(work.folder);
      await new Promise((resolve) => setTimeout(resolve, 60 + attempt * 4));
      run.kill();
      if ((await run.ended) === null) killed++;
      if (attempt % 5 === 4) {
        expect(topogate(["generate"], { cwd: work.folder }).status).toBe(0);
        expect(filesOf(work.path("out/stack"))).toEqual(wantsLarge ? large : small);
      }
    }
    expect(killed).toBeGreaterThan(0);
    work.generate();
    expect(filesOf(work.path("out/stack"))).toEqual(small);
  }, 120_000);
});

describe("two runs at once", () => {
  const work = workspace();
  afterAll(work.remove);

  it("leave the tree of one of them, never a mixture", async () => {
    const trees: Readonly<Record<string, string>>[] = [];
    for (const [name, text] of [
      ["one", SMALL],
      ["two", LARGE],
    ] as const) {
      work.draw(name, text.replace("stack: stack", `stack: ${name}`));
    }
    // Both drawings are called `stack`, each in a folder of its own, and write to one output.
    const folders = [workspace(), workspace()];
    folders[0]?.draw("stack", SMALL);
    folders[1]?.draw("stack", LARGE);
    for (const folder of folders) {
      folder.generate();
      trees.push(filesOf(folder.path("out/stack")));
    }
    for (let round = 0; round < 8; round++) {
      const shared = work.path("shared");
      rmSync(shared, { recursive: true, force: true });
      const runs = folders.flatMap((folder) => [
        start(folder.folder, "--out", shared),
        start(folder.folder, "--out", shared),
      ]);
      for (const run of runs) expect(await run.ended).toBe(0);
      expect(trees).toContainEqual(filesOf(join(shared, "stack")));
    }
    for (const folder of folders) folder.remove();
  }, 120_000);
});
