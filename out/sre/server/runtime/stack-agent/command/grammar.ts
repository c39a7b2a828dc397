import { lex, syntaxFault } from "./lexer.ts";
import type { Lexeme, Operator } from "./lexer.ts";
import { literalOf } from "./script.ts";
import type { ParsedStatement, RawCommand, Token, Word } from "./script.ts";

const MAX_STATEMENTS = 8;
const MAX_PIPELINE = 4;
const MAX_WORDS = 64;

export interface RawStatement extends Pick<ParsedStatement, "after" | "capture"> {
  readonly pipeline: readonly RawCommand[];
}
interface RawScript {
  readonly statements: readonly RawStatement[];
  readonly tokens: readonly Token[];
}

type Assignment = RawCommand["environment"][number];

const ASSIGNMENT = /^([A-Za-z_]\w{0,63})=/;

/** `PGPASSWORD={password}` in front of a program; name and `=` must stand outside of quotes. */
function assignmentOf(word: Word): Assignment | undefined {
  const [first, ...rest] = word.parts;
  const name = first?.is === "text" ? ASSIGNMENT.exec(first.text)?.[1] : undefined;
  if (first?.is !== "text" || name === undefined || word.bare <= name.length) return undefined;
  const value = first.text.slice(name.length + 1);
  const parts = value === "" ? rest : [{ is: "text", text: value } as const, ...rest];
  return { name, word: { ...word, parts } };
}

/** Where the parser is; every function leaves it behind what it read. */
interface Cursor {
  readonly lexemes: readonly Lexeme[];
  /** Where the text ends. */
  readonly end: number;
  next: number;
}

function here(cursor: Cursor): Lexeme | undefined {
  return cursor.lexemes[cursor.next];
}

function offset(cursor: Cursor): number {
  const lexeme = here(cursor);
  if (lexeme === undefined) return cursor.end;
  return lexeme.is === "word" ? lexeme.word.at : lexeme.at;
}

function takeOperator<O extends Operator>(cursor: Cursor, ...wanted: readonly O[]): O | undefined {
  const lexeme = here(cursor);
  const operator = wanted.find((each) => lexeme?.is === "operator" && lexeme.text === each);
  if (operator !== undefined) cursor.next += 1;
  return operator;
}

function takeWords(cursor: Cursor): readonly Word[] {
  const words: Word[] = [];
  for (let lexeme = here(cursor); lexeme?.is === "word"; lexeme = here(cursor)) {
    words.push(lexeme.word);
    cursor.next += 1;
  }
  return words;
}

function leadingAssignments(words: readonly Word[]): readonly Assignment[] {
  const found = words.map(assignmentOf);
  const end = found.indexOf(undefined);
  return found.slice(0, end < 0 ? found.length : end).filter((each) => each !== undefined);
}

function takeCommand(cursor: Cursor): RawCommand {
  const at = offset(cursor);
  const words = takeWords(cursor);
  if (here(cursor)?.is === "capture") {
    throw syntaxFault("$( ) may only be the whole of a statement", offset(cursor));
  }
  if (words.length > MAX_WORDS) throw syntaxFault(`a command has at most ${MAX_WORDS} words`, at);
  const environment = leadingAssignments(words);
  const [first, ...rest] = words.slice(environment.length);
  if (first === undefined) throw syntaxFault("a command is expected", at);
  const name = literalOf(first);
  if (name === undefined || first.quoted) {
    throw syntaxFault("the name of a command is a plain word, without variables and quotes", first.at);
  }
  return { name, at: first.at, words: rest, environment };
}

function takePipeline(cursor: Cursor): readonly RawCommand[] {
  const commands = [takeCommand(cursor)];
  for (let at = offset(cursor); takeOperator(cursor, "|") !== undefined; at = offset(cursor)) {
    if (commands.length === MAX_PIPELINE) {
      throw syntaxFault(`a pipeline has at most ${MAX_PIPELINE} commands`, at);
    }
    commands.push(takeCommand(cursor));
  }
  return commands;
}

function takeStatement(cursor: Cursor, after: RawStatement["after"]): RawStatement {
  const lexeme = here(cursor);
  if (lexeme?.is !== "capture") return { after, capture: null, pipeline: takePipeline(cursor) };
  cursor.next += 1;
  const pipeline = takePipeline(cursor);
  if (takeOperator(cursor, ")") === undefined) throw syntaxFault("$( is not closed", lexeme.at);
  return { after, capture: lexeme.name, pipeline };
}

function takeStatements(cursor: Cursor): readonly RawStatement[] {
  const statements = [takeStatement(cursor, ";")];
  while (here(cursor) !== undefined) {
    const at = offset(cursor);
    const joint = takeOperator(cursor, ";", "&&", "||");
    if (joint === undefined) throw syntaxFault("an operator is expected", at);
    if (joint === ";" && here(cursor) === undefined) break;
    statements.push(takeStatement(cursor, joint));
    if (statements.length > MAX_STATEMENTS) {
      throw syntaxFault(`at most ${MAX_STATEMENTS} statements are allowed`, at);
    }
  }
  return statements;
}

/** The text by its grammar alone: which commands, in which order, of which words. Throws a CommandRefused. */
export function parseScript(text: string): RawScript {
  const { lexemes, tokens } = lex(text);
  return { statements: takeStatements({ lexemes, end: text.length, next: 0 }), tokens };
}
