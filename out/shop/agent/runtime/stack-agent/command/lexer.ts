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

const MAX_TEXT = 2000;

const OPERATORS: readonly Operator[] = ["||", "&&", "|", ";", ")"];
const BARE = /[\w@%+=:,./^-]/;
const SPACES = /[ \t]*/y;
const VARIABLE = /\{\{([^{}]*)\}\}|\{([a-z_]\w{0,79})\}/y;
const CAPTURE = /([A-Za-z_]\w{0,31})=\$\(/y;
const CAPTURED = /\$([A-Za-z_]\w{0,31})/y;
/** Control characters, and those that hide or reorder what stands beside them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}\p{Co}\p{Cn}]/u;

const PATTERN = "patterns are not known: put the character into quotes";
const ONE_LINE = "one line is allowed";
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["&", "a command cannot be put into the background"],
  [">", "output cannot be redirected"],
  ["<", "input cannot be redirected"],
  ["`", "a command cannot be put into another one"],
  ["$", 'only "$name" in double quotes, for an earlier name=$(...), is known'],
  ["(", "groups of commands are not known"],
  ["*", PATTERN],
  ["?", PATTERN],
  ["[", PATTERN],
  ["~", "home folders are not known"],
  ["#", "comments are not known"],
  ["!", "history and negation are not known"],
  ["{", "only {variable} and {{text}} are known"],
  ["\\", "escapes are known in double quotes only"],
  ["\n", ONE_LINE],
  ["\r", ONE_LINE],
]);

/** Where the lexer is: it walks through the text once. */
interface Cursor {
  readonly text: string;
  readonly tokens: Token[];
  at: number;
}

export function syntaxFault(problem: string, at: number): CommandRefused {
  return new CommandRefused("syntax", `${problem} (at character ${at + 1})`);
}

function unknownCharacter({ text, at }: Cursor): CommandRefused {
  const character = characterAt(text, at);
  const shown = UNSEEN.test(character) ? "this character" : `"${character}"`;
  return syntaxFault(MEANINGS.get(character) ?? `${shown} is not known outside of quotes`, at);
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

/** What a sticky pattern finds at the cursor, which stands behind it afterwards. */
function match(cursor: Cursor, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text);
  if (found !== null) cursor.at = pattern.lastIndex;
  return found;
}

function take(cursor: Cursor): Part {
  const text = characterAt(cursor.text, cursor.at);
  cursor.at += text.length;
  return { is: "text", text };
}

/** A variable or a doubled brace at the cursor, if there is one. */
function takeVariable(cursor: Cursor, quoted: boolean): Part | undefined {
  const start = cursor.at;
  const found = match(cursor, VARIABLE);
  if (found === null) return undefined;
  const name = found[2];
  cursor.tokens.push({ start, end: cursor.at, variable: name ?? null, quoted });
  return name === undefined ? { is: "text", text: `{${found[1] ?? ""}}` } : { is: "variable", name };
}

function takeBare(cursor: Cursor): Part {
  const { text, at } = cursor;
  const isUnequal = text.startsWith("!=", at);
  if (!BARE.test(text[at] ?? "") && !isUnequal) throw unknownCharacter(cursor);
  return take(cursor);
}

function takeInDouble(cursor: Cursor): Part {
  const captured = match(cursor, CAPTURED);
  if (captured !== null) return { is: "capture", name: captured[1] ?? "" };
  const { text, at } = cursor;
  if (text[at] === "$" || text[at] === "`") throw unknownCharacter(cursor);
  const escaped = text[at + 1];
  if (text[at] === "\\" && escaped !== undefined && '"\\$`'.includes(escaped)) cursor.at += 1;
  return take(cursor);
}

/** Everything up to the closing quote; line breaks and invisible characters are refused there too. */
function takeQuoted(cursor: Cursor, quote: string): readonly Part[] {
  const open = cursor.at;
  const parts: Part[] = [];
  cursor.at += 1;
  while (cursor.text[cursor.at] !== quote) {
    if (cursor.at >= cursor.text.length) throw syntaxFault("a quote is not closed", open);
    const character = characterAt(cursor.text, cursor.at);
    if (character !== "\t" && UNSEEN.test(character)) throw unknownCharacter(cursor);
    parts.push(takeVariable(cursor, true) ?? (quote === "'" ? take(cursor) : takeInDouble(cursor)));
  }
  cursor.at += 1;
  return parts;
}

function endsWord({ text, at }: Cursor): boolean {
  return at >= text.length || text.startsWith("&&", at) || " \t|;)".includes(text[at] ?? "");
}

/** Neighbouring texts as one part, so that a word's first character is that of its first part. */
function joined(parts: readonly Part[]): readonly Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.is === "text" && last?.is === "text") {
      result[result.length - 1] = { is: "text", text: last.text + part.text };
    } else result.push(part);
  }
  return result;
}

/** One word and what it is made of. */
function takeWord(cursor: Cursor): Word {
  const start = cursor.at;
  const parts: Part[] = [];
  let [quoted, bare, plain] = [false, 0, true];
  while (!endsWord(cursor)) {
    const next = cursor.text[cursor.at] ?? "";
    if (next === "'" || next === '"') {
      parts.push(...takeQuoted(cursor, next));
      [quoted, plain] = [true, false];
      continue;
    }
    const part = takeVariable(cursor, false) ?? takeBare(cursor);
    plain &&= part.is === "text";
    if (plain && part.is === "text") bare += part.text.length;
    parts.push(part);
  }
  return { parts: joined(parts), quoted, bare, at: start };
}

function takeLexeme(cursor: Cursor): Lexeme {
  const { text, at } = cursor;
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
  if (operator !== undefined) {
    cursor.at += operator.length;
    return { is: "operator", text: operator, at };
  }
  const capture = match(cursor, CAPTURE);
  return capture === null
    ? { is: "word", word: takeWord(cursor) }
    : { is: "capture", name: capture[1] ?? "", at };
}

/**
 * Cuts a text into words and operators. Variables stay what they are: nothing that is put in their place later
 * is ever read again. Throws a CommandRefused that names the character for everything else that a shell knows.
 */
export function lex(text: string): Lexed {
  if (text.length > MAX_TEXT) throw syntaxFault(`a command has at most ${MAX_TEXT} characters`, MAX_TEXT);
  const cursor: Cursor = { text, tokens: [], at: 0 };
  const lexemes: Lexeme[] = [];
  for (match(cursor, SPACES); cursor.at < text.length; match(cursor, SPACES))
    lexemes.push(takeLexeme(cursor));
  return { lexemes, tokens: cursor.tokens };
}
