import { closeBrace, closeBracket, comma, openBrace, openBracket } from "./characters.ts";
import {
  type Cursor,
  OutsideSubset,
  countValue,
  descend,
  here,
  leave,
  skipRestOfLine,
  toContent,
} from "./fast-cursor.ts";
import {
  endsKey,
  isQuote,
  readKey,
  readPlain,
  readPlainValue,
  readQuoted,
  startsItem,
} from "./fast-scalars.ts";
import { asked } from "./wanted.ts";
import type { Wanted } from "./wanted.ts";

export type FastResult =
  | { readonly ok: true; readonly value: unknown }
  /** Where the text leaves the subset, and through what. */
  | { readonly ok: false; readonly offset: number; readonly because: string };

type Entries = Record<string, unknown>;

/** Ends a walk for positions that has found everything it was for. */
class AllFound extends Error {}

function foundKey(cursor: Cursor, place: Wanted, offset: number): void {
  place.key = offset;
  if (place.asks.key && --cursor.unfound === 0) throw new AllFound();
}

function foundValue(cursor: Cursor, place: Wanted): void {
  place.value = cursor.at;
  if (place.asks.value && --cursor.unfound === 0) throw new AllFound();
}

/**
 * The next key of `map`, past its colon.
 *
 * A key that objects inherit, such as `constructor`, seems to be there already and is given up like one that
 * is written twice.
 */
function readEntryKey(cursor: Cursor, map: Entries, inFlow: boolean, wanted: Wanted | undefined): string {
  const start = cursor.at;
  const key = readKey(cursor, inFlow);
  if (map[key] !== undefined || key === "prototype" || key === "<<") {
    throw new OutsideSubset(start, "a key that is reserved or written twice");
  }
  countValue(cursor);
  const place = wanted?.children.get(key);
  if (place !== undefined) foundKey(cursor, place, start);
  return key;
}

/** A collection in brackets may go on in later lines as long as these are indented more than `column`. */
function skipInFlow(cursor: Cursor, column: number): void {
  if (skipRestOfLine(cursor) && cursor.indent <= column) {
    leave(cursor, "a bracket that is still open where the indentation ends");
  }
}

function takes(cursor: Cursor, code: number): boolean {
  if (here(cursor) !== code) return false;
  cursor.at++;
  return true;
}

/** Past the opening bracket; true when the closing one follows at once. */
function opensEmpty(cursor: Cursor, column: number, close: number): boolean {
  descend(cursor);
  cursor.at++;
  skipInFlow(cursor, column);
  return takes(cursor, close);
}

/** Past the closing bracket, or past the comma before another entry. */
function closes(cursor: Cursor, column: number, close: number): boolean {
  skipInFlow(cursor, column);
  if (takes(cursor, close)) return true;
  if (!takes(cursor, comma)) leave(cursor, "something else than a comma or the closing bracket");
  skipInFlow(cursor, column);
  return takes(cursor, close);
}

function readFlowList(cursor: Cursor, column: number, wanted: Wanted | undefined): unknown[] {
  const list: unknown[] = [];
  let closed = opensEmpty(cursor, column, closeBracket);
  while (!closed) {
    countValue(cursor);
    list.push(readValue(cursor, column, true, wanted?.children.get(list.length)));
    closed = closes(cursor, column, closeBracket);
  }
  cursor.depth--;
  return list;
}

function readFlowMap(cursor: Cursor, column: number, wanted: Wanted | undefined): Entries {
  const map: Entries = {};
  let closed = opensEmpty(cursor, column, closeBrace);
  while (!closed) {
    const key = readEntryKey(cursor, map, true, wanted);
    skipInFlow(cursor, column);
    const code = here(cursor);
    const isEmpty = code === comma || code === closeBrace;
    map[key] = isEmpty ? null : readValue(cursor, column, true, wanted?.children.get(key));
    closed = closes(cursor, column, closeBrace);
  }
  cursor.depth--;
  return map;
}

/** A value that begins here; `column` is that of the block it stands in. */
function readValue(cursor: Cursor, column: number, inFlow: boolean, wanted: Wanted | undefined): unknown {
  const code = here(cursor);
  if (wanted !== undefined) foundValue(cursor, wanted);
  if (code === openBracket) return readFlowList(cursor, column, wanted);
  if (code === openBrace) return readFlowMap(cursor, column, wanted);
  return isQuote(code) ? readQuoted(cursor) : readPlainValue(cursor, inFlow);
}

/** The value on the line of a key or a dash, and to the next content. */
function readLineValue(cursor: Cursor, column: number, wanted: Wanted | undefined): unknown {
  const value = readValue(cursor, column, false, wanted);
  if (!skipRestOfLine(cursor)) leave(cursor, "more than one value on a line");
  return value;
}

/** The map or list in the lines below a key or a dash, or right after a dash. */
function readBlock(cursor: Cursor, wanted: Wanted | undefined): unknown {
  if (wanted !== undefined) foundValue(cursor, wanted);
  return startsItem(cursor) ? readBlockList(cursor, wanted) : readBlockMap(cursor, wanted);
}

/** What follows a key of a block: a value on its line, a block below it, or nothing. */
function readEntryValue(cursor: Cursor, column: number, wanted: Wanted | undefined): unknown {
  if (!skipRestOfLine(cursor)) return readLineValue(cursor, column, wanted);
  const goesDeeper = cursor.indent > column || (cursor.indent === column && startsItem(cursor));
  return goesDeeper ? readBlock(cursor, wanted) : null;
}

function readBlockMap(cursor: Cursor, wanted: Wanted | undefined): Entries {
  const map: Entries = {};
  const column = cursor.indent;
  descend(cursor);
  do {
    const key = readEntryKey(cursor, map, false, wanted);
    map[key] = readEntryValue(cursor, column, wanted?.children.get(key));
  } while (cursor.indent === column);
  cursor.depth--;
  return map;
}

/** True when the rest of the line is a key and more, so that the dash before it opens a map. */
function startsCompactMap(cursor: Cursor): boolean {
  const start = cursor.at;
  const code = here(cursor);
  if (code === openBracket || code === openBrace) return false;
  if (isQuote(code)) readQuoted(cursor);
  else readPlain(cursor, false);
  const found = endsKey(cursor.text, cursor.at);
  cursor.at = start;
  return found;
}

function readBlockItem(cursor: Cursor, column: number, wanted: Wanted | undefined): unknown {
  countValue(cursor);
  cursor.at++;
  if (skipRestOfLine(cursor)) return cursor.indent > column ? readBlock(cursor, wanted) : null;
  if (!startsCompactMap(cursor)) return readLineValue(cursor, column, wanted);
  cursor.indent = cursor.at - cursor.lineStart;
  return readBlock(cursor, wanted);
}

function readBlockList(cursor: Cursor, wanted: Wanted | undefined): unknown[] {
  const list: unknown[] = [];
  const column = cursor.indent;
  descend(cursor);
  do {
    list.push(readBlockItem(cursor, column, wanted?.children.get(list.length)));
  } while (cursor.indent === column && startsItem(cursor));
  cursor.depth--;
  return list;
}

function readRoot(cursor: Cursor, wanted: Wanted | undefined): unknown {
  toContent(cursor);
  if (cursor.indent === 0 && cursor.text.startsWith("---\n", cursor.at)) {
    cursor.at += 4;
    toContent(cursor);
  }
  if (cursor.indent !== 0) leave(cursor, cursor.indent < 0 ? "an empty file" : "an indented first line");
  if (wanted !== undefined) foundValue(cursor, wanted);
  const isFlow = here(cursor) === openBrace;
  const value = isFlow ? readLineValue(cursor, -1, wanted) : readBlockMap(cursor, wanted);
  if (cursor.indent >= 0) leave(cursor, "a line whose indentation fits no line above");
  return value;
}

function start(text: string, unfound: number): Cursor {
  return { text, at: 0, lineStart: 0, indent: 0, depth: 0, values: 0, unfound };
}

/**
 * Reads the plain subset of YAML in which stack files are usually written, many times faster than a
 * complete parser and in little memory.
 *
 * It never guesses: what it accepts means the same to the strict parser, and at the first sign of
 * anything else it gives up.
 */
export function parseFast(text: string): FastResult {
  try {
    return { ok: true, value: readRoot(start(text, 0), undefined) };
  } catch (error) {
    if (!(error instanceof OutsideSubset)) throw error;
    return { ok: false, offset: error.offset, because: error.message };
  }
}

/** Fills in the offsets of the wanted values of a text that `parseFast` accepts; reads no further than to the last. */
export function locateFast(text: string, wanted: Wanted): void {
  try {
    readRoot(start(text, asked(wanted)), wanted);
  } catch (error) {
    if (!(error instanceof AllFound)) throw error;
  }
}
