import * as realFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Volume, createFsFromVolume } from "memfs";
import { describe, expect, it } from "vitest";
import { apply } from "./apply.ts";
import type { FileSystem } from "./disk.ts";
import { caseCollision, isSafePath } from "./file-tree.ts";
import type { FileTree } from "./file-tree.ts";
import { withLock } from "./lock.ts";
import { JOURNAL, LOCK, MANIFEST } from "./manifest.ts";
import { isUpToDate, plan } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { placeWhole } from "./stage.ts";

const ROOT = "/out/shop";
const provenance = { generator: "1.0.0", stack: "shop", environment: null, drawing: "d" };

function treeOf(files: Record<string, string>): FileTree {
  return new Map(Object.entries(files).map(([path, text]) => [path, { kind: "data", from: "test", text }]));
}

function memory(): { fs: FileSystem; files: () => Record<string, string>; volume: Volume } {
  const volume = new Volume();
  volume.mkdirSync("/out", { recursive: true });
  const fs = createFsFromVolume(volume) as unknown as FileSystem;
  const files = (): Record<string, string> =>
    Object.fromEntries(
      Object.entries(volume.toJSON(ROOT, undefined, true)).flatMap(([path, text]) =>
        text === null ? [] : [[path, text] as const],
      ),
    );
  return { fs, files, volume };
}

function generate(fs: FileSystem, tree: FileTree, force = false): Plan {
  const before = plan(fs, ROOT, tree, provenance);
  if (isUpToDate(before) || (before.conflicts.length > 0 && !force)) return before;
  return withLock(fs, ROOT, () => {
    const now = plan(fs, ROOT, tree, provenance);
    apply(fs, now);
    return now;
  });
}

const ONE = treeOf({
  "server/tools/a.ts": "a",
  "server/tools/b.ts": "b",
  "docs/x/deep.md": "deep",
  "README.md": "one",
});
const TWO = treeOf({ "server/tools/a.ts": "a2", "README.md": "one" });

/** The same file system, ending the "process" at the n-th operation that changes something. */
function killedAfter(fs: FileSystem, operations: number): FileSystem {
  let left = operations;
  const changing = new Set([
    "writeFileSync",
    "renameSync",
    "unlinkSync",
    "mkdirSync",
    "rmdirSync",
    "openSync",
  ]);
  return new Proxy(fs, {
    get: (target, name: keyof FileSystem) => {
      const method = target[name] as (...args: unknown[]) => unknown;
      if (!changing.has(name)) return method;
      return (...args: unknown[]) => {
        if (left-- <= 0) throw new Error("killed");
        return method.apply(target, args);
      };
    },
  });
}

describe("plan and apply", () => {
  it("S3: writes a fresh tree, then finds nothing to do", () => {
    const { fs, files } = memory();
    expect(generate(fs, ONE).changes).toHaveLength(5);
    expect(Object.keys(files()).sort()).toEqual([
      MANIFEST,
      "README.md",
      "docs/x/deep.md",
      "server/tools/a.ts",
      "server/tools/b.ts",
    ]);
    const again = plan(fs, ROOT, ONE, provenance);
    expect(isUpToDate(again)).toBe(true);
    expect(again.unchanged).toBe(4);
  });

  it("opens nothing for writing when nothing changed", () => {
    const { fs } = memory();
    generate(fs, ONE);
    expect(() => generate(killedAfter(fs, 0), ONE)).not.toThrow();
  });

  it("S29: deletes exactly the files whose source is gone, and the folders that become empty", () => {
    const { fs, files, volume } = memory();
    generate(fs, ONE);
    const changes = generate(fs, TWO).changes;
    expect(changes.filter(({ kind }) => kind === "delete").map(({ path }) => path)).toEqual([
      "docs/x/deep.md",
      "server/tools/b.ts",
    ]);
    expect(Object.keys(files()).sort()).toEqual([MANIFEST, "README.md", "server/tools/a.ts"]);
    expect(volume.existsSync(`${ROOT}/docs`)).toBe(false);
  });

  it("keeps and reports a file that nobody generated, and the folder around it", () => {
    const { fs, files, volume } = memory();
    generate(fs, ONE);
    volume.writeFileSync(`${ROOT}/docs/x/mine.md`, "mine");
    expect(generate(fs, TWO).unmanaged).toEqual(["docs/x/mine.md"]);
    expect(files()["docs/x/mine.md"]).toBe("mine");
    expect(files()["docs/x/deep.md"]).toBeUndefined();
  });

  it("leaves everything alone when a generated file was edited or is in somebody's way", () => {
    const { fs, files, volume } = memory();
    volume.mkdirSync(`${ROOT}/server/tools`, { recursive: true });
    volume.writeFileSync(`${ROOT}/server/tools/a.ts`, "mine");
    expect(generate(fs, ONE).conflicts).toEqual([{ path: "server/tools/a.ts", reason: "foreign" }]);
    expect(Object.keys(files())).toEqual(["server/tools/a.ts"]);
    generate(fs, ONE, true);
    volume.writeFileSync(`${ROOT}/server/tools/b.ts`, "edited");
    expect(generate(fs, TWO).conflicts).toEqual([{ path: "server/tools/b.ts", reason: "edited" }]);
    expect(files()["server/tools/a.ts"]).toBe("a");
    generate(fs, TWO, true);
    expect(files()["server/tools/b.ts"]).toBeUndefined();
  });

  it("an edit back to the wanted bytes is no edit", () => {
    const { fs, volume } = memory();
    generate(fs, ONE);
    volume.writeFileSync(`${ROOT}/server/tools/a.ts`, "a2");
    expect(plan(fs, ROOT, TWO, provenance).conflicts).toEqual([]);
  });

  it("removes a whole output whose environment is gone", () => {
    const { fs, files } = memory();
    generate(fs, ONE);
    const gone = plan(fs, ROOT, new Map(), null);
    withLock(fs, ROOT, () => apply(fs, gone));
    expect(files()).toEqual({});
  });

  it("converges after a kill at any operation, to any next drawing", () => {
    const third = treeOf({ "server/tools/a.ts": "a3", "docs/x/deep.md": "third" });
    for (let operations = 0; ; operations++) {
      const { fs, files } = memory();
      generate(fs, ONE);
      let finished = false;
      try {
        generate(killedAfter(fs, operations), TWO);
        finished = true;
      } catch (error) {
        expect((error as Error).message).toBe("killed");
      }
      // A process that is gone leaves its lock; the pid in it is this test's, so it is removed by hand.
      if (fs.existsSync(`${ROOT}/${LOCK}`)) fs.unlinkSync(`${ROOT}/${LOCK}`);
      const next = operations % 2 === 0 ? TWO : third;
      expect(generate(fs, next).conflicts, `killed after ${operations} operations`).toEqual([]);
      const wanted = Object.fromEntries([...next].map(([path, file]) => [path, file.text]));
      const { [MANIFEST]: _manifest, ...rest } = files();
      expect(rest, `killed after ${operations} operations`).toEqual(wanted);
      expect(fs.existsSync(`${ROOT}/${JOURNAL}`)).toBe(false);
      if (finished) break;
    }
  });

  it("a first output is whole or absent, whatever operation is the last", () => {
    for (let operations = 0; ; operations++) {
      const { fs, files, volume } = memory();
      const first = plan(fs, ROOT, ONE, provenance);
      let placed = false;
      try {
        placed = placeWhole(killedAfter(fs, operations), first);
      } catch (error) {
        expect((error as Error).message).toBe("killed");
      }
      expect(volume.existsSync(ROOT)).toBe(placed);
      if (placed) {
        expect(isUpToDate(plan(fs, ROOT, ONE, provenance))).toBe(true);
        expect(volume.readdirSync("/out")).toEqual(["shop"]);
        break;
      }
      // The stage belongs to this process, which is alive: the next run of another one removes it.
      const [stage = ""] = volume.readdirSync("/out").map(String);
      if (stage !== "") volume.renameSync(`/out/${stage}`, "/out/.generated.999999999.0.tmp");
      expect(placeWhole(fs, first)).toBe(true);
      expect(volume.readdirSync("/out")).toEqual(["shop"]);
      expect(Object.keys(files())).toHaveLength(5);
    }
  });

  it("a first output gives way to one that another run has made meanwhile", () => {
    const parent = realFs.mkdtempSync(join(tmpdir(), "topogate-stage-"));
    const root = join(parent, "shop");
    const late = plan(realFs, root, TWO, provenance);
    expect(placeWhole(realFs, plan(realFs, root, ONE, provenance))).toBe(true);
    expect(placeWhole(realFs, late)).toBe(false);
    expect(realFs.readdirSync(parent)).toEqual(["shop"]);
    expect(isUpToDate(plan(realFs, root, ONE, provenance))).toBe(true);
    realFs.rmSync(parent, { recursive: true });
  });

  it("refuses symbolic links as root, folder or file", () => {
    const { fs, volume } = memory();
    volume.mkdirSync("/elsewhere");
    volume.symlinkSync("/elsewhere", ROOT);
    expect(() => generate(fs, ONE)).toThrow(/symbolic link/);
    volume.unlinkSync(ROOT);
    volume.mkdirSync(ROOT);
    volume.symlinkSync("/elsewhere", `${ROOT}/server`);
    expect(() => generate(fs, ONE)).toThrow(/server is a symbolic link/);
    volume.unlinkSync(`${ROOT}/server`);
    generate(fs, ONE);
    volume.unlinkSync(`${ROOT}/README.md`);
    volume.writeFileSync("/elsewhere/target", "keep");
    volume.symlinkSync("/elsewhere/target", `${ROOT}/README.md`);
    expect(() => generate(fs, TWO, true)).toThrow(/README.md is a symbolic link/);
    expect(volume.readFileSync("/elsewhere/target", "utf8")).toBe("keep");
  });

  it.each(["../../etc/passwd", "/etc/passwd", "a//b", "a/../../b", "a\\b", "", ".", "a\u0000b"])(
    "treats the manifest as untrusted: %j is refused",
    (path) => {
      expect(isSafePath(path)).toBe(false);
      const { fs, volume } = memory();
      volume.mkdirSync(ROOT, { recursive: true });
      const files = { [path]: { kind: "data", from: "x", sha256: "0".repeat(64) } };
      volume.writeFileSync(`${ROOT}/${MANIFEST}`, JSON.stringify({ version: 1, files }));
      expect(() => plan(fs, ROOT, ONE, provenance)).toThrow(/outside its folder/);
    },
  );

  it("a manifest cannot make the generator delete what it did not write", () => {
    const { fs, files, volume } = memory();
    generate(fs, ONE);
    volume.writeFileSync(`${ROOT}/notes.txt`, "mine");
    const manifest = JSON.parse(files()[MANIFEST] ?? "") as { files: Record<string, unknown> };
    manifest.files["notes.txt"] = { kind: "data", from: "x", sha256: "0".repeat(64) };
    volume.writeFileSync(`${ROOT}/${MANIFEST}`, JSON.stringify(manifest));
    expect(generate(fs, ONE).conflicts).toEqual([{ path: "notes.txt", reason: "edited" }]);
    expect(files()["notes.txt"]).toBe("mine");
  });

  it("finds names that a case-insensitive file system would merge", () => {
    expect(caseCollision(["a/B.ts", "a/b.ts"])).toEqual(["a/B.ts", "a/b.ts"]);
    const { fs, volume } = memory();
    generate(fs, ONE);
    volume.writeFileSync(`${ROOT}/server/tools/A.ts`, "mine");
    expect(() => generate(fs, ONE)).toThrow(/only in case/);
  });
});
