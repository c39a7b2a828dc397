import catalog from "#catalog";
import { emit } from "../../generator/emit/emit.ts";
import { loadStack } from "../../generator/load/load.ts";
import type { Topology } from "../../generator/model/topology.ts";
import type { FileTree } from "../../generator/tree/file-tree.ts";

/** Loads a stack that must be free of errors; `name` is the stack's name. */
export async function topologyOf(text: string, name = "stack"): Promise<Topology> {
  const { stack, diagnostics } = await loadStack({
    file: `stacks/${name}.yaml`,
    bytes: Buffer.from(text),
    catalog: catalog.types,
    validate: catalog.validators,
    modules: catalog.modules,
    neighbours: () => undefined,
  });
  if (stack === null)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return stack.base;
}

/** The output of a stack in memory. */
export async function treeOf(text: string, name = "stack"): Promise<FileTree> {
  return (await emit(await topologyOf(text, name), catalog)).tree;
}

export { catalog };
