import { CommandRefused } from "./refused.ts";
import type { Word } from "./script.ts";

/** Gives every variable and every capture its text, or throws a CommandRefused. */
export interface Values {
  variable(name: string): string;
  capture(name: string): string;
}

/** The text of a word: what its parts hold, one after the other. Nothing in a value is read again. */
export function expand(word: Word, values: Values): string {
  return word.parts
    .map((part) => {
      if (part.is === "text") return part.text;
      return part.is === "variable" ? values.variable(part.name) : values.capture(part.name);
    })
    .join("");
}

const UNFIT = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/u;
export const MAX_ARGUMENT = 20_000;

/**
 * Demands that a text can stand as an argument of a program: no control character, and no `-` in front that came
 * out of a variable, because that would be a flag.
 */
export function demandArgument(text: string, word: Word, what: string): void {
  const [first] = word.parts;
  if (text.length > MAX_ARGUMENT)
    throw new CommandRefused("value", `${what} has more than ${MAX_ARGUMENT} characters`);
  if (UNFIT.test(text)) throw new CommandRefused("value", `${what} holds a control character`);
  if (text.startsWith("-") && !(first?.is === "text" && first.text.startsWith("-"))) {
    throw new CommandRefused("value", `${what} begins with "-", which would make it a flag`);
  }
}
