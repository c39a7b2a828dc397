import { ToolFault } from "#runtime/fault";
import { cutText, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { encodeCursor, decodeCursor } from "#runtime/cursor";
import { ask, askLabelValues, labelsOf, openLoki } from "#runtime/loki/api";
import type { Labels, Loki } from "#runtime/loki/api";
import { MAX_LINE, linesOf, pageEnd } from "#runtime/loki/lines";
import { reachOf } from "#runtime/loki/logql";
import type { Reach } from "#runtime/loki/logql";
import {
  MAX_RANGE_H,
  nanosecondsOf,
  rangeIn,
  rangeOf,
  requireAffordable,
  secondsOf,
} from "#runtime/loki/range";
import type { Range } from "#runtime/loki/range";
import { seriesOf } from "#runtime/loki/series";
import type { Series } from "#runtime/loki/series";
import { SHAPES, dataOf, fitOf } from "#runtime/loki/shape";
import type { Shape } from "#runtime/loki/shape";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import { integer, listOf, oneOf, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { secondsOf as lengthOf, timeOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts, ToolResult } from "#runtime/tool";

type Context = CallContext<Loki>;

export const link: LinkFacts = slot("link", {
  id: "mcp->loki",
  component: "loki",
  type: "loki",
  env: "MCP_LOKI",
  host: "127.0.0.1",
  port: 3100,
});

const MAX_QUERY = 2000;
const MAX_SELECTOR = 500;
const MAX_LINES = 500;
const MAX_SERIES = 50;
const MAX_POINTS = 250;
const AUTO_POINTS = 100;
const MIN_STEP_S = 15;
const MAX_VALUE = 1024;
const AGGREGATE = "aggregate or narrow the query: sum by (...) (...), topk(...)";
const ONE_INSTANT = "more lines share one instant: raise limit, or add a filter";

const query = text({ min: 1, max: MAX_QUERY });
const start = text({ max: 40, default: "now-1h" });
const end = text({ max: 40, default: "now" });
const selector = text({ min: 1, max: MAX_SELECTOR });
const cursor = text({ max: 256, optional: true });

function cutPoints({ metric, points }: Series): object {
  return points.length <= MAX_POINTS
    ? { metric, points }
    : { metric, points: points.slice(-MAX_POINTS), cut: points.length };
}

const instantQuery = defineTool({
  name: named("loki_query"),
  title: "Query figures from logs now",
  description: `Use for one figure from logs, as in sum by (level) (count_over_time({app="api"} |= "error" [1h])): labels and [ts, value]. Ranges together at most ${MAX_RANGE_H} h. It gives no lines.`,
  effect: "read",
  parameters: {
    query,
    time: text({ max: 40, default: "now", doc: "RFC 3339, unix seconds or now-1h" }),
    limit: integer({ min: 1, max: MAX_LINES, default: 50 }),
  },
  handler: async ({ query, time, limit }, { client, signal }: Context) => {
    const reach = reachOf(query);
    if (reach.isLogQuery) {
      throw new ToolFault("invalid_argument", "the query gives lines, not figures", {
        hint: `use ${named("loki_query_range")}, or wrap it: count_over_time(... [1h])`,
      });
    }
    const at = nanosecondsOf(timeOf(time, "time"));
    const warnings = await requireAffordable(client, reach, { from: at, to: at }, signal);
    const data = await ask(client, "query", { query: reach.text, time: String(at) }, signal);
    const { items, about } = firstPart(seriesOf(data).map(cutPoints), limit, AGGREGATE);
    return { ...about, warnings, data: { series: items } };
  },
});

/** The seconds between two points: as asked for, or about a hundred points. */
function stepOf(step: string | undefined, range: number): number {
  const automatic = Math.max(MIN_STEP_S, Math.ceil(range / AUTO_POINTS));
  const seconds = step === undefined ? automatic : (lengthOf(step) ?? Number(step));
  if (!(seconds > 0))
    throw new ToolFault("invalid_argument", "step is not a duration", { hint: "for example 30s, 5m or 1h" });
  if (range / seconds + 1 <= MAX_POINTS) return seconds;
  throw new ToolFault("invalid_argument", `that is more than ${MAX_POINTS} points a series`, {
    hint: `use step=${Math.ceil(range / (MAX_POINTS - 1))}s or more`,
  });
}

const spanOf = ({ from, to }: Range): { readonly start: string; readonly end: string } => ({
  start: String(from),
  end: String(to),
});

interface Asked {
  readonly reach: Reach;
  readonly range: Range;
  readonly limit: number;
}

/** A metric query over time, with so many seconds between two points. */
async function figures(
  { reach, range, limit }: Asked,
  seconds: number,
  context: Context,
): Promise<ToolResult> {
  const parameters = { query: reach.text, ...spanOf(range), step: seconds };
  const data = await ask(context.client, "query_range", parameters, context.signal);
  const series = seriesOf(data).map(cutPoints);
  const { items, about } = firstPart(series, Math.min(limit, MAX_SERIES), AGGREGATE);
  return { ...about, data: { step_s: seconds, series: items } };
}

/** The lines of each stream, counted by the server. */
async function counts({ reach, range, limit }: Asked, { client, signal }: Context): Promise<ToolResult> {
  const length = Math.max(1, Math.ceil(secondsOf(range)));
  const query = `count_over_time(${reach.text}\n[${length}s])`;
  const data = await ask(client, "query", { query, time: String(range.to) }, signal);
  const streams = seriesOf(data)
    .map(({ metric, points }) => ({ labels: metric, count: Number(points[0]?.[1] ?? 0) }))
    .sort((a, b) => b.count - a.count);
  const lines = streams.reduce((sum, { count }) => sum + count, 0);
  const { items, about } = firstPart(streams, limit, "narrow the selector");
  return { ...about, data: { lines, streams: items } };
}

interface LinePage extends Asked {
  readonly shape: Shape;
  readonly direction: "forward" | "backward";
  readonly isFirst: boolean;
  cursorTo(next: Range): string;
}

async function linePage(asked: LinePage, { client, signal }: Context): Promise<ToolResult> {
  const { reach, range, limit, shape, direction } = asked;
  const parameters = { query: reach.text, ...spanOf(range), limit: limit + 1, direction };
  const { result } = recordOf(await ask(client, "query_range", parameters, signal));
  const lines = linesOf(result, direction);
  const fit = fitOf(lines, shape, limit);
  const { kept, next } = pageEnd(lines, fit.fitting, range, direction);
  const isCut = kept < lines.length;
  const page = {
    returned: kept,
    total: isCut || !asked.isFirst ? null : kept,
    next_cursor: next === null ? null : asked.cursorTo(next),
  };
  const answer = { page, ...dataOf(lines.slice(0, kept), shape) };
  if (!isCut) return answer;
  const truncation = fit.truncation ?? { by: "rows", limit, hint: "go on with next_cursor" };
  return { ...answer, truncation: next === null ? { ...truncation, hint: ONE_INSTANT } : truncation };
}

const rangeQuery = defineTool({
  name: named("loki_query_range"),
  title: "Read logs",
  description: `Use to read logs: {app="api"} |= "error". grouped: lines by stream; patterns: lines alike, counted over the page; count: every line, by stream. Lines are cut to ${MAX_LINE} characters; a call spans at most ${MAX_RANGE_H} h. A metric query gives points, at most ${MAX_SERIES} series of ${MAX_POINTS}; step defaults to range/${AUTO_POINTS}, at least ${MIN_STEP_S}s.`,
  effect: "read",
  parameters: {
    query,
    start,
    end,
    limit: integer({ min: 1, max: MAX_LINES, default: 100 }),
    direction: oneOf(["backward", "forward"], { default: "backward" }),
    step: text({ max: 20, optional: true }),
    shape: oneOf(SHAPES, { default: "grouped" }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("loki_query_range");
    const reach = reachOf(search.query);
    const { shape, direction, step } = search;
    const range =
      cursor === undefined ? rangeOf(search.start, search.end) : rangeIn(decodeCursor(tool, search, cursor));
    const seconds = reach.isLogQuery ? null : stepOf(step, secondsOf(range));
    const warnings = await requireAffordable(context.client, reach, range, context.signal);
    const asked = { reach, range, limit };
    if (seconds !== null) return { warnings, ...(await figures(asked, seconds, context)) };
    if (shape === "count") return { warnings, ...(await counts(asked, context)) };
    const cursorTo = ({ from, to }: Range): string => encodeCursor(tool, search, `${from}:${to}`);
    const isFirst = cursor === undefined;
    return { warnings, ...(await linePage({ ...asked, shape, direction, isFirst, cursorTo }, context)) };
  },
});

const match = text({ min: 1, max: MAX_SELECTOR, optional: true, doc: 'A selector such as {app="api"}' });

/** The label sets that a selector matches; a selector of every stream is refused. */
async function seriesMatching(
  matches: readonly string[],
  range: Range,
  { client, signal }: Context,
): Promise<readonly Labels[]> {
  for (const selector of matches) {
    const { isLogQuery, selectors, text } = reachOf(selector);
    if (!isLogQuery || selectors[0] !== text.trim())
      throw new ToolFault("invalid_argument", "match is not a stream selector", { hint: '{app="api"}' });
  }
  const data = await ask(client, "series", { "match[]": matches, ...spanOf(range) }, signal);
  return itemsOf(data).map(labelsOf);
}

const sorted = (values: Iterable<string>): readonly string[] =>
  [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));

const labels = defineTool({
  name: named("loki_labels"),
  title: "List labels",
  description: "Use first, to see which labels a selector can name; match narrows to the streams it selects.",
  effect: "read",
  parameters: { start, end, match, limit: integer({ min: 1, max: 500, default: 100 }), cursor },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("loki_labels");
    const offset = offsetOf(tool, search, cursor);
    const range = rangeOf(search.start, search.end);
    const names =
      search.match === undefined
        ? itemsOf(await ask(context.client, "labels", spanOf(range), context.signal))
        : (await seriesMatching([search.match], range, context)).flatMap((each) => Object.keys(each));
    const found = sorted(names.map((name) => cutText(name, MAX_VALUE)));
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { labels: items } };
  },
});

const labelValues = defineTool({
  name: named("loki_label_values"),
  title: "List the values of a label",
  description:
    "Use to find what a selector can ask for: app, namespace, level; match narrows to its streams.",
  effect: "read",
  parameters: {
    label: text({ max: 200, pattern: "^[a-zA-Z_]\\w*$" }),
    start,
    match,
    limit: integer({ min: 1, max: 1000, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("loki_label_values");
    const offset = offsetOf(tool, search, cursor);
    const range = rangeOf(search.start, "now");
    const { client, signal } = context;
    const values =
      search.match === undefined
        ? itemsOf(await askLabelValues(client, search.label, spanOf(range), signal))
        : (await seriesMatching([search.match], range, context)).flatMap((each) => each[search.label] ?? []);
    const found = sorted(values.map((value) => cutText(value, MAX_VALUE)));
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { values: items } };
  },
});

const series = defineTool({
  name: named("loki_series"),
  title: "List streams",
  description: 'Use to see which streams a selector such as {app="api"} matches, before reading them.',
  effect: "read",
  parameters: {
    match: listOf(selector, { min: 1, max: 5 }),
    start,
    end,
    limit: integer({ min: 1, max: 500, default: 50 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("loki_series");
    const offset = offsetOf(tool, search, cursor);
    const found = [...(await seriesMatching(search.match, rangeOf(search.start, search.end), context))];
    const keyed = found.map((each) => ({ each, key: JSON.stringify(Object.entries(each).sort()) }));
    const ordered = keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ each }) => each);
    const { items, about } = pageFrom(ordered, limit, { tool, args: search, offset, total: ordered.length });
    return { ...about, data: { series: items } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openLoki(link, settings),
  close: async () => undefined,
  tools: [instantQuery, rangeQuery, labels, labelValues, series],
});
