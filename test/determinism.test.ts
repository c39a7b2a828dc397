import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  mkdirSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { ROOT } from "./harness/emitted.ts";

const STACKS = ["hello", "shop", "sre"];

/** The only files that a first seal makes random; what they hold is shown where credentials are tested. */
const SEALED = /\.sops\.(env|yaml)$|\/credentials-checksum\.yaml$/;

/** Path to mode and bytes of every file below a folder, the bytes of sealed ones left out. */
function snapshot(folder: string): ReadonlyMap<string, string> {
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [
        path.slice(folder.length + 1),
        `${(statSync(path).mode & 0o777).toString(8)} ${SEALED.test(path) ? "sealed" : readFileSync(path, "utf8")}`,
      ]),
  );
}

function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The same drawing with the keys of every map in another order. */
function shuffled(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => shuffled(item, random));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [random(), key, shuffled(item, random)] as const,
  );
  return Object.fromEntries(entries.sort(([a], [b]) => a - b).map(([, key, item]) => [key, item]));
}

/**
 * Generates all example stacks in a folder of its own and gives back what came out. The program comes with
 * them: they are examples only beside it.
 */
function generateIn(
  folder: string,
  how: { draw?: (text: string) => string; shell?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): ReadonlyMap<string, string> {
  mkdirSync(join(folder, "stacks"), { recursive: true });
  for (const stack of STACKS) {
    const text = readFileSync(join(ROOT, "stacks", `${stack}.yaml`), "utf8");
    writeFileSync(join(folder, "stacks", `${stack}.yaml`), how.draw?.(text) ?? text);
  }
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(ROOT, "stacks", "openapi"), join(folder, "stacks", "openapi"), { recursive: true });
  const files = STACKS.map((stack) => `'${join(folder, "stacks", `${stack}.yaml`)}'`).join(" ");
  const command = `${how.shell ?? ":"}; exec '${process.execPath}' '${join(folder, "dist/topogate.cjs")}' generate ${files}`;
  const run = spawnSync("sh", ["-c", command], {
    cwd: how.cwd ?? folder,
    env: { ...process.env, ...how.env },
    encoding: "utf8",
  });
  expect(run.status, run.stderr).toBe(0);
  return snapshot(join(folder, "out"));
}

describe("S3: the same drawing gives the same bytes", () => {
  const base = mkdtempSync(join(tmpdir(), "topogate-determinism-"));
  let reference: ReadonlyMap<string, string>;
  beforeAll(() => {
    reference = generateIn(join(base, "reference"));
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it("on a second fresh run", () => {
    expect(reference.size).toBeGreaterThan(300);
    expect(generateIn(join(base, "second"))).toEqual(reference);
  });

  it("from another folder, time zone, locale and umask", () => {
    const env = { TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" };
    expect(generateIn(join(base, "elsewhere"), { cwd: "/", env, shell: "umask 077" })).toEqual(reference);
  });

  it.each([1, 2, 3])("with the keys of the drawing in another order (%i)", (seed) => {
    const draw = (text: string): string => stringify(shuffled(parse(text), pseudoRandom(seed)));
    expect(generateIn(join(base, `shuffled-${seed}`), { draw })).toEqual(reference);
  });

  it("as what is committed in out/", () => {
    const committed = snapshot(join(ROOT, "out"));
    const paths = [...committed.keys()].filter((path) => !path.includes("/node_modules/"));
    expect(paths).toEqual([...reference.keys()]);
    for (const path of paths) expect(committed.get(path)?.slice(4), path).toBe(reference.get(path)?.slice(4));
  });
});

describe("A fix reaches every stack alike", () => {
  it("copied files are the same in every output", () => {
    const versions = new Map<string, Set<string>>();
    for (const [path, text] of snapshot(join(ROOT, "out"))) {
      const found = /\/server\/(runtime\/.+|main\.ts|start\.mjs)$/.exec(path);
      if (found?.[1] !== undefined && !path.includes("node_modules"))
        versions.set(found[1], (versions.get(found[1]) ?? new Set()).add(text));
    }
    expect(versions.size).toBeGreaterThan(20);
    expect([...versions].filter(([, texts]) => texts.size > 1).map(([path]) => path)).toEqual([]);
  });
});
