/**
 * The data that the build writes beside the program: parsed only when it is asked for, since most runs need
 * little of it and parsing it as code would cost a third of a run.
 */
import { compileFunction } from "node:vm";
import type { StackValidators, Validate } from "../load/validators.ts";
import type { CompiledCatalog, CompiledModule, LockedPackage } from "./compiled.ts";

/** Reads a file of `dist/data/`. */
export type ReadData = (name: string) => string;

/** Where each module's data is, and by which component types it is used. */
export type ModuleIndex = readonly (readonly [type: string, file: string])[];
/** Copied files as slices of one text. */
export type CopyIndex = readonly (readonly [path: string, start: number, end: number])[];

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
      once(() => JSON.parse(read(file)) as CompiledModule),
    ]),
  );
  return new Map(
    index.map(([type, file]) => [
      type,
      lazyModule(files.get(file) ?? (() => JSON.parse(read(file)) as CompiledModule)),
    ]),
  );
}

export function lazyCopies(index: CopyIndex, read: ReadData): CompiledCatalog["copies"] {
  const text = once(() => read("copies.txt"));
  const places = new Map(index.map(([path, start, end]) => [path, [start, end] as const]));
  return {
    keys: () => places.keys(),
    get: (path) => {
      const place = places.get(path);
      return place === undefined ? undefined : text().slice(...place);
    },
  };
}

export function lazyLock(read: ReadData): CompiledCatalog["lock"] {
  return once(() => JSON.parse(read("lock.json")) as Readonly<Record<string, LockedPackage>>);
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
    const get = once(() => evaluate(read(`validators/${name}.cjs`)) as Validate);
    Object.defineProperty(validators, name, { enumerable: true, get });
  }
  return validators;
}
