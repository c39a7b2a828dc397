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

/** The lines left to read, comments and blank lines included: a literal text may hold both. */
interface Reader {
  readonly path: string;
  readonly lines: readonly Line[];
  at: number;
}

const ENTRY = /^([A-Za-z_][A-Za-z0-9_./-]*|"(?:[^"\\]|\\.)*"):(?: (.*))?$/;
const LITERAL = /^\|[-+]?$/;
/** What a plain text cannot begin with. */
const SPECIAL = /^[-?:,[\]{}#&*!|>'"%@`]/;

function refuse(reader: Reader, line: Line | undefined): never {
  const where = line === undefined ? "its end" : `line ${line.number}`;
  throw new SealError(reader.path, "bad-syntax", `${where} is not as SOPS writes YAML`);
}

function isSkipped({ text }: Line): boolean {
  return text === "" || text.startsWith("#");
}

function nextLine(reader: Reader): Line | undefined {
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at];
    if (line !== undefined && !isSkipped(line)) return line;
    reader.at++;
  }
  return undefined;
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

function literal(reader: Reader, parent: Line, header: string): string {
  const texts: string[] = [];
  let indent = 0;
  for (; reader.at < reader.lines.length; reader.at++) {
    const line = reader.lines[reader.at];
    if (line === undefined || (line.text !== "" && line.indent <= parent.indent)) break;
    indent ||= line.indent;
    texts.push(" ".repeat(Math.max(0, line.indent - indent)) + line.text);
  }
  const body = texts.join("\n").replace(/\n+$/, "");
  return header === "|-" ? body : `${body}\n`;
}

/** A plain text ends before a comment on its line. */
function scalar(reader: Reader, line: Line, text: string): Tree {
  if (text === "{}") return new Map();
  if (text === "[]") return [];
  if (text.startsWith('"')) return quoted(reader, line, text);
  if (SPECIAL.test(text) || text.includes(": ")) return refuse(reader, line);
  const comment = text.indexOf(" #");
  return comment === -1 ? text : text.slice(0, comment).trimEnd();
}

function valueOf(reader: Reader, line: Line, text: string | undefined): Tree {
  if (text !== undefined && LITERAL.test(text)) return literal(reader, line, text);
  if (text !== undefined && text !== "" && !text.startsWith("#")) return scalar(reader, line, text);
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
    const [, written, text] = ENTRY.exec(line.text) ?? [];
    if (written === undefined || line.indent > indent) return refuse(reader, line);
    const key = written.startsWith('"') ? quoted(reader, line, written) : written;
    if (map.has(key)) return refuse(reader, line);
    reader.at++;
    map.set(key, valueOf(reader, line, text));
  }
  return map;
}

/** An item that is a map begins on the line of its dash. */
function readList(reader: Reader, indent: number): readonly Tree[] {
  const list: Tree[] = [];
  const lines = reader.lines as Line[];
  for (let line = nextLine(reader); line !== undefined; line = nextLine(reader)) {
    if (line.indent !== indent || !line.text.startsWith("- ")) break;
    const text = line.text.slice(2).trimStart();
    const item = { ...line, indent: indent + line.text.length - text.length, text };
    if (ENTRY.test(text)) {
      lines[reader.at] = item;
      list.push(readMap(reader, item.indent));
    } else {
      reader.at++;
      list.push(scalar(reader, line, text));
    }
  }
  return list;
}

/** The one document of the file, a map. */
export function readBlockYaml(path: string, text: string): ReadonlyMap<string, Tree> {
  const lines = text.split("\n").map((line, index) => {
    const content = line.trimStart();
    return { number: index + 1, indent: line.length - content.length, text: content };
  });
  const reader: Reader = { path, lines, at: 0 };
  const map = readMap(reader, 0);
  const rest = nextLine(reader);
  return rest === undefined ? map : refuse(reader, rest);
}
