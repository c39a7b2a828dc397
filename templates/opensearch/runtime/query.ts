/** The search body is made here from typed parts: no script, no runtime field, no join and no index of the caller's. */
import { ToolFault } from "#runtime/fault";

export const OPERATORS = ["is", "in", "prefix", "exists", "gt", "gte", "lt", "lte"] as const;
type Scalar = string | number | boolean;

export interface Filter {
  readonly field: string;
  readonly op: (typeof OPERATORS)[number];
  /** A list for `in`, whose texts the cluster reads as the field's type; nothing for `exists`. */
  readonly value?: unknown;
  readonly not?: boolean;
}

const MAX_VALUES = 50;
const MAX_VALUE_LENGTH = 500;
const FIELD = "^[\\w@][\\w@. -]{0,199}$";

export const FILTER_SCHEMA = {
  type: "object",
  properties: {
    field: { type: "string", pattern: FIELD },
    op: { enum: OPERATORS },
    // Checked below: as a schema it would be a tenth of what a tool may take of the list.
    value: { description: "a list for in" },
    not: { type: "boolean" },
  },
  required: ["field", "op"],
  additionalProperties: false,
} as const;

function needs(field: string, what: string): ToolFault {
  return new ToolFault("invalid_argument", `the filter on ${field} needs ${what}`);
}

const isText = (value: unknown): value is string =>
  typeof value === "string" && value.length <= MAX_VALUE_LENGTH;

function scalarOf({ field, value }: Filter): Scalar {
  if (isText(value) || typeof value === "number" || typeof value === "boolean") return value;
  throw needs(field, `one value: a text of at most ${MAX_VALUE_LENGTH} characters, a number or a boolean`);
}

function textsOf({ field, value }: Filter): readonly string[] {
  if (Array.isArray(value) && value.length <= MAX_VALUES && value.every(isText)) return value;
  throw needs(field, `a list of at most ${MAX_VALUES} texts of at most ${MAX_VALUE_LENGTH} characters`);
}

function clauseOf(filter: Filter): object {
  const { field, op } = filter;
  if (op === "exists") return { exists: { field } };
  if (op === "is") return { term: { [field]: scalarOf(filter) } };
  if (op === "prefix") return { prefix: { [field]: String(scalarOf(filter)) } };
  if (op !== "in") return { range: { [field]: { [op]: scalarOf(filter) } } };
  return { terms: { [field]: textsOf(filter) } };
}

export interface Search {
  readonly query?: string | undefined;
  readonly filters: readonly Filter[];
}

/** A query text may name fields and use AND, OR, NOT and ranges; what costs the most is bounded or off. */
function textQuery(query: string): object {
  return {
    query_string: {
      query,
      default_operator: "AND",
      allow_leading_wildcard: false,
      analyze_wildcard: false,
      fuzzy_max_expansions: 20,
      max_determinized_states: 5000,
      lenient: true,
    },
  };
}

export function queryOf({ query, filters }: Search): object {
  const wanted = filters.filter(({ not }) => not !== true).map(clauseOf);
  const unwanted = filters.filter(({ not }) => not === true).map(clauseOf);
  if (query === undefined && filters.length === 0) return { match_all: {} };
  return {
    bool: {
      ...(query === undefined ? {} : { must: [textQuery(query)] }),
      ...(wanted.length === 0 ? {} : { filter: wanted }),
      ...(unwanted.length === 0 ? {} : { must_not: unwanted }),
    },
  };
}

/** `-ts` is descending. */
export const SORT = "^-?[\\w@][\\w@. -]{0,199}$";

export function sortOf(fields: readonly string[]): object {
  const orders = fields.map((field) =>
    field.startsWith("-") ? { [field.slice(1)]: { order: "desc" } } : { [field]: { order: "asc" } },
  );
  return orders.length === 0 ? {} : { sort: orders };
}
