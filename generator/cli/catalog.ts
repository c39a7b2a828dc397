import catalog from "#catalog";
import type { ComponentType } from "../catalog/contract.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import { toolName, toolPrefix } from "../model/naming.ts";
import { ExitCode, UsageError } from "./terminal.ts";

const REACH = { tools: "tools", later: "no tools yet", never: "never has tools" } as const;

function toolNames(type: ComponentType): readonly string[] {
  const prefix = toolPrefix({ name: type.type }, type);
  const tools = catalog.modules.get(type.type)?.tools ?? [];
  return tools.map((tool) => `${toolName(tool.name, type, prefix)}${tool.effect === "read" ? "" : "*"}`);
}

function describe(type: ComponentType): object {
  return {
    type: type.type,
    summary: type.summary,
    group: type.group,
    port: type.port,
    host: type.host,
    attributes: type.attributes,
    sub_components: type.subComponents ?? {},
    access: type.access ?? [],
    mcp: type.mcp,
    tools: toolNames(type),
  };
}

function listing(): string {
  const rows = [...catalog.types.values()].map((type) => {
    const tools = toolNames(type);
    return `${type.type.padEnd(16)} ${type.group.padEnd(12)} ${tools.length > 0 ? `${tools.length} tools` : REACH[type.mcp]}`;
  });
  return `${rows.join("\n")}\n`;
}

export async function runCatalog(
  name: string | undefined,
  options: { json?: boolean; markdown?: boolean },
): Promise<number> {
  if (options.markdown === true) {
    if (name !== undefined)
      throw new UsageError("--markdown describes the whole catalog: leave the type out");
    process.stdout.write(await (await import("./catalog-page.ts")).catalogPage(catalog));
    return ExitCode.ok;
  }
  if (name === undefined) {
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify([...catalog.types.values()].map(describe), null, 2)}\n`
        : listing(),
    );
    return ExitCode.ok;
  }
  const type = catalog.types.get(name);
  if (type === undefined) {
    throw new UsageError(`no component type "${name}".${suggestion(name, catalog.types.keys())}`);
  }
  process.stdout.write(`${JSON.stringify(describe(type), null, 2)}\n`);
  return ExitCode.ok;
}
