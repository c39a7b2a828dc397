import type { Place } from "./place.ts";
import { portOf, scopeOf } from "./place.ts";
import type { Reason } from "./refused.ts";
import type { ValueRule } from "./rules.ts";
import { literalOf, templateOf } from "./script.ts";
import type { Word } from "./script.ts";
import { settleUrl } from "./url.ts";

export interface Problem {
  readonly reason: Reason;
  readonly message: string;
}

/** What a command is held against: the place that it is for, and what the row says around it. */
export interface Target {
  readonly place: Place;
  /** Namespaces of the row that the link reaches. */
  readonly namespaces: readonly string[];
  /** Host of the route that leads to the place, for the row of such a link: `api.example.com`. */
  readonly route: string | null;
}

type Checked = { readonly text: string } | { readonly problem: string };

function oneOf(text: string, allowed: readonly string[], what: string): Checked {
  return allowed.includes(text) ? { text } : { problem: `is not ${what}` };
}

function integer(text: string, min: number, max: number): Checked {
  const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? { text }
    : { problem: `must be a whole number from ${min} to ${max}` };
}

/** The text that the program gets, or why it may not get this one. */
export function settleValue(rule: ValueRule, text: string, target: Target): Checked {
  const { place } = target;
  switch (rule.is) {
    case "host":
      return oneOf(text, place.host === null ? [] : [place.host], "the host of the component");
    case "port":
      return oneOf(text, [portOf(place, rule.attribute)], "the port of the component");
    case "address":
      return oneOf(text, [`${place.host ?? ""}:${place.port ?? ""}`], "host:port of the component");
    case "username":
      return oneOf(text, place.username === null ? [] : [place.username], "the link's own account");
    case "scope":
      return oneOf(text, scopeOf(place), "something that the link reaches");
    case "namespace":
      return oneOf(text, target.namespaces, "a namespace that the row and the link share");
    case "url":
      return settleUrl(rule, text, target);
    case "choice":
      return oneOf(text, rule.values, `one of ${rule.values.join(" ")}`);
    case "integer":
      return integer(text, rule.min, rule.max);
    case "text":
      return text.length <= rule.max &&
        new RegExp(rule.pattern, rule.ignoreCase === true ? "iu" : "u").test(text)
        ? { text }
        : { problem: `must have at most ${rule.max} characters and the form ${rule.pattern}` };
    case "query":
      return text.length <= rule.max ? { text } : { problem: `has more than ${rule.max} characters` };
    case "secret":
    case "written":
      return { text };
  }
}

const FIXED: ReadonlySet<ValueRule["is"]> = new Set(["choice", "integer", "text"]);
const NOWHERE: Target = { place: {} as Place, namespaces: [], route: null };

/** What is wrong with a word before any variable has a value; values that depend on the row are not looked at. */
export function literalProblem(rule: ValueRule, word: Word): Problem | undefined {
  if (rule.is === "secret") {
    const [part, ...others] = word.parts;
    const isVariable = part?.is === "variable" && part.name.replace(/^linked_/, "") === rule.of;
    if (isVariable && others.length === 0) return undefined;
    return { reason: "secret_place", message: `must be {${rule.of}} and nothing else` };
  }
  if (rule.is === "written") {
    const template = templateOf(word).replaceAll("{linked_", "{");
    if (rule.patterns.some((pattern) => new RegExp(pattern, "u").test(template))) return undefined;
    return { reason: "not_allowed", message: `must be written ${rule.patterns.join(" or ")}` };
  }
  const literal = FIXED.has(rule.is) ? literalOf(word) : undefined;
  const checked = literal === undefined ? undefined : settleValue(rule, literal, NOWHERE);
  return checked !== undefined && "problem" in checked
    ? { reason: "value", message: checked.problem }
    : undefined;
}
