import { CommandRefused } from "./refused.ts";
import type { ExecutableRule, FlagRule, FormRule, ValueRule } from "./rules.ts";
import { literalOf, templateOf } from "./script.ts";
import type { RawCommand, Reading, Word } from "./script.ts";
import { literalProblem } from "./values.ts";

type Option = Reading["options"][number];

/** What has been read of the words so far. */
interface Reader {
  readonly rule: ExecutableRule;
  /** Still to be read. */
  readonly words: Word[];
  readonly options: Option[];
  readonly operands: Word[];
}

function refuse(message: string, hint?: string): CommandRefused {
  return new CommandRefused("not_allowed", message, hint);
}

function shown(word: Word): string {
  return templateOf(word).slice(0, 60);
}

/** The word without its first characters, which are text; `null` when nothing is left of it. */
function rest(word: Word, length: number): Word | null {
  const [first, ...others] = word.parts;
  const text = first?.is === "text" ? first.text.slice(length) : "";
  const parts = text === "" ? others : [{ is: "text", text } as const, ...others];
  return parts.length === 0 ? null : { ...word, parts };
}

function flagNamed(rule: ExecutableRule, name: string): FlagRule {
  const flag = rule.flags.find(({ names }) => names.includes(name));
  if (flag !== undefined) return flag;
  const known = rule.flags.map(({ names }) => names[0]).join(" ");
  throw refuse(`${rule.name} may not be called with ${name.slice(0, 60)}`, `its flags here: ${known}`);
}

function add({ rule, options }: Reader, flag: FlagRule, word: Word | null): void {
  if (flag.value !== undefined && options.some((option) => option.flag === flag)) {
    throw refuse(`${rule.name} may have ${flag.names[0] ?? ""} once`);
  }
  options.push({ flag, word });
}

function nextWord({ rule, words }: Reader, flag: FlagRule): Word {
  const word = words.shift();
  if (word === undefined) throw refuse(`${rule.name}: ${flag.names[0] ?? ""} needs a value`);
  return word;
}

/** `--flag`, `--flag value` or `--flag=value`. */
function readLong(reader: Reader, word: Word, start: string): void {
  const equals = start.indexOf("=");
  const flag = flagNamed(reader.rule, equals < 0 ? templateOf(word) : start.slice(0, equals));
  if (flag.value === undefined) {
    if (equals >= 0) throw refuse(`${reader.rule.name}: ${flag.names[0] ?? ""} takes no value`);
    add(reader, flag, null);
  } else if (equals < 0) add(reader, flag, nextWord(reader, flag));
  else add(reader, flag, rest(word, equals + 1) ?? { ...word, parts: [] });
}

/** `-sk` is `-s -k`; the first that takes a value takes the rest of the word, or the next one. */
function readShort(reader: Reader, word: Word, start: string): void {
  for (let at = 1; at < start.length; at++) {
    const flag = flagNamed(reader.rule, `-${start[at] ?? ""}`);
    if (flag.value !== undefined) {
      add(reader, flag, rest(word, at + 1) ?? nextWord(reader, flag));
      return;
    }
    add(reader, flag, null);
  }
  if (word.parts.length > 1 || start === "-") {
    throw refuse(`${reader.rule.name} may not be called with ${shown(word)}`);
  }
}

/** Only what is written can be a flag: a variable in front of a word makes it an operand. */
function readWord(reader: Reader, word: Word): void {
  const { rule, operands } = reader;
  const start = word.parts[0]?.is === "text" ? word.parts[0].text : "";
  const isOver = rule.flagsFirst === true && operands.length > 0;
  if (isOver || !start.startsWith("-")) operands.push(word);
  else if (start.startsWith("--")) readLong(reader, word, start);
  else readShort(reader, word, start);
}

function formOf({ name, forms }: ExecutableRule, operands: readonly Word[]): FormRule {
  const [first] = operands;
  const written = first === undefined ? undefined : literalOf(first)?.toLowerCase();
  const named = forms.find(({ word }) => word !== undefined && word.toLowerCase() === written);
  const form = named ?? forms.find(({ word }) => word === undefined);
  if (form !== undefined) return form;
  const problem =
    first === undefined ? "needs a command of its own" : `may not be called with ${shown(first)}`;
  throw refuse(`${name} ${problem}`, `it knows here: ${forms.map(({ word }) => word).join(" ")}`);
}

/** Pairs the operands with what they must be. */
function pairOperands(rule: ExecutableRule, form: FormRule, words: readonly Word[]): Reading["operands"] {
  const [named, own] = form.word === undefined ? [[], words] : [words.slice(0, 1), words.slice(1)];
  const wanted = form.operands.flatMap((operand) => Array.from({ length: operand.upTo ?? 1 }, () => operand));
  const least = form.operands.filter(({ optional }) => optional !== true).length;
  const called = form.word === undefined ? rule.name : `${rule.name} ${form.word}`;
  const surplus = own[wanted.length];
  if (surplus !== undefined) throw refuse(`${called} may not be called with ${shown(surplus)}`);
  if (own.length < least) throw refuse(`${called} needs ${least} operand${least === 1 ? "" : "s"}`);
  return [
    ...named.map((word) => ({ rule: null, word })),
    ...own.map((word, at) => ({ rule: wanted[at] ?? null, word })),
  ];
}

function environmentOf(rule: ExecutableRule, raw: RawCommand): Reading["environment"] {
  const known = rule.environment ?? {};
  const names = raw.environment.map(({ name }) => name);
  if (new Set(names).size < names.length) throw refuse(`${rule.name} is given a variable twice`);
  return raw.environment.map(({ name, word }) => {
    const value = Object.hasOwn(known, name) ? known[name] : undefined;
    if (value !== undefined) return { name, rule: value, word };
    const hint = `it takes: ${Object.keys(known).join(" ") || "none"}`;
    throw refuse(`${rule.name} may not be given the variable ${name}`, hint);
  });
}

/** Refuses values that are written out and could never be right. */
function demandLiterals({ rule, options, operands, environment }: Reading): void {
  const demand = (what: string, value: ValueRule | null | undefined, word: Word | null): void => {
    const problem = value == null || word === null ? undefined : literalProblem(value, word);
    if (problem !== undefined) {
      throw new CommandRefused(problem.reason, `${rule.name}: ${what} ${problem.message}`);
    }
  };
  for (const { flag, word } of options) demand(flag.names[0] ?? "", flag.value, word);
  for (const operand of operands) demand("an operand", operand.rule, operand.word);
  for (const variable of environment) demand(variable.name, variable.rule, variable.word);
}

/** The words of one command by one list. Throws a CommandRefused for whatever the list does not hold. */
export function readArguments(rule: ExecutableRule, raw: RawCommand): Reading {
  const reader: Reader = { rule, words: [...raw.words], options: [], operands: [] };
  for (let word = reader.words.shift(); word !== undefined; word = reader.words.shift())
    readWord(reader, word);
  const { options, operands } = reader;
  const form = formOf(rule, operands);
  const environment = environmentOf(rule, raw);
  const reading: Reading = { rule, form, options, operands: pairOperands(rule, form, operands), environment };
  for (const name of rule.requires ?? []) {
    if (!options.some(({ flag }) => flag.names.includes(name))) throw refuse(`${rule.name} needs ${name}`);
  }
  demandLiterals(reading);
  return reading;
}
