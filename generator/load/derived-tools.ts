/** Tools that documents define are checked when the documents are there. */
import type { CompiledModule } from "../catalog/compiled.ts";
import type { ComponentType } from "../catalog/contract.ts";
import type { Report } from "../diagnostics/report.ts";
import { checkTools } from "../model/build-ai-link.ts";
import { toolName, toolPrefix } from "../model/naming.ts";
import type { Topology } from "../model/topology.ts";

interface Known {
  readonly catalog: ReadonlyMap<string, ComponentType>;
  readonly modules?: ReadonlyMap<string, Pick<CompiledModule, "tools">>;
}

/** Reports what is wrong with the documents behind each link, and write tools that are named but not there. */
export function checkDerivedTools(topology: Topology, { catalog, modules }: Known, report: Report): void {
  for (const link of topology.mcpLinks) {
    const { component } = link;
    const type = catalog.get(component.type);
    const derived = type?.tools?.derived;
    if (type === undefined || derived === undefined) continue;
    const found = derived.tools(link, topology, report).map(({ shown }) => shown);
    const own = modules?.get(component.type)?.tools ?? [];
    const writes = found.filter(({ effect }) => effect !== "read");
    if (link.tools === null && link.access !== "read" && writes.length > 0) {
      const names = writes.map(({ name }) => toolName(name, type, toolPrefix(component, type)));
      report(
        "W-TOOLS-UNNAMED",
        `none of the write tools of "${component.name}" is kept, as the link names none: there are ${names.join(", ")}`,
        link.path,
      );
    }
    if (link.tools !== null) checkTools(link.tools, component, type, [...own, ...found], link, report);
  }
}
