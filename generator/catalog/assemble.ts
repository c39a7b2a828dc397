import type Handlebars from "handlebars";
import runtime from "handlebars/runtime.js";
import { orderHooks } from "../hook/run.ts";
import type { Hook, Output } from "../hook/contract.ts";
import type { CompiledCatalog } from "./compiled.ts";
import { lazyCopies, lazyLock, lazyModules, lazyValidators, once } from "./data.ts";
import type { CopyIndex, ModuleIndex, ReadData } from "./data.ts";
import { typesOf } from "./types-of.ts";
import type { ComponentType } from "./contract.ts";

type Found<T> = readonly (readonly [path: string, value: T])[];

/** What the build found and compiled, in the form in which it is written into `dist/catalog.mjs`. */
export interface CatalogParts {
  readonly version: string;
  readonly components: Found<Readonly<Record<string, unknown>>>;
  readonly outputs: Found<Output>;
  readonly hooks: Found<Hook>;
  readonly helpers: Readonly<Record<string, (value: unknown) => string>>;
  /** Names of the files in `dist/data/validators/`. */
  readonly validators: readonly string[];
  readonly modules: ModuleIndex;
  readonly copies: CopyIndex;
  readonly read: ReadData;
  readonly renderers: readonly (readonly [string, TemplateSpecification])[];
}

/** A fault of the catalog itself, such as two folders that declare one type. */
export class CatalogError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "CatalogError";
  }
}

function allTypes(components: CatalogParts["components"]): ReadonlyMap<string, ComponentType> {
  const types = new Map<string, ComponentType>();
  for (const type of components.flatMap(([, value]) => typesOf(value))) {
    if (types.has(type.type)) throw new CatalogError(`component type "${type.type}" is declared twice`);
    types.set(type.type, type);
  }
  return new Map([...types].sort(([a], [b]) => (a < b ? -1 : 1)));
}

// The package types its runtime entry as an empty module; it is the library without its compiler.
const handlebarsRuntime = runtime as unknown as typeof Handlebars;

function renderersOf(parts: CatalogParts): CompiledCatalog["renderers"] {
  const handlebars = handlebarsRuntime.create();
  for (const [name, helper] of Object.entries(parts.helpers)) {
    // Handlebars passes its options last: a helper that is used without a value gets them in its place.
    handlebars.registerHelper(name, (value: unknown, options: unknown) => {
      if (value === undefined || options === undefined) throw new CatalogError(`helper ${name} got no value`);
      return helper(value);
    });
  }
  return new Map(
    parts.renderers.map(([path, template]) => {
      const render = once(() => handlebars.template(template));
      return [path, (view: unknown) => render()(view)];
    }),
  );
}

export function assemble(parts: CatalogParts): CompiledCatalog {
  return {
    version: parts.version,
    types: allTypes(parts.components),
    validators: lazyValidators(parts.validators, parts.read),
    modules: lazyModules(parts.modules, parts.read),
    hooks: orderHooks(parts.hooks.map(([, hook]) => hook)),
    outputs: parts.outputs.map(([, output]) => output),
    copies: lazyCopies(parts.copies, parts.read),
    lock: lazyLock(parts.read),
    renderers: renderersOf(parts),
  };
}
