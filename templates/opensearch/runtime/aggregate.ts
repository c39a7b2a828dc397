import { ToolFault } from "#runtime/fault";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

export const METRICS = ["count", "sum", "avg", "min", "max", "distinct", "percentiles"] as const;
export const INTERVALS = ["1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d"] as const;
const PERCENTS = [50, 90, 95, 99];
const MAX_KEY = 300;
/** Of one answer; the cluster itself refuses to make tens of thousands. */
export const MAX_BUCKETS = 500;

export interface Aggregation {
  readonly metric: (typeof METRICS)[number];
  readonly field?: string | undefined;
  readonly group_by?: string | undefined;
  readonly time_field?: string | undefined;
  readonly interval: (typeof INTERVALS)[number];
  readonly size: number;
}

function metricOf({ metric, field }: Aggregation): object {
  if (metric === "count") return {};
  if (field === undefined) throw new ToolFault("invalid_argument", `${metric} needs a field`);
  if (metric === "distinct") return { metric: { cardinality: { field } } };
  if (metric === "percentiles") return { metric: { percentiles: { field, percents: PERCENTS } } };
  return { metric: { [metric]: { field } } };
}

/** One bucket more than wanted is asked for, which proves that there are more. */
export function aggregationsOf(wish: Aggregation): object {
  const { group_by, time_field, interval, size } = wish;
  if (group_by !== undefined && time_field !== undefined)
    throw new ToolFault("invalid_argument", "give either group_by or time_field");
  const aggs = metricOf(wish);
  if (group_by !== undefined) return { buckets: { terms: { field: group_by, size: size + 1 }, aggs } };
  if (time_field === undefined) return aggs;
  return {
    buckets: { date_histogram: { field: time_field, fixed_interval: interval, min_doc_count: 1 }, aggs },
  };
}

function valueOf(aggregations: Readonly<Record<string, unknown>>): object {
  if (aggregations["metric"] === undefined) return {};
  const { value, values } = recordOf(aggregations["metric"]);
  return { value: values ?? value ?? null };
}

export interface Answered {
  /** `null` for one figure over everything. */
  readonly buckets: readonly object[] | null;
  readonly value: object;
}

export function answerOf(answer: Readonly<Record<string, unknown>>): Answered {
  const aggregations = recordOf(answer["aggregations"] ?? {});
  if (aggregations["buckets"] === undefined) return { buckets: null, value: valueOf(aggregations) };
  const buckets = listOf(recordOf(aggregations["buckets"])["buckets"]).map((each) => {
    const bucket = recordOf(each);
    const key = bucket["key_as_string"] ?? bucket["key"];
    return {
      key: typeof key === "string" ? cutText(key, MAX_KEY) : key,
      count: bucket["doc_count"],
      ...valueOf(bucket),
    };
  });
  return { buckets, value: {} };
}

/** What the cluster counted in groups that it did not list. */
export function otherCountOf(answer: Readonly<Record<string, unknown>>): number {
  const buckets = recordOf(answer["aggregations"] ?? {})["buckets"];
  const other = buckets === undefined ? 0 : recordOf(buckets)["sum_other_doc_count"];
  return typeof other === "number" ? other : 0;
}
