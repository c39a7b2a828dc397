import { readFileSync } from "node:fs";
import { StartError } from "#runtime/start-error";
import type { CallContext } from "#runtime/tool";

/** Something to read under a fixed address: generated text that reviewers have seen, or what a module knows now. */
export type Resource<Client = never> = {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: "application/json" | "text/markdown";
} & (
  | { readonly text: () => string; readonly read?: never }
  | { readonly read: (context: CallContext<Client>) => Promise<unknown>; readonly text?: never }
);

/** One thing that whoever asks for a prompt fills in. */
export interface PromptArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What the module's `complete` knows values of; left out, any text will do. */
  readonly of?: string;
  /** Stands in the text when an argument that is not required is left out. */
  readonly fallback?: string;
}

/** A playbook: generated text, with `<name>` where an argument goes. */
export interface Prompt {
  readonly name: string;
  /** Of what its author wrote, before any stack's names went into it: `1.0.0`. */
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
  readonly text: () => string;
}

/** At most so many values complete one argument, as the protocol has it. */
export const MOST_COMPLETIONS = 100;

/** Values of the kind `of` that start with `typed`, in order, at most `MOST_COMPLETIONS` and one. */
export type Complete<Client> = (
  of: string,
  typed: string,
  context: CallContext<Client>,
) => Promise<readonly string[]>;

/**
 * The text of a generated file without its first line, which says what it was generated from. Throws a StartError
 * without the file.
 */
export function generatedText(file: URL): string {
  try {
    const text = readFileSync(file, "utf8");
    return text.startsWith("<!-- Code generated ") ? text.slice(text.indexOf("\n") + 1) : text;
  } catch {
    const name = file.pathname.split("/").slice(-2).join("/");
    throw new StartError(`${name} cannot be read: generate again`);
  }
}
