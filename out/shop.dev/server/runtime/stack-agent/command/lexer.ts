import { CommandRefused } from "./refused.ts";
import type { Part, Token, Word } from "./script.ts";

export type Operator = "|" | "||" | "&&" | ";" | ")";

export type Lexeme =
  | { readonly is: "word"; readonly word: Word }
  | { readonly is: "operator"; readonly text: Operator; readonly at: number }
  /** `pods=$(`. */
  | { readonly is: "capture"; readonly name: string; readonly at: number };

export interface Lexed {
  readonly lexemes: readonly Lexeme[];
  readonly tokens: readonly Token[];
}

export const MAX_TEXT = 2000;

const OPERATORS: readonly Operator[] = ["||", "&&", "|", ";", ")"];
const BARE = /[\w@%+=:,./^-]/;
const VARIABLE = /\{\{([^{}]*)\}\}|\{([a-z_]\w{0,79})\}/y;
const CAPTURE = /([A-Za-z_]\w{0,31})=\$\(/y;
const CAPTURED = /\$([A-Za-z_]\w{0,31})/y;
/** Control characters, and those that hide or reorder what stands beside them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}\p{Co}\p{Cn}]/u;

const MEANINGS: Readonly<Record<string, string>> = {
  "&": "a command cannot be put into the background",
  ">": "output cannot be redirected",
  "<": "input cannot be redirected",
  "`": "a command cannot be put into another one",
  $: 'only "$name" in double quotes, for an earlier name=$(...), is known',
  "(": "groups of commands are not known",
  "*": "patterns are not known: put the character into quotes",
  "?": "patterns are not known: put the character into quotes",
  "[": "patterns are not known: put the character into quotes",
  "~": "home folders are not known",
  "#": "comments are not known",
  "!": "history and negation are not known",
  "{": "only {variable} and {{text}} are known",
  "\\": "escapes are known in double quotes only",
  "\n": "one line is allowed",
  "\r": "one line is allowed",
};

function syntax(problem: string, at: number): CommandRefused {
  return new CommandRefused("syntax", `${problem} (at character ${at + 1})`);
}

function unknownCharacter(character: string, at: number): CommandRefused {
  const shown = UNSEEN.test(character) ? "this character" : `"${character}"`;
  return syntax(MEANINGS[character] ?? `${shown} is not known outside of quotes`, at);
}

/** Reads one word and what it is made of; the cursor stands behind it afterwards. */
class Reader {
  readonly #text: string;
  readonly #tokens: Token[];
  at = 0;

  constructor(text: string, tokens: Token[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }

  /** A variable or a doubled brace at the cursor, if there is one. */
  #variable(quoted: boolean): Part | undefined {
    const start = this.at;
    const found = this.match(VARIABLE);
    if (found === null) return undefined;
    const name = found[2];
    this.#tokens.push({ start, end: this.at, variable: name ?? null, quoted });
    return name === undefined ? { is: "text", text: `{${found[1] ?? ""}}` } : { is: "variable", name };
  }

  #character(): string {
    return String.fromCodePoint(this.#text.codePointAt(this.at) ?? 0);
  }

  #take(): Part {
    const text = this.#character();
    this.at += text.length;
    return { is: "text", text };
  }

  #single(parts: Part[]): void {
    const open = this.at;
    this.at += 1;
    while (this.#text[this.at] !== "'") {
      this.#demandVisible(open);
      parts.push(this.#variable(true) ?? this.#take());
    }
    this.at += 1;
  }

  #double(parts: Part[]): void {
    const open = this.at;
    this.at += 1;
    while (this.#text[this.at] !== '"') {
      this.#demandVisible(open);
      parts.push(this.#variable(true) ?? this.#inDouble());
    }
    this.at += 1;
  }

  #inDouble(): Part {
    const start = this.at;
    const captured = this.match(CAPTURED);
    if (captured !== null) return { is: "capture", name: captured[1] ?? "" };
    const [character, next] = [this.#text[start], this.#text[start + 1]];
    if (character === "$" || character === "`") throw unknownCharacter(character, start);
    if (character === "\\" && next !== undefined && '"\\$`'.includes(next)) this.at += 1;
    return this.#take();
  }

  #demandVisible(open: number): void {
    if (this.at >= this.#text.length) throw syntax("a quote is not closed", open);
    const character = this.#character();
    if (character !== "\t" && UNSEEN.test(character)) throw unknownCharacter(character, this.at);
  }

  word(): Word {
    const start = this.at;
    const parts: Part[] = [];
    let [quoted, bare, plain] = [false, 0, true];
    for (
      let next = this.#text[this.at];
      next !== undefined && !this.#endsWord(next);
      next = this.#text[this.at]
    ) {
      if (next === "'" || next === '"') {
        [quoted, plain] = [true, false];
        if (next === "'") this.#single(parts);
        else this.#double(parts);
      } else {
        const part = this.#variable(false) ?? this.#bare(next);
        plain &&= part.is === "text";
        if (plain && part.is === "text") bare += part.text.length;
        parts.push(part);
      }
    }
    return { parts: joined(parts), quoted, bare, at: start };
  }

  #bare(character: string): Part {
    const isUnequal = character === "!" && this.#text[this.at + 1] === "=";
    if (!BARE.test(character) && !isUnequal) throw unknownCharacter(this.#character(), this.at);
    return this.#take();
  }

  #endsWord(character: string): boolean {
    if (character === "&") return this.#text[this.at + 1] === "&";
    return character === " " || character === "\t" || "|;)".includes(character);
  }
}

/** Neighbouring texts as one part, so that a word's first character is that of its first part. */
function joined(parts: readonly Part[]): readonly Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.is === "text" && last?.is === "text")
      result[result.length - 1] = { is: "text", text: last.text + part.text };
    else result.push(part);
  }
  return result;
}

/**
 * Cuts a text into words and operators. Variables stay what they are: nothing that is put in their place later
 * is ever read again. Throws a CommandRefused that names the character for everything else that a shell knows.
 */
export function lex(text: string): Lexed {
  if (text.length > MAX_TEXT)
    throw new CommandRefused("syntax", `a command has at most ${MAX_TEXT} characters`);
  const tokens: Token[] = [];
  const lexemes: Lexeme[] = [];
  const reader = new Reader(text, tokens);
  for (;;) {
    reader.match(/[ \t]*/y);
    const at = reader.at;
    if (at >= text.length) return { lexemes, tokens };
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
    const capture = operator === undefined ? reader.match(CAPTURE) : null;
    if (operator !== undefined) {
      reader.at += operator.length;
      lexemes.push({ is: "operator", text: operator, at });
    } else if (capture !== null) lexemes.push({ is: "capture", name: capture[1] ?? "", at });
    else lexemes.push({ is: "word", word: reader.word() });
  }
}
