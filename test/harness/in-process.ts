import { Volume, createFsFromVolume } from "memfs";
import catalog from "#catalog";
import { sealOutput } from "../../generator/credentials/seal-output.ts";
import { watchVariables } from "../../generator/credentials/variables.ts";
import { emit } from "../../generator/emit/emit.ts";
import { loadStack } from "../../generator/load/load.ts";
import type { LoadResult } from "../../generator/load/load.ts";
import type { Topology } from "../../generator/model/topology.ts";
import { systemRandomness } from "../../generator/seal/system-randomness.ts";
import type { FileSystem } from "../../generator/tree/disk.ts";
import type { FileTree } from "../../generator/tree/file-tree.ts";

/** Texts of the files beside a stack file, by the names that the drawing has for them. */
export type Documents = Readonly<Record<string, string>>;

/** Loads a stack, whatever is wrong with it; `name` is the stack's name. */
export async function loadText(text: string, name = "stack", documents?: Documents): Promise<LoadResult> {
  return await loadStack({
    file: `stacks/${name}.yaml`,
    bytes: Buffer.from(text),
    catalog: catalog.types,
    validate: catalog.validators,
    modules: catalog.modules,
    neighbours: () => undefined,
    ...(documents === undefined
      ? {}
      : { documents: (file) => Buffer.from(documents[file] ?? `no document ${file}`) }),
  });
}

/** As `loadText`, for a stack that must be free of errors. */
export async function topologyOf(text: string, name = "stack", documents?: Documents): Promise<Topology> {
  const { stack, diagnostics } = await loadText(text, name, documents);
  if (stack === null)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return stack.base;
}

/** The output of a stack in memory. */
export async function treeOf(text: string, name = "stack", documents?: Documents): Promise<FileTree> {
  return (await emit(await topologyOf(text, name, documents), catalog)).tree;
}

/** The output with its credentials sealed: made where they can be, else the same word for each. */
export async function sealedTreeOf(text: string, recipients: readonly string[]): Promise<FileTree> {
  const loaded = await topologyOf(text);
  const topology = { ...loaded, server: { ...loaded.server, recipients } };
  const { tree, seal } = await emit(topology, catalog);
  if (seal === null) throw new Error("the catalog has no credentials");
  const fs = createFsFromVolume(new Volume()) as unknown as FileSystem;
  const everyVariable = new Proxy({}, { get: () => "given-by-the-environment" });
  const sealed = await sealOutput(
    { root: "/out/stack", topology, tree, seal },
    {
      fs,
      variables: watchVariables(everyVariable),
      identities: [],
      folder: "/stacks",
      repository: undefined,
      isExample: false,
      randomness: systemRandomness,
      how: {},
    },
    (code, message) => {
      throw new Error(`${code} ${message}`);
    },
  );
  return sealed.tree;
}

export { catalog };
