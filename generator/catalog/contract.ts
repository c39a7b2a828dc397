/** The contract between the engine and a folder in `templates/`: what a component type is. */
import type { Component, McpLink, SubComponent, Topology } from "../model/topology.ts";
import type { Report } from "../diagnostics/report.ts";
import type { CompiledTool } from "./compiled.ts";
import type { CommandFamily } from "./commands.ts";

interface Doc<T> {
  /** One sentence; becomes the schema's description, the editor's hover text and the catalog page. */
  readonly doc: string;
  readonly default?: T;
}
export type AttributeSpec =
  | ({
      readonly kind: "text";
      readonly pattern?: string;
      /** The value is the name of a component of one of these types. */
      readonly componentOf?: readonly string[];
      /** The value names a JSON or YAML file, relative to the stack file, whose content belongs to the drawing. */
      readonly document?: true;
    } & Doc<string>)
  | ({ readonly kind: "integer"; readonly min?: number; readonly max?: number } & Doc<number>)
  | ({ readonly kind: "flag" } & Doc<boolean>)
  | ({ readonly kind: "choice"; readonly values: readonly string[] } & Doc<string>)
  | ({ readonly kind: "list"; readonly pattern?: string } & Doc<readonly string[]>)
  | ({ readonly kind: "map" } & Doc<Readonly<Record<string, string>>>);
type Options<K extends AttributeSpec["kind"]> = Omit<Extract<AttributeSpec, { kind: K }>, "kind">;

/** A default may hold `{name}`, `{namespace}`, `{stack}` and `{cluster_domain}`. */
export const text = (options: Options<"text">): AttributeSpec => ({ kind: "text", ...options });
export const integer = (options: Options<"integer">): AttributeSpec => ({ kind: "integer", ...options });
export const flag = (options: Options<"flag">): AttributeSpec => ({ kind: "flag", ...options });
export const choice = (options: Options<"choice">): AttributeSpec => ({ kind: "choice", ...options });
export const list = (options: Options<"list">): AttributeSpec => ({ kind: "list", ...options });

export interface SecretSpec {
  readonly doc: string;
}

export interface SubComponentSpec {
  /** Singular: `database`. Part of a link's type and of `component/kind:sub`. */
  readonly kind: string;
  readonly doc: string;
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  readonly secrets?: Readonly<Record<string, SecretSpec>>;
  /** Words for a link to this kind; left out, those of the component type. */
  readonly access?: readonly string[];
}

/** A variable of the emitted server that is not secret, with the value that follows from the drawing. */
export interface SettingSpec {
  /** Without the link's prefix: `HOST` becomes `MCP_VALKEY_HOST`. */
  readonly name: string;
  readonly value: string;
}

/** A credential of the link's own account on the service. */
export interface CredentialSpec {
  /** Without the link's prefix. */
  readonly name: string;
  readonly doc: string;
  /** A server that is reachable without it, such as a Prometheus without authentication. */
  readonly optional?: true;
  /** The service makes the value, as with an API token, so that it must be given; else it is made here, once. */
  readonly issued?: true;
  /** Needed with some settings only; the tools themselves refuse to start when it is missing then. */
  readonly conditional?: true;
  /** A key of our own that is compared by its digest: it is made longer than a password. */
  readonly key?: true;
}

/** What a tool module's slots must be given: every export that is neither `tools` nor `link`. */
export type SlotsOf<Module> = { readonly [K in Exclude<keyof Module, "tools" | "link">]: Module[K] };

/** A tool that a document of the drawing defines, such as one operation of an OpenAPI description. */
export interface DerivedTool {
  /** As the module names its own: `fastapi_get_order`. */
  readonly shown: CompiledTool;
  /** What the module needs to serve it, beside its name. */
  readonly row: Readonly<Record<string, unknown>>;
}

/**
 * Tools that documents of the drawing define, beside those that the module declares. They are rows of one slot,
 * never code: a write tool that the link does not keep is a row that the emitted module does not have. Nobody has
 * reviewed them as this catalog's own are, so that a write tool is kept only when the link names it under `tools`.
 */
export interface DerivedTools {
  /** The slot that gets the rows of the tools that are kept; `slots` gives it as an empty list. */
  readonly slot: string;
  /** Pure. What is wrong with the document is reported, and the tools are then what could be made of it. */
  tools(link: McpLink, topology: Topology, report: Report): readonly DerivedTool[];
}

/** Rights in one namespace of the cluster, as a Role holds them. */
export interface NamespaceRights {
  readonly namespace: string;
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** What the playbooks of a stack ask, of whatever tools its links give. */
export type PlaybookQuestion = "alerts" | "cluster" | "deployments" | "health" | "logs" | "metrics";

export interface PlaybookStep {
  /** A read tool of the module, by its name there. */
  readonly tool: string;
  /** Plain words that follow the tool's name in a sentence: "to see what fires now". */
  readonly how: string;
}

export interface ToolFamily<Module = Readonly<Record<string, unknown>>> {
  /** Of the tool names in the module's source, without `_`: `valkey`. */
  readonly prefix: string;
  /** The prefix of links to this type when the component is named like the type, when it is not `prefix`. */
  readonly ownPrefix?: string;
  /**
   * Names that tools have when the prefix is the type's own, by their names in the source: `{k8s_get_pod_status:
   * "get_pod_status"}`. With any other prefix these tools are named like all others, so that two components of
   * one type never share a name.
   */
  readonly ownNames?: Readonly<Record<string, string>>;
  /** `<SVC>` of `MCP_<SVC>_...` when the component is named like its type; else its key in capitals. */
  readonly service: string;
  /** The section whose sub-components are the closed lists of the tools, and what `only` narrows. */
  readonly scope?: string;
  /** The write tools' parameter that names one thing of the scope, so that each may be drawn with another word. */
  readonly targetParameter?: string;
  /** npm packages the module imports; versions come from this repository's lock file. */
  readonly libraries?: readonly string[];
  slots(link: McpLink, topology: Topology): SlotsOf<Module>;
  readonly derived?: DerivedTools;
  settings(link: McpLink): readonly SettingSpec[];
  credentials(link: McpLink): readonly CredentialSpec[];
  /** Pod ports the tools connect to; left out, the component's port. Empty for tools that stay in the process. */
  ports?(link: McpLink): readonly number[];
  /** The questions of playbooks that the type's tools answer. */
  readonly playbooks?: Readonly<Partial<Record<PlaybookQuestion, PlaybookStep>>>;
  /**
   * What the named tools, as AI sees them, need of the Kubernetes API itself. A server gets a service account
   * token only when some link says so; left out, the link needs nothing.
   */
  rbac?(link: McpLink, tools: readonly string[], topology: Topology): readonly NamespaceRights[];
}

export interface ComponentType {
  /** The word in the stack file: `argo_cd`. */
  readonly type: string;
  readonly summary: string;
  readonly group: string;
  readonly port: number | null;
  /** Pattern of `{host}` over the component's own attributes, for example `{name}.{namespace}.svc.{cluster_domain}`. */
  readonly host: string | null;
  /** `mcp` or `stack_agent` for the two components that exist without being drawn. */
  readonly builtin?: string;
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  readonly secrets?: Readonly<Record<string, SecretSpec>>;
  readonly subComponents?: Readonly<Record<string, SubComponentSpec>>;
  /** Words for a link that ends here; left out, such a link carries no word. */
  readonly access?: readonly string[];
  /** Links that start here may carry subdomain, path, auth, rate_limit, cors, websocket. */
  readonly gateway?: true;
  /**
   * Labels of the pods that network rules select, as patterns; left out, `app.kubernetes.io/name: {name}`.
   * Empty for what is no pod, such as the API server: only a drawn `cidr` then says where it is.
   */
  readonly podLabels?: Readonly<Record<string, string>>;
  /**
   * What `mcp -> X` gives: tools; none so far, which is a warning; or never any, which is an error.
   */
  readonly mcp: "tools" | "later" | "never";
  readonly tools?: ToolFamily;
  /**
   * For a type that signs tokens: the URL by which they name their issuer, in the drawing's own terms, and where
   * its keys stand; or what the drawing lacks for that, as the end of a sentence.
   */
  issuer?(
    component: Component,
    sub: SubComponent | null,
  ): { readonly url: string; readonly keys: string } | { readonly lacks: string };
  /** Servers that the live suite ran on, as "PostgreSQL 15.18"; a fake is called one: "fake of the vendor's API 7.0". */
  readonly testedOn?: readonly string[];
  /** What `run_test` may run on this type's rows, once a link leads to them; left out, nothing. */
  readonly commands?: CommandFamily;
}

/** One type of the catalog, or one of several that share a folder and its tool module. */
export function defineComponent<Module = Readonly<Record<string, unknown>>>(
  component: Omit<ComponentType, "tools" | "mcp"> &
    (
      | { readonly mcp: "tools"; readonly tools: ToolFamily<Module> }
      | { readonly mcp: "later" | "never"; readonly tools?: never }
    ),
): ComponentType {
  return component as ComponentType;
}

/** Fills `{name}`, `{namespace}`, `{stack}`, `{cluster_domain}` and the component's own attributes into a pattern. */
export function fillPattern(pattern: string, values: Readonly<Record<string, unknown>>): string {
  let filled = "";
  let end = 0;
  for (let open = pattern.indexOf("{"); open >= 0; open = pattern.indexOf("{", end)) {
    const close = pattern.indexOf("}", open);
    if (close < 0) break;
    const value = values[pattern.slice(open + 1, close)];
    const isKnown = typeof value === "string" || typeof value === "number";
    filled += pattern.slice(end, open) + (isKnown ? String(value) : pattern.slice(open, close + 1));
    end = close + 1;
  }
  return filled + pattern.slice(end);
}

/** Of a tool in the list that every client reads before it calls anything. */
export const MAX_LISTED_BYTES = 1400;

export { MAX_DEPTH, listOf, openDocument, own, recordOf } from "./foreign-document.ts";
export type { ForeignDocument, Json, Part } from "./foreign-document.ts";
export { toolNames } from "./foreign-names.ts";
export { defaultOf, inputOf, plainerForms, withoutNull } from "./foreign-schema.ts";
export { consumersOf } from "./consumers.ts";
export { foreignText } from "./foreign-text.ts";
export { variablePart } from "../model/naming.ts";
export { httpCommands } from "./http-commands.ts";
export type { CommandFamily } from "./commands.ts";
export type { Component, McpLink, Report, Topology };
