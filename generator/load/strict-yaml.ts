import { type CST, Composer, type Document, Lexer, Parser, type YAMLError } from "yaml";
import { checkDepth, checkLexeme, reportOpenBracket, startLexicalCheck } from "./lexical-check.ts";
import { type Fault, lineColumns } from "./text.ts";
import type { Wanted } from "./wanted.ts";
import { yamlMessages } from "./yaml-faults.ts";
import { convertTree, locateInTree } from "./yaml-tree.ts";

export type StrictResult =
  | { readonly ok: true; readonly value: unknown; readonly locate: (wanted: Wanted) => void }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** `uniqueKeys` is quadratic in `yaml`, so the walk over the tree looks for duplicates itself. */
const options = {
  version: "1.2",
  schema: "core",
  uniqueKeys: false,
  merge: false,
  strict: true,
  prettyErrors: false,
  logLevel: "silent",
} as const;

interface Lexed {
  readonly tokens: readonly CST.Token[];
  readonly faults: readonly Fault[];
  /** The fault at which the check stopped; infinite when it did not. */
  readonly end: number;
}

function lex(text: string): Lexed {
  const state = startLexicalCheck(text);
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let goesOn = true;
  for (const lexeme of new Lexer().lex(text)) {
    goesOn = checkLexeme(state, lexeme);
    if (goesOn) for (const token of parser.next(lexeme)) tokens.push(token);
    goesOn = goesOn && checkDepth(state, parser.stack.length);
    if (!goesOn) break;
  }
  if (goesOn) goesOn = !reportOpenBracket(state);
  for (const token of parser.end()) tokens.push(token);
  return { tokens, faults: state.faults, end: goesOn ? Infinity : (state.faults.at(-1)?.offset ?? 0) };
}

/** A hostile file has hundreds of thousands of errors, and each would carry a stack trace that nobody reads. */
function withoutStackTraces<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function compose(tokens: readonly CST.Token[], length: number): readonly Document.Parsed[] {
  return withoutStackTraces(() => [...new Composer(options).compose(tokens, true, length)]);
}

function syntaxFaults(documents: readonly Document.Parsed[]): readonly Fault[] {
  return documents
    .flatMap((document): readonly YAMLError[] => [...document.errors, ...document.warnings])
    .map(({ code, pos }): Fault => ({
      code: "E-YAML",
      message: yamlMessages[code],
      offset: pos[0],
      path: [],
    }))
    .sort((a, b) => a.offset - b.offset);
}

function linesOf(text: string, faults: readonly Fault[]): readonly number[] {
  const offsets = faults.map(({ offset }) => offset);
  return lineColumns(text, offsets).map(({ line }) => line);
}

/** One fault makes others on its line, so the first stands for them; `before` have been found already. */
function firstOfEachLine(text: string, faults: readonly Fault[], before: readonly Fault[]): readonly Fault[] {
  const lines = linesOf(text, faults);
  const taken = new Set(linesOf(text, before));
  return faults.filter((_, index) => {
    const line = lines[index] ?? 0;
    return !taken.has(line) && taken.add(line);
  });
}

/** Parses any YAML, and refuses what a stack file may not use; every fault has its place. */
export function parseStrict(text: string): StrictResult {
  const lexed = lex(text);
  const lexical = lexed.faults.toSorted((a, b) => a.offset - b.offset);
  const documents = compose(lexed.tokens, text.length);
  const found = syntaxFaults(documents).filter(({ offset }) => offset < lexed.end);
  const syntax = firstOfEachLine(text, found, lexical);
  if (syntax.length > 0 || lexed.end < Infinity) return { ok: false, faults: [...lexical, ...syntax] };
  const root = documents[0]?.contents ?? null;
  const { value, faults } = convertTree(root);
  if (lexical.length + faults.length > 0) return { ok: false, faults: [...lexical, ...faults] };
  return { ok: true, value, locate: (wanted) => locateInTree(root, wanted) };
}
