/** The search body is made here from typed parts: no script, no runtime field, no join and no index of the caller's. */
import { ToolFault } from "#runtime/fault";

export const OPERATORS = ["is", "in", "prefix", "exists", "gt", "gte", "lt", "lte"] as const;
type Scalar = string | number | boolean;

export interface Filter {
  readonly field: string;
  readonly op: (typeof OPERATORS)[number];
  /** A list for `in`, whose texts the cluster reads as the field's type; nothing for `exists`. */
  readonly value?: Scalar | readonly string[];
  readonly not?: boolean;
}

const SCALARS = [{ type: "string", maxLength: 500 }, { type: "number" }, { type: "boolean" }] as const;
const MAX_VALUES = 50;
const FIELD = "^[\\w@][\\w@. -]{0,199}$";

export const FILTER_SCHEMA = {
  type: "object",
  properties: {
    field: { type: "string", pattern: FIELD },
    op: { enum: OPERATORS },
    value: { anyOf: [...SCALARS, { type: "array", items: SCALARS[0], maxItems: MAX_VALUES }] },
    not: { type: "boolean" },
  },
  required: ["field", "op"],
  additionalProperties: false,
} as const;

function needs(field: string, what: string): ToolFault {
  return new ToolFault("invalid_argument", `the filter on ${field} needs ${what}`);
}

function scalarOf({ field, value }: Filter): Scalar {
  if (value === undefined || typeof value === "object") throw needs(field, "one value");
  return value;
}

function clauseOf(filter: Filter): object {
  const { field, op, value } = filter;
  if (op === "exists") return { exists: { field } };
  if (op === "is") return { term: { [field]: scalarOf(filter) } };
  if (op === "prefix") return { prefix: { [field]: String(scalarOf(filter)) } };
  if (op !== "in") return { range: { [field]: { [op]: scalarOf(filter) } } };
  if (typeof value !== "object") throw needs(field, "a list of values");
  return { terms: { [field]: value } };
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
