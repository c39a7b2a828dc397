/**
 * The data that the build writes beside the program: parsed only when it is asked for, since most runs need
 * little of it and parsing it as code would cost a third of a run.
 */
import { compileFunction } from "node:vm";
import type { StackValidators, Validate } from "../load/validators.ts";
import type { CompiledCatalog, CompiledModule, Copy, LockedPackage } from "./compiled.ts";

/** Reads a file of `dist/data/`. */
export type ReadData = (name: string) => Buffer;

/** Where each module's data is, and by which component types it is used. */
export type ModuleIndex = readonly (readonly [type: string, file: string])[];
/** Copied files as slices, in bytes, of one file: a wide character would double the memory of a common text. */
export type CopyIndex = readonly (readonly [
  path: string,
  end: number,
  sha256: string,
  ...imports: string[],
])[];

export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

const MODULE_KEYS = [
  "from",
  "folder",
  "runtime",
  "pieces",
  "slots",
  "tools",
  "resources",
  "prompts",
] as const;

function lazyModule(load: () => CompiledModule): CompiledModule {
  const module = {};
  for (const key of MODULE_KEYS)
    Object.defineProperty(module, key, { enumerable: true, get: () => load()[key] });
  return module as CompiledModule;
}

export function lazyModules(index: ModuleIndex, read: ReadData): ReadonlyMap<string, CompiledModule> {
  const files = new Map(
    [...new Set(index.map(([, file]) => file))].map((file) => [
      file,
      once(() => JSON.parse(read(file).toString()) as CompiledModule),
    ]),
  );
  return new Map(
    index.map(([type, file]) => [
      type,
      lazyModule(files.get(file) ?? (() => JSON.parse(read(file).toString()) as CompiledModule)),
    ]),
  );
}

export function lazyCopies(index: CopyIndex, read: ReadData): CompiledCatalog["copies"] {
  const bytes = once(() => read("copies.txt"));
  let next = 0;
  return new Map(
    index.map(([path, end, sha256, ...imports]) => {
      const start = next;
      next = end;
      const copy: Copy = {
        sha256,
        imports,
        get text() {
          return bytes().toString("utf8", start, end);
        },
      };
      return [path, copy];
    }),
  );
}

export function lazyLock(read: ReadData): CompiledCatalog["lock"] {
  return once(() => JSON.parse(read("lock.json").toString()) as Readonly<Record<string, LockedPackage>>);
}

/** Runs a file of ours that asks for no other: the search for packages that `require` begins costs more than the file. */
function evaluate(code: string): unknown {
  const module = { exports: {} };
  compileFunction(code, ["module"])(module);
  return module.exports;
}

export function lazyValidators(names: readonly string[], read: ReadData): StackValidators {
  const validators = {};
  for (const name of names) {
    const get = once(() => evaluate(read(`validators/${name}.cjs`).toString()) as Validate);
    Object.defineProperty(validators, name, { enumerable: true, get });
  }
  return validators;
}
