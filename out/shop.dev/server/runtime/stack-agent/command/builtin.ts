import { lineMatcher } from "./line-pattern.ts";
import type { LineMatcher } from "./line-pattern.ts";
import { CommandRefused } from "./refused.ts";
import { literalOf } from "./script.ts";
import type { Builtin, ParsedStep, RawCommand, Word } from "./script.ts";

export interface BuiltinResult {
  readonly exitCode: number;
  readonly stdout: string;
}

type BuiltinStep = Extract<ParsedStep, { is: "builtin" }>;

export const MAX_PATTERN = 200;
const MAX_LINES = 10_000;

function refuse(message: string): CommandRefused {
  return new CommandRefused("not_allowed", message);
}

const NUMBERS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "-eq": (a, b) => a === b,
  "-ge": (a, b) => a >= b,
  "-gt": (a, b) => a > b,
  "-le": (a, b) => a <= b,
  "-lt": (a, b) => a < b,
  "-ne": (a, b) => a !== b,
};
const TEXTS: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  "!=": (a, b) => a !== b,
  "=": (a, b) => a === b,
};

function demandTest(words: readonly Word[]): void {
  const [first, second, , surplus] = words;
  const operator = words.length === 3 && second !== undefined ? literalOf(second) : undefined;
  const unary = words.length === 2 && first !== undefined ? literalOf(first) : undefined;
  const isKnown =
    words.length === 1 ||
    unary === "-n" ||
    unary === "-z" ||
    (operator !== undefined && (Object.hasOwn(NUMBERS, operator) || Object.hasOwn(TEXTS, operator)));
  if (surplus !== undefined || !isKnown) {
    throw refuse("test compares two values by = != -eq -ne -gt -ge -lt -le, or looks at one by -n or -z");
  }
}

/** `-cv` as its letters; the rest are operands. */
function flagsOf(
  words: readonly Word[],
  known: string,
  name: string,
): { flags: ReadonlySet<string>; rest: readonly Word[] } {
  const flags = new Set<string>();
  let at = 0;
  for (let word = words[at]; word !== undefined; word = words[++at]) {
    const literal = literalOf(word);
    if (literal === undefined || !/^-./.test(literal)) break;
    for (const letter of literal.slice(1)) {
      if (!known.includes(letter)) throw refuse(`${name} may not be called with ${literal.slice(0, 40)}`);
      flags.add(letter);
    }
  }
  return { flags, rest: words.slice(at) };
}

function demandFilter(name: Exclude<Builtin, "test">, words: readonly Word[], position: number): void {
  if (position === 0) throw refuse(`${name} reads from a pipe only: write it behind |`);
  if (name === "grep") {
    const { rest } = flagsOf(words, "cqviFE", name);
    if (rest.length !== 1) throw refuse("grep takes one pattern, and reads from a pipe only");
    const literal = rest[0] === undefined ? undefined : literalOf(rest[0]);
    if (literal !== undefined) matcherOf(words, literal);
  } else if (name === "wc") {
    const { flags, rest } = flagsOf(words, "l", name);
    if (!flags.has("l") || rest.length > 0) throw refuse("wc is known as wc -l");
  } else headLines(words);
}

function headLines(words: readonly Word[]): number {
  const literals = words.map(literalOf).join(" ");
  const count = /^(?:-n ?|-)(\d{1,5})$/.exec(literals)?.[1];
  if (literals === "") return 10;
  if (count === undefined || Number(count) > MAX_LINES) throw refuse("head is known as head -n NUMBER");
  return Number(count);
}

function matcherOf(words: readonly Word[], pattern: string): LineMatcher {
  const { flags } = flagsOf(words, "cqviFE", "grep");
  if (pattern.length > MAX_PATTERN) throw refuse(`grep: a pattern has at most ${MAX_PATTERN} characters`);
  const ignoreCase = flags.has("i");
  if (!flags.has("F")) return lineMatcher(pattern, { extended: flags.has("E"), ignoreCase });
  const wanted = ignoreCase ? pattern.toLowerCase() : pattern;
  return (line) => (ignoreCase ? line.toLowerCase() : line).includes(wanted);
}

/** Reads the words of one of the commands that this program brings itself. Throws a CommandRefused. */
export function readBuiltin(name: Builtin, raw: RawCommand, position: number): ParsedStep {
  if (raw.environment.length > 0) throw refuse(`${name} may not be given variables`);
  if (name === "test") demandTest(raw.words);
  else demandFilter(name, raw.words, position);
  return { is: "builtin", name, words: raw.words };
}

function linesOf(text: string): readonly string[] {
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n").slice(0, text === "" ? 0 : undefined);
}

const asText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

function runTest(words: readonly string[]): number {
  const [a = "", b = "", c = ""] = words;
  if (words.length === 1) return a === "" ? 1 : 0;
  if (words.length === 2) return (a === "-n") === (b !== "") ? 0 : 1;
  const text = Object.hasOwn(TEXTS, b) ? TEXTS[b] : undefined;
  if (text !== undefined) return text(a, c) ? 0 : 1;
  const [left, right] = [a.trim(), c.trim()];
  if (![left, right].every((side) => /^[+-]?\d{1,15}$/.test(side))) return 2;
  return NUMBERS[b]?.(Number(left), Number(right)) === true ? 0 : 1;
}

function runGrep(step: BuiltinStep, words: readonly string[], input: string): BuiltinResult {
  const { flags } = flagsOf(step.words, "cqviFE", "grep");
  const matches = matcherOf(step.words, words.at(-1) ?? "");
  const found = linesOf(input).filter((line) => matches(line) !== flags.has("v"));
  const exitCode = found.length > 0 ? 0 : 1;
  if (flags.has("q")) return { exitCode, stdout: "" };
  return { exitCode, stdout: flags.has("c") ? `${found.length}\n` : asText(found) };
}

/** Runs in this process, on texts: nothing is started and no file is opened. */
export function runBuiltin(step: BuiltinStep, words: readonly string[], input: string): BuiltinResult {
  switch (step.name) {
    case "test":
      return { exitCode: runTest(words), stdout: "" };
    case "grep":
      return runGrep(step, words, input);
    case "wc":
      return { exitCode: 0, stdout: `${linesOf(input).length}\n` };
    case "head":
      return { exitCode: 0, stdout: asText(linesOf(input).slice(0, headLines(step.words))) };
  }
}
