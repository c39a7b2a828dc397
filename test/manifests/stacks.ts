import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CompiledCatalog } from "../../generator/catalog/compiled.ts";
import type { NamespaceRights } from "../../generator/catalog/contract.ts";
import { emit } from "../../generator/emit/emit.ts";
import type { Output as EmittingOutput } from "../../generator/hook/contract.ts";
import { loadStack } from "../../generator/load/load.ts";
import type { Topology } from "../../generator/model/topology.ts";
import type { FileTree } from "../../generator/tree/file-tree.ts";
import { catalog } from "../harness/in-process.ts";
import { manifestsIn } from "./object.ts";
import type { Manifest } from "./object.ts";

const STACKS = new URL("../../stacks/", import.meta.url).pathname;

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly path: readonly (string | number)[];
}

export interface Output {
  readonly topology: Topology;
  readonly tree: FileTree;
  readonly manifests: readonly Manifest[];
  /** What is wrong with the output as a whole. */
  readonly problems: readonly Problem[];
}

function neighbour(stack: string): Uint8Array | undefined {
  const path = join(STACKS, `${stack}.yaml`);
  return existsSync(path) ? readFileSync(path) : undefined;
}

export function manifestsOf(tree: FileTree): readonly Manifest[] {
  return [...tree]
    .filter(([path]) => path.endsWith(".yaml") && (path.startsWith("k8s/") || path === "kustomization.yaml"))
    .flatMap(([path, file]) => manifestsIn(path, file.text));
}

export async function outputOf(topology: Topology, types: CompiledCatalog = catalog): Promise<Output> {
  const problems: Problem[] = [];
  const tree = await emit(topology, types, (code, message, path) => problems.push({ code, message, path }));
  return { topology, tree, manifests: manifestsOf(tree), problems };
}

/** The base and every environment of a stack file. */
export async function outputsOf(
  text: string,
  name = "stack",
  types: CompiledCatalog = catalog,
): Promise<readonly Output[]> {
  const { stack, diagnostics } = await loadStack({
    file: `stacks/${name}.yaml`,
    bytes: Buffer.from(text),
    catalog: catalog.types,
    validate: catalog.validators,
    modules: catalog.modules,
    neighbours: neighbour,
  });
  if (stack === null)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return await Promise.all(
    [stack.base, ...stack.environments.values()].map((topology) => outputOf(topology, types)),
  );
}

export async function outputOfText(text: string, types: CompiledCatalog = catalog): Promise<Output> {
  const [base] = await outputsOf(text, "stack", types);
  if (base === undefined) throw new Error("no output");
  return base;
}

/** Outputs of the example stacks by the name of their folder: `shop.prod`. */
export async function exampleOutputs(): Promise<ReadonlyMap<string, Output>> {
  const names = readdirSync(STACKS).filter((name) => /^[a-z]+\.yaml$/.test(name));
  const found = new Map<string, Output>();
  for (const name of names.sort()) {
    const stack = name.replace(/\.yaml$/, "");
    for (const output of await outputsOf(readFileSync(join(STACKS, name), "utf8"), stack)) {
      const { environment } = output.topology;
      found.set(environment === null ? stack : `${stack}.${environment}`, output);
    }
  }
  return found;
}

/** The catalog with a type whose tools look into the cluster. */
export function withRights(type: string, rights: readonly NamespaceRights[]): CompiledCatalog {
  const found = catalog.types.get(type);
  if (found?.tools === undefined) throw new Error(`${type} has no tools`);
  const types = new Map(catalog.types).set(type, { ...found, tools: { ...found.tools, rbac: () => rights } });
  return { ...catalog, types };
}

/** The catalog with one more file, as an output that does not exist yet would emit it. */
export function withFile(types: CompiledCatalog, path: string, text: string): CompiledCatalog {
  const output: EmittingOutput = {
    name: `test-${path}`,
    files: () => [{ kind: "data", path, from: "test", text }],
  };
  return { ...types, outputs: [...types.outputs, output] };
}

/** The agent's manifests follow from its folder. */
export function withAgent(types: CompiledCatalog): CompiledCatalog {
  return withFile(types, "agent/test.ts", "export {};\n");
}

/** The objects that would be applied: neither kustomize's own nor what only people read. */
export function applied(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.filter(
    ({ file, object }) =>
      object["kind"] !== "Kustomization" && object["kind"] !== "ksops" && !file.endsWith("/policy.yaml"),
  );
}
