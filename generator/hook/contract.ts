/** The contracts of `hooks/` (what follows from a drawing) and of `output.ts` files (which files show it). */
import type { CompiledCatalog, CompiledModule, CompiledTool } from "../catalog/compiled.ts";
import type { JsonLayout } from "../emit/json-text.ts";
import type { PlaybookQuestion, ToolFamily } from "../catalog/contract.ts";
import type { Report } from "../diagnostics/report.ts";
import type { McpLink, Topology } from "../model/topology.ts";

/** One `mcp` link with everything that its type's folder says about it. */
export interface LinkModule {
  readonly link: McpLink;
  readonly family: ToolFamily;
  readonly module: CompiledModule;
  /** Prefix of the link's variables: `MCP_VALKEY`. */
  readonly environment: string;
  /** What the link registers: the read tools, and the write tools that the drawing keeps. */
  readonly tools: readonly CompiledTool[];
  /** How AI sees a tool that the module itself calls by this name. */
  nameOf(tool: string): string;
  /** Whether the type has write tools at all, drawn or not. */
  readonly canWrite: boolean;
  /** Files of the type's folder that the link's tools import, to be copied: paths in this project. */
  readonly runtime: readonly string[];
  /** The specialized module. */
  source(): string;
}

/** What one run of the generator works with: the catalog, and the drawn links resolved against it. */
export interface Generation extends CompiledCatalog {
  /** Sorted like `topology.mcpLinks`. */
  readonly links: readonly LinkModule[];
}

/** Facts by hook name; each hook sees those of the hooks it names in `after`. */
export type Facts = Readonly<Record<string, unknown>>;

export interface Hook<F = unknown> {
  readonly name: string;
  readonly after?: readonly string[];
  /**
   * A pure function of the drawing: no clock, randomness, locale, environment or file system. It cannot
   * write files and sees references to secrets, never values.
   */
  derive(topology: Topology, facts: Facts, generation: Generation): F;
}

export function defineHook<F>(hook: Hook<F>): Hook<F> {
  return hook;
}

/** The facts of another hook, typed by that hook's module: `factsOf<typeof import("./flags.ts").default>`. */
export function factsOf<H extends Hook>(facts: Facts, name: string): ReturnType<H["derive"]> {
  if (!Object.hasOwn(facts, name)) throw new Error(`no facts of hook "${name}": name it in after`);
  return facts[name] as ReturnType<H["derive"]>;
}

/** One file of the output, before it is rendered. `from` names its source for the manifest. */
export type FileSpec =
  | { readonly kind: "copied"; readonly path: string; readonly from: string }
  | { readonly kind: "specialized"; readonly path: string; readonly link: LinkModule }
  | { readonly kind: "rendered"; readonly path: string; readonly from: string; readonly view: unknown }
  | { readonly kind: "data"; readonly path: string; readonly from: string; readonly text: string }
  | {
      readonly kind: "data";
      readonly path: string;
      readonly from: string;
      readonly json: object;
      readonly layout: JsonLayout;
    };

/** A file of the output, as those that speak of the whole output see it. */
export interface EmittedFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string;
}

export interface Output {
  readonly name: string;
  /** npm packages that its files may need, whatever is drawn. */
  readonly libraries?: readonly string[];
  files(topology: Topology, facts: Facts, generation: Generation): readonly FileSpec[];
  /**
   * Files that follow from those of every output, such as a list of them; no summary sees another one's. What
   * is wrong with the output as a whole is reported here, and an error stops the run before anything is written.
   */
  summary?(
    emitted: readonly EmittedFile[],
    topology: Topology,
    facts: Facts,
    generation: Generation,
    report: Report,
  ): readonly FileSpec[];
  /** Answers a question about the stack as the emitted service would, for `topogate query`. */
  query?(facts: Facts, question: string): QueryAnswer;
}

export interface QueryAnswer {
  /** The JSON that the service would send. */
  readonly text: string;
  /** False when the service would refuse the question. */
  readonly ok: boolean;
}

export function defineOutput(output: Output): Output {
  return output;
}

export type { CommandFamily } from "../catalog/commands.ts";
export { jsonRows, rowTexts } from "../emit/json-text.ts";
export { npmPackage } from "../emit/npm-package.ts";
export { parameterTable } from "../emit/parameter-table.ts";
export { shellWord } from "../emit/shell.ts";
export { typescriptLiteral } from "../emit/typescript.ts";
export { kubernetesName } from "../model/naming.ts";
export type {
  ClusterSecret,
  Credential,
  CredentialFacts,
  DerivedEntry,
  LinkCredentials,
  Restarted,
} from "../credentials/credential.ts";
export type { CompiledTool, McpLink, PlaybookQuestion, Report, Topology };
