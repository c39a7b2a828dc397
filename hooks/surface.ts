import { hash } from "node:crypto";
import { defineHook } from "#hook";
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

/** RFC 8785 for the values that a tool holds: strings, finite numbers, booleans, null, lists, objects. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
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

function surfaceTools(topology: Topology, generation: Generation): SurfaceTool[] {
  const json = rememberingJson();
  const tools = generation.links.flatMap(({ link, tools: own }) =>
    own.map((tool): SurfaceTool => {
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

/** The whole surface that AI sees, tool by tool: what `surface.lock.json` and the documents are made of. */
export default defineHook({
  name: "surface",
  derive: (topology, _facts, generation) => ({ tools: surfaceTools(topology, generation) }),
});
