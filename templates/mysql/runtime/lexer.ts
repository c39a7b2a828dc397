/**
 * The words of a statement as the server reads them, with the SQL mode that every session of a link sets: quotes
 * are strings, backslashes escape. What could be read in two ways is refused, not guessed.
 */
import { ToolFault } from "#runtime/fault";

export const MAX_SQL = 20_000;

export interface Token {
  /** `word` is a bare keyword or name, in capitals; `name` a quoted one; `value` a string or a number. */
  readonly kind: "word" | "name" | "value" | "sign";
  readonly text: string;
  readonly at: number;
}

export function refuse(message: string, hint?: string): ToolFault {
  return new ToolFault("denied", message, hint === undefined ? {} : { hint });
}

function invalid(message: string, at: number): ToolFault {
  return new ToolFault("invalid_argument", `${message} (at character ${at + 1})`);
}

const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)/y;
const SPACE = /(?:\s+|#[^\n]*|--(?=[\s\u0000-\u001f]|$)[^\n]*)+/y;
const STRINGS: Readonly<Record<string, RegExp>> = {
  "'": /'(?:[^'\\]|\\[\s\S]|'')*'/y,
  '"': /"(?:[^"\\]|\\[\s\S]|"")*"/y,
  "`": /`(?:[^`]|``)*`/y,
};

function matchAt(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

/** The length of a comment, which may not be one that the server runs. */
function commentAt(sql: string, at: number): number {
  if (/^\/\*(!|M!|\+)/i.test(sql.slice(at, at + 4)))
    throw refuse("a comment that the server would run is not allowed", "leave /*! ... */ and /*+ ... */ out");
  const end = sql.indexOf("*/", at + 2);
  if (end < 0) throw invalid("a comment does not end", at);
  return end + 2 - at;
}

function quotedAt(sql: string, at: number, quote: string): Token & { readonly length: number } {
  const text = matchAt(STRINGS[quote] ?? WORD, sql, at);
  if (text === undefined) throw invalid(`a ${quote === "`" ? "name" : "string"} does not end`, at);
  const kind = quote === "`" ? "name" : "value";
  return {
    kind,
    text: kind === "name" ? text.slice(1, -1).replaceAll("``", "`") : text,
    at,
    length: text.length,
  };
}

function tokenAt(sql: string, at: number): Token & { readonly length: number } {
  const character = sql[at] ?? "";
  if (character in STRINGS) return quotedAt(sql, at, character);
  const number = matchAt(NUMBER, sql, at);
  const word = matchAt(WORD, sql, at);
  // A name may begin with digits, as in 1st: then it is the longer of both.
  const digits =
    /^\d+[A-Za-z_$\u0080-\uffff]/.test(sql.slice(at, at + 40)) &&
    !/^0[xXbB]|^\d+[eE][+-]?\d/.test(sql.slice(at, at + 40));
  if (digits) throw invalid("a name that begins with a digit must be quoted", at);
  if (number !== undefined) return { kind: "value", text: number, at, length: number.length };
  if (word !== undefined) return { kind: "word", text: word.toUpperCase(), at, length: word.length };
  return { kind: "sign", text: character, at, length: 1 };
}

/** The tokens of exactly one statement; a semicolon may end it. */
export function tokensOf(sql: unknown): readonly Token[] {
  if (typeof sql !== "string") throw invalid("the statement is no text", 0);
  if (sql.length > MAX_SQL) throw invalid(`the statement has more than ${MAX_SQL} characters`, MAX_SQL);
  if (/\u0000/.test(sql)) throw invalid("the statement holds a NUL character", sql.indexOf("\u0000"));
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const space = matchAt(SPACE, sql, at);
    if (space !== undefined && space !== "") at += space.length;
    else if (sql.startsWith("/*", at)) at += commentAt(sql, at);
    else {
      const { length, ...token } = tokenAt(sql, at);
      tokens.push(token);
      at += length;
    }
  }
  const body = tokens.at(-1)?.text === ";" && tokens.at(-1)?.kind === "sign" ? tokens.slice(0, -1) : tokens;
  if (body.length === 0) throw invalid("there is no statement", 0);
  if (body.some(({ kind, text }) => kind === "sign" && text === ";"))
    throw refuse("only one statement is allowed");
  return body;
}
