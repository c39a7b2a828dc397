import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { liveVersion } from "../../test/live/server.ts";
import { bulk, make, seed, startSearch } from "./live.ts";
import type { LiveSearch } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const DOCUMENTS = 300_000;
const PASSWORD = "p w é;'\"#-of-The-Account-1";
const LOGIN = `mcp_opensearch:${PASSWORD}`;

let search: LiveSearch;
let module: OpenModule;

const settings = (): Record<string, string> => ({
  MCP_OPENSEARCH_URL: `https://127.0.0.1:${search.server.port}`,
  MCP_OPENSEARCH_CA_FILE: search.caFile,
  MCP_OPENSEARCH_USER: "mcp_opensearch",
  MCP_OPENSEARCH_PASSWORD: PASSWORD,
});

/** The emitted commands, run as an administrator would run them. */
async function applyAccount(name: string, indices: string): Promise<void> {
  const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {${name}: {type: opensearch, host: 127.0.0.1, port: ${search.server.port}, scheme: https, indices: ${indices}}}
links: {mcp: {${name}: read}}
`);
  const netrc = join(principals.folder, "netrc");
  writeFileSync(netrc, "machine 127.0.0.1 login admin password admin\n", { mode: 0o600 });
  const environment = {
    ADMIN_NETRC: netrc,
    CURL_CA_BUNDLE: search.caFile,
    [`MCP_${name.toUpperCase()}_PASSWORD`]: PASSWORD,
  };
  principals.apply(name, environment);
  principals.apply(name, environment);
  principals.remove();
}

async function call(tool: string, args: Record<string, unknown> = {}) {
  const started = performance.now();
  const result = await module.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(2000);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
}

type Hit = { readonly source: Readonly<Record<string, unknown>>; readonly index: string };
const hits = async (args: Record<string, unknown>): Promise<readonly Hit[]> =>
  ((await call("os_search", args)).data as { hits: Hit[] }).hits;

beforeAll(async () => {
  expect(liveVersion("opensearch"), "run: bash templates/opensearch/live.sh install").toMatch(/^\d+\.\d+/);
  search = await startSearch();
  await seed(search);
  await applyAccount("opensearch", '{logs: {index: "logs-*"}, products: {}}');
  module = openModule(tools, settings());
  // The first of everything is slow in a server that has just started.
  for (const tool of ["os_cluster_health", "os_list_indices", "os_explain_shards"]) await module.call(tool);
  for (const tool of ["os_get_mapping", "os_search", "os_aggregate", "os_count"])
    await module.call(tool, { index: "logs", ...(tool === "os_get_mapping" ? {} : { query: "timeout" }) });
});

afterAll(async () => {
  await module?.close();
  await search?.server.stop();
});

describe("every tool with data", () => {
  it("S32: os_cluster_health tells the status and names no node", async () => {
    const { data } = await call("os_cluster_health");
    expect(data).toMatchObject({
      status: "yellow",
      nodes: 1,
      data_nodes: 1,
      unassigned_shards: expect.any(Number),
      pending_tasks: 0,
    });
    expect(JSON.stringify(data)).not.toContain("live");
  });

  it("os_list_indices lists what was drawn, by health and in pages", async () => {
    const { data, page } = await call("os_list_indices");
    expect(data).toMatchObject({
      indices: [
        {
          index: "logs-1",
          health: "green",
          status: "open",
          primaries: 2,
          replicas: 0,
          docs: 2,
          bytes: expect.any(Number),
        },
        { index: "logs-2", health: "yellow", docs: 2 },
        { index: "products", docs: 2 },
      ],
    });
    expect(page?.total).toBe(3);
    expect((await call("os_list_indices", { health: "green" })).page?.total).toBe(1);
    const first = await call("os_list_indices", { limit: 2 });
    expect(first.truncation).toMatchObject({ by: "rows", limit: 2 });
    expect((await call("os_list_indices", { limit: 2, cursor: first.page?.next_cursor })).data).toMatchObject(
      {
        indices: [{ index: "products" }],
      },
    );
  });

  it("os_get_mapping flattens the fields of every index behind the name", async () => {
    const { data } = await call("os_get_mapping", { index: "logs" });
    expect(data).toMatchObject({ indices: 2 });
    expect((data as { fields: object[] }).fields).toEqual(
      expect.arrayContaining([
        { field: "msg", type: "text" },
        { field: "msg.raw", type: "keyword" },
        { field: "user", type: "object" },
        { field: "user.id", type: "long" },
      ]),
    );
    expect((await call("os_get_mapping", { index: "logs", contains: "user." })).page?.total).toBe(2);
  });

  it("os_search finds by text, filters, order and fields, and pages", async () => {
    const found = await call("os_search", {
      index: "logs",
      query: "timeout AND level:error",
      highlight: true,
    });
    expect(found.page).toEqual({ returned: 2, total: 2, next_cursor: null });
    expect(found.data).toMatchObject({
      hits: expect.arrayContaining([
        {
          index: "logs-2",
          id: expect.any(String),
          score: expect.any(Number),
          source: expect.objectContaining({ ms: 300 }),
          highlight: expect.objectContaining({ msg: ["**timeout** of the queue"] }),
        },
      ]),
    });
    const by = async (filters: object[]): Promise<unknown[]> =>
      (await hits({ index: "logs", filters, sort: ["ts"], fields: ["ms"] })).map(({ source }) => source);
    expect(await by([{ field: "level", op: "is", value: "info" }])).toEqual([{ ms: 5 }, { ms: 7 }]);
    expect(await by([{ field: "level", op: "is", value: "info", not: true }])).toEqual([
      { ms: 100 },
      { ms: 300 },
    ]);
    expect(await by([{ field: "user.id", op: "in", value: ["0", "59"] }])).toEqual([{ ms: 5 }, { ms: 7 }]);
    expect(
      await by([
        { field: "ts", op: "gte", value: "2026-01-01T00:01:00Z" },
        { field: "ts", op: "lt", value: "2026-01-01T00:59:00Z" },
      ]),
    ).toEqual([{ ms: 100 }, { ms: 300 }]);
    expect(await by([{ field: "msg.raw", op: "prefix", value: "timeout of the q" }])).toEqual([{ ms: 300 }]);
    expect(await by([{ field: "absent", op: "exists" }])).toEqual([]);
    const seen: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 5; page += 1) {
      const result = await call("os_search", {
        index: "logs",
        sort: ["-ts"],
        size: 3,
        cursor,
      });
      seen.push(...(result.data as { hits: Hit[] }).hits.map(({ source }) => source["ms"]));
      expect(result.truncation?.by).toBe(page === 0 ? "rows" : undefined);
      cursor = result.page?.next_cursor ?? undefined;
      if (cursor === undefined) break;
    }
    expect(seen).toEqual([7, 300, 100, 5]);
  });

  it("os_search cuts long texts and lists and says so", async () => {
    const result = await call("os_search", {
      index: "products",
      sort: ["-ms"],
      size: 1,
    });
    const [hit] = (result.data as { hits: Hit[] }).hits;
    expect(String(hit?.source["name"])).toMatch(/^x{1000}… \(5000 characters\)$/);
    expect((hit?.source["tags"] as unknown[] | undefined)?.at(-1)).toBe("… (30 more)");
    const single = await call("os_search", {
      index: "products",
      filters: [{ field: "ms", op: "is", value: 2 }],
    });
    expect(single.truncation).toMatchObject({ by: "cells" });
  });

  it("os_aggregate counts, measures, groups and goes over time", async () => {
    expect((await call("os_aggregate", { index: "logs" })).data).toEqual({ documents: 4 });
    expect((await call("os_aggregate", { index: "logs", metric: "avg", field: "ms" })).data).toEqual({
      documents: 4,
      value: 103,
    });
    expect(
      (await call("os_aggregate", { index: "logs", metric: "distinct", field: "user.name" })).data,
    ).toMatchObject({ value: 2 });
    expect(
      (await call("os_aggregate", { index: "logs", metric: "percentiles", field: "ms" })).data,
    ).toMatchObject({ value: { "50.0": expect.any(Number) } });
    const grouped = await call("os_aggregate", {
      index: "logs",
      group_by: "level",
      metric: "max",
      field: "ms",
      query: "user.name:(ann OR bob)",
    });
    expect(grouped.data).toEqual({
      documents: 4,
      in_other_groups: 0,
      buckets: [
        { key: "error", count: 2, value: 300 },
        { key: "info", count: 2, value: 7 },
      ],
    });
    expect(grouped.truncation).toBeUndefined();
    const cut = await call("os_aggregate", { index: "logs", group_by: "msg.raw", size: 3 });
    expect(cut.truncation).toMatchObject({ by: "rows", limit: 3 });
    const time = await call("os_aggregate", { index: "logs", time_field: "ts", interval: "15m" });
    expect(time.data).toMatchObject({
      buckets: [
        { key: "2026-01-01T00:00:00.000Z", count: 3 },
        { key: "2026-01-01T00:45:00.000Z", count: 1 },
      ],
    });
  });

  it("os_count is exact", async () => {
    expect((await call("os_count", { index: "logs" })).data).toEqual({ count: 4 });
    expect((await call("os_count", { index: "logs", query: "timeout" })).data).toEqual({ count: 2 });
  });

  it("os_explain_shards says why a shard is missing, without names of nodes", async () => {
    const { data, page } = await call("os_explain_shards");
    expect(data).toMatchObject({
      explanation: {
        index: "logs-2",
        primary: false,
        can_allocate: "no",
        nodes_asked: 1,
        deciders: [{ decider: "same_shard", explanation: expect.stringContaining("already allocated") }],
      },
      shards: expect.arrayContaining([
        {
          index: "logs-2",
          shard: 0,
          primary: false,
          state: "UNASSIGNED",
          docs: null,
          reason: "INDEX_CREATED",
        },
      ]),
    });
    expect(page?.total).toBe(6);
    expect(JSON.stringify(data)).not.toMatch(/live|127\.0\.0\.1|node\[/);
    expect((await call("os_explain_shards", { state: "STARTED" })).page?.total).toBe(4);
  });
});

describe("what is wrong is said, not guessed", () => {
  it.each([
    ["os_search", { index: "logs", query: "msg:[" }, "invalid_argument", "Encountered"],
    ["os_search", { index: "logs", query: "*wild" }, "invalid_argument", "not allowed as first character"],
    [
      "os_search",
      { index: "logs", filters: [{ field: "level", op: "is" }] },
      "invalid_argument",
      "needs one value",
    ],
    [
      "os_search",
      { index: "logs", filters: [{ field: "level", op: "in", value: "x" }] },
      "invalid_argument",
      "needs a list of at most",
    ],
    ["os_search", { index: "logs", sort: ["msg"] }, "invalid_argument", "Text fields are not optimised"],
    [
      "os_search",
      { index: "logs", filters: [{ field: "ts", op: "gt", value: "yesterday" }] },
      "invalid_argument",
      "failed to parse date",
    ],
    ["os_aggregate", { index: "logs", metric: "avg" }, "invalid_argument", "avg needs a field"],
    [
      "os_aggregate",
      { index: "logs", metric: "avg", field: "level" },
      "invalid_argument",
      "not supported for aggregation",
    ],
    ["os_aggregate", { index: "logs", group_by: "level", time_field: "ts" }, "invalid_argument", "either"],
  ])("%s with %j is %s: %s", async (tool, args, code, message) => {
    await expect(call(tool, args)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("S5: a wrong password is denied, and neither user nor password is in the answer", async () => {
    const wrong = openModule(tools, { ...settings(), MCP_OPENSEARCH_PASSWORD: "not-this-one" });
    const failure: unknown = await wrong.call("os_cluster_health").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp_opensearch/);
  });
});

describe("the account on the cluster", () => {
  it.each([
    ["GET", "/hidden/_search"],
    ["GET", "/hidden/_mapping"],
    ["GET", "/_search"],
    ["GET", "/logs-*,hidden/_search"],
    ["POST", "/logs-1/_doc", { msg: "x" }],
    ["PUT", "/logs-3"],
    ["DELETE", "/logs-1"],
    ["PUT", "/logs-1/_settings", { index: { number_of_replicas: 0 } }],
    ["PUT", "/logs-1/_mapping", { properties: { x: { type: "long" } } }],
    ["POST", "/logs-1/_close"],
    ["POST", "/logs-1/_forcemerge"],
    ["POST", "/logs-1/_search/point_in_time?keep_alive=1m"],
    ["GET", "/logs-1/_doc/1"],
    ["PUT", "/_cluster/settings", { transient: { "cluster.routing.allocation.enable": "none" } }],
    ["POST", "/_cluster/reroute", {}],
    ["GET", "/_nodes"],
    ["GET", "/_nodes/hot_threads"],
    ["GET", "/_cat/nodes"],
    ["GET", "/_tasks"],
    ["POST", "/_tasks/_cancel"],
    ["GET", "/_snapshot"],
    ["PUT", "/_snapshot/own", { type: "fs", settings: { location: "/tmp" } }],
    ["PUT", "/_index_template/own", { index_patterns: ["x"] }],
    ["PUT", "/_scripts/own", { script: { lang: "painless", source: "1" } }],
    ["PUT", "/_ingest/pipeline/own", { processors: [] }],
    ["POST", "/_aliases", { actions: [{ add: { index: "hidden", alias: "logs-alias" } }] }],
    ["GET", "/.opendistro_security/_search"],
    ["GET", "/_plugins/_security/api/internalusers"],
    ["PUT", "/_plugins/_security/api/internalusers/own", { password: "Abcdefgh12345_xyz" }],
    ["PUT", "/_plugins/_security/api/rolesmapping/all_access", { users: ["mcp_opensearch"] }],
  ] as const)("%s %s is refused", async (method, path, body?: unknown) => {
    const answer = await search.ask(method, path, body, LOGIN);
    expect(answer.status, answer.body.slice(0, 300)).toBe(403);
    expect(answer.body).not.toContain("out of reach");
  });

  it("a scroll cannot be gone on with, several searches not be asked at once, and no index of its own be made", async () => {
    const begun = await search.ask("POST", "/logs-1/_search?scroll=1m", { size: 1 }, LOGIN);
    const { _scroll_id } = JSON.parse(begun.body) as { _scroll_id: string };
    expect((await search.ask("POST", "/_search/scroll", { scroll_id: _scroll_id }, LOGIN)).status).toBe(403);
    await make(search, "DELETE", "/_search/scroll", { scroll_id: _scroll_id });
    const several = await search.ask("POST", "/_msearch", '{"index":"hidden"}\n{}\n', LOGIN);
    expect(several.status).toBe(403);
    expect((await search.ask("PUT", "/mcp_opensearch", {}, LOGIN)).status).toBe(403);
  });

  it("a role without indices sees names and health, and no document", async () => {
    await applyAccount("bare", "{}");
    const login = `mcp_bare:${PASSWORD}`;
    expect((await search.ask("GET", "/_cat/indices/*,-.*", undefined, login)).body).toContain("hidden");
    for (const path of ["/hidden/_search", "/logs-1/_mapping", "/logs-1/_count"])
      expect((await search.ask("GET", path, undefined, login)).status, path).toBe(403);
  });
});

describe("outside the drawing", () => {
  it("S1: no argument chooses another index, a path, a script or a host", async () => {
    for (const index of [
      "hidden",
      "logs-1",
      "*",
      "_all",
      "logs,hidden",
      "../hidden",
      ".opendistro_security",
      "",
    ])
      await expect(call("os_search", { index })).rejects.toThrow("invalid arguments");
    for (const extra of [
      { script: "1" },
      { aggs: {} },
      { runtime_mappings: {} },
      { scroll: "1m" },
      { url: "https://evil" },
      { filters: [{ field: "x", op: "script", value: "1" }] },
      { sort: [{ _script: { script: "1" } }] },
    ])
      await expect(call("os_search", { index: "logs", ...extra }), JSON.stringify(extra)).rejects.toThrow(
        "invalid arguments",
      );
    const lookup = { field: "level", op: "is", value: { index: "hidden", id: "1", path: "x" } };
    await expect(call("os_search", { index: "logs", filters: [lookup] })).rejects.toThrow("needs one value");
    expect((await call("os_search", { index: "logs", query: "_index:hidden" })).page?.total).toBe(0);
    await expect(call("os_search", { index: "logs", sort: ["_script"] })).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  it("a cursor of another call is refused", async () => {
    const { page } = await call("os_search", { index: "logs", size: 1 });
    await expect(
      call("os_search", { index: "products", size: 1, cursor: page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });
});

describe("floods", () => {
  beforeAll(async () => {
    await make(search, "PUT", "/logs-flood", {
      settings: {
        number_of_shards: 1,
        number_of_replicas: 0,
        refresh_interval: "-1",
        "index.translog.durability": "async",
      },
      mappings: {
        properties: {
          ts: { type: "date" },
          n: { type: "long" },
          level: { type: "keyword" },
          id: { type: "keyword" },
          host: { type: "keyword" },
        },
      },
    });
    for (let start = 0; start < DOCUMENTS; start += 25_000) {
      const documents = Array.from({ length: 25_000 }, (_, at) => ({
        ts: 1_700_000_000_000 + (start + at) * 60_000,
        n: start + at,
        level: "debug",
        id: `id-${start + at}`,
        host: `host-${at % 10_000}`,
      }));
      await bulk(search, "logs-flood", documents);
    }
    const wide = {
      dynamic: false,
      properties: Object.fromEntries(
        Array.from({ length: 990 }, (_, at) => [`field_${at}`, { type: "keyword" }]),
      ),
    };
    await make(search, "PUT", "/logs-wide", { settings: { number_of_replicas: 0 }, mappings: wide });
    await bulk(search, "logs-wide", [
      { field_1: "huge", blob: "z".repeat(10_000_000) },
      ...Array.from({ length: 100 }, () => ({ field_1: "big", blob: "y".repeat(20_000) })),
    ]);
    for (let at = 0; at < 300; at += 1)
      await make(search, "PUT", `/logs-many-${at}?wait_for_active_shards=0`, {
        settings: { number_of_shards: 1, number_of_replicas: 1 },
      });
    await make(search, "POST", "/logs-*/_refresh");
  });

  it("300 000 documents: searching, counting and grouping stay bounded", async () => {
    const flood = { index: "logs", filters: [{ field: "level", op: "is", value: "debug" }] };
    const found = await call("os_search", { ...flood, size: 100 });
    expect(found.page).toMatchObject({ returned: 100, total: null });
    expect((await call("os_count", flood)).data).toEqual({ count: DOCUMENTS });
    const grouping = { ...flood, group_by: "host", size: 500 };
    // What the cluster makes once for a field is not part of what is measured.
    await module.call("os_aggregate", grouping);
    const grouped = await call("os_aggregate", grouping);
    expect(grouped.data).toMatchObject({ documents: DOCUMENTS, in_other_groups: expect.any(Number) });
    expect(grouped.truncation).toMatchObject({ by: "rows", limit: 500 });
  });

  it("more buckets than the cluster makes is too_large, and fewer are cut to the newest", async () => {
    const flood = {
      index: "logs",
      filters: [{ field: "level", op: "is", value: "debug" }],
      time_field: "ts",
    };
    await expect(call("os_aggregate", { ...flood, interval: "1m" })).rejects.toMatchObject({
      code: "too_large",
    });
    const days = await call("os_aggregate", { ...flood, interval: "6h", size: 500 });
    expect(days.page).toMatchObject({ returned: 500, next_cursor: null });
    expect(days.truncation).toMatchObject({ by: "rows" });
  });

  it("a search does not page past its window, and says what to do", async () => {
    const flood = {
      index: "logs",
      filters: [{ field: "level", op: "is", value: "debug" }],
      size: 100,
      fields: ["n"],
    };
    let cursor: string | undefined;
    for (let page = 0; page < 100; page += 1)
      cursor = (await call("os_search", { ...flood, cursor })).page?.next_cursor ?? undefined;
    if (cursor === undefined) return;
    await expect(call("os_search", { ...flood, cursor })).rejects.toThrow("no search goes past 10000");
  });

  it("documents of 10 MB are too_large, and with named fields they are not", async () => {
    const huge = { index: "logs", filters: [{ field: "field_1", op: "is", value: "huge" }] };
    await expect(call("os_search", huge)).rejects.toMatchObject({ code: "too_large" });
    expect((await call("os_search", { ...huge, fields: ["field_1"] })).data).toMatchObject({
      hits: [{ source: { field_1: "huge" } }],
    });
    const big = await call("os_search", {
      index: "logs",
      filters: [{ field: "field_1", op: "is", value: "big" }],
      size: 100,
    });
    expect(big.truncation?.by).toBe("bytes");
  });

  it("990 fields and 300 indices come in pages", async () => {
    expect(
      (await call("os_get_mapping", { index: "logs", contains: "field_", limit: 500 })).page,
    ).toMatchObject({ returned: 500, total: 990 });
    expect((await call("os_list_indices", { limit: 500 })).page?.total).toBe(305);
    expect(
      (await call("os_explain_shards", { state: "UNASSIGNED", limit: 500 })).page?.total,
    ).toBeGreaterThan(300);
  });
});

describe("cancelling", () => {
  it("ends the search in the cluster", async () => {
    const running = async (): Promise<number> => {
      const { body } = await search.ask("GET", "/_tasks?actions=indices:data/read/search&detailed");
      return body.split('"action":"indices:data/read/search"').length - 1;
    };
    const controller = new AbortController();
    const slow = {
      index: "logs",
      query: "id:/id-[0-9]+[0-8]*[0-7]*[0-6]*[0-5]*[0-4]*9/",
      group_by: "id",
      size: 500,
      metric: "distinct",
      field: "id",
    };
    const call = module.call("os_aggregate", slow, controller.signal);
    const ended = call.then(
      () => "answered",
      (error: unknown) => String(error),
    );
    await vi.waitFor(async () => expect(await running()).toBeGreaterThan(0), { timeout: 5000, interval: 5 });
    controller.abort(new Error("enough"));
    expect(await ended).toContain("enough");
    await vi.waitFor(async () => expect(await running()).toBe(0), { timeout: 2000, interval: 20 });
  });
});
