import {
  backslash,
  continuesKey,
  colon,
  dash,
  doubleQuote,
  hash,
  isBlank,
  isFlowIndicator,
  isWordCharacter,
  mayOpenKey,
  mayOpenPlain,
  newline,
  separatesLines,
  singleQuote,
  space,
  tab,
} from "./characters.ts";
import { type Cursor, OutsideSubset, here, leave } from "./fast-cursor.ts";
import { resolvePlain } from "./plain-scalar.ts";
import { holdsUnreadable } from "./text.ts";

/** YAML allows 1024 characters, of which quotes and spaces take some. */
const maxKeyLength = 500;

export function isQuote(code: number): boolean {
  return code === doubleQuote || code === singleQuote;
}

/** The offset of the closing quote of the text that opens at `start`. */
function endOfQuoted(cursor: Cursor, quote: number): number {
  const { text, at: start } = cursor;
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === newline) break;
    if (code === backslash && quote === doubleQuote) at++;
    else if (code === quote) return at;
  }
  return leave(cursor, "a quoted text that does not end on its line");
}

/** What JSON and YAML write alike in double quotes; YAML's other escapes are left to the strict parser. */
function unescape(cursor: Cursor, quotedText: string): string {
  const text = parseJsonText(quotedText);
  if (text === undefined) leave(cursor, "an unusual escape in a quoted text");
  if (holdsUnreadable(text)) leave(cursor, "an escape for a character that may not stand in a stack file");
  return text;
}

function parseJsonText(quotedText: string): string | undefined {
  try {
    return String(JSON.parse(quotedText));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A quoted text on one line, and past its closing quote. */
export function readQuoted(cursor: Cursor): string {
  const { text, at: start } = cursor;
  const quote = here(cursor);
  const end = endOfQuoted(cursor, quote);
  if (quote === singleQuote && text.charCodeAt(end + 1) === singleQuote) leave(cursor, "a doubled quote");
  const inner = text.slice(start + 1, end);
  const value =
    quote === doubleQuote && inner.includes("\\") ? unescape(cursor, text.slice(start, end + 1)) : inner;
  cursor.at = end + 1;
  return value;
}

/** True at a colon that ends a key. */
export function endsKey(text: string, at: number): boolean {
  return text.charCodeAt(at) === colon && isBlank(text.charCodeAt(at + 1));
}

/** True for the character before which an unquoted text on one line ends. */
function endsPlain(text: string, at: number, code: number, inFlow: boolean): boolean {
  if (code === newline) return true;
  if (code === hash) return text.charCodeAt(at - 1) === space;
  if (code !== colon) return inFlow && isFlowIndicator(code);
  const next = text.charCodeAt(at + 1);
  return isBlank(next) || (inFlow && isFlowIndicator(next));
}

function isLoneDash(text: string, at: number): boolean {
  return text.charCodeAt(at) === dash && isFlowIndicator(text.charCodeAt(at + 1));
}

/** An unquoted text up to its last character; what follows is for the caller to judge. */
export function readPlain(cursor: Cursor, inFlow: boolean): string {
  const { text, at: start } = cursor;
  if (!mayOpenPlain(text.charCodeAt(start))) leave(cursor, "a value that begins with a special character");
  if (startsItem(cursor) || (inFlow && isLoneDash(text, start))) leave(cursor, "a dash without a value");
  let end = start + 1;
  for (let at = end; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isWordCharacter(code)) {
      if (code === space) continue;
      if (endsPlain(text, at, code, inFlow)) break;
      if (code === tab || separatesLines(code)) throw new OutsideSubset(at, "a tab or line separator");
    }
    end = at + 1;
  }
  cursor.at = end;
  return text.slice(start, end);
}

export function readPlainValue(cursor: Cursor, inFlow: boolean): unknown {
  const start = cursor.at;
  const value = resolvePlain(readPlain(cursor, inFlow));
  if (value === undefined) throw new OutsideSubset(start, "a number in an unusual form");
  return value;
}

/** True at the dash of a list item. */
export function startsItem(cursor: Cursor): boolean {
  return here(cursor) === dash && isBlank(cursor.text.charCodeAt(cursor.at + 1));
}

function readPlainKey(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at;
  if (!mayOpenKey(here(cursor))) leave(cursor, "a key that begins with a special character");
  let at = start + 1;
  for (
    let code = text.charCodeAt(at);
    continuesKey(code) || (code === colon && !isBlank(text.charCodeAt(at + 1)));
    code = text.charCodeAt(at)
  )
    at++;
  cursor.at = at;
  const key = text.slice(start, cursor.at);
  if (typeof resolvePlain(key) !== "string") throw new OutsideSubset(start, "a key that is not text");
  return key;
}

/** A key, and past its colon. In brackets the colon after a quoted key needs no space, as in JSON. */
export function readKey(cursor: Cursor, inFlow: boolean): string {
  const start = cursor.at;
  const isQuoted = isQuote(here(cursor));
  const key = isQuoted ? readQuoted(cursor) : readPlainKey(cursor);
  if (!(inFlow && isQuoted ? here(cursor) === colon : endsKey(cursor.text, cursor.at))) {
    leave(cursor, "something else than a simple key and a colon");
  }
  if (cursor.at - start > maxKeyLength) throw new OutsideSubset(start, "a very long key");
  cursor.at++;
  return key;
}
