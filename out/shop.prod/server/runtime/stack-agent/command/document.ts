import type { AccountValue } from "./place.ts";
import type { DocumentRule } from "./rules.ts";

const HOLE = /^\{([a-z_]\w*)\}$/;
const FIRST = "$first";

interface Filled {
  readonly value: unknown;
  /** Every hole had a value. */
  readonly complete: boolean;
}

type ValueOf = (name: string) => AccountValue;

function fillHole(name: string, valueOf: ValueOf): Filled {
  const value = valueOf(name);
  const text = value?.is === "secret" ? value.secret?.reveal() : value?.text;
  return { value: text, complete: text !== undefined };
}

function fillMembers(entries: readonly (readonly [string, DocumentRule])[], valueOf: ValueOf): Filled {
  const filled = entries.map(([member, rule]) => [member, fill(rule, valueOf)] as const);
  const there = filled.filter(([, { value }]) => value !== undefined);
  return {
    value: Object.fromEntries(there.map(([member, { value }]) => [member, value])),
    complete: filled.every(([, { complete }]) => complete),
  };
}

function fill(rule: DocumentRule, valueOf: ValueOf): Filled {
  if (typeof rule === "string") {
    const name = HOLE.exec(rule)?.[1];
    return name === undefined ? { value: rule, complete: true } : fillHole(name, valueOf);
  }
  if (typeof rule !== "object") return { value: rule, complete: true };
  if (Array.isArray(rule)) {
    const items = rule.map((item: DocumentRule) => fill(item, valueOf));
    return { value: items.map(({ value }) => value), complete: items.every(({ complete }) => complete) };
  }
  const entries = Object.entries(rule);
  const [only] = entries;
  if (only?.[0] !== FIRST || !Array.isArray(only[1])) return fillMembers(entries, valueOf);
  const choices = only[1].map((choice: DocumentRule) => fill(choice, valueOf));
  return choices.find(({ complete }) => complete) ?? { value: {}, complete: false };
}

/**
 * A document with the values of the link's account in place of `"{name}"`. A member without a value is left out;
 * of the list under `$first` the first entry stays that has all of its values.
 */
export function fillDocument(rule: DocumentRule, valueOf: ValueOf): unknown {
  return fill(rule, valueOf).value;
}
