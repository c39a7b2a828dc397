import type { Ajv2020 } from "ajv/dist/2020.js";
import { MOST_COMPLETIONS } from "#runtime/content";
import type { Complete, Prompt, PromptArgument, Resource } from "#runtime/content";
import { promptDigest } from "#runtime/digest";
import { ToolFault } from "#runtime/fault";
import { inputSchemaOf, text } from "#runtime/parameter";
import type { Parameters } from "#runtime/parameter";
import type { ToolEntry } from "#runtime/surface/tool-index";
import { defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts, ToolModule } from "#runtime/tool";

/** A resource or prompt with what it takes to answer it: it goes through the stages that tools go through. */
export interface ContentEntry<T> {
  readonly content: T;
  readonly link: LinkFacts;
  /** Generated text as it was when the server started; `null` for what is only known when it is read. */
  readonly text: string | null;
  readonly entry: ToolEntry;
}

export interface PromptEntry extends ContentEntry<Prompt> {
  readonly text: string;
  /** As in the lock. */
  readonly hash: string;
  /** Answers `{argument, typed}`. */
  readonly completion: ToolEntry;
}

/** What one module, or all of them, offer beside tools. */
export interface Contents {
  readonly resources: readonly ContentEntry<Resource>[];
  readonly prompts: readonly PromptEntry[];
}

const MAX_ARGUMENT = 500;
const NO_DATA = { type: "object" } as const;

interface Reading {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly parameters: Parameters;
  run(args: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>;
}

/** As a read tool that no list shows, so that whatever holds for tools holds for it. */
function entryOf(link: LinkFacts, ajv: Ajv2020, reading: Reading): ToolEntry {
  const { name, title, description, parameters } = reading;
  const tool = defineTool({
    name,
    title,
    description,
    effect: "read",
    parameters: {},
    data: NO_DATA,
    handler: async () => ({ data: null }),
  });
  const inputSchema = inputSchemaOf(parameters);
  return {
    tool: { ...tool, inputSchema },
    link,
    writes: false,
    isContent: true,
    allowed: { link: link.id, access: "read", flag: null },
    validate: ajv.compile(inputSchema),
    run: async (args, signal) => ({ data: await reading.run(args as Record<string, string>, signal) }),
  };
}

function resourceEntry(
  module: ToolModule<unknown>,
  client: unknown,
  ajv: Ajv2020,
  resource: Resource<unknown>,
): ContentEntry<Resource> {
  const fixed = resource.text?.() ?? null;
  const { uri: name, title, description } = resource;
  const run = async (_: unknown, signal: AbortSignal): Promise<unknown> =>
    fixed ?? (await resource.read?.({ client, signal }));
  const entry = entryOf(module.link, ajv, { name, title, description, parameters: {}, run });
  return { content: resource as unknown as Resource, link: module.link, text: fixed, entry };
}

async function demandKnown(
  argument: PromptArgument,
  value: string,
  complete: Complete<unknown> | undefined,
  context: CallContext<unknown>,
): Promise<void> {
  if (argument.of === undefined || complete === undefined || value === argument.fallback) return;
  const [nearest] = await complete(argument.of, value, context);
  if (nearest === value) return;
  throw new ToolFault("invalid_argument", `${argument.name} is no ${argument.of} of this stack`, {
    hint: nearest === undefined ? "complete the argument to see which there are" : `for example ${nearest}`,
  });
}

/** Each `<name>` of an argument with its value; everything else in angle brackets stays. */
function fill(body: string, values: ReadonlyMap<string, string>): string {
  return body.replace(/<([a-z_]+)>/g, (whole, name: string) => values.get(name) ?? whole);
}

function promptEntry(
  module: ToolModule<unknown>,
  client: unknown,
  ajv: Ajv2020,
  prompt: Prompt,
): PromptEntry {
  const body = prompt.text();
  const { link, complete } = module;
  const { title, description } = prompt;
  const optional = { max: MAX_ARGUMENT, optional: true } as const;
  const parameters = Object.fromEntries(
    prompt.arguments.map(({ name, required }) => [
      name,
      text(required ? { max: MAX_ARGUMENT, min: 1 } : optional),
    ]),
  );
  const filled: Reading["run"] = async (args, signal) => {
    const values = new Map<string, string>();
    for (const argument of prompt.arguments) {
      const value = args[argument.name] || (argument.fallback ?? "");
      await demandKnown(argument, value, complete, { client, signal });
      values.set(argument.name, value);
    }
    return fill(body, values);
  };
  const completed: Reading["run"] = async ({ argument: name, typed = "" }, signal) => {
    const argument = prompt.arguments.find((known) => known.name === name);
    if (argument === undefined) throw new ToolFault("invalid_argument", "the prompt has no such argument");
    if (argument.of === undefined || complete === undefined) return [];
    return (await complete(argument.of, typed, { client, signal })).slice(0, MOST_COMPLETIONS + 1);
  };
  return {
    content: prompt,
    link,
    text: body,
    hash: promptDigest(prompt, body),
    entry: entryOf(link, ajv, { name: `prompt:${prompt.name}`, title, description, parameters, run: filled }),
    completion: entryOf(link, ajv, {
      name: `complete:${prompt.name}`,
      title,
      description,
      parameters: { argument: text({ max: MAX_ARGUMENT }), typed: text(optional) },
      run: completed,
    }),
  };
}

/** Reads every generated text of a module; a file that is missing stops the start. */
export function openContents(module: ToolModule<unknown>, client: unknown, ajv: Ajv2020): Contents {
  return {
    resources: (module.resources ?? []).map((resource) => resourceEntry(module, client, ajv, resource)),
    prompts: (module.prompts ?? []).map((prompt) => promptEntry(module, client, ajv, prompt)),
  };
}

/** The contents of all modules, sorted by uri and name. */
export function mergeContents(all: readonly Contents[]): Contents {
  const resources = all.flatMap((each) => each.resources);
  const prompts = all.flatMap((each) => each.prompts);
  return {
    resources: resources.sort((a, b) => (a.content.uri < b.content.uri ? -1 : 1)),
    prompts: prompts.sort((a, b) => (a.content.name < b.content.name ? -1 : 1)),
  };
}
