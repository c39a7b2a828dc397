import type { Diagnostic, Position } from "../diagnostics/diagnostic.ts";
import { pathText } from "../diagnostics/path-text.ts";
import { locateFast, parseFast } from "./fast-yaml.ts";
import { type Fault, decodeText, findUnreadable, lineColumns, maxFaults } from "./text.ts";
import { type PositionQuery, type Wanted, offsetOf, wantedPaths } from "./wanted.ts";

/** The largest text that the complete parser reads in bounded time and memory. */
const maxStrictLength = 4 * 1024 * 1024;

/** A stack file that has been read: plain data, and where each value stands. */
export interface Source {
  /** As it is named in diagnostics. */
  readonly file: string;
  /** Plain objects, arrays, strings, numbers, booleans and null. */
  readonly value: unknown;
  /**
   * Positions in the order of the queries; a path that the file does not have is found at its nearest
   * parent. Ask for all positions at once: each call reads the text again.
   */
  positionsOf(queries: readonly PositionQuery[]): Promise<readonly Position[]>;
}

export type ReadResult =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

type Locate = (wanted: Wanted) => void;

/** Finds the positions of the given offsets, in any order, in one walk through the text. */
function placesOf(file: string, text: string, offsets: readonly number[]): (offset: number) => Position {
  const ascending = [...new Set(offsets)].sort((a, b) => a - b);
  const lines = lineColumns(text, ascending);
  const places = new Map(ascending.map((offset, index) => [offset, lines[index]]));
  return (offset) => ({ file, ...(places.get(offset) ?? { line: 1, column: 1 }) });
}

function sourceOf(file: string, text: string, value: unknown, locate: Locate): Source {
  return {
    file,
    value,
    async positionsOf(queries) {
      const wanted = wantedPaths(queries);
      locate(wanted);
      const offsets = queries.map((query) => offsetOf(wanted, query));
      return offsets.map(placesOf(file, text, offsets));
    },
  };
}

function toDiagnostics(file: string, text: string, faults: readonly Fault[]): readonly Diagnostic[] {
  const shown = [...faults].sort((a, b) => a.offset - b.offset).slice(0, maxFaults);
  const offsets = shown.map(({ offset }) => offset);
  const placeOf = placesOf(file, text, offsets);
  return shown.map(({ code, message, offset, path }) => ({
    code,
    severity: "error",
    message,
    at: placeOf(offset),
    path: pathText(path),
  }));
}

/** What to write instead, for a file that is too large for the complete parser. */
function tooLargeForStrict(offset: number, because: string): Fault {
  const limit = `a file over ${maxStrictLength / 1024 / 1024} MiB must be plain YAML`;
  const subset = "one `key: value` or `- item` per line, brackets, simple quotes and comments";
  return { code: "E-LIMIT", message: `${limit}: ${subset}; this is ${because}`, offset, path: [] };
}

/** True for a text that every reader of YAML reads alike, found without loading the complete parser. */
export function isPlainYaml(text: string): boolean {
  return findUnreadable(text) < 0 && parseFast(text).ok;
}

/**
 * Reads a stack file: strict YAML 1.2 in UTF-8, without anchors, tags, duplicate keys and whatever else
 * means different things to different readers.
 *
 * Most files are plain enough for a small parser of our own; `yaml` is loaded for the others, and decides
 * what is wrong with a file. Messages never show the source, since it may hold a secret.
 */
export async function readSource(file: string, bytes: Uint8Array): Promise<ReadResult> {
  const { text, faults } = decodeText(bytes);
  const refused = (found: readonly Fault[]): ReadResult => ({
    ok: false,
    diagnostics: toDiagnostics(file, text, found),
  });
  if (faults !== undefined) return refused(faults);
  const fast = parseFast(text);
  if (fast.ok) {
    return { ok: true, source: sourceOf(file, text, fast.value, (wanted) => locateFast(text, wanted)) };
  }
  if (text.length > maxStrictLength) return refused([tooLargeForStrict(fast.offset, fast.because)]);
  const { parseStrict } = await import("./strict-yaml.ts");
  const strict = parseStrict(text);
  return strict.ok
    ? { ok: true, source: sourceOf(file, text, strict.value, strict.locate) }
    : refused(strict.faults);
}
