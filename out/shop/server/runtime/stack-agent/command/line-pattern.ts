/**
 * Search patterns of `grep`, compiled to a machine that looks at each character once per state: no pattern can
 * make the search slow. Known: literals, `.`, classes, `^`, `$`, `*`, and `+ ? | ( )` in extended patterns.
 */
import { CommandRefused } from "./refused.ts";

export type LineMatcher = (line: string) => boolean;

export interface PatternOptions {
  readonly extended: boolean;
  readonly ignoreCase: boolean;
}

type Accepts = (character: string) => boolean;

/** A state: a character leads on to `next`, or both ways are open at once; -1 is not there. */
type State =
  | { readonly is: "character"; readonly accepts: Accepts; next: number }
  | { readonly is: "split"; next: number; other: number }
  | { readonly is: "start" | "end"; next: number }
  | { readonly is: "match" };

/** A part of the machine whose end is still open. */
interface Fragment {
  readonly entry: number;
  /** Sets what follows. */
  readonly patch: (next: number) => void;
}

/** The machine so far, and where in the pattern its compiler is. */
interface Compiler extends PatternOptions {
  readonly states: State[];
  readonly text: readonly string[];
  at: number;
}

const MAX_STATES = 400;
/** Steps that one search may take over all its lines: some tenths of a second. */
const MAX_STEPS = 4_000_000;

const CLASSES: ReadonlyMap<string, string> = new Map([
  ["alnum", "\\p{L}\\p{Nd}"],
  ["alpha", "\\p{L}"],
  ["digit", "0-9"],
  ["lower", "\\p{Ll}"],
  ["space", "\\s"],
  ["upper", "\\p{Lu}"],
]);

function unfit(problem: string): CommandRefused {
  return new CommandRefused("not_allowed", `grep: ${problem}`);
}

function add({ states }: Compiler, state: State): number {
  if (states.length >= MAX_STATES) throw unfit("the pattern is too long");
  return states.push(state) - 1;
}

/** A fragment of one state that leads on. */
function single(compiler: Compiler, state: Exclude<State, { is: "match" }>): Fragment {
  return { entry: add(compiler, state), patch: (next) => (state.next = next) };
}

function literal(compiler: Compiler, character: string): Fragment {
  const folded = character.toLowerCase();
  const accepts: Accepts = compiler.ignoreCase
    ? (seen) => seen.toLowerCase() === folded
    : (seen) => seen === character;
  return single(compiler, { is: "character", accepts, next: -1 });
}

function takeChoice(compiler: Compiler): Fragment {
  let fragment = takeSequence(compiler);
  while (compiler.extended && compiler.text[compiler.at] === "|") {
    compiler.at += 1;
    const [one, other] = [fragment, takeSequence(compiler)];
    const entry = add(compiler, { is: "split", next: one.entry, other: other.entry });
    fragment = {
      entry,
      patch: (next) => {
        one.patch(next);
        other.patch(next);
      },
    };
  }
  return fragment;
}

function takeSequence(compiler: Compiler): Fragment {
  const { text, extended } = compiler;
  const pieces: Fragment[] = [];
  for (let next = text[compiler.at]; next !== undefined; next = text[compiler.at]) {
    if (extended && (next === "|" || next === ")")) break;
    const isFirst = pieces.length === 0;
    const piece = takePiece(compiler, isFirst);
    // A star behind the first `^` of a basic pattern is a star.
    const isAnchor = isFirst && next === "^" && !extended;
    pieces.push(isAnchor ? piece : takeRepeated(compiler, piece));
  }
  const [first, ...rest] = pieces;
  if (first === undefined) return single(compiler, { is: "split", next: -1, other: -1 });
  rest.forEach((piece, at) => pieces[at]?.patch(piece.entry));
  return { entry: first.entry, patch: (next) => pieces.at(-1)?.patch(next) };
}

/** `*`, `+` and `?` behind a piece, as many as there are. */
function takeRepeated(compiler: Compiler, piece: Fragment): Fragment {
  const sign = compiler.text[compiler.at] ?? "";
  if (sign !== "*" && !(compiler.extended && (sign === "+" || sign === "?"))) return piece;
  compiler.at += 1;
  const split: State = { is: "split", next: piece.entry, other: -1 };
  const at = add(compiler, split);
  if (sign !== "?") piece.patch(at);
  const patch = (next: number): void => {
    split.other = next;
    if (sign === "?") piece.patch(next);
  };
  return takeRepeated(compiler, { entry: sign === "+" ? piece.entry : at, patch });
}

function takePiece(compiler: Compiler, isFirst: boolean): Fragment {
  const { text, extended } = compiler;
  const character = text[compiler.at++] ?? "";
  if (character === "^" && (isFirst || extended)) return single(compiler, { is: "start", next: -1 });
  if (character === "$" && (extended || compiler.at === text.length)) {
    return single(compiler, { is: "end", next: -1 });
  }
  if (character === ".") return single(compiler, { is: "character", accepts: () => true, next: -1 });
  if (character === "[") return takeBracket(compiler);
  if (character === "\\") return takeEscape(compiler);
  if (extended && character === "(") return takeGroup(compiler);
  if (extended && "*+?{".includes(character)) throw unfit(`nothing stands before ${character}`);
  return literal(compiler, character);
}

function takeGroup(compiler: Compiler): Fragment {
  const fragment = takeChoice(compiler);
  if (compiler.text[compiler.at] !== ")") throw unfit("a bracket is not closed");
  compiler.at += 1;
  return fragment;
}

/** A special character that stands for itself; what a basic pattern makes special by a backslash is not known. */
function takeEscape(compiler: Compiler): Fragment {
  const character = compiler.text[compiler.at++] ?? "";
  const known = compiler.extended ? /^[^\w<>]$/u : /^[^\w<>(){}|+?]$/u;
  if (!known.test(character)) throw unfit("this escape is not known");
  return literal(compiler, character);
}

/** Where a bracket ends; `]` counts as itself in the first place. */
function closingOf(text: readonly string[], start: number): number {
  let at = text[start] === "^" ? start + 1 : start;
  if (text[at] === "]") at += 1;
  for (; at >= 0 && at < text.length; at++) {
    if (text[at] === "]") return at;
    if (text[at] !== "[" || text[at + 1] !== ":") continue;
    at = text.indexOf("]", at);
    if (at < 0) break;
  }
  throw unfit("a bracket is not closed");
}

function takeBracket(compiler: Compiler): Fragment {
  const start = compiler.at;
  const end = closingOf(compiler.text, start);
  compiler.at = end + 1;
  const inner = compiler.text.slice(start, end).join("");
  const isNegated = inner.startsWith("^");
  const body = (isNegated ? inner.slice(1) : inner)
    // A class by its name, or a character that a bracket of our own language would take for another.
    .replace(/\[:(\w*):\]|[[\]\\]/g, (found, name: string | undefined) => {
      if (name === undefined) return `\\${found}`;
      const characters = CLASSES.get(name);
      if (characters === undefined) throw unfit(`the class ${name} is not known`);
      return characters;
    });
  const accepts = classOf(`[${isNegated ? "^" : ""}${body}]`, compiler.ignoreCase);
  return single(compiler, { is: "character", accepts, next: -1 });
}

function classOf(source: string, ignoreCase: boolean): Accepts {
  try {
    const expression = new RegExp(source, ignoreCase ? "iu" : "u");
    return (character) => expression.test(character);
  } catch {
    throw unfit("a bracket is not known");
  }
}

/** The states that a line may be in after some of its characters. */
interface Reached {
  readonly places: ReadonlySet<number>;
  readonly matched: boolean;
}

interface Edges {
  readonly first: boolean;
  readonly last: boolean;
}

/** All states that are reached from some without another character. */
function closure(states: readonly State[], from: readonly number[], { first, last }: Edges): Reached {
  const places = new Set<number>();
  const waiting = [...from];
  let matched = false;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const state = at < 0 ? undefined : states[at];
    if (state === undefined || places.has(at)) continue;
    places.add(at);
    matched ||= state.is === "match";
    if (state.is === "split") waiting.push(state.next, state.other);
    else if ((state.is === "start" && first) || (state.is === "end" && last)) waiting.push(state.next);
  }
  return { places, matched };
}

/** The states behind a character; a match may begin at every one of them. */
function after(states: readonly State[], entry: number, { places }: Reached, character: string): number[] {
  const next = [entry];
  for (const place of places) {
    const state = states[place];
    if (state?.is === "character" && state.accepts(character)) next.push(state.next);
  }
  return next;
}

/** Whether a pattern occurs in a line. Throws a CommandRefused for a pattern that is not known. */
export function lineMatcher(pattern: string, options: PatternOptions): LineMatcher {
  const compiler: Compiler = { ...options, states: [], text: [...pattern], at: 0 };
  const { entry, patch } = takeChoice(compiler);
  if (compiler.at < compiler.text.length) throw unfit("a bracket is not opened");
  patch(add(compiler, { is: "match" }));
  const { states } = compiler;
  let steps = 0;
  return (line) => {
    const characters = [...line];
    let reached = closure(states, [entry], { first: true, last: characters.length === 0 });
    for (const [at, character] of characters.entries()) {
      if (reached.matched) return true;
      steps += reached.places.size;
      if (steps > MAX_STEPS) throw unfit("the search takes too long");
      const next = after(states, entry, reached, character);
      reached = closure(states, next, { first: false, last: at + 1 === characters.length });
    }
    return reached.matched;
  };
}
