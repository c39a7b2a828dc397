import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_TEXT = 200;

export interface Summary {
  readonly trace_id: string;
  readonly root_service: string;
  readonly root_name: string;
  readonly start: string;
  readonly duration_ms: number;
  /** Of the whole trace, or `null` from servers that do not count them. */
  readonly spans: number | null;
  /** Spans that the query matched. */
  readonly matched: number;
  readonly error: boolean | null;
}

/** Milliseconds of a time in nanoseconds as RFC 3339. */
export function timeText(nanoseconds: unknown): string {
  const digits = String(nanoseconds ?? "");
  return /^\d{7,19}$/.test(digits) ? new Date(Number(digits.slice(0, -6))).toISOString() : "";
}

const sum = (values: readonly unknown[]): number =>
  values.reduce((total: number, value) => total + Number(value ?? 0), 0);

/** In full length: Tempo leaves out leading zeros. */
function idOf(value: unknown): string {
  const id = cutText(value, 32);
  return id.padStart(id.length > 16 ? 32 : 16, "0");
}

export function summaryOf(value: unknown): Summary {
  const trace = recordOf(value);
  const sets = listOf(trace["spanSets"] ?? (trace["spanSet"] === undefined ? [] : [trace["spanSet"]]));
  const services = trace["serviceStats"];
  const stats = services === undefined ? null : Object.values(recordOf(services)).map(recordOf);
  return {
    trace_id: idOf(trace["traceID"]),
    root_service: cutText(trace["rootServiceName"], MAX_TEXT),
    root_name: cutText(trace["rootTraceName"], MAX_TEXT),
    start: timeText(trace["startTimeUnixNano"]),
    duration_ms: Number(trace["durationMs"] ?? 0),
    spans: stats === null ? null : sum(stats.map((each) => each["spanCount"])),
    matched: sum(sets.map((each) => recordOf(each)["matched"])),
    error: stats === null ? null : sum(stats.map((each) => each["errorCount"])) > 0,
  };
}

/** The newest first. */
export function compareSummaries(a: Summary, b: Summary): number {
  if (a.start !== b.start) return a.start > b.start ? -1 : 1;
  return a.trace_id < b.trace_id ? -1 : 1;
}
