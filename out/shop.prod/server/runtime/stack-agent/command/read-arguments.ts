import { literalProblem } from "./values.ts";
import { CommandRefused } from "./refused.ts";
import type { ExecutableRule, FlagRule, FormRule } from "./rules.ts";
import { literalOf, templateOf } from "./script.ts";
import type { RawCommand, Reading, Word } from "./script.ts";

type Option = Reading["options"][number];

function refuse(message: string, hint?: string): CommandRefused {
  return new CommandRefused("not_allowed", message, hint);
}

function shown(word: Word): string {
  return templateOf(word).slice(0, 60);
}

/** The word without its first characters, which are text. */
function rest(word: Word, length: number): Word | null {
  const [first, ...others] = word.parts;
  const text = first?.is === "text" ? first.text.slice(length) : "";
  const parts = text === "" ? others : [{ is: "text", text } as const, ...others];
  return parts.length === 0 ? null : { ...word, parts };
}

/** Takes flags and operands off the front of the words; what is not on the list is refused. */
class Arguments {
  readonly #rule: ExecutableRule;
  readonly #words: Word[];
  readonly options: Option[] = [];
  readonly operands: Word[] = [];

  constructor(rule: ExecutableRule, words: readonly Word[]) {
    this.#rule = rule;
    this.#words = [...words];
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) this.#read(word);
  }

  #read(word: Word): void {
    const start = word.parts[0]?.is === "text" ? word.parts[0].text : "";
    const ended = this.#rule.flagsFirst === true && this.operands.length > 0;
    if (ended || !start.startsWith("-")) this.operands.push(word);
    else if (start.startsWith("--")) this.#long(word, start);
    else this.#short(word, start);
  }

  #flag(name: string): FlagRule {
    const flag = this.#rule.flags.find(({ names }) => names.includes(name));
    if (flag !== undefined) return flag;
    const known = this.#rule.flags.map(({ names }) => names[0]).join(" ");
    throw refuse(
      `${this.#rule.name} may not be called with ${name.slice(0, 60)}`,
      `its flags here: ${known}`,
    );
  }

  #add(flag: FlagRule, word: Word | null): void {
    if (this.options.some((option) => option.flag === flag && flag.value !== undefined)) {
      throw refuse(`${this.#rule.name} may have ${flag.names[0] ?? ""} once`);
    }
    this.options.push({ flag, word });
  }

  #valueOf(flag: FlagRule): Word {
    const word = this.#words.shift();
    if (word === undefined) throw refuse(`${this.#rule.name}: ${flag.names[0] ?? ""} needs a value`);
    return word;
  }

  #long(word: Word, start: string): void {
    const equals = start.indexOf("=");
    const flag = this.#flag(equals < 0 ? shown(word) : start.slice(0, equals));
    if (flag.value === undefined) {
      if (equals >= 0) throw refuse(`${this.#rule.name}: ${flag.names[0] ?? ""} takes no value`);
      this.#add(flag, null);
    } else {
      const attached = equals < 0 ? null : (rest(word, equals + 1) ?? { ...word, parts: [] });
      this.#add(flag, attached ?? this.#valueOf(flag));
    }
  }

  /** `-sk` is `-s -k`; the first that takes a value takes the rest of the word, or the next one. */
  #short(word: Word, start: string): void {
    for (let at = 1; at < start.length; at++) {
      const flag = this.#flag(`-${start[at] ?? ""}`);
      if (flag.value !== undefined) {
        this.#add(flag, rest(word, at + 1) ?? this.#valueOf(flag));
        return;
      }
      this.#add(flag, null);
    }
    if (word.parts.length > 1 || start === "-")
      throw refuse(`${this.#rule.name} may not be called with ${shown(word)}`);
  }
}

function formOf(rule: ExecutableRule, operands: readonly Word[]): FormRule {
  const first = operands[0] === undefined ? undefined : literalOf(operands[0]);
  const named = rule.forms.find(
    ({ word }) => word !== undefined && word.toLowerCase() === first?.toLowerCase(),
  );
  const form = named ?? rule.forms.find(({ word }) => word === undefined);
  if (form !== undefined) return form;
  const words = rule.forms.map(({ word }) => word ?? "").join(" ");
  throw refuse(
    operands[0] === undefined
      ? `${rule.name} needs a command of its own`
      : `${rule.name} may not be called with ${shown(operands[0])}`,
    `it knows here: ${words}`,
  );
}

/** Pairs the operands with what they must be; the last rule may hold for several. */
function pairOperands(rule: ExecutableRule, form: FormRule, operands: readonly Word[]): Reading["operands"] {
  const own = form.word === undefined ? operands : operands.slice(1);
  const wanted = form.operands.flatMap((operand) => Array.from({ length: operand.upTo ?? 1 }, () => operand));
  const least = form.operands.filter(({ optional }) => optional !== true).length;
  const called = form.word === undefined ? rule.name : `${rule.name} ${form.word}`;
  const surplus = own[wanted.length];
  if (surplus !== undefined) throw refuse(`${called} may not be called with ${shown(surplus)}`);
  if (own.length < least) throw refuse(`${called} needs ${least} operand${least === 1 ? "" : "s"}`);
  const named = form.word === undefined ? [] : operands.slice(0, 1).map((word) => ({ rule: null, word }));
  return [...named, ...own.map((word, at) => ({ rule: wanted[at] ?? null, word }))];
}

function environmentOf(rule: ExecutableRule, raw: RawCommand): Reading["environment"] {
  return raw.environment.map(({ name, word }) => {
    const known = rule.environment ?? {};
    const value = Object.hasOwn(known, name) ? known[name] : undefined;
    if (value !== undefined) return { name, rule: value, word };
    throw refuse(
      `${rule.name} may not be given the variable ${name}`,
      `it takes: ${Object.keys(known).join(" ") || "none"}`,
    );
  });
}

function demandOnce(reading: Reading): void {
  const { rule, options, environment } = reading;
  for (const name of rule.requires ?? []) {
    if (!options.some(({ flag }) => flag.names.includes(name))) throw refuse(`${rule.name} needs ${name}`);
  }
  if (new Set(environment.map(({ name }) => name)).size < environment.length) {
    throw refuse(`${rule.name} is given a variable twice`);
  }
}

/**
 * The words of one command by one list. Throws a CommandRefused for whatever the list does not hold, and for
 * written-out values that could never be right.
 */
export function readArguments(rule: ExecutableRule, raw: RawCommand): Reading {
  const { options, operands } = new Arguments(rule, raw.words);
  const form = formOf(rule, operands);
  const reading: Reading = {
    rule,
    form,
    options,
    operands: pairOperands(rule, form, operands),
    environment: environmentOf(rule, raw),
  };
  demandOnce(reading);
  const valued = [
    ...options.map(({ flag, word }) => ({ what: flag.names[0] ?? "", value: flag.value, word })),
    ...reading.operands.map(({ rule: value, word }) => ({
      what: "an operand",
      value: value ?? undefined,
      word,
    })),
    ...reading.environment.map(({ name, rule: value, word }) => ({ what: name, value, word })),
  ];
  for (const { what, value, word } of valued) {
    const problem = value === undefined || word === null ? undefined : literalProblem(value, word);
    if (problem !== undefined)
      throw new CommandRefused(problem.reason, `${rule.name}: ${what} ${problem.message}`);
  }
  return reading;
}
