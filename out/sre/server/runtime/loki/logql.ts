/** As much of LogQL as it takes to say what a query would read: its selectors, and how far back they reach. */
import { ToolFault } from "#runtime/fault";

export interface Reach {
  /** Whether lines come back, and not numbers. */
  readonly isLogQuery: boolean;
  /** Each stream selector once, as it was written. */
  readonly selectors: readonly string[];
  /** Seconds that ranges such as [5m] read before the time asked for. */
  readonly rangeS: number;
  /** Seconds by which `offset` moves what is read into the past. */
  readonly offsetS: number;
  /** The query without its comments. */
  readonly text: string;
}

const MAX_SELECTORS = 5;
/** A string, a comment, a range, an offset, a word, or one character of anything else. */
const TOKEN =
  /"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|\[[^\]"`#{}]*\]|offset\s+-?[\d.]+[a-zµ][\w.µ]*|[A-Za-z_]\w*|[^]/giy;
const MATCHER = /\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*,?\s*/gy;

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

function invalid(message: string, hint: string): ToolFault {
  return new ToolFault("invalid_argument", message, { hint });
}

/** Seconds of a duration as LogQL writes them: `1h30m`, `1.5h`. */
function lengthOf(duration: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwy]))+$/.test(duration)) {
    throw invalid("a range or an offset of the query is not a duration", "for example [5m] or offset 1h");
  }
  const parts = duration.matchAll(/([\d.]+)([a-zµ]+)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0), 0);
}

/** Whether a regular expression names something, and is not just another way to write "anything". */
function namesSomething(pattern: string): boolean {
  // What may be absent, or is a class of characters, names nothing.
  let rest = pattern
    .replace(/\\[pP](?:\{[^}]*\}|.)|\\x\{[^}]*\}|\\./g, ".")
    .replace(/\[[^\]]*\]/g, ".")
    .replace(/\(\?[a-zA-Z-]*\)/g, "")
    .replace(/\(\?(?:[a-zA-Z-]*:|P?<\w*>)/g, "(");
  for (let inner = ""; inner !== rest;) {
    inner = rest;
    rest = rest.replace(/\(([^()]*)\)([*?{])/g, ".$2").replace(/\(([^()|]*)\)/g, "$1");
  }
  rest = rest.replace(/.(?:[*?]|\{[^}]*\})\??/g, ".");
  return rest.split("|").every((alternative) => /[\p{L}\p{N}_-]/u.test(alternative));
}

const unquoted = (literal: string): string =>
  literal.startsWith("`") ? literal.slice(1, -1) : literal.slice(1, -1).replace(/\\(.)/g, "$1");

function requireSelective(selector: string): void {
  const body = selector.slice(1, -1);
  const matchers = [...body.matchAll(MATCHER)];
  const covered = matchers.reduce((sum, [whole]) => sum + whole.length, 0);
  if (covered !== body.length && body.trim() !== "") {
    throw invalid("a stream selector cannot be read", 'write {label="value", other=~"a.*"}');
  }
  const isSelective = matchers.some(([, , operator, literal = ""]) => {
    const value = unquoted(literal);
    return operator === "=" ? value !== "" : operator === "=~" && namesSomething(value);
  });
  if (isSelective) return;
  throw invalid(
    "a stream selector would read every stream",
    'give a label a value, as in {app="api"} or {app=~"api-.*"}; alternatives of a pattern each need some text',
  );
}

function selectorAt(tokens: readonly string[], from: number): string {
  const end = tokens.indexOf("}", from);
  if (end < 0) throw invalid("a stream selector has no end", "close it with }");
  return tokens.slice(from, end + 1).join("");
}

/**
 * Reads a query without judging its syntax, which is the server's to do. Throws when a selector would read every
 * stream, or when it cannot be told what would be read.
 */
export function reachOf(query: string): Reach {
  const tokens = (query.match(TOKEN) ?? []).filter((token) => !token.startsWith("#"));
  const stray = tokens.find((token) => token === '"' || token === "`" || token === "'");
  if (stray !== undefined)
    throw invalid(`the query has a ${stray} without its end`, 'quote text as "..." or `...`');
  const selectors = new Set<string>();
  const reach = { rangeS: 0, offsetS: 0 };
  for (const [at, token] of tokens.entries()) {
    if (token === "{") selectors.add(selectorAt(tokens, at));
    if (token.startsWith("[")) reach.rangeS = Math.max(reach.rangeS, lengthOf(token.slice(1, -1).trim()));
    const [, offset] = /^offset\s+-?(\S+)$/i.exec(token) ?? [];
    if (offset !== undefined) reach.offsetS = Math.max(reach.offsetS, lengthOf(offset));
  }
  if (selectors.size === 0) throw invalid("the query has no stream selector", 'start with {app="api"}');
  if (selectors.size > MAX_SELECTORS)
    throw invalid(`the query has more than ${MAX_SELECTORS} stream selectors`, "use several calls");
  for (const selector of selectors) requireSelective(selector);
  const first = tokens.find((token) => token.trim() !== "" && token !== "(");
  return { isLogQuery: first === "{", selectors: [...selectors], ...reach, text: tokens.join("") };
}
