/** The search body is made here from typed parts: no script, no runtime field, no join and no index of the caller's. */
import { ToolFault } from "#runtime/fault";

export const OPERATORS = ["is", "in", "prefix", "exists", "gt", "gte", "lt", "lte"] as const;
type Scalar = string | number | boolean;

export interface Filter {
  readonly field: string;
  readonly op: (typeof OPERATORS)[number];
  readonly value?: Scalar;
  readonly values?: readonly Scalar[];
  readonly not?: boolean;
}

const scalar = { anyOf: [{ type: "string", maxLength: 500 }, { type: "number" }, { type: "boolean" }] };
const MAX_VALUES = 50;
export const FIELD = "^[A-Za-z0-9_@][A-Za-z0-9_@. -]{0,199}$";

export const FILTER_SCHEMA = {
  type: "object",
  properties: {
    field: { type: "string", pattern: FIELD },
    op: { enum: OPERATORS },
    value: scalar,
    values: { type: "array", items: scalar, maxItems: MAX_VALUES },
    not: { type: "boolean" },
  },
  required: ["field", "op"],
  additionalProperties: false,
} as const;

function valueOf({ field, value }: Filter): Scalar {
  if (value === undefined) throw new ToolFault("invalid_argument", `the filter on ${field} needs a value`);
  return value;
}

function clauseOf(filter: Filter): object {
  const { field, op, values } = filter;
  if (op === "exists") return { exists: { field } };
  if (op === "is") return { term: { [field]: valueOf(filter) } };
  if (op === "prefix") return { prefix: { [field]: String(valueOf(filter)) } };
  if (op !== "in") return { range: { [field]: { [op]: valueOf(filter) } } };
  if (values === undefined) throw new ToolFault("invalid_argument", `the filter on ${field} needs values`);
  return { terms: { [field]: values } };
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
