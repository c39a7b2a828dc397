import { type Fault, maxDepth, maxFaults } from "./text.ts";

/** Marks that the lexer of `yaml` puts between the parts of the text; they have no width. */
const documentMark = "\u0002";
const flowErrorMark = "\u0018";
const scalarMark = "\u001f";

/** Memory of the complete parser grows with its lexemes; a small file must not need much of it. */
const smallText = 512 * 1024;
const maxLexemesSmall = 300_000;
const maxLexemes = 1_500_000;

/** Nodes of the parser that are no collections: the document and a scalar. */
const nodesAround = 2;

/** Features with surprising meanings, by the first character of their lexeme. */
const refused: ReadonlyMap<string, string> = new Map([
  ["&", "anchors are not read: write the value out where it is used"],
  ["*", "aliases are not read: write the value out where it is used"],
  ["!", "tags are not read: remove the tag, and quote the value if it is text"],
  ["%", "directives are not read: remove the line"],
]);

/** What is known of the text up to a lexeme. */
export interface LexicalState {
  readonly text: string;
  readonly faults: Fault[];
  offset: number;
  lexemes: number;
  documents: number;
  documentIsFresh: boolean;
  /** The next lexeme is the text of a scalar. */
  scalarFollows: boolean;
  /** The last lexeme that was neither a space nor a comment. */
  previous: string;
  /** Offsets of the brackets that are open. */
  readonly brackets: number[];
}

export function startLexicalCheck(text: string): LexicalState {
  return {
    text,
    faults: [],
    offset: 0,
    lexemes: 0,
    documents: 0,
    documentIsFresh: false,
    scalarFollows: false,
    previous: "",
    brackets: [],
  };
}

function report(state: LexicalState, code: Fault["code"], message: string, offset = state.offset): void {
  state.faults.push({ code, message, offset, path: [] });
}

function checkBudget(state: LexicalState): boolean {
  const budget = state.text.length > smallText ? maxLexemes : maxLexemesSmall;
  if (++state.lexemes <= budget) return true;
  report(
    state,
    "E-LIMIT",
    "the file holds too many values for its size: split the stack, or write plain YAML",
  );
  return false;
}

function checkDocuments(state: LexicalState, lexeme: string): boolean {
  const begins = lexeme === documentMark || (lexeme === "---" && !state.documentIsFresh);
  if (begins) state.documents++;
  state.documentIsFresh = lexeme === documentMark;
  if (state.documents <= 1) return true;
  report(state, "E-YAML", "a stack file holds one document: remove the rest, or make it another file");
  return false;
}

function checkBrackets(state: LexicalState, lexeme: string): void {
  if (lexeme === "[" || lexeme === "{") state.brackets.push(state.offset);
  if ((lexeme === "]" || lexeme === "}") && state.brackets.pop() === undefined) {
    report(state, "E-YAML", "this closing bracket has no opening one: remove it, or quote the value");
  }
  if (lexeme === "," && state.previous === ",") {
    report(state, "E-YAML", "there is nothing between these commas: remove one");
  }
  state.previous = lexeme;
}

function isSpace(lexeme: string): boolean {
  const first = lexeme[0];
  return first === " " || first === "\t" || first === "\n" || first === "#";
}

function isUnclosedQuote(lexeme: string): boolean {
  const last = lexeme.length - 1;
  if (last === 0 || lexeme[last] !== lexeme[0]) return true;
  let slashes = 0;
  while (lexeme[0] === '"' && lexeme[last - 1 - slashes] === "\\") slashes++;
  return slashes % 2 === 1;
}

/** What a lexeme outside of scalars says; false when reading on makes no sense. */
function checkStructure(state: LexicalState, lexeme: string): boolean {
  if (isSpace(lexeme)) return true;
  if (!checkDocuments(state, lexeme)) return false;
  if (lexeme === documentMark || lexeme === "---" || lexeme === "...") return true;
  const first = lexeme[0] ?? "";
  if ((first === "'" || first === '"') && isUnclosedQuote(lexeme)) {
    report(state, "E-YAML", "the quote that opens here is never closed");
    return false;
  }
  const message = refused.get(first);
  if (message !== undefined) report(state, "E-YAML", message);
  checkBrackets(state, lexeme);
  return state.faults.length < maxFaults;
}

function passScalar(state: LexicalState): boolean {
  state.scalarFollows = false;
  state.previous = scalarMark;
  return true;
}

/** True when a bracket is open where the text or the indentation ends. */
export function reportOpenBracket(state: LexicalState): boolean {
  const offset = state.brackets.at(-1);
  if (offset === undefined) return false;
  report(state, "E-YAML", "the bracket that opens here is never closed", offset);
  return true;
}

/**
 * Looks at one lexeme before the parser sees it, and reports what a stack file may not use.
 *
 * False means that the rest must not be parsed: too much, another document, or a quote or bracket that
 * swallows the rest. That keeps the memory of the parser bounded.
 */
export function checkLexeme(state: LexicalState, lexeme: string): boolean {
  if (!checkBudget(state)) return false;
  if (lexeme === scalarMark) {
    state.scalarFollows = true;
    return true;
  }
  if (lexeme === flowErrorMark) return !reportOpenBracket(state);
  const goesOn = state.scalarFollows ? passScalar(state) : checkStructure(state, lexeme);
  if (lexeme !== documentMark) state.offset += lexeme.length;
  return goesOn;
}

/** False, with a fault, when the parser has more collections open than a stack file may nest. */
export function checkDepth(state: LexicalState, openNodes: number): boolean {
  if (openNodes <= maxDepth + nodesAround) return true;
  report(state, "E-LIMIT", `maps and lists are nested deeper than ${maxDepth} levels: flatten them`);
  return false;
}
