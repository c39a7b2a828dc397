import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import { mergeContents, openContents } from "#runtime/surface/content-index";
import type { Contents } from "#runtime/surface/content-index";
import type { Marker } from "#runtime/marker";
import type { JsonSchema } from "#runtime/parameter";
import type { AllowedTool, Registry } from "#runtime/registry";
import { withChangeRef } from "#runtime/rules";
import { settingsOf } from "#runtime/settings";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import type { AnyToolModule, CallContext, LinkFacts, Tool, ToolModule, ToolResult } from "#runtime/tool";

/** A tool that exists in the emitted code, with everything that a call needs. */
export interface ToolEntry {
  readonly tool: Tool;
  readonly link: LinkFacts;
  readonly writes: boolean;
  /** A resource, a prompt or a completion, which goes the way that tools go. */
  readonly isContent?: true;
  /** Missing when the drawing does not permit it. */
  readonly allowed: AllowedTool | undefined;
  readonly validate: ValidateFunction;
  run(args: unknown, signal: AbortSignal, marker?: Marker): Promise<ToolResult>;
}

export interface ToolIndex {
  /** Sorted by name. */
  readonly entries: readonly ToolEntry[];
  find(name: string): ToolEntry | undefined;
  readonly contents: Contents;
  /** Ends every connection that the modules hold. */
  close(): Promise<void>;
}

type Handler = (args: unknown, context: CallContext<unknown>) => Promise<ToolResult>;

/** The client is made and used by one module, so its type need not be known here. */
function typed(module: AnyToolModule): ToolModule<unknown> {
  return module as unknown as ToolModule<unknown>;
}

/** A closed list is empty when nothing of its kind was drawn, and the validator takes no empty list. */
function closedSchema(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema);
  return text.includes('"enum":[]')
    ? (JSON.parse(text.replaceAll('"enum":[]', '"not":{}')) as JsonSchema)
    : schema;
}

function compileInput(tool: Tool, ajv: Ajv2020): ValidateFunction {
  try {
    return ajv.compile(closedSchema(tool.inputSchema));
  } catch (cause) {
    throw new StartError(`the input schema of tool ${tool.name} is not valid: ${String(cause)}`);
  }
}

function entriesOf(
  module: AnyToolModule,
  client: unknown,
  registry: Registry,
  ajv: Ajv2020,
  takesChangeRef: (tool: string) => boolean,
): readonly ToolEntry[] {
  return module.tools.map((drawn) => {
    const tool = takesChangeRef(drawn.name)
      ? { ...drawn, inputSchema: withChangeRef(drawn.inputSchema) }
      : drawn;
    const handler = tool.handler as unknown as Handler;
    return {
      tool,
      link: module.link,
      writes: tool.effect !== "read",
      allowed: Object.hasOwn(registry.allowList, tool.name) ? registry.allowList[tool.name] : undefined,
      validate: compileInput(tool, ajv),
      run: async (args, signal, marker) =>
        await handler(args, marker === undefined ? { client, signal } : { client, signal, marker }),
    };
  });
}

function contradictionOf(entry: ToolEntry, flags: Registry["flags"]): string | undefined {
  const { allowed, tool, link, writes } = entry;
  if (allowed === undefined) return undefined;
  if (allowed.link !== link.id) return `is listed for ${allowed.link} but belongs to ${link.id}`;
  if (writes && allowed.access === "read") return "changes data, but its link was drawn with read";
  if (writes && (allowed.flag === null || !Object.hasOwn(flags, allowed.flag)))
    return "changes data, but has no write flag";
  return tool.name === "" ? "has no name" : undefined;
}

function demandAgreement(registry: Registry, byName: ReadonlyMap<string, ToolEntry>): void {
  for (const name of Object.keys(registry.allowList)) {
    if (!byName.has(name))
      throw new StartError(`the registry lists ${name}, but no module has it: generate again`);
  }
  for (const [name, entry] of byName) {
    const contradiction = contradictionOf(entry, registry.flags);
    if (contradiction !== undefined) throw new StartError(`tool ${name} ${contradiction}: generate again`);
  }
}

/**
 * Opens every module and compiles every schema. Throws a StartError when code and allow-list contradict each
 * other, and a SettingError for a setting that a module cannot use.
 */
export function openTools(
  registry: Registry,
  environment: Environment,
  onSecret: (value: string) => void,
  takesChangeRef: (tool: string) => boolean = () => false,
): ToolIndex {
  const ajv = new Ajv2020({
    useDefaults: true,
    strict: true,
    strictRequired: false,
    allErrors: true,
    ownProperties: true,
    logger: false,
  });
  const opened = registry.modules.map((module) => {
    const client = typed(module).open(settingsOf(module.link, environment, onSecret));
    return {
      close: async () => await typed(module).close(client),
      entries: entriesOf(module, client, registry, ajv, takesChangeRef),
      contents: openContents(typed(module), client, ajv),
    };
  });
  const byName = new Map<string, ToolEntry>();
  for (const entry of opened.flatMap(({ entries }) => entries)) {
    if (byName.has(entry.tool.name))
      throw new StartError(`two modules have a tool ${entry.tool.name}: generate again`);
    byName.set(entry.tool.name, entry);
  }
  demandAgreement(registry, byName);
  return {
    entries: [...byName.values()].sort((a, b) => (a.tool.name < b.tool.name ? -1 : 1)),
    find: (name) => byName.get(name),
    contents: mergeContents(opened.map(({ contents }) => contents)),
    close: async () => {
      await Promise.all(opened.map(async ({ close }) => await close()));
    },
  };
}
