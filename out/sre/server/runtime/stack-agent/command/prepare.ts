import type { Secret } from "#runtime/settings";
import { fillDocument } from "./document.ts";
import { demandArgument, expand } from "./expand.ts";
import type { Values } from "./expand.ts";
import type { Place } from "./place.ts";
import { CommandRefused } from "./refused.ts";
import type { ExecutableRule, ValueRule } from "./rules.ts";
import type { Part, Reading, Word } from "./script.ts";
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

/** What values are taken from, and held against. */
interface Ground {
  readonly values: Vocabulary;
  readonly target: Target;
}

/** A value on its way to the program. */
type Sink =
  | { readonly to: "argument"; readonly texts: readonly string[] }
  | { readonly to: "environment"; readonly name: string; readonly text: string }
  | { readonly to: "config"; readonly line: string };

function settled(rule: ValueRule, word: Word, what: string, { values, target }: Ground): string {
  const text = expand(word, values);
  demandArgument(text, word, what);
  const checked = settleValue(rule, text, target);
  if ("problem" in checked) throw new CommandRefused("value", `${what} ${checked.problem}`);
  return checked.text;
}

/** The text of a part with secrets in it: for places that nobody but the program sees. */
function revealed(part: Part, { values, target }: Ground): string {
  if (part.is === "text") return part.text;
  if (part.is === "capture") return values.capture(part.name);
  return values.isSecret(part.name)
    ? values.secret(part.name, target.place).reveal()
    : values.variable(part.name);
}

/** A value in curl's configuration; a line break would begin another option. */
function quoted(text: string): string {
  if (/[\0\r\n]/.test(text)) throw new CommandRefused("value", "a credential holds a line break");
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function optionSink({ flag, word }: Reading["options"][number], ground: Ground): Sink {
  const name = flag.names[0] ?? "";
  if (flag.value === undefined || word === null) return { to: "argument", texts: [name] };
  if (flag.config !== undefined) {
    const text = word.parts.map((part) => revealed(part, ground)).join("");
    return { to: "config", line: `${flag.config} = ${quoted(text)}\n` };
  }
  const text = settled(flag.value, word, name, ground);
  return flag.into === undefined
    ? { to: "argument", texts: [name, text] }
    : { to: "environment", name: flag.into, text };
}

function operandSink({ rule, word }: Reading["operands"][number], program: string, ground: Ground): Sink {
  const text =
    rule === null ? expand(word, ground.values) : settled(rule, word, `an operand of ${program}`, ground);
  return { to: "argument", texts: [text] };
}

function variableSink({ name, rule, word }: Reading["environment"][number], ground: Ground): Sink {
  const [part] = word.parts;
  const isSecret = rule.is === "secret" && part?.is === "variable";
  const text = isSecret
    ? ground.values.secret(part.name, ground.target.place).reveal()
    : settled(rule, word, name, ground);
  return { to: "environment", name, text };
}

/** What the program always gets, with the place's host and port for those who did not write them. */
function setsOf({ sets = {} }: ExecutableRule, { host, port }: Place): Readonly<Record<string, string>> {
  const known: Readonly<Record<string, string>> = { "{host}": host ?? "", "{port}": String(port ?? "") };
  return Object.fromEntries(Object.entries(sets).map(([name, text]) => [name, known[text] ?? text]));
}

function inputOf({ input }: ExecutableRule, config: string, place: Place): string | null {
  if (input !== undefined) return JSON.stringify(fillDocument(input, (name) => place.account(name)));
  return config === "" ? null : config;
}

function queriesOf({ options, operands }: Reading, { values }: Ground): Prepared["queries"] {
  const valued = [...options.map(({ flag, word }) => ({ rule: flag.value, word })), ...operands];
  return valued.flatMap(({ rule, word }) =>
    rule?.is === "query" && word !== null ? [{ guard: rule.guard, text: expand(word, values) }] : [],
  );
}

/** Puts values in place of variables and holds every one against its rule. Throws a CommandRefused. */
export function prepare(reading: Reading, target: Target, values: Vocabulary): Prepared {
  const { rule, form } = reading;
  const ground = { values, target };
  const options = reading.options.map((option) => optionSink(option, ground));
  const operands = reading.operands.map((operand) => operandSink(operand, rule.name, ground));
  const variables = reading.environment.map((variable) => variableSink(variable, ground));
  const sinks = rule.operandsFirst === true ? [...operands, ...options] : [...options, ...operands];
  const set = [...options, ...variables].flatMap((sink) =>
    sink.to === "environment" ? [[sink.name, sink.text] as const] : [],
  );
  const config = options.flatMap((sink) => (sink.to === "config" ? [sink.line] : [])).join("");
  return {
    name: rule.name,
    args: [...(rule.always ?? []), ...sinks.flatMap((sink) => (sink.to === "argument" ? sink.texts : []))],
    environment: {
      ...target.place.settings(rule.settings ?? {}),
      ...setsOf(rule, target.place),
      ...Object.fromEntries(set),
    },
    input: inputOf(rule, config, target.place),
    conceals: form.conceals ?? [],
    tool: form.tool ?? null,
    queries: queriesOf(reading, ground),
    target,
  };
}
