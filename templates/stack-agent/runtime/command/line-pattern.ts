/**
 * Search patterns of `grep`, compiled to a machine that looks at each character once per state: no pattern can
 * make the search slow. Known: literals, `.`, classes, `^`, `$`, `*`, and `+ ? | ( )` in extended patterns.
 */
import { CommandRefused } from "./refused.ts";

export type LineMatcher = (line: string) => boolean;
type Accepts = (character: string) => boolean;

/** A state: a character leads on to `next`, or both ways are open at once; -1 is not there. */
type State =
  | { readonly is: "character"; readonly accepts: Accepts; next: number }
  | { readonly is: "split"; next: number; other: number }
  | { readonly is: "start" | "end"; next: number }
  | { readonly is: "match" };

interface Fragment {
  readonly entry: number;
  /** Sets what follows the fragment. */
  readonly patch: (next: number) => void;
}

const MAX_STATES = 400;

function unfit(problem: string): CommandRefused {
  return new CommandRefused("not_allowed", `grep: ${problem}`);
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "\\p{L}\\p{Nd}",
  alpha: "\\p{L}",
  digit: "0-9",
  lower: "\\p{Ll}",
  space: "\\s",
  upper: "\\p{Lu}",
};

class Compiler {
  readonly states: State[] = [];
  readonly #text: readonly string[];
  readonly #extended: boolean;
  readonly #fold: boolean;
  #at = 0;

  constructor(pattern: string, extended: boolean, ignoreCase: boolean) {
    this.#text = [...pattern];
    this.#extended = extended;
    this.#fold = ignoreCase;
  }

  #state(state: State): number {
    if (this.states.length >= MAX_STATES) throw unfit("the pattern is too long");
    return this.states.push(state) - 1;
  }

  whole(): number {
    const { entry, patch } = this.#choice();
    if (this.#at < this.#text.length) throw unfit("a bracket is not opened");
    patch(this.#state({ is: "match" }));
    return entry;
  }

  #choice(): Fragment {
    let fragment = this.#sequence();
    while (this.#extended && this.#text[this.#at] === "|") {
      this.#at += 1;
      const [one, other] = [fragment, this.#sequence()];
      const entry = this.#state({ is: "split", next: one.entry, other: other.entry });
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

  #sequence(): Fragment {
    const pieces: Fragment[] = [];
    for (let next = this.#text[this.#at]; next !== undefined; next = this.#text[this.#at]) {
      if (this.#extended && (next === "|" || next === ")")) break;
      pieces.push(this.#repeated(this.#piece(pieces.length === 0)));
    }
    const empty = pieces.length === 0 ? [this.#empty()] : pieces;
    empty.slice(1).forEach((piece, at) => empty[at]?.patch(piece.entry));
    return { entry: empty[0]?.entry ?? 0, patch: (next) => empty.at(-1)?.patch(next) };
  }

  #empty(): Fragment {
    const state: State = { is: "split", next: -1, other: -1 };
    return { entry: this.#state(state), patch: (next) => (state.next = next) };
  }

  #edge(is: "start" | "end"): Fragment {
    const state: State = { is, next: -1 };
    return { entry: this.#state(state), patch: (next) => (state.next = next) };
  }

  #single(accepts: Accepts): Fragment {
    const state: State = { is: "character", accepts, next: -1 };
    return { entry: this.#state(state), patch: (next) => (state.next = next) };
  }

  #literal(character: string): Fragment {
    if (!this.#fold) return this.#single((seen) => seen === character);
    const folded = character.toLowerCase();
    return this.#single((seen) => seen.toLowerCase() === folded);
  }

  #repeated(piece: Fragment): Fragment {
    const sign = this.#text[this.#at] ?? "";
    if (sign !== "*" && !(this.#extended && (sign === "+" || sign === "?"))) return piece;
    this.#at += 1;
    const split: State = { is: "split", next: piece.entry, other: -1 };
    const at = this.#state(split);
    if (sign !== "?") piece.patch(at);
    const leave = (next: number): void => {
      split.other = next;
      if (sign === "?") piece.patch(next);
    };
    return this.#repeated({ entry: sign === "+" ? piece.entry : at, patch: leave });
  }

  #piece(first: boolean): Fragment {
    const character = this.#text[this.#at] ?? "";
    this.#at += 1;
    if (character === "^" && (first || this.#extended)) return this.#edge("start");
    if (character === "$" && (this.#extended || this.#at === this.#text.length)) return this.#edge("end");
    if (character === ".") return this.#single(() => true);
    if (character === "[") return this.#bracket();
    if (character === "\\") return this.#escape();
    if (this.#extended && character === "(") return this.#group();
    if (this.#extended && "*+?{".includes(character)) throw unfit(`nothing stands before ${character}`);
    return this.#literal(character);
  }

  #group(): Fragment {
    const fragment = this.#choice();
    if (this.#text[this.#at] !== ")") throw unfit("a bracket is not closed");
    this.#at += 1;
    return fragment;
  }

  #escape(): Fragment {
    const character = this.#text[this.#at] ?? "";
    this.#at += 1;
    if (character === "" || (/[\w(){}|+?<>]/.test(character) && !this.#extended))
      throw unfit("this escape is not known");
    if (/\w/.test(character)) throw unfit("this escape is not known");
    return this.#literal(character);
  }

  #bracket(): Fragment {
    const start = this.#at;
    const end = this.#closing(start);
    this.#at = end + 1;
    const inner = this.#text.slice(start, end).join("");
    const negated = inner.startsWith("^");
    const body = (negated ? inner.slice(1) : inner)
      // A class by its name, or a character that a bracket of our own language would take for another.
      .replace(/\[:(\w*):\]|[[\]\\]/g, (found, name: string | undefined) => {
        if (name === undefined) return `\\${found}`;
        if (!Object.hasOwn(CLASSES, name)) throw unfit(`the class ${name} is not known`);
        return CLASSES[name] ?? "";
      });
    return this.#single(classOf(`[${negated ? "^" : ""}${body}]`, this.#fold));
  }

  /** Where the bracket ends; `]` counts as itself in the first place. */
  #closing(start: number): number {
    let at = this.#text[start] === "^" ? start + 1 : start;
    if (this.#text[at] === "]") at += 1;
    for (; at < this.#text.length; at++) {
      if (this.#text[at] === "[" && this.#text[at + 1] === ":") at = this.#text.indexOf("]", at);
      else if (this.#text[at] === "]") return at;
      if (at < 0) break;
    }
    throw unfit("a bracket is not closed");
  }
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

/** Steps that one search may take over all its lines: some tenths of a second. */
const MAX_STEPS = 4_000_000;

class Machine {
  readonly #states: readonly State[];
  readonly #entry: number;
  #steps = 0;

  constructor(states: readonly State[], entry: number) {
    this.#states = states;
    this.#entry = entry;
  }

  /** All states that are reached from some without another character. */
  #closure(from: readonly number[], first: boolean, last: boolean): Reached {
    const places = new Set<number>();
    const waiting = [...from];
    let matched = false;
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const state = at < 0 ? undefined : this.#states[at];
      if (state === undefined || places.has(at)) continue;
      places.add(at);
      matched ||= state.is === "match";
      if (state.is === "split") waiting.push(state.next, state.other);
      else if ((state.is === "start" && first) || (state.is === "end" && last)) waiting.push(state.next);
    }
    this.#steps += places.size;
    if (this.#steps > MAX_STEPS) throw unfit("the search takes too long");
    return { places, matched };
  }

  #after({ places }: Reached, character: string): number[] {
    const next = [this.#entry];
    for (const place of places) {
      const state = this.#states[place];
      if (state?.is === "character" && state.accepts(character)) next.push(state.next);
    }
    return next;
  }

  finds(line: string): boolean {
    const characters = [...line];
    let reached = this.#closure([this.#entry], true, characters.length === 0);
    for (const [at, character] of characters.entries()) {
      if (reached.matched) return true;
      reached = this.#closure(this.#after(reached, character), false, at + 1 === characters.length);
    }
    return reached.matched;
  }
}

/** Whether a pattern occurs in a line. Throws a CommandRefused for a pattern that is not known. */
export function lineMatcher(pattern: string, extended: boolean, ignoreCase: boolean): LineMatcher {
  const compiler = new Compiler(pattern, extended, ignoreCase);
  const entry = compiler.whole();
  const machine = new Machine(compiler.states, entry);
  return (line) => machine.finds(line);
}
