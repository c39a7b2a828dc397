import { ToolFault } from "#runtime/fault";

/** A piece of a statement: a bare word in lower case, a quoted name, or one sign. Strings and comments leave nothing. */
export interface Piece {
  readonly kind: "word" | "name" | "sign";
  readonly text: string;
}

const SPACE = /\s+|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /'(?:[^'\\]|\\[\s\S]|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/y;
const NAME = /"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /\d[\w.]*/y;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The pieces of a statement as ClickHouse's lexer finds them; a string or comment that does not end is refused. */
export function piecesOf(sql: string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < sql.length;) {
    const skipped = matchAt(SPACE, sql, at) ?? matchAt(STRING, sql, at) ?? matchAt(NUMBER, sql, at);
    if (skipped !== undefined) {
      at += skipped.length;
      continue;
    }
    const name = matchAt(NAME, sql, at);
    const word = name === undefined ? matchAt(WORD, sql, at) : undefined;
    const sign = sql[at] ?? "";
    if (name === undefined && word === undefined && (/['"`]/.test(sign) || sql.startsWith("/*", at))) {
      throw new ToolFault("invalid_argument", `a ${sign === "/" ? "comment" : "quoted text"} does not end`);
    }
    if (name !== undefined) pieces.push({ kind: "name", text: name.slice(1, -1) });
    else if (word !== undefined) pieces.push({ kind: "word", text: word.toLowerCase() });
    else pieces.push({ kind: "sign", text: sign });
    at += (name ?? word ?? sign).length;
  }
  return pieces;
}
