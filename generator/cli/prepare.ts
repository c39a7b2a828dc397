import { resolve } from "node:path";
import type { SealedOutput } from "../credentials/seal-output.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { defaultOut, load, orphans, render } from "../generate.ts";
import type { Emitted, Engine, Loaded } from "../generate.ts";
import type { Sealing } from "./sealing.ts";
import { stackFiles } from "./stacks.ts";

/** One output folder, sealed: all that is left is to compare it with the disk. */
export interface PreparedOutput {
  readonly emitted: Emitted;
  readonly outcome: SealedOutput["outcome"];
  readonly removedRecipients: SealedOutput["removedRecipients"];
  /** The same from what stands on disk now; for when another run was faster. */
  again(): Promise<PreparedOutput>;
}

export interface Prepared {
  readonly diagnostics: readonly Diagnostic[];
  /** Empty when any stack has an error. */
  readonly outputs: readonly PreparedOutput[];
}

export interface PrepareOptions {
  readonly out?: string;
  readonly env?: string;
}

interface RenderedStack {
  readonly path: string;
  readonly loaded: Loaded;
  readonly emitted: readonly Emitted[];
}

async function renderStack(
  engine: Engine,
  path: string,
  options: PrepareOptions,
  today: string,
): Promise<RenderedStack> {
  const loaded = await load(engine, path, options.env, today);
  const out = resolve(options.out ?? defaultOut(path));
  const emitted: Emitted[] = [];
  for (const topology of loaded.topologies)
    emitted.push(await render(engine, topology, out, loaded.later.within(topology.environment)));
  const [first] = loaded.topologies;
  if (first !== undefined && options.env === undefined)
    emitted.push(...orphans(engine, out, first.stack, first.environments));
  return { path, loaded, emitted };
}

async function sealOne(stack: RenderedStack, emitted: Emitted, sealing: Sealing): Promise<PreparedOutput> {
  const { root, topology, tree, seal } = emitted;
  const again = (): Promise<PreparedOutput> => sealOne(stack, emitted, sealing);
  if (topology === null || seal === null) return { emitted, outcome: null, removedRecipients: [], again };
  const { sealOutput } = await import("../credentials/seal-output.ts");
  const report = stack.loaded.later.within(topology.environment);
  const sealed = await sealOutput({ root, topology, tree, seal }, sealing.around(stack.path), report);
  const { outcome, removedRecipients } = sealed;
  return { emitted: { ...emitted, tree: sealed.tree, base: sealed.base }, outcome, removedRecipients, again };
}

const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some(({ severity }) => severity === "error");

/** Loads, renders and seals all stacks that were named; nothing is written. */
export async function prepare(
  engine: Engine,
  names: readonly string[],
  options: PrepareOptions,
  today: string,
  sealing: Sealing,
): Promise<Prepared> {
  const stacks: RenderedStack[] = [];
  for (const path of stackFiles(engine.fs, names))
    stacks.push(await renderStack(engine, path, options, today));
  const found = stacks.flatMap(({ loaded }) => loaded.diagnostics);
  if (hasErrors(found)) return { diagnostics: found, outputs: [] };
  const outputs: PreparedOutput[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const stack of stacks) {
    for (const emitted of stack.emitted) outputs.push(await sealOne(stack, emitted, sealing));
    diagnostics.push(...stack.loaded.diagnostics, ...(await stack.loaded.later.located()));
  }
  return { diagnostics, outputs: hasErrors(diagnostics) ? [] : outputs };
}
