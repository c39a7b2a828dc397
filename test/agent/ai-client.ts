import type { Client } from "@modelcontextprotocol/sdk/client/index.js";

/** What a client may put into a call: a value that somebody told it, with where that was. */
export class Known<T = unknown> {
  readonly value: T;
  readonly from: string;
  readonly #proof: symbol;

  constructor(value: T, from: string, proof: symbol) {
    this.value = value;
    this.from = from;
    this.#proof = proof;
  }

  isProved(proof: symbol): boolean {
    return this.#proof === proof;
  }
}

/** An argument: something known, or a list or object of such things under names that are known too. */
export type Argument = Known | readonly Argument[] | ReadonlyMap<Known<string>, Argument>;

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
}

/**
 * An AI client that has never seen the stack. It reads `stack://guide/api` and the tool list, and every value that
 * it sends comes from there, from the question it was asked, or from an earlier answer: a literal is refused.
 */
export interface AiClient {
  /** Words of the person who asks. */
  hear(question: string): void;
  fromQuestion(word: string): Known<string>;
  /** A code span of the guide, or one of the words within. */
  fromGuide(word: string): Known<string>;
  /** The name of a tool in the list. */
  tool(name: string): Known<string>;
  /** The name of a parameter of a tool, or a value that its schema lists. */
  parameter(tool: Known<string>, name: string): Known<string>;
  choice(tool: Known<string>, parameter: Known<string>, value: unknown): Known;
  /** Two known texts put together, such as `type:` and a type. */
  join(...parts: readonly Known<string>[]): Known<string>;
  call(tool: Known<string>, args: ReadonlyMap<Known<string>, Argument>): Promise<Answer>;
}

/** An answer in which values can be found; what is picked from it is known. */
export interface Answer {
  readonly data: unknown;
  /** The rows of the answer; each field of each is known. */
  rows(): readonly Row[];
  /** Whatever stands at these steps. */
  at(...steps: readonly (string | number)[]): Known;
}

export interface Row {
  /** `undefined` where the row has no such field. */
  field(name: string): Known | undefined;
  text(name: string): Known<string>;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function spansOf(markdown: string): ReadonlySet<string> {
  const spans = [...markdown.matchAll(/`([^`]+)`/g)].map(([, span]) => span ?? "");
  const words = spans.flatMap((span) => span.match(/[a-z_]+:|[a-z_]{2,}|__[a-z_]+/g) ?? []);
  return new Set([...spans, ...words]);
}

/** Connects the knowledge of a client to what it may send. */
export async function aiClient(client: Client): Promise<AiClient> {
  const proof = Symbol("known");
  const known = <T>(value: T, from: string): Known<T> => new Known(value, from, proof);
  const { contents } = await client.readResource({ uri: "stack://guide/api" });
  const [guide] = contents;
  const spans = spansOf(guide !== undefined && "text" in guide ? guide.text : "");
  const { tools } = await client.listTools();
  const schemas = new Map(tools.map((tool) => [tool.name, tool.inputSchema as Schema]));
  let heard = "";

  const demand = (isTrue: boolean, what: string): void => {
    if (!isTrue) throw new Error(`the client does not know ${what}`);
  };
  const plain = (argument: Argument): unknown => {
    if (argument instanceof Known) {
      demand(argument.isProved(proof), `${JSON.stringify(argument.value)}: it was made up`);
      return argument.value;
    }
    if (Array.isArray(argument)) return (argument as readonly Argument[]).map(plain);
    if (argument instanceof Map)
      return Object.fromEntries(
        [...(argument as ReadonlyMap<Known<string>, Argument>)].map(([key, value]) => [
          plain(key),
          plain(value),
        ]),
      );
    throw new Error(`the client sends a literal: ${JSON.stringify(argument)}`);
  };
  const answerFrom = (data: unknown, from: string): Answer => ({
    data,
    rows: () => {
      demand(Array.isArray(data), `any rows in the answer of ${from}`);
      return (data as readonly unknown[]).map((row) => {
        const field = (name: string): Known | undefined =>
          isRecord(row) && Object.hasOwn(row, name) && row[name] !== null
            ? known(row[name], `${from}: ${name}`)
            : undefined;
        return {
          field,
          text: (name) => {
            const found = field(name);
            demand(typeof found?.value === "string", `${name} of a row of ${from}`);
            return found as Known<string>;
          },
        };
      });
    },
    at: (...steps) => {
      let value = data;
      for (const step of steps)
        value = (value as Readonly<Record<string | number, unknown>> | undefined)?.[step];
      demand(value !== undefined, `${steps.join(".")} in the answer of ${from}`);
      return known(value, `${from}: ${steps.join(".")}`);
    },
  });

  return {
    hear: (question) => (heard = question),
    fromQuestion: (word) => {
      demand(heard.split(/[^\w-]+/).includes(word), `${word}: nobody said it`);
      return known(word, "the question");
    },
    fromGuide: (word) => {
      demand(spans.has(word), `${word}: the guide does not say it`);
      return known(word, "stack://guide/api");
    },
    tool: (name) => {
      demand(schemas.has(name), `a tool ${name}`);
      return known(name, "tools/list");
    },
    parameter: (tool, name) => {
      demand(
        schemas.get(tool.value)?.properties?.[name] !== undefined,
        `a parameter ${name} of ${tool.value}`,
      );
      return known(name, `schema of ${tool.value}`);
    },
    choice: (tool, parameter, value) => {
      const schema = schemas.get(tool.value)?.properties?.[parameter.value] as
        | (Schema & { type?: string })
        | undefined;
      const isListed = schema?.enum?.includes(value) === true || schema?.default === value;
      const isFlag = schema?.type === "boolean" && typeof value === "boolean";
      demand(isListed || isFlag, `${JSON.stringify(value)} as ${parameter.value} of ${tool.value}`);
      return known(value, `schema of ${tool.value}`);
    },
    join: (...parts) => {
      parts.forEach(plain);
      return known(parts.map(({ value }) => value).join(""), parts.map(({ from }) => from).join(" and "));
    },
    call: async (tool, args) => {
      const result = await client.callTool({
        name: String(plain(tool)),
        arguments: plain(args) as Record<string, unknown>,
      });
      const structured = result.structuredContent as { data: unknown } | undefined;
      if (structured === undefined)
        throw new Error(`${tool.value} failed: ${JSON.stringify(result.content)}`);
      return answerFrom(structured.data, tool.value);
    },
  };
}
