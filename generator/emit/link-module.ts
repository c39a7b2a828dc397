import type { CompiledCatalog, CompiledModule, CompiledTool } from "../catalog/compiled.ts";
import type { DerivedTool, ToolFamily } from "../catalog/contract.ts";
import type { LinkModule } from "../hook/contract.ts";
import type { McpLink, Topology } from "../model/topology.ts";
import { environmentPrefix, toolName, toolPrefix } from "../model/naming.ts";
import { specialize, specializedTools } from "./specialize.ts";
import type { Specialization } from "./specialize.ts";

function writeNames(module: CompiledModule): readonly string[] {
  return module.tools.filter((tool) => tool.effect !== "read").map(({ name }) => name);
}

/** The write tools of the template that this link keeps; the drawing names them as AI sees them. */
function keptWriteTools(
  link: McpLink,
  module: CompiledModule,
  rename: (name: string) => string,
): ReadonlySet<string> {
  if (link.access === "read") return new Set();
  const { tools } = link;
  return new Set(writeNames(module).filter((name) => tools === null || tools.includes(rename(name))));
}

/** The tools of the link's documents; what is wrong with those was reported when the drawing was loaded. */
function derivedTools(family: ToolFamily, link: McpLink, topology: Topology): readonly DerivedTool[] {
  return family.derived?.tools(link, topology, () => undefined) ?? [];
}

function isKept({ effect, name }: CompiledTool, link: McpLink, rename: (name: string) => string): boolean {
  return effect === "read" || (link.access !== "read" && link.tools?.includes(rename(name)) === true);
}

/** Resolves the link's tool module; the link's type must have one. */
export function linkModule(catalog: CompiledCatalog, topology: Topology, link: McpLink): LinkModule {
  const type = catalog.types.get(link.component.type);
  const module = catalog.modules.get(link.component.type);
  if (type?.tools === undefined || module === undefined)
    throw new Error(`${link.id}: type "${link.component.type}" has no tools`);
  const family = type.tools;
  const prefix = toolPrefix(link.component, type);
  const environment = environmentPrefix(link.component, type);
  const rename = (name: string): string => toolName(name, type, prefix);
  const facts = {
    id: link.id,
    component: link.component.name,
    type: link.component.type,
    env: environment,
    host: link.component.host ?? "",
    port: link.component.port ?? 0,
  };
  const derived = derivedTools(family, link, topology);
  const kept = derived.filter(({ shown }) => isKept(shown, link, rename));
  const rows = kept.map(({ shown, row }) => ({ name: rename(shown.name), ...row }));
  const how: Specialization = {
    nameOf: (rest) => rename(`${family.prefix}${rest}`),
    slots: {
      link: facts,
      ...family.slots(link, topology),
      ...(family.derived === undefined ? {} : { [family.derived.slot]: rows }),
    },
    writeTools: keptWriteTools(link, module, rename),
  };
  return {
    link,
    family,
    module,
    environment,
    nameOf: rename,
    canWrite: writeNames(module).length > 0 || derived.some(({ shown }) => shown.effect !== "read"),
    tools: [
      ...specializedTools(module, how, rename),
      ...kept.map(({ shown }) => ({ ...shown, name: rename(shown.name) })),
    ],
    runtime: module.runtime
      .filter(({ needs }) => needs === undefined || needs.some((tool) => how.writeTools.has(tool)))
      .map(({ path }) => path),
    source: () => specialize(module, how),
  };
}
