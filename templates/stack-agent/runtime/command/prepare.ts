import type { Secret } from "#runtime/settings";
import type { Place } from "./place.ts";
import { fillDocument } from "./document.ts";
import { demandArgument, expand } from "./expand.ts";
import type { Values } from "./expand.ts";
import { CommandRefused } from "./refused.ts";
import type { ExecutableRule, ValueRule } from "./rules.ts";
import type { Reading, Word } from "./script.ts";
import { settleValue } from "./values.ts";
import type { Target } from "./values.ts";

/** A process that may be started, complete. */
export interface Prepared {
  readonly name: string;
  readonly args: readonly string[];
  /** Besides what every child gets. */
  readonly environment: Readonly<Record<string, string>>;
  /** For the child's standard input, which is empty when there is nothing. */
  readonly input: string | null;
  readonly conceals: readonly string[];
  /** The write tool that the command stands for; `null` when it only reads. */
  readonly tool: string | null;
  /** Texts that a function of the type's folder must let pass first. */
  readonly queries: readonly { readonly guard: string; readonly text: string }[];
  readonly target: Target;
}

/** What the words of a command may use. */
export interface Vocabulary extends Values {
  isSecret(name: string): boolean;
  /** The value of a secret of the account that the link has on `place`, and on no other. */
  secret(name: string, place: Place): Secret;
}

/** Collects what goes where: into arguments, the environment or standard input. */
class Sinks {
  readonly args: string[] = [];
  readonly environment: Record<string, string> = {};
  readonly config: string[] = [];
  readonly queries: { guard: string; text: string }[] = [];
  readonly #values: Vocabulary;
  readonly #target: Target;

  constructor(values: Vocabulary, target: Target) {
    this.#values = values;
    this.#target = target;
  }

  settled(rule: ValueRule, word: Word, what: string): string {
    const text = expand(word, this.#values);
    demandArgument(text, word, what);
    const checked = settleValue(rule, text, this.#target);
    if ("problem" in checked) throw new CommandRefused("value", `${what} ${checked.problem}`);
    if (rule.is === "query") this.queries.push({ guard: rule.guard, text });
    return checked.text;
  }

  /** Secrets included: the text never gets to an argument. */
  #revealed(word: Word): string {
    return word.parts
      .map((part) => {
        if (part.is !== "variable") return part.is === "text" ? part.text : this.#values.capture(part.name);
        const { name } = part;
        return this.#values.isSecret(name)
          ? this.#values.secret(name, this.#target.place).reveal()
          : this.#values.variable(name);
      })
      .join("");
  }

  option({ flag, word }: Reading["options"][number]): void {
    const name = flag.names[0] ?? "";
    if (flag.value === undefined || word === null) this.args.push(name);
    else if (flag.config !== undefined) this.config.push(`${flag.config} = ${quoted(this.#revealed(word))}`);
    else if (flag.into !== undefined) this.environment[flag.into] = this.settled(flag.value, word, name);
    else this.args.push(name, this.settled(flag.value, word, name));
  }

  operand({ rule, word }: Reading["operands"][number], program: string): void {
    const what = `an operand of ${program}`;
    this.args.push(rule === null ? expand(word, this.#values) : this.settled(rule, word, what));
  }

  variable({ name, rule, word }: Reading["environment"][number]): void {
    const [part] = word.parts;
    const secret =
      rule.is === "secret" && part?.is === "variable"
        ? this.#values.secret(part.name, this.#target.place)
        : undefined;
    this.environment[name] = secret?.reveal() ?? this.settled(rule, word, name);
  }
}

/** A value in curl's configuration; a line break would begin another option. */
function quoted(text: string): string {
  if (/[\0\r\n]/.test(text)) throw new CommandRefused("value", "a credential holds a line break");
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** What the program always gets, with the place's host and port for those who did not write them. */
function setsOf({ sets = {} }: ExecutableRule, { host, port }: Place): Readonly<Record<string, string>> {
  const known: Readonly<Record<string, string>> = { "{host}": host ?? "", "{port}": String(port ?? "") };
  return Object.fromEntries(Object.entries(sets).map(([name, text]) => [name, known[text] ?? text]));
}

function inputOf({ input }: ExecutableRule, config: readonly string[], place: Place): string | null {
  if (input !== undefined) return JSON.stringify(fillDocument(input, (name) => place.account(name)));
  return config.length === 0 ? null : `${config.join("\n")}\n`;
}

/** Puts values in place of variables and holds every one against its rule. Throws a CommandRefused. */
export function prepare(reading: Reading, target: Target, values: Vocabulary): Prepared {
  const { rule, form } = reading;
  const sinks = new Sinks(values, target);
  const options = (): void => reading.options.forEach((option) => sinks.option(option));
  const operands = (): void => reading.operands.forEach((operand) => sinks.operand(operand, rule.name));
  for (const add of rule.operandsFirst === true ? [operands, options] : [options, operands]) add();
  reading.environment.forEach((variable) => sinks.variable(variable));
  return {
    name: rule.name,
    args: [...(rule.always ?? []), ...sinks.args],
    environment: {
      ...target.place.settings(rule.settings ?? {}),
      ...setsOf(rule, target.place),
      ...sinks.environment,
    },
    input: inputOf(rule, sinks.config, target.place),
    conceals: form.conceals ?? [],
    tool: form.tool ?? null,
    queries: sinks.queries,
    target,
  };
}
