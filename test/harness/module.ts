import { Ajv2020 } from "ajv/dist/2020.js";
import { markerBy } from "#runtime/marker";
import { settingsOf } from "#runtime/settings";
import type { Environment } from "#runtime/settings";
import type { CallContext, Tool, ToolModule, ToolResult, AnyToolModule } from "#runtime/tool";

/** A tool module without a server around it: arguments are validated as the pipeline does, nothing else is. */
export interface OpenModule {
  readonly names: readonly string[];
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<ToolResult>;
  /** As somebody approved it. */
  callApproved(name: string, args: Record<string, unknown>): Promise<ToolResult>;
  close(): Promise<void>;
}

/** Of a call that ada approved. */
export const MARKER = markerBy("5ea1".repeat(16), "key:ada");

/** Opens the module lazily, with an environment of its own. */
export function openModule(module: AnyToolModule, environment: Environment): OpenModule {
  const typed = module as unknown as ToolModule<unknown>;
  const ajv = new Ajv2020({ useDefaults: true, strict: true, allErrors: true });
  const validators = new Map(typed.tools.map((tool) => [tool.name, ajv.compile(tool.inputSchema)]));
  let client: unknown;
  const call = async (
    name: string,
    args: Record<string, unknown>,
    context: Pick<CallContext<unknown>, "signal" | "marker">,
  ): Promise<ToolResult> => {
    const tool = typed.tools.find((candidate) => candidate.name === name) as
      | (Tool<unknown> & { handler(args: unknown, context: CallContext<unknown>): Promise<ToolResult> })
      | undefined;
    const validate = validators.get(name);
    if (tool === undefined || validate === undefined) throw new Error(`no tool ${name}`);
    const given = structuredClone(args);
    if (!validate(given)) throw new Error(`invalid arguments: ${ajv.errorsText(validate.errors)}`);
    client ??= typed.open(settingsOf(typed.link, environment, () => undefined));
    return await tool.handler(given, { client, ...context });
  };
  return {
    names: typed.tools.map((tool) => tool.name),
    call: async (name, args = {}, signal = new AbortController().signal) =>
      await call(name, args, { signal }),
    callApproved: async (name, args) =>
      await call(name, args, { signal: new AbortController().signal, marker: MARKER }),
    close: async () => {
      if (client !== undefined) await typed.close(client);
    },
  };
}
