import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { keyPair } from "../../test/harness/sealing.ts";
import type { Randomness } from "../seal/seal.ts";
import { bundled } from "./bundle-program.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const AGE = "topogate-age.cjs";

describe("age in a file of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "topogate-bundle-"));
  const filename = join(folder, "program.cjs");
  copyFileSync(join(ROOT, "dist", AGE), join(folder, AGE));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is read when a post-quantum key is met, by a program that runs as a script", async () => {
    const text = await bundled(ROOT, "generator/seal/system-randomness.ts", "");
    expect(text).toContain(`require("./${AGE}")`);
    expect(text).not.toContain("mlkem768x25519");
    const require = createRequire(filename);
    const module = { exports: {} as { systemRandomness: Randomness } };
    const run = new Script(`(function (require, module) {${text}\n})`, { filename }).runInThisContext() as (
      ...args: readonly unknown[]
    ) => void;
    run(require, module);
    const isLoaded = (): boolean => join(folder, AGE) in require.cache;
    const { wrap } = module.exports.systemRandomness;
    const [ann, quinn] = [await keyPair(), await keyPair("hybrid")];
    expect(await wrap(new Uint8Array(32), ann.recipient)).toMatch(/^-----BEGIN AGE/);
    expect(isLoaded()).toBe(false);
    expect(await wrap(new Uint8Array(32), quinn.recipient)).toMatch(/^-----BEGIN AGE/);
    expect(isLoaded()).toBe(true);
  });
});
