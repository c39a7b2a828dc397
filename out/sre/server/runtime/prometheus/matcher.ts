import { ToolFault } from "#runtime/fault";
import type { Labels } from "#runtime/prometheus/api";

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;

export interface Matcher {
  readonly name: string;
  readonly op: (typeof OPERATORS)[number];
  readonly value: string;
}

/** A piece of a pattern: `one` is any character, `many` any number of them. */
type Token = { readonly text: string } | "one" | "many";

/** Whether the tokens match the whole text, in time proportional to both lengths. */
function matchesTokens(tokens: readonly Token[], text: string): boolean {
  let reached = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (token === "many") {
      for (let at = Math.min(...reached); at <= text.length; at += 1) next.add(at);
    } else {
      for (const at of reached) {
        if (token === "one" ? at < text.length : text.startsWith(token.text, at)) {
          next.add(at + (token === "one" ? 1 : token.text.length));
        }
      }
    }
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(text.length);
}

/** `*` stands for anything. */
export function globMatcher(glob: string): (text: string) => boolean {
  const tokens = glob
    .split("*")
    .flatMap((text, index): Token[] => (index === 0 ? [{ text }] : ["many", { text }]));
  return (text) => matchesTokens(tokens, text);
}

function tokensOf(alternative: string): Token[] {
  return [...alternative.matchAll(/\.\*|\.\+|\.|\\(.)|[^.\\]+/gs)].flatMap(([whole, escaped]): Token[] => {
    if (whole === ".*") return ["many"];
    if (whole === ".+") return ["one", "many"];
    if (whole === ".") return ["one"];
    return [{ text: escaped ?? whole }];
  });
}

/**
 * The part of a regular expression that needs no backtracking: text, `.`, `.*`, `.+` and `|`. A full one from
 * a caller could keep the process busy for ever.
 */
function regexMatcher(pattern: string): (text: string) => boolean {
  const plain = pattern.replace(/\\[^a-zA-Z0-9]|\.[*+]/g, "");
  if (/[*+?()[\]{}^$\\]/.test(plain)) {
    throw new ToolFault("invalid_argument", "a matcher may hold text, ., .*, .+ and | only", {
      hint: "use several calls, or filter the result",
    });
  }
  const alternatives = pattern.split(/(?<!\\)\|/).map(tokensOf);
  return (text) => alternatives.some((tokens) => matchesTokens(tokens, text));
}

/** Whether a label set satisfies every matcher; an absent label is empty, as in PromQL. */
export function labelMatcher(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  const tests = matchers.map(({ name, op, value }) => {
    const matches = op === "=" || op === "!=" ? (text: string) => text === value : regexMatcher(value);
    return (labels: Labels): boolean => matches(labels[name] ?? "") === !op.startsWith("!");
  });
  return (labels) => tests.every((test) => test(labels));
}
