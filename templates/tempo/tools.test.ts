import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { spansOf } from "#runtime/tempo/span";
import { summaryOf } from "#runtime/tempo/search";
import { treeOf as spanTree } from "#runtime/tempo/tree";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ID = "2f3e0cee77ae5dc9c17ade3689eb2e54";
const moduleAt = (url: string, environment: Record<string, string> = {}): OpenModule =>
  openModule(tools, { MCP_TEMPO_URL: url, ...environment });
const answering = async (body: unknown): Promise<OpenModule> =>
  moduleAt(
    await upstream((_request, response) =>
      response.end(typeof body === "string" ? body : JSON.stringify(body)),
    ),
  );
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

const times = { startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000050000000" };
const trace = (spans: readonly object[], service = "api"): object => ({
  trace: {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
        scopeSpans: [{ spans }],
      },
    ],
  },
});

describe("the tools as data", () => {
  it("S32: the four names, all of them reads", () => {
    expect(moduleAt("http://localhost").names).toEqual([
      "tempo_search",
      "tempo_get_trace",
      "tempo_tags",
      "tempo_tag_values",
    ]);
    expect(tools.tools.every(({ effect }) => effect === "read")).toBe(true);
  });

  it("P7: a description says when to use the tool, and a tool takes at most 1.4 KB of the list", () => {
    for (const { name, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const listed = JSON.stringify({ name, description, inputSchema, outputSchema, annotations });
      expect(listed.length, name).toBeLessThanOrEqual(1400);
    }
  });

  it("R5: no parameter names a host, a tenant or a credential", () => {
    for (const { inputSchema } of tools.tools)
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|url|tenant|org|user|password|token|header/i);
  });

  it.each([
    ["tempo_search", {}],
    ["tempo_search", { traceql: "x".repeat(2001) }],
    ["tempo_search", { traceql: "{}", limit: 101 }],
    ["tempo_search", { traceql: "{}", tenant: "other" }],
    ["tempo_get_trace", { trace_id: "../../../flush00" }],
    ["tempo_get_trace", { trace_id: "abc" }],
    ["tempo_get_trace", { trace_id: `${ID}00` }],
    ["tempo_get_trace", { trace_id: ID, max_spans: 501 }],
    ["tempo_get_trace", { trace_id: ID, view: "raw" }],
    ["tempo_tags", { scope: "all" }],
    ["tempo_tag_values", { tag: "a/b" }],
    ["tempo_tag_values", { tag: ".." }],
    ["tempo_tag_values", { tag: "a b" }],
    ["tempo_tag_values", { tag: "x", limit: 1001 }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it.each([
    [{ start: "now-8d" }, "at most 168 hours"],
    [{ start: "now", end: "now-1h" }, "start is after end"],
    [{ start: "yesterday" }, "start is not a time"],
  ])("R7: %j: %s", async (range, message) => {
    const call = moduleAt("http://127.0.0.1:1").call("tempo_search", { traceql: "{}", ...range });
    await expect(call).rejects.toThrow(message);
  });
});

describe("searching", () => {
  it("asks for one more than it shows, and so proves that there is more", async () => {
    const asked: URLSearchParams[] = [];
    const url = await upstream((request, response) => {
      const { searchParams } = new URL(request.url ?? "", "http://x");
      asked.push(searchParams);
      const traces = Array.from({ length: Math.min(21, Number(searchParams.get("limit"))) }, (_, index) => ({
        traceID: index.toString(16),
        startTimeUnixNano: `17000000${String(index).padStart(2, "0")}000000000`,
      }));
      response.end(JSON.stringify({ traces }));
    });
    const all = await moduleAt(url).call("tempo_search", { traceql: "{}", limit: 21 });
    expect(all).toMatchObject({ page: { returned: 21, total: 21, next_cursor: null } });
    expect(all.truncation).toBeUndefined();
    const some = await moduleAt(url).call("tempo_search", { traceql: "{}" });
    expect(some).toMatchObject({
      page: { returned: 20, total: null },
      truncation: { by: "rows", limit: 20 },
    });
    expect((some.data as { traces: object[] }).traces[0], "the newest first").toMatchObject({
      trace_id: "0000000000000014",
    });
    expect(asked.map((each) => each.get("limit"))).toEqual(["22", "21"]);
    expect(Number(asked[0]?.get("end")) - Number(asked[0]?.get("start"))).toBeGreaterThanOrEqual(3600);
  });

  it("what older servers do not count is null, not nothing", () => {
    expect(summaryOf({ traceID: ID, durationMs: 5 })).toMatchObject({
      trace_id: ID,
      spans: null,
      error: null,
      matched: 0,
    });
    expect(
      summaryOf({
        traceID: "1",
        spanSet: { matched: 3 },
        serviceStats: { a: { spanCount: 2 }, b: { spanCount: 1, errorCount: 1 } },
      }),
    ).toMatchObject({ spans: 3, error: true, matched: 3 });
  });
});

describe("one trace", () => {
  const span = (id: string, parent: string, from: number, to: number, more: object = {}): object => ({
    spanId: Buffer.from(id.padStart(16, "0"), "hex").toString("base64"),
    ...(parent === ""
      ? {}
      : { parentSpanId: Buffer.from(parent.padStart(16, "0"), "hex").toString("base64") }),
    name: `span ${id}`,
    startTimeUnixNano: `17000000000${String(from).padStart(2, "0")}000000`,
    endTimeUnixNano: `17000000000${String(to).padStart(2, "0")}000000`,
    ...more,
  });
  type Rows = {
    readonly rows: readonly { readonly span_id: string; readonly depth: number; readonly self_ms: number }[];
  };

  it("is a tree in the order of time, with the time that a span spent itself", async () => {
    const module = await answering(
      trace([
        span("3", "2", 15, 18, {
          status: { code: "STATUS_CODE_ERROR" },
          events: [
            {
              name: "exception",
              attributes: [{ key: "exception.message", value: { stringValue: "refused" } }],
            },
          ],
        }),
        span("1", "", 0, 50, { kind: "SPAN_KIND_SERVER" }),
        span("4", "1", 18, 40),
        span("2", "1", 10, 20, { attributes: [{ key: "http.status", value: { intValue: "500" } }] }),
      ]),
    );
    const tree = await module.call("tempo_get_trace", { trace_id: ID });
    expect((tree.data as Rows).rows.map(({ span_id, depth }) => [Number(span_id), depth])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 1],
    ]);
    expect(tree.data).toMatchObject({
      root_name: "span 1",
      duration_ms: 50,
      spans: 4,
      errors: 1,
      services: [{ name: "api", spans: 4 }],
      start: "2023-11-14T22:13:20.000Z",
    });
    const slowest = await module.call("tempo_get_trace", { trace_id: ID, view: "slowest" });
    expect((slowest.data as Rows).rows.map(({ span_id, self_ms }) => [Number(span_id), self_ms])).toEqual([
      [1, 20],
      [4, 22],
      [2, 7],
      [3, 3],
    ]);
    const errors = await module.call("tempo_get_trace", { trace_id: ID, view: "errors" });
    expect(errors).toMatchObject({
      page: { returned: 1, total: 1 },
      data: { rows: [{ error: "refused", offset_ms: 15, depth: 2 }] },
    });
    const few = await module.call("tempo_get_trace", { trace_id: ID, max_spans: 3 });
    expect(few).toMatchObject({ page: { returned: 3, total: 4 }, truncation: { by: "rows", limit: 3 } });
  });

  it("with parents that are absent, circles and itself as a parent, loses no span", () => {
    const loop = spansOf(
      (
        trace([span("1", "2", 0, 9), span("2", "1", 1, 2), span("3", "3", 1, 2), span("4", "9", 1, 2)]) as {
          trace: unknown;
        }
      ).trace,
    );
    const { placed, orphans } = spanTree(loop);
    expect(placed.map((each) => Number(each.span.id)).sort()).toEqual([1, 2, 3, 4]);
    expect(orphans).toBe(2);
    const chain = Array.from({ length: 20_000 }, (_, index) =>
      span((index + 1).toString(16), index === 0 ? "" : index.toString(16), 0, 9),
    );
    const wide = Array.from({ length: 20_000 }, (_, index) => span((index + 2).toString(16), "1", 0, 9));
    for (const spans of [chain, [span("1", "", 0, 9), ...wide]]) {
      const started = performance.now();
      expect(spanTree(spansOf((trace(spans) as { trace: unknown }).trace)).placed.length).toBe(spans.length);
      expect(performance.now() - started).toBeLessThan(1500);
    }
  });

  it("reads older shapes: batches, identifiers in hex, codes as numbers", () => {
    const [found] = spansOf({
      batches: [
        {
          scopeSpans: [
            {
              spans: [
                { ...times, spanId: "00f067aa0ba902b7", status: { code: 2, message: "no" }, name: "x" },
              ],
            },
          ],
        },
      ],
    });
    expect(found).toMatchObject({ id: "00f067aa0ba902b7", isError: true, message: "no", service: "" });
  });

  it("says what is not complete, and an empty one is not found", async () => {
    const partial = await answering({
      ...trace([{ ...times, spanId: "00f067aa0ba902b7", parentSpanId: "00f067aa0ba902b8" }]),
      status: "PARTIAL",
      message: "too large",
    });
    expect((await partial.call("tempo_get_trace", { trace_id: ID })).warnings).toEqual([
      "the trace is not complete: too large",
      "1 spans name a parent that is not in the trace",
    ]);
    for (const body of [{}, { trace: {} }, { trace: { resourceSpans: [] } }])
      await expect((await answering(body)).call("tempo_get_trace", { trace_id: ID })).rejects.toMatchObject({
        code: "not_found",
      });
  });

  it("long texts and many attributes are cut", async () => {
    const long = "y".repeat(10_000);
    const attributes = Array.from({ length: 200 }, (_, index) => ({
      key: `${index}${long}`,
      value: { stringValue: long },
    }));
    const module = await answering(
      trace(
        [
          {
            ...times,
            spanId: "00f067aa0ba902b7",
            name: long,
            attributes,
            status: { code: "STATUS_CODE_ERROR", message: long },
          },
        ],
        long,
      ),
    );
    expect(
      JSON.stringify(await module.call("tempo_get_trace", { trace_id: ID, view: "errors" })).length,
    ).toBeLessThan(15_000);
  });
});

describe("the service", () => {
  it("R1: the tenant and the credential are the link's", async () => {
    const seen: (string | undefined)[] = [];
    const url = await upstream((request, response) => {
      seen.push(
        request.method,
        request.headers["x-scope-orgid"] as string | undefined,
        request.headers.authorization,
      );
      response.end("{}");
    });
    await moduleAt(url).call("tempo_tags");
    await moduleAt(url, { MCP_TEMPO_TENANT: "team-a", MCP_TEMPO_USER: "u", MCP_TEMPO_PASSWORD: "p" }).call(
      "tempo_tags",
    );
    expect(seen).toEqual([
      "GET",
      undefined,
      undefined,
      "GET",
      "team-a",
      `Basic ${Buffer.from("u:p").toString("base64")}`,
    ]);
    await expect(moduleAt(url, { MCP_TEMPO_TENANT: "a|b" }).call("tempo_tags")).rejects.toThrow(
      "MCP_TEMPO_TENANT must be",
    );
  });

  it("a tag is one segment of the path", async () => {
    const paths: (string | undefined)[] = [];
    const url = await upstream((request, response) => {
      paths.push(request.url?.split("?")[0]);
      response.end("{}");
    });
    await moduleAt(url).call("tempo_tag_values", { tag: "event:name" });
    await moduleAt(url).call("tempo_tag_values", { tag: ".http.route" });
    expect(paths).toEqual([
      "/api/v2/search/tag/event%3Aname/values",
      "/api/v2/search/tag/.http.route/values",
    ]);
  });

  it.each([
    ["no JSON", "<html>"],
    ["a list", "[]"],
    ["another type", { traces: 1, trace: 1, scopes: 1, tagValues: 1 }],
    ["items of another type", { traces: [1], trace: { resourceSpans: [1] }, scopes: [1], tagValues: [1] }],
    [
      "spans of another type",
      {
        traces: [[]],
        trace: { resourceSpans: [{ scopeSpans: [{ spans: [{ startTimeUnixNano: "x" }] }] }] },
        scopes: [{ tags: 1 }],
        tagValues: ["x"],
      },
    ],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const module = await answering(body);
    for (const [tool, args] of [
      ["tempo_search", { traceql: "{}" }],
      ["tempo_get_trace", { trace_id: ID }],
      ["tempo_tags", {}],
      ["tempo_tag_values", { tag: "name" }],
    ] as const)
      expect(await faultOf(module.call(tool, args)), tool).toMatchObject({ code: "upstream_unavailable" });
  });

  it("S5: Tempo's own words about a query come through, a proxy's page and a redirect do not", async () => {
    const refusing = async (status: number, text: string) =>
      await faultOf(
        moduleAt(
          await upstream((_request, response) =>
            response.writeHead(status, { location: "http://127.0.0.1:1" }).end(text),
          ),
        ).call("tempo_search", { traceql: "{" }),
      );
    expect(await refusing(400, "invalid TraceQL query: parse error at line 1, col 2")).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("line 1, col 2"),
    });
    for (const [status, code] of [
      [302, "upstream_unavailable"],
      [400, "invalid_argument"],
      [403, "denied"],
      [500, "upstream_unavailable"],
    ] as const)
      expect(await refusing(status, "<p>10.0.0.1</p>")).toMatchObject({
        code,
        message: expect.not.stringContaining("10.0.0.1"),
      });
  });
});

describe("what is emitted", () => {
  it("the account pins the tenant", async () => {
    const tree = await treeOf(
      'apiVersion: topology/v1\nstack: stack\ncomponents: {tempo: {tenant: "a!(b)"}}\nlinks: {mcp: {tempo: read}}\n',
    );
    expect(tree.get("principals/tempo/nginx.conf")?.text).toContain(
      'proxy_set_header X-Scope-OrgID "a!(b)";',
    );
    expect(tree.get("k8s/configmap.yaml")?.text).toContain('"MCP_TEMPO_TENANT": "a!(b)"');
  });
});
