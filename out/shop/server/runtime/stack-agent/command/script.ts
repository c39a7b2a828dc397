/** A command as it was written, before any variable has a value. */
import type { CommandRefused } from "./refused.ts";
import type { ExecutableRule, FlagRule, FormRule, OperandRule, ValueRule } from "./rules.ts";

export type Part =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "variable"; readonly name: string }
  /** The output of an earlier statement: `"$pods"`. */
  | { readonly is: "capture"; readonly name: string };

/** One word stays one argument, whatever its variables hold. */
export interface Word {
  readonly parts: readonly Part[];
  /** Whether any of it stood in quotes. */
  readonly quoted: boolean;
  /** How many of its first characters stood outside of quotes, before any variable. */
  readonly bare: number;
  /** Where it starts in the text. */
  readonly at: number;
}

/** A command of a pipeline as the grammar sees it. */
export interface RawCommand {
  readonly name: string;
  readonly at: number;
  readonly environment: readonly { readonly name: string; readonly word: Word }[];
  readonly words: readonly Word[];
}

/** The arguments of a program, read by the rules of the types that have it. */
export interface Reading {
  readonly rule: ExecutableRule;
  readonly form: FormRule;
  readonly options: readonly { readonly flag: FlagRule; readonly word: Word | null }[];
  readonly operands: readonly { readonly rule: OperandRule | null; readonly word: Word }[];
  readonly environment: readonly { readonly name: string; readonly rule: ValueRule; readonly word: Word }[];
}

export type ParsedStep =
  | { readonly is: "builtin"; readonly name: Builtin; readonly words: readonly Word[] }
  | {
      readonly is: "program";
      readonly name: string;
      /** One for each list that accepts it; none when no link leads to a component that has the program. */
      readonly readings: readonly Reading[];
      /** Why the other lists did not accept it. */
      readonly refusals: readonly { readonly rule: ExecutableRule; readonly refusal: CommandRefused }[];
    };

export const BUILTINS = ["grep", "head", "test", "wc"] as const;
export type Builtin = (typeof BUILTINS)[number];

export interface ParsedStatement {
  /** How it hangs on the one before; the first has `;`. */
  readonly after: ";" | "&&" | "||";
  /** The name that keeps its output. */
  readonly capture: string | null;
  readonly pipeline: readonly ParsedStep[];
}

export interface ParsedCommand {
  readonly text: string;
  readonly statements: readonly ParsedStatement[];
  /** Where variables stand in the text, for a preview of it. */
  readonly tokens: readonly Token[];
}

/** `{name}` in the text, or `{{text}}` that stands for `{text}`. */
export interface Token {
  readonly start: number;
  readonly end: number;
  readonly variable: string | null;
  readonly quoted: boolean;
}

/** The word's text when nothing in it is a variable. */
export function literalOf(word: Word): string | undefined {
  return word.parts.every((part) => part.is === "text")
    ? word.parts.map((part) => (part.is === "text" ? part.text : "")).join("")
    : undefined;
}

/** The word as written, quotes removed: `{username}:{password}`. */
export function templateOf(word: Word): string {
  return word.parts
    .map((part) =>
      part.is === "text" ? part.text : part.is === "variable" ? `{${part.name}}` : `$${part.name}`,
    )
    .join("");
}
