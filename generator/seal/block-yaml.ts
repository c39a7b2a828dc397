/**
 * The YAML that SOPS writes, and no other: maps and lists in block form, texts plain, quoted or literal.
 *
 * A sealed file comes from this project or from SOPS itself, so whatever else stands there was put there by
 * somebody else. Every scalar stays text, since in a sealed Secret all of them are.
 */
import { SealError } from "./seal-error.ts";
import type { Tree } from "./tree.ts";

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

/** The lines, those included that are comments or blank: a literal text may hold both. */
interface Reader {
  readonly path: string;
  readonly lines: readonly string[];
  at: number;
  /** Where an item of a list begins that is a map: behind its dash, as if on a line of its own. */
  item: Line | undefined;
}

/** A key, its colon and the blank before a value. */
const KEY = /^([A-Za-z_][A-Za-z0-9_./-]*|"(?:[^"\\]|\\.)*"):(?: |$)/;
/** What a plain text cannot begin with. */
const SPECIAL = /^(?:$|[-?:,[\]{}#&*!|>'"%@` ])/;

function refuse(reader: Reader, line: Line | undefined): never {
  const where = line === undefined ? "its end" : `line ${line.number}`;
  throw new SealError(reader.path, "bad-syntax", `${where} is not as SOPS writes YAML`);
}

const BLANK = 0x20;

/** Only the one blank counts: what else there is that looks like one is text. */
function blanksOf(line: string): number {
  let count = 0;
  while (line.charCodeAt(count) === BLANK) count++;
  return count;
}

function lineAt({ lines, at }: Reader): Line | undefined {
  const line = lines[at];
  if (line === undefined) return undefined;
  const indent = blanksOf(line);
  return { number: at + 1, indent, text: line.slice(indent) };
}

/** The next line that says something; it is not taken until the reader goes on. */
function nextLine(reader: Reader): Line | undefined {
  if (reader.item !== undefined) return reader.item;
  for (;;) {
    const line = lineAt(reader);
    if (line === undefined || (line.text !== "" && !line.text.startsWith("#"))) return line;
    reader.at++;
  }
}

function goOn(reader: Reader): void {
  reader.item = undefined;
  reader.at++;
}

function quoted(reader: Reader, line: Line, text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string") return value;
  } catch {
    // Not what JSON and YAML write alike, which is all that is read here.
  }
  return refuse(reader, line);
}

/** Armor: lines of one indentation, none of them blank, with a newline behind each. */
function literal(reader: Reader, parent: Line): string {
  const first = lineAt(reader);
  if (first === undefined || first.text === "" || first.indent <= parent.indent) return refuse(reader, first);
  let body = "";
  for (let line = lineAt(reader); line !== undefined; line = lineAt(reader)) {
    if (line.text !== "" && line.indent <= parent.indent) break;
    if (line.text === "" && reader.at < reader.lines.length - 1) return refuse(reader, line);
    if (line.text !== "" && line.indent !== first.indent) return refuse(reader, line);
    body += line.text === "" ? "" : `${line.text}\n`;
    reader.at++;
  }
  return body;
}

/** A plain text ends before a comment on its line; an encrypted value has no blank, and so no comment. */
function plain(reader: Reader, line: Line, text: string): string {
  const comment = text.includes(" ") ? text.indexOf(" #") : -1;
  const value = comment === -1 ? text : text.slice(0, comment).replace(/ +$/, "");
  const isPlain = !SPECIAL.test(value) && !value.endsWith(":");
  if (isPlain && !value.includes(" ")) return value;
  return isPlain && !value.includes(": ") && !value.endsWith(" ") ? value : refuse(reader, line);
}

function scalar(reader: Reader, line: Line, text: string): Tree {
  if (text === "{}") return new Map();
  if (text === "[]") return [];
  return text.startsWith('"') ? quoted(reader, line, text) : plain(reader, line, text);
}

function valueOf(reader: Reader, line: Line, text: string): Tree {
  if (text === "|") return literal(reader, line);
  if (text !== "" && !text.startsWith("#")) return scalar(reader, line, text);
  const next = nextLine(reader);
  if (next === undefined || next.indent < line.indent) return "";
  const isList = next.text.startsWith("- ");
  if (next.indent === line.indent && !isList) return "";
  return isList ? readList(reader, next.indent) : readMap(reader, next.indent);
}

function readMap(reader: Reader, indent: number): ReadonlyMap<string, Tree> {
  const map = new Map<string, Tree>();
  for (let line = nextLine(reader); line !== undefined; line = nextLine(reader)) {
    if (line.indent < indent || (line.indent === indent && line.text.startsWith("- "))) break;
    const [opening, written] = KEY.exec(line.text) ?? [];
    if (opening === undefined || written === undefined || line.indent > indent) return refuse(reader, line);
    const key = written.startsWith('"') ? quoted(reader, line, written) : written;
    if (map.has(key)) return refuse(reader, line);
    goOn(reader);
    map.set(key, valueOf(reader, line, line.text.slice(opening.length)));
  }
  return map;
}

/** An item that is a map begins on the line of its dash. */
function readList(reader: Reader, indent: number): readonly Tree[] {
  const list: Tree[] = [];
  for (let line = nextLine(reader); line !== undefined; line = nextLine(reader)) {
    if (line.indent !== indent || !line.text.startsWith("- ")) break;
    const behindDash = line.text.slice(2);
    const text = behindDash.slice(blanksOf(behindDash));
    if (KEY.test(text)) {
      reader.item = { ...line, indent: indent + line.text.length - text.length, text };
      list.push(readMap(reader, reader.item.indent));
    } else {
      goOn(reader);
      list.push(scalar(reader, line, text));
    }
  }
  return list;
}

/** The one document of the file, a map. */
export function readBlockYaml(path: string, text: string): ReadonlyMap<string, Tree> {
  // Tabs and carriage returns are what readers of YAML take differently; SOPS escapes both.
  const other = Math.max(text.indexOf("\t"), text.indexOf("\r"));
  if (other !== -1) {
    const line = text.slice(0, other).split("\n").length;
    throw new SealError(path, "bad-syntax", `line ${line} has a tab or a carriage return`);
  }
  const reader: Reader = { path, lines: text.split("\n"), at: 0, item: undefined };
  const map = readMap(reader, 0);
  const rest = nextLine(reader);
  return rest === undefined ? map : refuse(reader, rest);
}
