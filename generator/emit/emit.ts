import type { CompiledCatalog } from "../catalog/compiled.ts";
import type { Facts, FileSpec, Generation } from "../hook/contract.ts";
import { runHooks } from "../hook/run.ts";
import { readSource } from "../load/source.ts";
import type { Topology } from "../model/topology.ts";
import { caseCollision, isSafePath } from "../tree/file-tree.ts";
import type { FileTree, GeneratedFile } from "../tree/file-tree.ts";
import { header } from "./header.ts";
import { jsonText } from "./json-text.ts";
import { linkModule } from "./link-module.ts";

/** An output that would not parse, or a path that two sources claim: a fault of the catalog, not of a drawing. */
export class EmitError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = "EmitError";
  }
}

/** A missing copy or template is a fault of an `output.ts`; the message names both sides. */
function lookUp<T>(map: { get(path: string): T | undefined }, spec: { path: string; from: string }): T {
  const value = map.get(spec.from);
  if (value === undefined) throw new EmitError(spec.path, `its source ${spec.from} does not exist`);
  return value;
}

const copied = new WeakMap<Generation["copies"], Map<string, GeneratedFile>>();

/** Copies are the same in every output: one file object for all, so that its digest is worked out once. */
function copyOf(spec: { path: string; from: string }, copies: Generation["copies"]): GeneratedFile {
  const known = copied.get(copies) ?? new Map<string, GeneratedFile>();
  copied.set(copies, known);
  const file = known.get(spec.from) ?? { kind: "copied", from: spec.from, text: lookUp(copies, spec) };
  known.set(spec.from, file);
  return file;
}

function render(spec: FileSpec, topology: Topology, catalog: Generation): GeneratedFile {
  switch (spec.kind) {
    case "copied":
      return copyOf(spec, catalog.copies);
    case "data": {
      if ("json" in spec) return { kind: "data", from: spec.from, text: jsonText(spec.json, spec.layout) };
      return { kind: "data", from: spec.from, text: header(spec.path, topology.source) + spec.text };
    }
    case "rendered": {
      const body = lookUp(catalog.renderers, spec)(spec.view);
      return { kind: "rendered", from: spec.from, text: header(spec.path, topology.source) + body };
    }
    case "specialized": {
      const text = header(spec.path, topology.source) + spec.link.source();
      return { kind: "specialized", from: spec.link.module.from, text };
    }
  }
}

/** Parses what was rendered once more: a file that its reader would refuse must never reach the disk. */
async function verify(path: string, file: GeneratedFile): Promise<void> {
  if (file.kind !== "rendered") return;
  if (path.endsWith(".json")) {
    try {
      JSON.parse(file.text);
    } catch (error) {
      throw new EmitError(path, `is not JSON: ${(error as Error).message}`);
    }
  }
  if (path.endsWith(".yaml")) {
    const read = await readSource(path, Buffer.from(file.text));
    if (!read.ok) throw new EmitError(path, `is not YAML: ${read.diagnostics[0]?.message ?? ""}`);
  }
}

/** Everything that follows from a drawing, before any file shows it. */
export function derive(
  topology: Topology,
  catalog: CompiledCatalog,
): { readonly generation: Generation; readonly facts: Facts } {
  const generation = {
    ...catalog,
    links: topology.mcpLinks.map((link) => linkModule(catalog, topology, link)),
  };
  return { generation, facts: runHooks(catalog.hooks, topology, generation) };
}

/** The whole output of one topology in memory: hooks, then files, each checked. */
export async function emit(topology: Topology, catalog: CompiledCatalog): Promise<FileTree> {
  const { generation, facts } = derive(topology, catalog);
  const tree = new Map<string, GeneratedFile>();
  for (const output of catalog.outputs) {
    for (const spec of output.files(topology, facts, generation)) {
      if (!isSafePath(spec.path)) throw new EmitError(spec.path, "leaves the output folder");
      if (tree.has(spec.path)) throw new EmitError(spec.path, "is emitted twice");
      const file = render(spec, topology, generation);
      await verify(spec.path, file);
      tree.set(spec.path, file);
    }
  }
  const collision = caseCollision(tree.keys());
  if (collision !== undefined) throw new EmitError(collision[1], `differs from ${collision[0]} only in case`);
  return tree;
}
