import { lex } from "./lexer.ts";
import type { Lexeme, Operator } from "./lexer.ts";
import { CommandRefused } from "./refused.ts";
import { literalOf } from "./script.ts";
import type { ParsedStatement, RawCommand, Token, Word } from "./script.ts";

export const MAX_STATEMENTS = 8;
export const MAX_PIPELINE = 4;
export const MAX_WORDS = 64;

export interface RawStatement extends Pick<ParsedStatement, "after" | "capture"> {
  readonly pipeline: readonly RawCommand[];
}
export interface RawScript {
  readonly statements: readonly RawStatement[];
  readonly tokens: readonly Token[];
}

function syntax(problem: string, at: number): CommandRefused {
  return new CommandRefused("syntax", `${problem} (at character ${at + 1})`);
}

const ASSIGNMENT = /^([A-Za-z_]\w{0,63})=/;

/** `PGPASSWORD={password}` in front of a program; the name must stand there plainly. */
function assignmentOf(word: Word): { name: string; word: Word } | undefined {
  const [first, ...rest] = word.parts;
  const name = first?.is === "text" ? ASSIGNMENT.exec(first.text)?.[1] : undefined;
  if (first?.is !== "text" || name === undefined || word.bare <= name.length) return undefined;
  const value = first.text.slice(name.length + 1);
  const parts = value === "" ? rest : [{ is: "text", text: value } as const, ...rest];
  return { name, word: { ...word, parts } };
}

/** Reads the lexemes from left to right; every function leaves the cursor behind what it read. */
class Parser {
  readonly #lexemes: readonly Lexeme[];
  readonly #end: number;
  #next = 0;

  constructor(lexemes: readonly Lexeme[], end: number) {
    this.#lexemes = lexemes;
    this.#end = end;
  }

  get #here(): Lexeme | undefined {
    return this.#lexemes[this.#next];
  }

  get #at(): number {
    const here = this.#here;
    if (here === undefined) return this.#end;
    return here.is === "word" ? here.word.at : here.at;
  }

  #operator(...wanted: readonly Operator[]): Operator | undefined {
    const here = this.#here;
    if (here?.is !== "operator" || !wanted.includes(here.text)) return undefined;
    this.#next += 1;
    return here.text;
  }

  script(): readonly RawStatement[] {
    const statements = [this.#statement(";")];
    while (this.#here !== undefined) {
      const at = this.#at;
      const joint = this.#operator(";", "&&", "||");
      if (joint === undefined) throw syntax("an operator is expected", at);
      if (joint === ";" && this.#here === undefined) break;
      statements.push(this.#statement(joint as RawStatement["after"]));
      if (statements.length > MAX_STATEMENTS)
        throw syntax(`at most ${MAX_STATEMENTS} statements are allowed`, at);
    }
    return statements;
  }

  #statement(after: RawStatement["after"]): RawStatement {
    const here = this.#here;
    if (here?.is !== "capture") return { after, capture: null, pipeline: this.#pipeline() };
    this.#next += 1;
    const pipeline = this.#pipeline();
    if (this.#operator(")") === undefined) throw syntax("$( is not closed", here.at);
    return { after, capture: here.name, pipeline };
  }

  #pipeline(): readonly RawCommand[] {
    const commands = [this.#command()];
    for (let at = this.#at; this.#operator("|") !== undefined; at = this.#at) {
      if (commands.length === MAX_PIPELINE)
        throw syntax(`at most ${MAX_PIPELINE} commands in a pipeline`, at);
      commands.push(this.#command());
    }
    return commands;
  }

  #command(): RawCommand {
    const at = this.#at;
    const words: Word[] = [];
    for (let here = this.#here; here?.is === "word"; here = this.#here) {
      words.push(here.word);
      this.#next += 1;
    }
    if (this.#here?.is === "capture") throw syntax("$( ) may only be the whole of a statement", this.#at);
    if (words.length > MAX_WORDS) throw syntax(`a command has at most ${MAX_WORDS} words`, at);
    const environment: RawCommand["environment"][number][] = [];
    for (let word = words[0]; word !== undefined; word = words[0]) {
      const assignment = assignmentOf(word);
      if (assignment === undefined) break;
      environment.push(assignment);
      words.shift();
    }
    return { ...this.#name(words, at), environment };
  }

  #name(words: readonly Word[], at: number): Pick<RawCommand, "name" | "at" | "words"> {
    const [first, ...rest] = words;
    if (first === undefined) throw syntax("a command is expected", at);
    const name = literalOf(first);
    if (name === undefined || first.quoted) {
      throw syntax("the name of a command is a plain word, without variables and quotes", first.at);
    }
    return { name, at: first.at, words: rest };
  }
}

/** The text by its grammar alone: which commands, in which order, of which words. */
export function parseScript(text: string): RawScript {
  const { lexemes, tokens } = lex(text);
  return { statements: new Parser(lexemes, text.length).script(), tokens };
}
