import type { Arguments, Call, Outcome } from "#runtime/call/call";
import { MOST_COMPLETIONS } from "#runtime/content";
import type { PromptArgument } from "#runtime/content";
import type { Contents } from "#runtime/surface/content-index";
import type { InFlight } from "#runtime/call/in-flight";
import type { Caller } from "#runtime/protocol/mcp-service";
import type { ToolEntry } from "#runtime/surface/tool-index";

/** A resource as `resources/list` shows it. */
export interface ResourceListing {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
}

/** A prompt as `prompts/list` shows it. */
export interface PromptListing {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly Pick<PromptArgument, "name" | "description" | "required">[];
  readonly _meta: PromptMeta;
}

/** Which text it is: its author's version, and the hash of what stands in the lock for this stack. */
export type PromptMeta = Readonly<Record<"governance/version" | "governance/hash", string>>;

function metaOf({ content, hash }: Contents["prompts"][number]): PromptMeta {
  return { "governance/version": content.version, "governance/hash": hash };
}

/** A JSON-RPC error, the same on both adapters. */
export interface Refusal {
  readonly refusal: { readonly code: number; readonly message: string };
}

export interface Completion {
  readonly values: readonly string[];
  readonly hasMore: boolean;
}

/** What stands beside tools: resources to read, prompts to get, and the values of their arguments. */
export interface ContentService {
  listResources(caller: Pick<Caller, "exchange">): readonly ResourceListing[];
  readResource(uri: string, caller: Caller): Promise<{ mimeType: string; text: string } | Refusal>;
  listPrompts(caller: Pick<Caller, "exchange">): readonly PromptListing[];
  getPrompt(
    name: string,
    args: Arguments,
    caller: Caller,
  ): Promise<{ description: string; text: string; meta: PromptMeta } | Refusal>;
  complete(
    prompt: string,
    argument: { readonly name: string; readonly value: string },
    caller: Caller,
  ): Promise<Completion | Refusal>;
}

const INVALID_PARAMS = -32_602;
const INTERNAL = -32_603;

function refuse(code: number, message: string): Refusal {
  return { refusal: { code, message } };
}

/** Whether a list shows the caller what stands behind the entry. */
export type MaySee = (caller: Pick<Caller, "exchange">, entry: ToolEntry) => boolean;

interface Parts {
  readonly contents: Contents;
  readonly pipeline: (call: Call) => Promise<Outcome>;
  readonly inFlight: InFlight;
  readonly maySee: MaySee;
}

type Answer = { readonly data: unknown; readonly truncated: boolean } | Refusal;

function answerOf(outcome: Outcome, what: string): Answer {
  if (outcome.kind === "unknown") return refuse(INVALID_PARAMS, `Unknown ${what}`);
  if (outcome.kind === "result") return outcome.envelope;
  const { code, message, hint } = outcome.fault;
  const said = hint === undefined ? message : `${message}; ${hint}`;
  return refuse(code === "invalid_argument" ? INVALID_PARAMS : INTERNAL, said);
}

/** JSON that had to be cut says so where its reader looks. */
function textOf({ data, truncated }: Exclude<Answer, Refusal>): string {
  if (typeof data === "string") return data;
  const note = { truncated: "too large for one read: use the tools, which have pages" };
  return JSON.stringify(truncated && typeof data === "object" ? { ...note, ...data } : data);
}

const shown = (name: string): string => name.slice(0, 128);

/** Every read is a call like that of a tool: its sender is known, its output redacted, its end audited. */
export function createContentService({ contents, pipeline, inFlight, maySee }: Parts): ContentService {
  const ask = async (
    entry: ToolEntry | undefined,
    args: Arguments,
    { exchange, signal }: Caller,
    [what, name]: readonly [string, string],
  ): Promise<Answer> => {
    const { principal } = exchange.facts();
    const called = entry?.tool.name ?? `${what}:${name}`;
    const outcome = await exchange.during(
      async () =>
        await inFlight.run(signal, exchange.answered, async (linked) =>
          pipeline({ exchange, principal, name: called, entry, args, signal: linked }),
        ),
    );
    return answerOf(outcome, `${what}: ${shown(name)}`);
  };
  const promptNamed = (name: string): Contents["prompts"][number] | undefined =>
    contents.prompts.find(({ content }) => content.name === name);
  return {
    listResources: (caller) =>
      contents.resources
        .filter(({ entry }) => maySee(caller, entry))
        .map(({ content: { uri, name, title, description, mimeType } }) => ({
          uri,
          name,
          title,
          description,
          mimeType,
        })),
    readResource: async (uri, caller) => {
      const found = contents.resources.find(({ content }) => content.uri === uri);
      const answer = await ask(found?.entry, {}, caller, ["resource", uri]);
      if ("refusal" in answer) return answer;
      return { mimeType: found?.content.mimeType ?? "text/plain", text: textOf(answer) };
    },
    listPrompts: (caller) =>
      contents.prompts
        .filter(({ entry }) => maySee(caller, entry))
        .map((prompt) => {
          const { name, title, description, arguments: all } = prompt.content;
          return {
            name,
            title,
            description,
            arguments: all.map(({ name: argument, description: means, required }) => ({
              name: argument,
              description: means,
              required,
            })),
            _meta: metaOf(prompt),
          };
        }),
    getPrompt: async (name, args, caller) => {
      const found = promptNamed(name);
      const answer = await ask(found?.entry, args, caller, ["prompt", name]);
      if ("refusal" in answer) return answer;
      if (found === undefined) throw new Error("a prompt that is unknown was answered");
      return { description: found.content.description, text: textOf(answer), meta: metaOf(found) };
    },
    complete: async (prompt, { name, value }, caller) => {
      const entry = promptNamed(prompt)?.completion;
      const answer = await ask(entry, { argument: name, typed: value }, caller, ["prompt", prompt]);
      if ("refusal" in answer) return answer;
      const values = Array.isArray(answer.data) ? answer.data.map(String) : [];
      return { values: values.slice(0, MOST_COMPLETIONS), hasMore: values.length > MOST_COMPLETIONS };
    },
  };
}
