import { hash, newline, space } from "./characters.ts";
import { maxDepth } from "./text.ts";

/** A stack at its limits has about half of these values; more would only cost memory. */
const maxValues = 2_000_000;

/** Where the fast parser is: it walks through the text once, from the start to the end. */
export interface Cursor {
  readonly text: string;
  at: number;
  lineStart: number;
  /** Column, from 0, of the content that `toContent` found, or -1 at the end of the text. */
  indent: number;
  depth: number;
  values: number;
  /** Positions that were asked for and that the walk has not come to yet. */
  unfound: number;
}

/** The text leaves the plain subset; the message says through what, as the object of a sentence. */
export class OutsideSubset extends Error {
  override readonly name = "OutsideSubset";
  readonly offset: number;

  constructor(offset: number, because: string) {
    super(because);
    this.offset = offset;
  }
}

export function leave(cursor: Cursor, because: string): never {
  throw new OutsideSubset(cursor.at, because);
}

/** Counts a value; a file of nothing but tiny values would not fit into memory. */
export function countValue(cursor: Cursor): void {
  if (++cursor.values > maxValues) leave(cursor, `more than ${maxValues} values`);
}

/** Counts a map or list and goes one level down. */
export function descend(cursor: Cursor): void {
  countValue(cursor);
  if (++cursor.depth > maxDepth) leave(cursor, `nesting deeper than ${maxDepth} levels`);
}

/** The code of the character at the cursor, NaN at the end of the text. */
export function here(cursor: Cursor): number {
  return cursor.text.charCodeAt(cursor.at);
}

function skipSpaces(cursor: Cursor): void {
  while (here(cursor) === space) cursor.at++;
}

function skipComment(cursor: Cursor): void {
  const end = cursor.text.indexOf("\n", cursor.at);
  cursor.at = end < 0 ? cursor.text.length : end;
}

/** From the start of a line to the first content on it or on a later line. */
export function toContent(cursor: Cursor): void {
  const { text } = cursor;
  for (;;) {
    cursor.lineStart = cursor.at;
    skipSpaces(cursor);
    if (here(cursor) === hash) skipComment(cursor);
    else if (here(cursor) !== newline) break;
    if (cursor.at === text.length) break;
    cursor.at++;
  }
  cursor.indent = cursor.at < text.length ? cursor.at - cursor.lineStart : -1;
}

/** True, and at the next content, when at most a comment is left on the line; false at the content there. */
export function skipRestOfLine(cursor: Cursor): boolean {
  const start = cursor.at;
  skipSpaces(cursor);
  if (here(cursor) === hash && cursor.at > start) skipComment(cursor);
  if (cursor.at < cursor.text.length) {
    if (here(cursor) !== newline) return false;
    cursor.at++;
  }
  toContent(cursor);
  return true;
}
