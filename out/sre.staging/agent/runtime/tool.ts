import type { Complete, Prompt, Resource } from "#runtime/content";
import type { Marker } from "#runtime/marker";
import { inputSchemaOf } from "#runtime/parameter";
import type { ArgumentsOf, JsonSchema, Parameters } from "#runtime/parameter";
import type { Settings } from "#runtime/settings";

/** What the drawing says about the link that a module serves. */
export interface LinkFacts {
  /** As in the topology: `mcp->valkey`. */
  readonly id: string;
  /** The linked component's key. */
  readonly component: string;
  readonly type: string;
  /** Prefix of every environment variable of this link: `MCP_VALKEY`. */
  readonly env: string;
  readonly host: string;
  readonly port: number;
}

/**
 * `additive` creates or overwrites what it names; `destructive` also removes or may lose data. Both are
 * write tools: cut from the source when the drawing says `read`.
 */
export type Effect = "read" | "additive" | "destructive";

export interface Annotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** What a handler gives back; the pipeline adds the envelope, cuts it to the byte budget and redacts it. */
export interface ToolResult {
  readonly data: unknown;
  readonly page?: {
    readonly returned: number;
    readonly total: number | null;
    readonly next_cursor: string | null;
  };
  /** Only when proved, by reading one more than the limit; never inferred from a full page. */
  readonly truncation?: {
    readonly by: "rows" | "bytes" | "cells" | "time" | "upstream";
    readonly limit: number;
    readonly hint?: string;
  };
  readonly warnings?: readonly string[];
}

export interface CallContext<Client> {
  readonly client: Client;
  /** Aborts when the caller cancels or the time limit passes; a handler must pass it on to the service. */
  readonly signal: AbortSignal;
  /** Only in a call that a person approved: for what it leaves behind, where that has a body. */
  readonly marker?: Marker;
}

/** Plain data and a handler; no MCP library is involved. */
export interface Tool<Client = never> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  readonly annotations: Annotations;
  /** A read tool that may pass the write gate of another link: recorded before it runs, as a write is. */
  readonly mayWrite?: true;
  /** Upper bound for one call in milliseconds, when the tool needs another than the module's. */
  readonly timeoutMs?: number;
  handler(args: never, context: CallContext<Client>): Promise<ToolResult>;
}

/** One drawn link: how to reach its service, and the tools that the link gives. */
export interface ToolModule<Client = unknown> {
  readonly link: LinkFacts;
  /** Called once, before the first call; reads no file and opens no socket that `close` does not end. */
  open(settings: Settings): Client;
  close(client: Client): Promise<void>;
  readonly tools: readonly Tool<Client>[];
  readonly resources?: readonly Resource<Client>[];
  readonly prompts?: readonly Prompt[];
  readonly complete?: Complete<Client>;
}

/** A module whose client type is no longer of interest: what the server holds. */
export type AnyToolModule = ToolModule<never>;

export function defineModule<Client>(module: ToolModule<Client>): AnyToolModule {
  return module as unknown as AnyToolModule;
}

const ANNOTATIONS: Readonly<Record<Effect, Annotations>> = {
  read: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  additive: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  destructive: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
};

/** What AI sees of a tool whose parameters are written as a schema already: a row of a table, for example. */
export function shownTool(tool: {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly inputSchema: JsonSchema;
  readonly data?: JsonSchema;
  readonly mayWrite?: true;
}): Omit<Tool, "handler"> {
  const { name, title, description, effect, inputSchema, data, mayWrite } = tool;
  return {
    name,
    title,
    description,
    effect,
    inputSchema,
    outputSchema: {
      type: "object",
      properties: { data: data ?? {}, truncated: { type: "boolean" } },
      required: ["data", "truncated"],
    },
    annotations: ANNOTATIONS[mayWrite === true ? "additive" : effect],
  };
}

/**
 * Declares a tool. `description` is all that a model knows: when to use it, what comes back, and the real
 * limits, written with the constants that enforce them.
 */
export function defineTool<Client, const P extends Parameters>(tool: {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly parameters: P;
  /** Shape of `data` in the result. Keep it small: clients pay for it in every tool list. */
  readonly data?: JsonSchema;
  readonly mayWrite?: true;
  readonly timeoutMs?: number;
  handler(args: ArgumentsOf<P>, context: CallContext<Client>): Promise<ToolResult>;
}): Tool<Client> {
  const { parameters, data: _data, handler, ...rest } = tool;
  return {
    ...rest,
    ...shownTool({ ...tool, inputSchema: inputSchemaOf(parameters) }),
    handler: (args, context) => handler(args, context),
  };
}
