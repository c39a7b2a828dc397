import { hash } from "node:crypto";
import { defineHook, factsOf } from "#hook";
import { CHANGE_REF_SCHEMA } from "./rules/change-ref.ts";
import type rulesHook from "./rules.ts";
import type contentsHook from "./contents.ts";
import type { CompiledTool, Generation, Topology } from "#hook";

/** How far one tool may go, and where. */
export interface SurfaceTool {
  readonly name: string;
  readonly link: string;
  readonly access: "read" | "propose" | "write";
  readonly effect: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly annotations: Readonly<Record<string, boolean>>;
  /** `cnpg/app_db`; the component itself for a type without a scope. */
  readonly targets: readonly string[];
  readonly limits: Readonly<Record<string, string>>;
  readonly hash: string;
}

/** A playbook, with the digest of all that a model reads of it. */
export interface SurfacePrompt {
  readonly name: string;
  /** Of its author's text; the hash is that of the text for this stack. */
  readonly version: string;
  readonly link: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly Readonly<Record<string, string | boolean>>[];
  readonly hash: string;
}

export interface SurfaceResource {
  readonly uri: string;
  readonly link: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  /** Of its listing, and of its text when that is generated. */
  readonly hash: string;
}

/** RFC 8785 for the values that a tool holds: strings, finite numbers, booleans, null, lists, objects. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const record = value as Readonly<Record<string, unknown>>;
  let members = "";
  for (const key of Object.keys(record).sort()) {
    if (record[key] === undefined) continue;
    members += `${members === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(record[key])}`;
  }
  return `{${members}}`;
}

/** Links of one type share every schema that does not name what was drawn: each is serialised once. */
function rememberingJson(): (value: unknown) => string {
  const known = new Map<unknown, string>();
  return (value) => {
    const text = known.get(value) ?? canonicalJson(value);
    if (typeof value === "object") known.set(value, text);
    return text;
  };
}

/** Digest of all that a model sees of a tool: two tools of one hash are the same tool to it. */
function toolHash(tool: CompiledTool, json: (value: unknown) => string): string {
  const { annotations, description, inputSchema, name, outputSchema, title } = tool;
  // In the order of RFC 8785, by name.
  const members = Object.entries({ annotations, description, inputSchema, name, outputSchema, title });
  const shown = members
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `"${key}":${json(value)}`);
  return `sha256:${hash("sha256", `mcp_tool\u0000 1\u0000{${shown.join(",")}}`, "hex")}`;
}

/** A tool whose calls may have to name a change record takes its id, whatever else it takes. */
function withChangeRef(tool: CompiledTool, takers: ReadonlySet<string>): CompiledTool {
  if (!takers.has(tool.name)) return tool;
  const schema = tool.inputSchema as Readonly<Record<string, object>>;
  const properties = { ...schema["properties"], change_ref: CHANGE_REF_SCHEMA };
  return { ...tool, inputSchema: { ...schema, properties } };
}

function surfaceTools(
  topology: Topology,
  generation: Generation,
  takers: ReadonlySet<string>,
): SurfaceTool[] {
  const json = rememberingJson();
  const tools = generation.links.flatMap(({ link, tools: own }) =>
    own.map((drawn): SurfaceTool => {
      const tool = withChangeRef(drawn, takers);
      const isRead = tool.effect === "read";
      const reached = isRead ? link.targets : link.targets.filter((target) => target.access !== "read");
      const all = reached.map(({ sub }) => `${link.component.name}/${sub.name}`);
      return {
        ...tool,
        link: link.id,
        access: isRead ? "read" : link.access,
        targets: all.length > 0 ? all : [link.component.name],
        limits: { ...topology.access.limits, ...link.limits },
        hash: toolHash(tool, json),
      };
    }),
  );
  return tools.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function contentHash(what: "prompt" | "resource", seen: object): string {
  return `sha256:${hash("sha256", `mcp_${what}\u0000 1\u0000${canonicalJson(seen)}`, "hex")}`;
}

function surfacePrompts(
  { links }: Generation,
  texts: Readonly<Record<string, string>>,
): readonly SurfacePrompt[] {
  const prompts = links.flatMap(({ link, module }) =>
    module.prompts.map(({ version, ...prompt }) => ({
      ...prompt,
      version,
      link: link.id,
      hash: contentHash("prompt", { ...prompt, text: texts[prompt.name] ?? null }),
    })),
  );
  return prompts.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function surfaceResources(
  { links }: Generation,
  texts: Readonly<Record<string, string>>,
): readonly SurfaceResource[] {
  const resources = links.flatMap(({ link, module }) =>
    module.resources.map(({ generated: _generated, ...resource }) => ({
      ...resource,
      link: link.id,
      hash: contentHash("resource", { ...resource, text: texts[resource.uri] ?? null }),
    })),
  );
  return resources.sort((a, b) => (a.uri < b.uri ? -1 : 1));
}

/** The whole surface that AI sees: what `surface.lock.json` and the documents are made of. */
export default defineHook({
  name: "surface",
  after: ["contents", "rules"],
  derive: (topology, facts, generation) => {
    const { prompts, resources } = factsOf<typeof contentsHook>(facts, "contents");
    const { changeRefTools } = factsOf<typeof rulesHook>(facts, "rules");
    return {
      tools: surfaceTools(topology, generation, new Set(changeRefTools)),
      prompts: surfacePrompts(generation, prompts),
      resources: surfaceResources(generation, resources),
    };
  },
});
