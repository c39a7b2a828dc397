import type { CompiledCatalog, CompiledModule } from "../catalog/compiled.ts";
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
  const how: Specialization = {
    nameOf: (rest) => rename(`${family.prefix}${rest}`),
    slots: { link: facts, ...family.slots(link, topology) },
    writeTools: keptWriteTools(link, module, rename),
  };
  return {
    link,
    family,
    module,
    environment,
    nameOf: rename,
    canWrite: writeNames(module).length > 0,
    tools: specializedTools(module, how, rename),
    runtime: module.runtime
      .filter(({ needs }) => needs === undefined || needs.some((tool) => how.writeTools.has(tool)))
      .map(({ path }) => path),
    source: () => specialize(module, how),
  };
}
