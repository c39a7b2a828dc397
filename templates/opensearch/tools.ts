import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import {
  INTERVALS,
  MAX_BUCKETS,
  METRICS,
  aggregationsOf,
  answerOf,
  otherCountOf,
} from "#runtime/opensearch/aggregate";
import { ask, askRows } from "#runtime/opensearch/api";
import { hitsOf, totalOf, warningsOf } from "#runtime/opensearch/hits";
import { fieldsOf } from "#runtime/opensearch/mapping";
import { FILTER_SCHEMA, SORT, queryOf, sortOf } from "#runtime/opensearch/query";
import type { Filter, Search } from "#runtime/opensearch/query";
import { explanationOf, shardsOf } from "#runtime/opensearch/shards";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

/** An index as drawn for this link, and its name or pattern in the cluster. */
interface DrawnIndex {
  readonly name: string;
  readonly pattern: string;
}

export const link: LinkFacts = slot("link", {
  id: "mcp->opensearch",
  component: "opensearch",
  type: "opensearch",
  env: "MCP_OPENSEARCH",
  host: "127.0.0.1",
  port: 9200,
});

/** There is no way to the documents of another one; with none, the names and the health of all can be seen. */
export const indices: readonly DrawnIndex[] = slot("indices", [
  { name: "logs", pattern: "logs-*" },
  { name: "products", pattern: "products" },
]);

const MAX_HITS = 100;
/** As far as the cluster itself lets a search page. */
const MAX_WINDOW = 10_000;
const MAX_QUERY = 2000;
const SERVER_TIMEOUT = "10s";
/** Of one shard; a search for documents need not see more to answer. */
const MAX_VISITED = 5_000_000;
const MAX_FRAGMENTS = 2;
/** The cluster keeps indices of its own behind names with a dot. */
const EVERY = "*,-.*";

const index = oneOf(
  indices.map(({ name }) => name),
  {},
);
const query = text({
  min: 1,
  max: MAX_QUERY,
  optional: true,
  doc: "Lucene: level:error AND msg:time*",
});
const filters = listOf(shaped<Filter>(FILTER_SCHEMA, {}), { max: 10, default: [] });
const field = text({ max: 200, optional: true });
const limit = integer({ min: 1, max: 500, default: 100 });
const cursor = text({ max: 256, optional: true });

function patternOf(name: string): string {
  const drawn = indices.find((candidate) => candidate.name === name);
  if (drawn === undefined) throw new ToolFault("not_linked", "the index is not drawn for this link");
  return drawn.pattern;
}

/** Everything that this link may see, as one name. */
function within(name?: string): string {
  if (name !== undefined) return patternOf(name);
  return indices.length === 0 ? EVERY : indices.map(({ pattern }) => pattern).join(",");
}

async function search(
  { client, signal }: Context,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  return await ask(client, {
    path: [patternOf(name), "_search"],
    query: { allow_partial_search_results: true },
    json: { timeout: SERVER_TIMEOUT, ...body },
    signal,
  });
}

const clusterHealth = defineTool({
  name: named("os_cluster_health"),
  title: "Health of the cluster",
  description:
    "Use first when search may be ill: status green, yellow or red, nodes, and shards that are unassigned, initializing or relocating.",
  effect: "read",
  parameters: {},
  handler: async (_args, { client, signal }: Context) => {
    const health = await ask(client, { path: ["_cluster", "health"], signal });
    const {
      number_of_nodes,
      number_of_data_nodes,
      active_shards_percent_as_number,
      number_of_pending_tasks,
    } = health;
    return {
      data: {
        status: health["status"],
        nodes: number_of_nodes,
        data_nodes: number_of_data_nodes,
        active_shards: health["active_shards"],
        active_percent: active_shards_percent_as_number,
        unassigned_shards: health["unassigned_shards"],
        initializing_shards: health["initializing_shards"],
        relocating_shards: health["relocating_shards"],
        pending_tasks: number_of_pending_tasks,
      },
    };
  },
});

const listIndices = defineTool({
  name: named("os_list_indices"),
  title: "List indices",
  description:
    "Use to see the indices within reach: health, status, shards, documents and bytes, sorted by name.",
  effect: "read",
  parameters: { health: oneOf(["green", "yellow", "red"], { optional: true }), limit, cursor },
  handler: async ({ health, limit, cursor }, { client, signal }: Context) => {
    const tool = named("os_list_indices");
    const offset = offsetOf(tool, { health }, cursor);
    const columns = { format: "json", bytes: "b", h: "index,health,status,pri,rep,docs.count,store.size" };
    const rows = itemsOf(
      await askRows(client, { path: ["_cat", "indices", within()], query: columns, signal }),
    );
    const found = rows
      .map(recordOf)
      .map((row) => ({
        index: cutText(row["index"], 300),
        health: cutText(row["health"], 20),
        status: cutText(row["status"], 20),
        primaries: Number(row["pri"]),
        replicas: Number(row["rep"]),
        docs: Number(row["docs.count"] ?? 0),
        bytes: Number(row["store.size"] ?? 0),
      }))
      .filter((row) => health === undefined || row.health === health)
      .sort((a, b) => (a.index < b.index ? -1 : 1));
    const { items, about } = pageFrom(found, limit, { tool, args: { health }, offset, total: found.length });
    return { ...about, data: { indices: items } };
  },
});

const getMapping = defineTool({
  name: named("os_get_mapping"),
  title: "List the fields of an index",
  description:
    "Use before searching: every field with its type, nested ones as a.b. text fields are searched, keyword ones filtered and grouped. contains narrows by a part of the name.",
  effect: "read",
  parameters: { index, contains: text({ min: 1, max: 100, optional: true }), limit, cursor },
  handler: async ({ limit, cursor, ...wish }, { client, signal }: Context) => {
    const tool = named("os_get_mapping");
    const offset = offsetOf(tool, wish, cursor);
    const answer = await ask(client, { path: [patternOf(wish.index), "_mapping"], signal });
    const found = fieldsOf(answer).filter((each) => each.field.includes(wish.contains ?? ""));
    const { items, about } = pageFrom(found, limit, { tool, args: wish, offset, total: found.length });
    return { ...about, data: { indices: Object.keys(answer).length, fields: items } };
  },
});

const sort = listOf(shaped<string>({ type: "string", pattern: SORT }, {}), {
  max: 3,
  default: [],
  doc: "-ts: newest first",
});

const searchDocuments = defineTool({
  name: named("os_search"),
  title: "Search documents",
  description: `Use to find documents by text and filters, best first. Name fields to see less; what is long is cut. Ends after ${MAX_WINDOW}.`,
  effect: "read",
  parameters: {
    index,
    query,
    filters,
    fields: listOf(text({ max: 200 }), { max: 30, default: [] }),
    sort,
    highlight: flag({ default: false }),
    size: integer({ min: 1, max: MAX_HITS, default: 20 }),
    cursor,
  },
  handler: async ({ size, cursor, ...wish }, context: Context) => {
    const tool = named("os_search");
    const offset = offsetOf(tool, wish, cursor);
    const asked = Math.min(size + 1, MAX_WINDOW - offset);
    if (asked <= 0)
      throw new ToolFault("invalid_argument", `no search goes past ${MAX_WINDOW} documents`, {
        hint: "narrow it with filters, or sort the other way",
      });
    const answer = await search(context, wish.index, {
      query: queryOf(wish),
      from: offset,
      size: asked,
      terminate_after: MAX_VISITED,
      _source: wish.fields.length === 0 ? true : { includes: wish.fields },
      ...sortOf(wish.sort),
      ...(wish.highlight
        ? {
            highlight: {
              fields: { "*": {} },
              number_of_fragments: MAX_FRAGMENTS,
              pre_tags: ["**"],
              post_tags: ["**"],
            },
          }
        : {}),
    });
    const { rows, total, warnings } = hitsOf(answer);
    // Only this page was asked for, so that it starts at the first of the rows.
    const before = Array.from({ length: offset }, () => rows[0]);
    const { items, about } = pageFrom([...before, ...rows], size, { tool, args: wish, offset, total });
    const shown = items.flatMap((row) => (row === undefined ? [] : [row]));
    const result = { ...about, warnings, data: { hits: shown.map(({ hit }) => hit) } };
    if (about.truncation !== undefined || !shown.some(({ isCut }) => isCut)) return result;
    return { ...result, truncation: { by: "cells", limit: 1000, hint: "name fields to see them whole" } };
  },
});

const aggregate = defineTool({
  name: named("os_aggregate"),
  title: "Aggregate documents",
  description: `Use to count or measure: one figure, one for each value of group_by (keyword; largest first), or over time by time_field. At most ${MAX_BUCKETS} buckets.`,
  effect: "read",
  parameters: {
    index,
    query,
    filters,
    metric: oneOf(METRICS, { default: "count" }),
    field,
    group_by: field,
    time_field: field,
    interval: oneOf(INTERVALS, { default: "1h" }),
    size: integer({ min: 1, max: MAX_BUCKETS, default: 20 }),
  },
  handler: async ({ index, query, filters, ...wish }, context: Context) => {
    const answer = await search(context, index, {
      size: 0,
      track_total_hits: true,
      query: queryOf({ query, filters }),
      aggs: aggregationsOf(wish),
    });
    const documents = totalOf(answer["hits"]);
    const { buckets, value } = answerOf(answer);
    const warnings = warningsOf(answer);
    if (buckets === null) return { warnings, data: { documents, ...value } };
    // A histogram is as long as its time: the newest are kept.
    const kept = wish.time_field === undefined ? buckets : buckets.toReversed();
    const { items, about } = firstPart(kept, wish.size, "narrow with filters, or use a longer interval");
    const page = {
      returned: items.length,
      total: wish.time_field === undefined ? null : buckets.length,
      next_cursor: null,
    };
    const shown = wish.time_field === undefined ? items : items.toReversed();
    return {
      ...about,
      page,
      warnings,
      data: { documents, in_other_groups: otherCountOf(answer), buckets: shown },
    };
  },
});

const count = defineTool({
  name: named("os_count"),
  title: "Count documents",
  description: "Use to learn exactly how many documents match a text and filters, without reading any.",
  effect: "read",
  parameters: { index, query, filters },
  handler: async ({ index, ...wish }: { readonly index: string } & Search, context: Context) => {
    const answer = await search(context, index, { size: 0, track_total_hits: true, query: queryOf(wish) });
    return { warnings: warningsOf(answer), data: { count: totalOf(answer["hits"]) } };
  },
});

const explainShards = defineTool({
  name: named("os_explain_shards"),
  title: "List shards and explain missing ones",
  description:
    "Use when the cluster is yellow or red: shards of the indices within reach, unassigned first, and for the first of these why no node takes it.",
  effect: "read",
  parameters: {
    state: oneOf(["STARTED", "UNASSIGNED", "INITIALIZING", "RELOCATING"], { optional: true }),
    limit,
    cursor,
  },
  handler: async ({ state, limit, cursor }, { client, signal }: Context) => {
    const tool = named("os_explain_shards");
    const offset = offsetOf(tool, { state }, cursor);
    const shards = await shardsOf(client, within(), signal);
    const unassigned = shards.find((shard) => shard.state === "UNASSIGNED");
    const explanation =
      unassigned === undefined || offset > 0 ? null : await explanationOf(client, unassigned, signal);
    const found = shards.filter((shard) => state === undefined || shard.state === state);
    const { items, about } = pageFrom(found, limit, { tool, args: { state }, offset, total: found.length });
    return { ...about, data: { explanation, shards: items } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [clusterHealth, listIndices, getMapping, searchDocuments, aggregate, count, explainShards],
});
