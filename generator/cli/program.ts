import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import { suitShortRuns } from "./run-length.ts";

type Main = (
  exports: object,
  require: NodeJS.Require,
  module: object,
  filename: string,
  folder: string,
) => void;

export interface Program {
  /** Of V8, to be kept for the next start. */
  readonly script: Script;
  run(): void;
}

/** The program's first line names its digest, so that compiled code of another build never runs in its place. */
const DIGEST = /^\/\/ ([0-9a-f]{64})\n/;

export const PROGRAM = "topogate-main.cjs";

/** The program as one expression, so that its text is compiled as it was read and not copied first. */
export function programText(digest: string, code: string): string {
  return `// ${digest}\n(function (exports, require, module, __filename, __dirname) {${code}\n})`;
}

export function compiledName(digest: string): string {
  return `topogate-main.${digest.slice(0, 16)}.code`;
}

function compiledCode(folder: string, source: string): Buffer | undefined {
  const [, digest] = DIGEST.exec(source) ?? [];
  if (digest === undefined) return undefined;
  const path = join(folder, compiledName(digest));
  return existsSync(path) ? readFileSync(path) : undefined;
}

/**
 * The program proper, as a CommonJS module would be loaded, but with the code that V8 compiled when it was
 * built. Another V8 refuses that code and compiles the source as ever.
 */
export function loadProgram(folder: string): Program {
  suitShortRuns();
  const filename = join(folder, PROGRAM);
  // The build writes ASCII only; as Latin-1 it takes half the memory and no decoding.
  const source = readFileSync(filename, "latin1");
  const cachedData = compiledCode(folder, source);
  const script = new Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
  const run = (): void => {
    const main = script.runInThisContext() as Main;
    const module = { exports: {} };
    main(module.exports, createRequire(filename), module, filename, folder);
  };
  return { script, run };
}
