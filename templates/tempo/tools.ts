import { ToolFault } from "#runtime/fault";
import type { HttpService } from "#runtime/http";
import { cutText, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import { integer, oneOf, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { MAX_RANGE_H, ask, openTempo, rangeOf } from "#runtime/tempo/api";
import { compareSummaries, summaryOf, timeText } from "#runtime/tempo/search";
import { spansOf } from "#runtime/tempo/span";
import type { Span } from "#runtime/tempo/span";
import { treeOf } from "#runtime/tempo/tree";
import type { Placed, Tree } from "#runtime/tempo/tree";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

export const link: LinkFacts = slot("link", {
  id: "mcp->tempo",
  component: "tempo",
  type: "tempo",
  env: "MCP_TEMPO",
  host: "127.0.0.1",
  port: 3200,
});

const MAX_TRACEQL = 2000;
const MAX_TRACES = 100;
const MAX_SPANS = 500;
const MAX_SERVICES = 30;
const MAX_VALUE = 1024;
const SCOPES = ["resource", "span", "intrinsic", "event", "link", "instrumentation"] as const;

const start = text({ max: 40, default: "now-1h" });
const cursor = text({ max: 256, optional: true });

const search = defineTool({
  name: named("tempo_search"),
  title: "Search traces",
  description: `Use to find traces with TraceQL: {resource.service.name="api" && status=error && duration>1s}. Gives trace_id, root, start, duration_ms, spans, matched and error, newest first. Tempo stops at limit, so these are some traces, not the newest of all. A call searches at most ${MAX_RANGE_H} h.`,
  effect: "read",
  parameters: {
    traceql: text({ min: 1, max: MAX_TRACEQL }),
    start,
    end: text({ max: 40, default: "now" }),
    limit: integer({ min: 1, max: MAX_TRACES, default: 20 }),
  },
  handler: async ({ traceql, start, end, limit }, { client, signal }: Context) => {
    const query = { q: traceql, ...rangeOf(start, end), limit: limit + 1, spss: 1 };
    const { traces } = await ask(client, ["search"], query, signal);
    const found = itemsOf(traces ?? [])
      .map(summaryOf)
      .sort(compareSummaries);
    const { items, about } = firstPart(found, limit, "narrow start and end, or the query");
    const total = about.truncation === undefined ? found.length : null;
    return { ...about, page: { returned: items.length, total, next_cursor: null }, data: { traces: items } };
  },
});

const milliseconds = (nanoseconds: bigint): number => Number(nanoseconds / 1000n) / 1000;

/** What every view shows of a span, with times from the start of the trace. */
function brief({ span, depth }: Placed, beginsNs: bigint): object {
  return {
    span_id: span.id,
    depth,
    service: span.service,
    name: span.name,
    ...(span.kind === "" ? {} : { kind: span.kind }),
    offset_ms: milliseconds(span.startNs - beginsNs),
    duration_ms: milliseconds(span.endNs - span.startNs),
    ...(span.isError ? { error: span.message === "" ? true : span.message } : {}),
  };
}

function full(placed: Placed, beginsNs: bigint): object {
  return {
    ...brief(placed, beginsNs),
    self_ms: milliseconds(placed.selfNs),
    parent: placed.span.parent,
    attributes: placed.span.attributes(),
  };
}

const lengthOf = ({ startNs, endNs }: Span): bigint => endNs - startNs;

const VIEWS = {
  tree: (placed: readonly Placed[]) => placed,
  errors: (placed: readonly Placed[]) => placed.filter(({ span }) => span.isError),
  slowest: (placed: readonly Placed[]) =>
    placed.toSorted((a, b) => Number(lengthOf(b.span) - lengthOf(a.span))),
} as const;

function factsOf({ placed, root, beginsNs, endsNs }: Tree): object {
  const spans = placed.map(({ span }) => span);
  const services = new Map<string, number>();
  for (const { service } of spans) services.set(service, (services.get(service) ?? 0) + 1);
  const largest = [...services].sort(([, a], [, b]) => b - a).slice(0, MAX_SERVICES);
  return {
    root_service: root?.service ?? "",
    root_name: root?.name ?? "",
    start: timeText(beginsNs),
    duration_ms: milliseconds(endsNs - beginsNs),
    spans: spans.length,
    errors: spans.filter(({ isError }) => isError).length,
    services: largest.map(([name, count]) => ({ name, spans: count })),
  };
}

/** What Tempo says itself of an answer that is not the whole trace. */
function warningsOf(status: unknown, message: unknown, orphans: number): readonly string[] {
  const partial = status === "PARTIAL" || status === 1;
  return [
    ...(partial ? [`the trace is not complete: ${cutText(message, MAX_VALUE)}`] : []),
    ...(orphans === 0 ? [] : [`${orphans} spans name a parent that is not in the trace`]),
  ];
}

const getTrace = defineTool({
  name: named("tempo_get_trace"),
  title: "Read a trace",
  description: `Use to see where a trace failed or lost time. tree: spans in order with depth, offset_ms and duration_ms; errors and slowest add self_ms and attributes. Also root, duration, errors and spans by service of the whole trace. At most ${MAX_SPANS} spans.`,
  effect: "read",
  parameters: {
    trace_id: text({ min: 16, max: 32, pattern: "^[0-9a-fA-F]{16,32}$" }),
    view: oneOf(["tree", "errors", "slowest"], { default: "tree" }),
    max_spans: integer({ min: 1, max: MAX_SPANS, default: 100 }),
  },
  handler: async ({ trace_id, view, max_spans }, { client, signal }: Context) => {
    const answer = await ask(client, ["v2", "traces", trace_id], {}, signal);
    const tree = treeOf(spansOf(answer["trace"] ?? {}));
    if (tree.placed.length === 0) throw new ToolFault("not_found", "there is no such trace");
    const show = view === "tree" ? brief : full;
    const wanted = VIEWS[view](tree.placed);
    // One more than is shown: the rest need not be written out to know that it is there.
    const rows = wanted.slice(0, max_spans + 1).map((placed) => show(placed, tree.beginsNs));
    const { items, about } = firstPart(
      rows,
      max_spans,
      "use view=errors or view=slowest, or raise max_spans",
    );
    return {
      ...about,
      page: { returned: items.length, total: wanted.length, next_cursor: null },
      warnings: warningsOf(answer["status"], answer["message"], tree.orphans),
      data: { trace_id, ...factsOf(tree), rows: items },
    };
  },
});

const tags = defineTool({
  name: named("tempo_tags"),
  title: "List tags",
  description: "Use to see what TraceQL can name, by scope: span.http.route, resource.service.name, status.",
  effect: "read",
  parameters: {
    scope: oneOf(SCOPES, { optional: true }),
    start,
    limit: integer({ min: 1, max: 500, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("tempo_tags");
    const offset = offsetOf(tool, search, cursor);
    const query = { scope: search.scope, ...rangeOf(search.start, "now") };
    const { scopes } = await ask(client, ["v2", "search", "tags"], query, signal);
    const found = itemsOf(scopes ?? [])
      .flatMap((each) => {
        const { name, tags } = recordOf(each);
        return itemsOf(tags ?? []).map((tag) => ({ scope: cutText(name, 40), tag: cutText(tag, MAX_VALUE) }));
      })
      .sort((a, b) => (`${a.scope} ${a.tag}` < `${b.scope} ${b.tag}` ? -1 : 1));
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { tags: items } };
  },
});

const tagValues = defineTool({
  name: named("tempo_tag_values"),
  title: "List the values of a tag",
  description:
    "Use to find what to compare with: tag is as TraceQL names it, resource.service.name or status.",
  effect: "read",
  parameters: {
    tag: text({ min: 1, max: 200, pattern: "^[A-Za-z0-9_.:-]*[A-Za-z0-9_][A-Za-z0-9_.:-]*$" }),
    start,
    limit: integer({ min: 1, max: 1000, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("tempo_tag_values");
    const offset = offsetOf(tool, search, cursor);
    const path = ["v2", "search", "tag", search.tag, "values"] as const;
    const { tagValues } = await ask(client, path, rangeOf(search.start, "now"), signal);
    const found = itemsOf(tagValues ?? [])
      .map((each) => {
        const { type, value } = recordOf(each);
        return { value: cutText(value, MAX_VALUE), type: cutText(type, 20) };
      })
      .sort((a, b) => (a.value < b.value ? -1 : 1));
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { values: items } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openTempo(link, settings),
  close: async () => undefined,
  tools: [search, getTrace, tags, tagValues],
});
