import { Ajv2020 } from "ajv/dist/2020.js";
import { settingsOf } from "#runtime/settings";
import type { Environment } from "#runtime/settings";
import type { CallContext, Tool, ToolModule, ToolResult, AnyToolModule } from "#runtime/tool";

/** A tool module without a server around it: arguments are validated as the pipeline does, nothing else is. */
export interface OpenModule {
  readonly names: readonly string[];
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<ToolResult>;
  close(): Promise<void>;
}

/** Opens the module lazily, with an environment of its own. */
export function openModule(module: AnyToolModule, environment: Environment): OpenModule {
  const typed = module as unknown as ToolModule<unknown>;
  const ajv = new Ajv2020({ useDefaults: true, strict: true, allErrors: true });
  const validators = new Map(typed.tools.map((tool) => [tool.name, ajv.compile(tool.inputSchema)]));
  let client: unknown;
  return {
    names: typed.tools.map((tool) => tool.name),
    call: async (name, args = {}, signal = new AbortController().signal) => {
      const tool = typed.tools.find((candidate) => candidate.name === name) as
        | (Tool<unknown> & { handler(args: unknown, context: CallContext<unknown>): Promise<ToolResult> })
        | undefined;
      const validate = validators.get(name);
      if (tool === undefined || validate === undefined) throw new Error(`no tool ${name}`);
      const given = structuredClone(args);
      if (!validate(given)) throw new Error(`invalid arguments: ${ajv.errorsText(validate.errors)}`);
      client ??= typed.open(settingsOf(typed.link, environment, () => undefined));
      return await tool.handler(given, { client, signal });
    },
    close: async () => {
      if (client !== undefined) await typed.close(client);
    },
  };
}
