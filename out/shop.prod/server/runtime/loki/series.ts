import { listOf, recordOf } from "#runtime/json-shape";
import { labelsOf } from "#runtime/loki/api";
import type { Labels } from "#runtime/loki/api";

/** JSON has no NaN and no infinity: these stay the words that Loki uses. */
type Value = number | string;

export interface Series {
  readonly metric: Labels;
  readonly points: readonly (readonly [at: number, value: Value])[];
}

function pointOf(sample: unknown): Series["points"][number] {
  const [at, text] = listOf(sample);
  const value = Number(text);
  return [Number(at), Number.isFinite(value) ? value : String(text)];
}

/** The result of a metric query, whatever its type. */
export function seriesOf(data: unknown): readonly Series[] {
  const { resultType, result } = recordOf(data);
  if (resultType === "scalar") return [{ metric: {}, points: [pointOf(result)] }];
  return listOf(result).map((each) => {
    const { metric, value, values } = recordOf(each);
    return { metric: labelsOf(metric), points: listOf(values ?? [value]).map(pointOf) };
  });
}
