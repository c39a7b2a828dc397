import { ToolFault } from "#runtime/fault";
import { fieldReader } from "./fields.ts";
import type { Vocabulary } from "./fields.ts";
import { NO_WHERE } from "./query.ts";
import { hintFor } from "./suggest.ts";
import type { AttributeValue, Scalar } from "./topology-data.ts";
import type { Row } from "./variables.ts";

export type Condition = (row: Row) => boolean;
type Test = (value: AttributeValue) => boolean;

export const MAX_CONDITIONS = 20;
export const MAX_WHERE_TEXT = 256;
export const MAX_WHERE_LIST = 200;

function isScalar(value: unknown): value is Scalar {
  if (typeof value === "string") return value.length <= MAX_WHERE_TEXT;
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

const isList = (value: AttributeValue): value is readonly Scalar[] => Array.isArray(value);

/** What the value of an operator must be, and the test it makes of a valid one. */
interface Operator {
  readonly takes: string;
  compile(expected: unknown): Test | undefined;
}

const equals: Operator = {
  takes: "a text, a number or true/false",
  compile: (expected) => (isScalar(expected) ? (value) => value === expected : undefined),
};

const amongst: Operator = {
  takes: `a list of at most ${MAX_WHERE_LIST} texts, numbers or true/false`,
  compile: (expected) => {
    if (!Array.isArray(expected) || expected.length > MAX_WHERE_LIST || !expected.every(isScalar))
      return undefined;
    const set = new Set<unknown>(expected);
    return (value) => (isList(value) ? value.some((item) => set.has(item)) : set.has(value));
  },
};

function not(operator: Operator): Operator {
  return {
    takes: operator.takes,
    compile: (expected) => {
      const test = operator.compile(expected);
      return test && ((value) => !test(value));
    },
  };
}

function onText(test: (value: string, expected: string) => boolean): Operator {
  return {
    takes: "a text",
    compile: (expected) => {
      if (typeof expected !== "string" || !isScalar(expected)) return undefined;
      return (value) => typeof value === "string" && test(value, expected);
    },
  };
}

function onNumber(test: (value: number, expected: number) => boolean): Operator {
  return {
    takes: "a number",
    compile: (expected) => {
      if (typeof expected !== "number" || !Number.isFinite(expected)) return undefined;
      return (value) => typeof value === "number" && test(value, expected);
    },
  };
}

const contains: Operator = {
  takes: "a text, or the item of a list",
  compile: (expected) => {
    if (!isScalar(expected)) return undefined;
    return (value) => {
      if (isList(value)) return value.includes(expected);
      return typeof value === "string" && typeof expected === "string" && value.includes(expected);
    };
  },
};

const exists: Operator = {
  takes: "true or false",
  compile: (expected) => {
    if (typeof expected !== "boolean") return undefined;
    return (value) => (value !== null && (!isList(value) || value.length > 0)) === expected;
  },
};

/** `field: value` is exact; these follow the field's name after two underscores. */
const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["contains", contains],
  ["exists", exists],
  ["gt", onNumber((value, expected) => value > expected)],
  ["gte", onNumber((value, expected) => value >= expected)],
  ["in", amongst],
  ["lt", onNumber((value, expected) => value < expected)],
  ["lte", onNumber((value, expected) => value <= expected)],
  ["ne", not(equals)],
  ["not_in", not(amongst)],
  ["startswith", onText((value, expected) => value.startsWith(expected))],
]);
export const OPERATOR_NAMES: readonly string[] = [...OPERATORS.keys()];

function compileCondition(vocabulary: () => Vocabulary, key: string, expected: unknown): Condition {
  const split = key.lastIndexOf("__");
  const exact = split <= 0;
  const operator = exact ? equals : OPERATORS.get(key.slice(split + 2));
  if (operator === undefined) {
    const word = key.slice(split + 2, split + 40);
    throw new ToolFault("invalid_argument", `unknown operator "__${word}" in where`, {
      hint: hintFor(word, OPERATOR_NAMES),
    });
  }
  const read = fieldReader(vocabulary, exact ? key : key.slice(0, split));
  const test = operator.compile(expected);
  if (test === undefined) {
    throw new ToolFault("invalid_argument", `where.${key} takes ${operator.takes}`, {
      hint: `a text has at most ${MAX_WHERE_TEXT} characters`,
    });
  }
  return (row) => test(read(row));
}

/** All conditions must hold. Compiled once per query, whatever the number of rows. */
export function compileWhere(
  vocabulary: () => Vocabulary,
  where: Readonly<Record<string, unknown>>,
): Condition | null {
  if (where === NO_WHERE) return null;
  const entries = Object.entries(where);
  if (entries.length > MAX_CONDITIONS) {
    throw new ToolFault("invalid_argument", `where holds at most ${MAX_CONDITIONS} conditions`);
  }
  const conditions = entries.map(([key, expected]) => compileCondition(vocabulary, key, expected));
  const [only] = conditions;
  if (conditions.length === 1 && only !== undefined) return only;
  return (row) => conditions.every((condition) => condition(row));
}
