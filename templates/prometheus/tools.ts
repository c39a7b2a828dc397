import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { alertOf, compareAlerts, groupByAlert } from "#runtime/prometheus/alerts";
import { cutText, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { ask, askLabelValues, labelsOf } from "#runtime/prometheus/api";
import { OPERATORS, globMatcher, labelMatcher } from "#runtime/prometheus/matcher";
import type { Matcher } from "#runtime/prometheus/matcher";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import { rulesOf } from "#runtime/prometheus/rules";
import { seriesOf, summaryOf } from "#runtime/prometheus/sample";
import type { Series } from "#runtime/prometheus/sample";
import { compareTargets, healthTotals, targetOf } from "#runtime/prometheus/targets";
import { named, slot } from "#runtime/slot";
import { secondsOf, timeOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

export const link: LinkFacts = slot("link", {
  id: "mcp->prometheus",
  component: "prometheus",
  type: "prometheus",
  env: "MCP_PROMETHEUS",
  host: "127.0.0.1",
  port: 9090,
});

const MAX_QUERY = 4000;
const MAX_SERIES = 500;
const MAX_RANGE_SERIES = 100;
const MAX_POINTS = 250;
const MAX_SERVER_POINTS = 11_000;
const AUTO_POINTS = 100;
const MIN_STEP_S = 15;
const MAX_VALUE = 1024;
const AGGREGATE = "aggregate or narrow the query: sum by (...), topk(...)";

const query = text({ min: 1, max: MAX_QUERY });
const time = text({ max: 40, optional: true, doc: "RFC 3339, unix seconds or now-1h" });
const start = text({ max: 40, default: "now-1h" });
const end = text({ max: 40, default: "now" });
const selector = text({ min: 1, max: 1000 });
const name = text({ max: 200, optional: true });
const limit = integer({ min: 1, max: 500, default: 50 });
const cursor = text({ max: 256, optional: true });

const instantQuery = defineTool({
  name: named("prom_query"),
  title: "Query metrics now",
  description: `Use for PromQL at one time: metric, value and ts of each series. A range selector gives its last ${MAX_POINTS} points.`,
  effect: "read",
  parameters: { query, time, limit_series: integer({ min: 1, max: MAX_SERIES, default: 50 }) },
  handler: async ({ query, time, limit_series }, { client, signal }: Context) => {
    const at = time === undefined ? undefined : timeOf(time, "time");
    const { data, warnings } = await ask(client, "query", { query, time: at }, signal);
    const { resultType, result } = recordOf(data);
    const show = resultType === "matrix" ? withPoints : withValue;
    const { items, about } = firstPart(seriesOf(resultType, result).map(show), limit_series, AGGREGATE);
    return { ...about, warnings, data: { result_type: resultType, series: items } };
  },
});

function withValue({ metric, points }: Series): object {
  const [ts, value] = points[0] ?? [null, null];
  return { metric, value, ts };
}

function withPoints({ metric, points }: Series): object {
  return points.length <= MAX_POINTS
    ? { metric, points }
    : { metric, points: points.slice(-MAX_POINTS), cut: points.length };
}

const withSummary = ({ metric, points }: Series): object => ({ metric, ...summaryOf(points) });

/** The seconds between two points: as asked for, or about a hundred points. */
function stepOf(step: string | undefined, range: number, maxPoints: number): number {
  const automatic = Math.max(MIN_STEP_S, Math.ceil(range / AUTO_POINTS));
  const seconds = step === undefined ? automatic : (secondsOf(step) ?? Number(step));
  if (!(seconds > 0))
    throw new ToolFault("invalid_argument", "step is not a duration", { hint: "for example 30s, 5m or 1h" });
  if (range / seconds + 1 <= maxPoints) return seconds;
  throw new ToolFault("invalid_argument", `that is more than ${maxPoints} points a series`, {
    hint: `use step=${Math.ceil(range / (maxPoints - 1))}s or more, or shape=summary`,
  });
}

const rangeQuery = defineTool({
  name: named("prom_query_range"),
  title: "Query metrics over time",
  description: `Use for how a metric developed: min, max, avg, first, last, count, trend and nan of each series, or [ts, value] points, at most ${MAX_POINTS}. step defaults to range/${AUTO_POINTS}, at least ${MIN_STEP_S}s.`,
  effect: "read",
  parameters: {
    query,
    start,
    end,
    step: text({ max: 20, optional: true }),
    limit_series: integer({ min: 1, max: MAX_RANGE_SERIES, default: 20 }),
    shape: oneOf(["summary", "points"], { default: "summary" }),
  },
  handler: async ({ query, start, end, step, limit_series, shape }, { client, signal }: Context) => {
    const [from, to] = rangeOf(start, end);
    const seconds = stepOf(step, to - from, shape === "points" ? MAX_POINTS : MAX_SERVER_POINTS);
    const { data, warnings } = await ask(
      client,
      "query_range",
      { query, start: from, end: to, step: seconds },
      signal,
    );
    const { resultType, result } = recordOf(data);
    const show = shape === "points" ? withPoints : withSummary;
    const { items, about } = firstPart(seriesOf(resultType, result).map(show), limit_series, AGGREGATE);
    return { ...about, warnings, data: { step_s: seconds, series: items } };
  },
});

function rangeOf(start: string, end: string): readonly [number, number] {
  const now = Date.now();
  const range = [timeOf(start, "start", now), timeOf(end, "end", now)] as const;
  if (range[0] > range[1]) throw new ToolFault("invalid_argument", "start is after end");
  return range;
}

const matchers = listOf(
  shaped<Matcher>(
    {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 200 },
        op: { enum: OPERATORS },
        value: { type: "string", maxLength: 200 },
      },
      required: ["name", "op", "value"],
      additionalProperties: false,
    },
    {},
  ),
  { max: 10, default: [] },
);

const alerts = defineTool({
  name: named("prom_alerts"),
  title: "List alerts",
  description:
    "Use first in an incident: alerts by name with labels, since, value and summary, firing first.",
  effect: "read",
  parameters: { state: oneOf(["firing", "pending"], { optional: true }), matchers, limit, cursor },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("prom_alerts");
    const offset = offsetOf(tool, search, cursor);
    const isWanted = labelMatcher(search.matchers);
    const { data, warnings } = await ask(client, "alerts", {}, signal);
    const found = itemsOf(recordOf(data)["alerts"])
      .map(alertOf)
      .filter((alert) => (search.state ?? alert.state) === alert.state && isWanted(alert.labels))
      .sort(compareAlerts);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, warnings, data: { groups: groupByAlert(items) } };
  },
});

const targets = defineTool({
  name: named("prom_targets"),
  title: "List scrape targets",
  description: "Use to see what is scraped and what fails: health, last_error and totals, down first.",
  effect: "read",
  parameters: { state: oneOf(["up", "down", "all"], { default: "all" }), job: name, limit, cursor },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("prom_targets");
    const offset = offsetOf(tool, search, cursor);
    const { data, warnings } = await ask(client, "targets", { state: "active" }, signal);
    const ofJob = itemsOf(recordOf(data)["activeTargets"])
      .map(targetOf)
      .filter((target) => (search.job ?? target.job) === target.job)
      .sort(compareTargets);
    const found = ofJob.filter((target) => search.state === "all" || target.health === search.state);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, warnings, data: { totals: healthTotals(ofJob), targets: items } };
  },
});

const rules = defineTool({
  name: named("prom_rules"),
  title: "List rules",
  description:
    "Use to see how an alert or recorded metric is defined: expr, state, health, last_error, eval_ms.",
  effect: "read",
  parameters: {
    type: oneOf(["alert", "record"], { optional: true }),
    group: name,
    name,
    health: oneOf(["err"], { optional: true }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("prom_rules");
    const offset = offsetOf(tool, search, cursor);
    const { data, warnings } = await ask(client, "rules", { type: search.type }, signal);
    const found = rulesOf(data).filter(
      (rule) =>
        (search.group ?? rule.group) === rule.group &&
        (search.name ?? rule.rule) === rule.rule &&
        (search.health ?? rule.health) === rule.health,
    );
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, warnings, data: { rules: items } };
  },
});

/**
 * How many items the server is asked for: one more than the page needs, which proves that there is more.
 * Servers before 2.46 send everything, and then the total is known.
 */
function totalOf(received: number, asked: number): number | null {
  return received === asked ? null : received;
}

const labelValues = defineTool({
  name: named("prom_label_values"),
  title: "List the values of a label",
  description: `Use to find names: label __name__ lists metrics. match narrows to series, pattern to values (* is anything).`,
  effect: "read",
  parameters: {
    label: text({ max: 200, pattern: "^[a-zA-Z_]\\w*$" }),
    match: listOf(selector, { max: 5, default: [] }),
    start,
    pattern: text({ min: 1, max: 200, optional: true }),
    limit: integer({ min: 1, max: 1000, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("prom_label_values");
    const offset = offsetOf(tool, search, cursor);
    const asked = offset + limit + 1;
    const since = timeOf(search.start, "start");
    const bound = search.pattern === undefined ? asked : undefined;
    const { data, warnings } = await askLabelValues(
      client,
      search.label,
      { "match[]": search.match, start: since, limit: bound },
      signal,
    );
    const isWanted = search.pattern === undefined ? () => true : globMatcher(search.pattern);
    const values = itemsOf(data)
      .map((value) => cutText(value, MAX_VALUE))
      .filter(isWanted);
    const total = bound === undefined ? values.length : totalOf(values.length, asked);
    const { items, about } = pageFrom(values, limit, { tool, args: search, offset, total });
    return { ...about, warnings, data: { values: items } };
  },
});

const series = defineTool({
  name: named("prom_series"),
  title: "List series",
  description: 'Use to see which label sets a selector such as up{job="api"} matches, before querying it.',
  effect: "read",
  parameters: { match: listOf(selector, { min: 1, max: 5 }), start, end, limit, cursor },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("prom_series");
    const offset = offsetOf(tool, search, cursor);
    const [from, to] = rangeOf(search.start, search.end);
    const asked = offset + limit + 1;
    const parameters = { "match[]": search.match, start: from, end: to, limit: asked };
    const { data, warnings } = await ask(client, "series", parameters, signal);
    const found = itemsOf(data).map(labelsOf);
    const total = totalOf(found.length, asked);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total });
    return { ...about, warnings, data: { series: items } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [instantQuery, rangeQuery, alerts, targets, rules, labelValues, series],
});
