import { readBuiltin } from "./builtin.ts";
import { parseScript } from "./grammar.ts";
import type { RawStatement } from "./grammar.ts";
import { readArguments } from "./read-arguments.ts";
import { CommandRefused } from "./refused.ts";
import type { CommandRules, ExecutableRule } from "./rules.ts";
import { BUILTINS } from "./script.ts";
import type { ParsedCommand, ParsedStatement, ParsedStep, RawCommand, Reading, Word } from "./script.ts";

const isBuiltin = (name: string): name is (typeof BUILTINS)[number] =>
  (BUILTINS as readonly string[]).includes(name);

/** By every list that has the program; the first refusal counts when none accepts it. */
function readProgram(raw: RawCommand, rules: CommandRules): ParsedStep {
  const readings: Reading[] = [];
  const refusals: { rule: ExecutableRule; refusal: CommandRefused }[] = [];
  for (const rule of rules.executables.filter(({ name }) => name === raw.name)) {
    try {
      readings.push(readArguments(rule, raw));
    } catch (error) {
      if (!(error instanceof CommandRefused)) throw error;
      refusals.push({ rule, refusal: error });
    }
  }
  const [first] = refusals;
  if (readings.length === 0 && first !== undefined) throw first.refusal;
  return { is: "program", name: raw.name, readings, refusals };
}

function readStep(raw: RawCommand, position: number, rules: CommandRules): ParsedStep {
  if (isBuiltin(raw.name)) return readBuiltin(raw.name, raw, position);
  if (!Object.hasOwn(rules.programs, raw.name)) {
    const known = [...BUILTINS, ...Object.keys(rules.programs).sort()].join(" ");
    throw new CommandRefused(
      "not_allowed",
      `${raw.name.slice(0, 60)} is not a command here`,
      `use one of: ${known}`,
    );
  }
  if (position > 0) {
    throw new CommandRefused("not_allowed", `${raw.name} may only be the first command of a pipeline`);
  }
  return readProgram(raw, rules);
}

/** A captured output may be used only after the statement that captures it. */
function demandCaptures(statements: readonly RawStatement[]): void {
  const known = new Set<string>();
  const check = (word: Word): void => {
    for (const part of word.parts) {
      if (part.is === "capture" && !known.has(part.name)) {
        throw new CommandRefused("syntax", `$${part.name} has no value: write ${part.name}=$(...) before it`);
      }
    }
  };
  for (const { capture, pipeline } of statements) {
    for (const { words, environment } of pipeline) {
      words.forEach(check);
      environment.forEach(({ word }) => check(word));
    }
    if (capture !== null) known.add(capture);
  }
}

/**
 * Reads a command by the grammar and by the lists of the linked component types. Nothing in it has a value yet:
 * what stands in place of a variable later can change no word, no flag and no program. Throws a CommandRefused.
 */
export function parseCommand(text: string, rules: CommandRules): ParsedCommand {
  const { statements, tokens } = parseScript(text);
  demandCaptures(statements);
  const parsed = statements.map(({ after, capture, pipeline }): ParsedStatement => ({
    after,
    capture,
    pipeline: pipeline.map((raw, position) => readStep(raw, position, rules)),
  }));
  return { text, statements: parsed, tokens };
}

/** The names of all variables in a command, each once, sorted. */
export function variablesOf(command: ParsedCommand): readonly string[] {
  const names = command.tokens.flatMap(({ variable }) => (variable === null ? [] : [variable]));
  return [...new Set(names)].sort();
}
