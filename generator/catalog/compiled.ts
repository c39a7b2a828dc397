/** What the build makes of `templates/` and `hooks/`; `generate` reads nothing else. */
import type { Hook, Output } from "../hook/contract.ts";
import type { StackValidators } from "../load/validators.ts";
import type { ComponentType } from "./contract.ts";

/**
 * A piece of a tool module. A piece with `needs` survives only when one of those write tools does; that is
 * how write tools are cut out of the source, imports and helpers included.
 */
export interface Piece {
  readonly needs?: readonly string[];
  readonly text?: string;
  /** Filled with the JSON literal of the slot's value. */
  readonly slot?: string;
  /** A tool name of the template, written with the link's prefix; `quoted` when it stands alone. */
  readonly name?: string;
  readonly quoted?: boolean;
}

/** A tool as the model will see it. Texts and lists may hold holes, see `emit/holes.ts`. */
export interface CompiledTool {
  /** As in the template: `valkey_get`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: "read" | "additive" | "destructive";
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly annotations: Readonly<Record<string, boolean>>;
}

/** A resource as a client will list it. */
export interface CompiledResource {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  /** Its text is generated, from `resources/<name>.md.hbs` in the type's folder. */
  readonly generated: boolean;
}

/** A prompt as a client will list it; its text comes from `prompts/<name>.md.hbs` in the type's folder. */
export interface CompiledPrompt {
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly Readonly<Record<string, string | boolean>>[];
}

/** A copied file; one with `needs` goes when none of those write tools is kept. */
export interface RuntimeFile {
  readonly path: string;
  readonly needs?: readonly string[];
}

export interface CompiledModule {
  /** For the manifest: `templates/valkey/tools.ts`. */
  readonly from: string;
  /** Name of the folder in `templates/`. */
  readonly folder: string;
  /** Files that the module imports as `#runtime/<folder>/...`, copied beside the shared runtime. */
  readonly runtime: readonly RuntimeFile[];
  readonly pieces: readonly Piece[];
  readonly slots: readonly string[];
  readonly tools: readonly CompiledTool[];
  readonly resources: readonly CompiledResource[];
  readonly prompts: readonly CompiledPrompt[];
}

export interface LockedPackage {
  readonly version: string;
  readonly entry: Readonly<Record<string, unknown>>;
  /** Lock-file paths this package resolves its dependencies to. */
  readonly uses: readonly string[];
}

/** A file that is copied byte for byte, with what the build knows of it already. */
export interface Copy {
  readonly text: string;
  readonly sha256: string;
  /** Specifiers of the modules that it imports, as they are written. */
  readonly imports: readonly string[];
}

export interface CompiledCatalog {
  /** Version of this generator. */
  readonly version: string;
  /** Sorted by type. */
  readonly types: ReadonlyMap<string, ComponentType>;
  /** By component type. */
  readonly modules: ReadonlyMap<string, CompiledModule>;
  readonly validators: StackValidators;
  /** In the order in which they run. */
  readonly hooks: readonly Hook[];
  readonly outputs: readonly Output[];
  /** The files that are copied as they are, by path in the repository. */
  readonly copies: { keys(): Iterable<string>; get(path: string): Copy | undefined };
  /** Renderers of the `.hbs` files, by path in the repository. */
  readonly renderers: ReadonlyMap<string, (view: unknown) => string>;
  /** The reachable part of this repository's lock file for every library that an output may need. */
  lock(): Readonly<Record<string, LockedPackage>>;
}

declare const compiled: CompiledCatalog;
export default compiled;
