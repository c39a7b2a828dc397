import { listOf, recordOf } from "#runtime/json-shape";
import { labelsOf } from "#runtime/prometheus/api";
import type { Labels } from "#runtime/prometheus/api";

/** JSON has no NaN and no infinity: these stay the words of Prometheus. */
export type Value = number | string;
export type Point = readonly [at: number, value: Value];

export interface Series {
  readonly metric: Labels;
  readonly points: readonly Point[];
}

export interface Summary {
  readonly min: number | null;
  readonly max: number | null;
  readonly avg: number | null;
  readonly first: Value | null;
  readonly last: Value | null;
  readonly count: number;
  readonly trend: "rising" | "falling" | "flat" | null;
  /** Samples that are not finite, and that the other figures leave out. */
  readonly nan: number;
}

function valueOf(text: unknown): Value {
  const value = Number(text);
  return Number.isFinite(value) ? value : String(text);
}

function pointOf(sample: unknown): Point {
  const [at, value] = listOf(sample);
  // A native histogram is an object; its count is the one number that says something by itself.
  return [
    Number(at),
    valueOf(typeof value === "object" && value !== null ? recordOf(value)["count"] : value),
  ];
}

/** The result of a query as series of points, whatever its type. */
export function seriesOf(resultType: unknown, result: unknown): readonly Series[] {
  if (resultType === "scalar" || resultType === "string") return [{ metric: {}, points: [pointOf(result)] }];
  return listOf(result).map((each) => {
    const { metric, value, values, histogram, histograms } = recordOf(each);
    const samples = listOf(values ?? histograms ?? [value ?? histogram]);
    return { metric: labelsOf(metric), points: samples.map(pointOf) };
  });
}

const rounded = (value: number): number => Number(value.toPrecision(6));

/** Less than this share of the mean is no trend. */
const TREND = 0.05;

/** The change along the line of best fit, against the size of the values. */
function trendOf(points: readonly (readonly [number, number])[]): Summary["trend"] {
  const count = points.length;
  if (count < 2) return null;
  const meanAt = points.reduce((sum, [at]) => sum + at, 0) / count;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / count;
  const spread = points.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - meanAt) * (value - mean), 0) / spread;
  const change = slope * ((points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0));
  const size = points.reduce((sum, [, value]) => sum + Math.abs(value), 0) / count;
  if (Math.abs(change) <= TREND * size) return "flat";
  return change > 0 ? "rising" : "falling";
}

export function summaryOf(points: readonly Point[]): Summary {
  const finite = points.filter((point): point is readonly [number, number] => typeof point[1] === "number");
  const values = finite.map(([, value]) => value);
  const extreme = (pick: (a: number, b: number) => number): number | null =>
    values.length === 0 ? null : values.reduce((a, b) => pick(a, b));
  return {
    min: extreme(Math.min),
    max: extreme(Math.max),
    avg: values.length === 0 ? null : rounded(values.reduce((sum, value) => sum + value / values.length, 0)),
    first: points[0]?.[1] ?? null,
    last: points.at(-1)?.[1] ?? null,
    count: points.length,
    trend: trendOf(finite),
    nan: points.length - finite.length,
  };
}
