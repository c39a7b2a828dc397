import type { DiagnosticCode } from "../diagnostics/codes.ts";
import type { Path } from "../model/topology.ts";

/** The most bytes that a stack file may have. */
export const maxBytes = 16 * 1024 * 1024;

/** The deepest that maps and lists may be nested; the map at the root is the first level. */
export const maxDepth = 32;

/** More faults than a person reads in one go; hostile files have millions. */
export const maxFaults = 100;

/** A fault of the text, before anybody has asked for lines and columns. */
export interface Fault {
  readonly code: DiagnosticCode;
  readonly message: string;
  /** Counted in UTF-16 code units from the start of the text. */
  readonly offset: number;
  readonly path: Path;
}

export type TextResult =
  | { readonly text: string; readonly faults?: never }
  /** `text` is what can be decoded, so that the faults have lines. */
  | { readonly text: string; readonly faults: readonly Fault[] };

export interface LineColumn {
  readonly line: number;
  readonly column: number;
}

/** Characters that readers cannot see, or that make a reviewer see something else than the parser does. */
const unreadable =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;

const byteOrderMark = "\ufeff";

function fault(code: DiagnosticCode, offset: number, message: string): Fault {
  return { code, message, offset, path: [] };
}

/** The name of a character that may not be shown as it is, for example `U+202E`. */
export function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The offset of the first character that may not stand in a stack file, or -1. Line ends and tabs may. */
export function findUnreadable(text: string): number {
  return text.search(unreadable);
}

const loneSurrogate = /[\ud800-\udfff]/u;

/** True for text that a stack file may not hold, not even through escapes. */
export function holdsUnreadable(text: string): boolean {
  return findUnreadable(text) >= 0 || loneSurrogate.test(text);
}

/** How many bytes at the start are UTF-8, by bisection: a decoder only says that there is a fault. */
function validPrefix(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      invalid = middle;
    }
  }
  return valid;
}

function notUtf8(bytes: Uint8Array): TextResult {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return { text: "", faults: [fault("E-YAML", 0, "the file is UTF-16: save it as UTF-8")] };
  }
  const prefix = new TextDecoder("utf-8").decode(bytes.subarray(0, validPrefix(bytes)), { stream: true });
  const text = prefix.replaceAll("\r\n", "\n");
  return { text, faults: [fault("E-YAML", text.length, "this byte is not UTF-8: save the file as UTF-8")] };
}

function unreadableFaults(text: string): Fault[] {
  const faults: Fault[] = [];
  for (const { 0: character, index } of text.matchAll(unreadable)) {
    const name = codePointName(character);
    faults.push(fault("E-YAML", index, `the character ${name} may not stand in a stack file: remove it`));
    if (faults.length === maxFaults) break;
  }
  return faults;
}

/**
 * The text of a stack file: UTF-8 without a byte order mark, lines ending in `\n`, nothing invisible.
 *
 * Windows line ends become `\n`, which moves no line and no column.
 */
export function decodeText(bytes: Uint8Array): TextResult {
  if (bytes.length > maxBytes) {
    const message = `the file has ${bytes.length} bytes, the limit is ${maxBytes}: split the stack`;
    return { text: "", faults: [fault("E-LIMIT", 0, message)] };
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return notUtf8(bytes);
  }
  if (text.startsWith(byteOrderMark)) text = text.slice(1);
  if (text.includes("\r")) text = text.replaceAll("\r\n", "\n");
  return findUnreadable(text) < 0 ? { text } : { text, faults: unreadableFaults(text) };
}

/** Lines and columns, from 1, of offsets in ascending order. */
export function lineColumns(text: string, ascending: readonly number[]): readonly LineColumn[] {
  let line = 1;
  let lineStart = 0;
  let lineEnd = text.indexOf("\n");
  return ascending.map((offset) => {
    while (lineEnd >= 0 && lineEnd < offset) {
      line++;
      lineStart = lineEnd + 1;
      lineEnd = text.indexOf("\n", lineStart);
    }
    return { line, column: offset - lineStart + 1 };
  });
}
