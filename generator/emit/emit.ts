import type { CompiledCatalog } from "../catalog/compiled.ts";
import { CREDENTIALS_HOOK, SECRET_HOOK } from "../credentials/credential.ts";
import type { SealFacts } from "../credentials/credential.ts";
import type { Report } from "../diagnostics/report.ts";
import type { EmittedFile, Facts, FileSpec, Generation } from "../hook/contract.ts";
import { runHooks } from "../hook/run.ts";
import { isPlainYaml, readSource } from "../load/source.ts";
import type { Topology } from "../model/topology.ts";
import { bytesOf, caseCollision, digestOf, isSafePath, withDigest } from "../tree/file-tree.ts";
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
  const before = known.get(spec.from);
  if (before !== undefined) return before;
  const { text, sha256 } = lookUp(copies, spec);
  const file = withDigest({ kind: "copied", from: spec.from, text }, sha256);
  known.set(spec.from, file);
  return file;
}

const laidOut = { pretty: new WeakMap<object, GeneratedFile>(), rows: new WeakMap<object, GeneratedFile>() };

/** What stands in several places, such as the topology beside the server and the agent, is one file object too. */
function jsonFile({ json, from, layout }: Extract<FileSpec, { readonly json: object }>): GeneratedFile {
  const before = laidOut[layout].get(json);
  if (before?.from === from) return before;
  const file: GeneratedFile = { kind: "data", from, text: jsonText(json, layout) };
  laidOut[layout].set(json, file);
  return file;
}

function render(spec: FileSpec, topology: Topology, catalog: Generation): GeneratedFile {
  switch (spec.kind) {
    case "copied":
      return copyOf(spec, catalog.copies);
    case "data": {
      if ("json" in spec) return jsonFile(spec);
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
    for (const document of file.text.split(/^---$/m)) {
      if (isPlainYaml(document)) continue;
      const read = await readSource(path, Buffer.from(document));
      if (!read.ok) throw new EmitError(path, `is not YAML: ${read.diagnostics[0]?.message ?? ""}`);
    }
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

export interface Emission {
  readonly tree: FileTree;
  /** What the sealing step has to fill in; `null` for a catalog without credentials. */
  readonly seal: SealFacts | null;
}

function sealFacts(facts: Facts): SealFacts | null {
  const credentials = facts[CREDENTIALS_HOOK] as SealFacts["credentials"] | undefined;
  const secret = facts[SECRET_HOOK] as Omit<SealFacts, "credentials"> | undefined;
  if (credentials === undefined) return null;
  const { gatewayKey = null, restarted = [] } = secret ?? {};
  return { credentials, gatewayKey, restarted };
}

/** Sorted by path; sizes and digests are worked out for those that ask. */
function emittedFiles(tree: FileTree): readonly EmittedFile[] {
  return [...tree]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]) => ({
      path,
      get bytes() {
        return bytesOf(file);
      },
      get digest() {
        return digestOf(file);
      },
    }));
}

/** Where nobody takes reports, a fault of the output is a fault of whoever asked for it. */
const refuse: Report = (code, message, path) => {
  if (code.startsWith("E-")) throw new EmitError(path.join("/"), `${code} ${message}`);
};

/**
 * The whole output of one topology in memory, but for what is sealed: hooks, then files, each checked. What is
 * wrong with the output as a whole goes to `report`; left out, an error throws.
 */
export async function emit(
  topology: Topology,
  catalog: CompiledCatalog,
  report: Report = refuse,
): Promise<Emission> {
  const { generation, facts } = derive(topology, catalog);
  const tree = new Map<string, GeneratedFile>();
  const add = async (spec: FileSpec): Promise<void> => {
    if (!isSafePath(spec.path)) throw new EmitError(spec.path, "leaves the output folder");
    if (tree.has(spec.path)) throw new EmitError(spec.path, "is emitted twice");
    const file = render(spec, topology, generation);
    await verify(spec.path, file);
    tree.set(spec.path, file);
  };
  for (const output of catalog.outputs) {
    for (const spec of output.files(topology, facts, generation)) await add(spec);
  }
  const emitted = emittedFiles(tree);
  for (const output of catalog.outputs) {
    for (const spec of output.summary?.(emitted, topology, facts, generation, report) ?? []) await add(spec);
  }
  const collision = caseCollision(tree.keys());
  if (collision !== undefined) throw new EmitError(collision[1], `differs from ${collision[0]} only in case`);
  return { tree, seal: sealFacts(facts) };
}
