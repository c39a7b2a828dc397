import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { aggregationsOf, answerOf } from "#runtime/opensearch/aggregate";
import { faultIn, withoutNodes } from "#runtime/opensearch/api";
import { shrink } from "#runtime/opensearch/document";
import { fieldsOf } from "#runtime/opensearch/mapping";
import { queryOf } from "#runtime/opensearch/query";
import type { McpLink } from "../../generator/model/topology.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import types, { accountOf, indicesOf, urlOf } from "./component.ts";
import { tools } from "./tools.ts";

const opened: { module: OpenModule; server: Server }[] = [];

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
}

/** A loopback stand-in that records what it is asked and answers what the test says. */
async function standIn(
  answer: (request: Seen, response: ServerResponse) => void,
): Promise<{ module: OpenModule; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const one = {
        method: request.method ?? "",
        url: request.url ?? "",
        body: (body === "" ? {} : JSON.parse(body)) as Record<string, unknown>,
        authorization: request.headers.authorization,
      };
      seen.push(one);
      response.setHeader("content-type", "application/json");
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const module = openModule(tools, {
    MCP_OPENSEARCH_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    MCP_OPENSEARCH_USER: "mcp_opensearch",
    MCP_OPENSEARCH_PASSWORD: "secret",
  });
  opened.push({ module, server });
  return { module, seen };
}

const empty = {
  hits: { total: { value: 0, relation: "eq" }, hits: [] },
  _shards: { failed: 0 },
  timed_out: false,
};
const answering = async (value: object) =>
  await standIn((_request, response) => response.end(JSON.stringify(value)));

afterEach(async () => {
  for (const { module, server } of opened.splice(0)) {
    await module.close();
    server.close();
  }
});

describe("the tools as data", () => {
  it("S32: the names are those of the specification, and all of them read", async () => {
    const { module } = await answering({});
    expect(module.names).toEqual(
      "os_cluster_health os_list_indices os_get_mapping os_search os_aggregate os_count os_explain_shards".split(
        " ",
      ),
    );
    expect(tools.tools.every(({ effect }) => effect === "read")).toBe(true);
  });

  it("P7: every description says when to use the tool, and a tool stays within its share of the list", () => {
    for (const { name, title, description, inputSchema } of tools.tools) {
      expect(description).toMatch(/^Use /);
      expect(JSON.stringify({ name, title, description, inputSchema }).length, name).toBeLessThan(1400);
    }
  });

  it("R5: no parameter names a host, a credential, a script or a body", () => {
    for (const { inputSchema } of tools.tools) {
      expect(JSON.stringify(inputSchema)).not.toMatch(
        /"\w*(host|port|url|user|password|body|scroll|script)"/i,
      );
      expect(inputSchema).toMatchObject({ additionalProperties: false });
    }
  });

  it("T2: opensearch and elasticsearch share tools, prefix and variables", () => {
    expect(types.map(({ type, tools: family }) => [type, family?.prefix, family?.service])).toEqual([
      ["opensearch", "os", "OPENSEARCH"],
      ["elasticsearch", "os", "OPENSEARCH"],
    ]);
  });
});

describe("arguments", () => {
  it.each<readonly [string, object]>([
    ["os_search", {}],
    ["os_search", { index: "logs-*" }],
    ["os_search", { index: "other" }],
    ["os_search", { index: "logs", size: 101 }],
    ["os_search", { index: "logs", query: "" }],
    ["os_search", { index: "logs", query: "x".repeat(2001) }],
    ["os_search", { index: "logs", filters: [{ field: "a" }] }],
    ["os_search", { index: "logs", filters: [{ field: "a", op: "wildcard", value: "*" }] }],
    ["os_search", { index: "logs", filters: [{ field: "", op: "exists" }] }],
    [
      "os_search",
      { index: "logs", filters: Array.from({ length: 11 }, () => ({ field: "a", op: "exists" })) },
    ],
    ["os_search", { index: "logs", sort: ["a desc\n"] }],
    ["os_search", { index: "logs", from: 5 }],
    ["os_aggregate", { index: "logs", metric: "scripted_metric" }],
    ["os_aggregate", { index: "logs", interval: "1s" }],
    ["os_aggregate", { index: "logs", size: 501 }],
    ["os_get_mapping", { index: "../_cluster" }],
    ["os_list_indices", { health: "purple" }],
    ["os_explain_shards", { limit: 501 }],
  ])("%s refuses %j", async (tool, args) => {
    const { module, seen } = await answering({});
    await expect(module.call(tool, { ...args })).rejects.toThrow("invalid arguments");
    expect(seen).toEqual([]);
  });

  it.each<readonly [string, unknown]>([
    ["in", Array.from({ length: 51 }, () => "1")],
    ["in", ["x".repeat(501)]],
    ["in", [{ script: "1" }]],
    ["in", "one"],
    ["in", undefined],
    ["is", "x".repeat(501)],
    ["is", { script: "1" }],
    ["is", null],
    ["prefix", ["one"]],
    ["gte", undefined],
  ])("os_search refuses a filter with %s %j before it asks", async (op, value) => {
    const { module, seen } = await answering({});
    const filters = [{ field: "a", op, ...(value === undefined ? {} : { value }) }];
    await expect(module.call("os_search", { index: "logs", filters })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("the filter on a needs"),
    });
    expect(seen).toEqual([]);
  });
});

describe("what the cluster is asked", () => {
  it("S4: fixed paths, the drawn pattern as one escaped segment, and the account", async () => {
    const { module, seen } = await answering(empty);
    await module.call("os_search", { index: "logs", query: "a AND b" });
    await module.call("os_count", { index: "products" });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /logs-*/_search?allow_partial_search_results=true",
      "POST /products/_search?allow_partial_search_results=true",
    ]);
    expect(seen[0]?.authorization).toBe(`Basic ${Buffer.from("mcp_opensearch:secret").toString("base64")}`);
    expect(seen[0]?.body).toMatchObject({ timeout: "10s", from: 0, size: 21, terminate_after: 5_000_000 });
  });

  it("a query text cannot become anything but a text, and a value anything but a value", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (query, value) => {
        const made = queryOf({ query, filters: [{ field: "f", op: "is", value }] }) as {
          bool: { must: object[]; filter: object[] };
        };
        expect(made.bool.must).toMatchObject([{ query_string: { query, allow_leading_wildcard: false } }]);
        expect(made.bool.filter).toEqual([{ term: { f: value } }]);
        expect(JSON.stringify(made)).not.toContain('"script"');
      }),
    );
    expect(queryOf({ filters: [] })).toEqual({ match_all: {} });
    expect(queryOf({ filters: [{ field: "a", op: "exists", not: true }] })).toEqual({
      bool: { must_not: [{ exists: { field: "a" } }] },
    });
  });

  it("an aggregation asks for one bucket more than it shows", () => {
    const wish = { metric: "count", interval: "1h", size: 20 } as const;
    expect(aggregationsOf({ ...wish, group_by: "level" })).toEqual({
      buckets: { terms: { field: "level", size: 21 }, aggs: {} },
    });
    expect(aggregationsOf({ ...wish, metric: "sum", field: "ms" })).toEqual({
      metric: { sum: { field: "ms" } },
    });
    expect(() => aggregationsOf({ ...wish, metric: "sum" })).toThrow("sum needs a field");
    expect(answerOf({ aggregations: { metric: { value: null } } })).toEqual({
      buckets: null,
      value: { value: null },
    });
  });
});

describe("what the cluster answers", () => {
  it("a time that was up and shards that failed are told", async () => {
    const { module } = await answering({ ...empty, timed_out: true, _shards: { failed: 2 } });
    expect((await module.call("os_count", { index: "logs" })).warnings).toEqual([
      "the time was up: only what was found until then",
      "2 shards did not answer",
    ]);
  });

  it("a total that the cluster stopped counting is null, and one hit more proves the next page", async () => {
    const hit = (id: number) => ({ _index: "logs-1", _id: String(id), _score: 1, _source: { id } });
    const { module, seen } = await answering({
      ...empty,
      hits: { total: { value: 10_000, relation: "gte" }, hits: [hit(0), hit(1), hit(2)] },
    });
    const first = await module.call("os_search", { index: "logs", size: 2 });
    expect(first.page).toMatchObject({ returned: 2, total: null, next_cursor: expect.any(String) });
    await module.call("os_search", { index: "logs", size: 2, cursor: first.page?.next_cursor });
    expect(seen[1]?.body).toMatchObject({ from: 2, size: 3 });
    await expect(
      module.call("os_search", { index: "products", size: 2, cursor: first.page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });

  it("redirects, other shapes, pages of a proxy and endless bodies are faults without an address", async () => {
    const answers: readonly ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      (response) => response.end("[]"),
      (response) => response.end('{"hits":[]}'),
      (response) => response.writeHead(502).end("<html>bad gateway of proxy-host</html>"),
      (response) => response.end("not json"),
    ];
    for (const answer of answers) {
      const { module } = await standIn((_request, response) => answer(response));
      const error: unknown = await module
        .call("os_search", { index: "logs" })
        .catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: "upstream_unavailable" });
      expect(String(error)).not.toMatch(/127\.0\.0\.1|proxy-host/);
    }
    const { module } = await standIn((_request, response) => {
      response.write('{"hits":"');
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    await expect(module.call("os_search", { index: "logs" })).rejects.toMatchObject({ code: "too_large" });
  });

  it("an abort ends the request", async () => {
    const { module } = await standIn(() => undefined);
    const controller = new AbortController();
    const call = module.call("os_search", { index: "logs" }, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(call).rejects.toThrow("enough");
  });

  it("a refusal names the action and neither user nor roles; other errors name no node", () => {
    const error = (type: string, reason: string, more = {}) =>
      JSON.stringify({ error: { root_cause: [{ type, reason }], type, reason, ...more } });
    const refused = faultIn(
      403,
      error(
        "security_exception",
        "no permissions for [indices:data/read/search] and User [name=secret_user, backend_roles=[x]]",
      ),
    );
    expect(refused).toMatchObject({
      code: "denied",
      message: expect.stringContaining("indices:data/read/search"),
    });
    expect(String(refused)).not.toContain("secret_user");
    expect(faultIn(404, error("index_not_found_exception", "no such index [logs]"))).toMatchObject({
      code: "not_found",
    });
    const buckets = error("search_phase_execution_exception", "", {
      caused_by: { type: "too_many_buckets_exception", reason: "too many" },
    });
    expect(faultIn(503, buckets)).toMatchObject({ code: "too_large" });
    expect(faultIn(500, "<html>")).toBeUndefined();
    expect(withoutNodes("on node[abc], at [10.0.0.7:9300] {x}{y} User [name=u]")).not.toMatch(
      /abc|10\.0|name=u|\{/,
    );
  });
});

describe("documents and mappings of any shape", () => {
  it("whatever a document holds, what is shown of it is bounded, and small ones stay whole", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const { value: shown, isCut } = shrink(value);
        if (!isCut) expect(shown).toEqual(value);
      }),
    );
    let deep: unknown = "end";
    for (let depth = 0; depth < 1000; depth += 1) deep = [deep];
    expect(JSON.stringify(shrink(deep).value).length).toBeLessThan(100);
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, "v".repeat(5000)]));
    expect(JSON.stringify(shrink(wide).value).length).toBeLessThan(70_000);
  });

  it("fields with different types in two indices stand side by side", () => {
    const mapping = (type: string) => ({
      mappings: { properties: { a: { type, fields: { raw: { type: "keyword" } } } } },
    });
    expect(fieldsOf({ one: mapping("text"), two: mapping("long") })).toEqual([
      { field: "a", type: "long|text" },
      { field: "a.raw", type: "keyword" },
    ]);
    expect(fieldsOf({ empty: { mappings: {} } })).toEqual([]);
  });
});

describe("the drawing", () => {
  const link = {
    component: { name: "search_logs", host: "search", port: 9200, attributes: { scheme: "https" } },
    targets: [{ access: "read", sub: { name: "logs", attributes: { index: "logs-*" } } }],
  } as unknown as McpLink;

  it("S1: indices become closed lists with their patterns", () => {
    expect(indicesOf(link)).toEqual([{ name: "logs", pattern: "logs-*" }]);
    expect([accountOf(link), urlOf(link)]).toEqual(["mcp_search_logs", "https://search:9200"]);
  });

  it("S5: the role names actions one by one, writes nothing and holds no password", async () => {
    const emitted = async (type: string, indices: string): Promise<string> => {
      const principals = await emitPrincipals(
        `apiVersion: topology/v1\nstack: stack\ncomponents: {store: {type: ${type}, indices: ${indices}}}\nlinks: {mcp: {store: read}}\n`,
      );
      const text = principals.text("store/role.json") + principals.text("store/README.md");
      principals.remove();
      return text;
    };
    const drawn = await emitted("opensearch", '{logs: {index: "logs-*"}}');
    expect(drawn).toContain('"indices:data/read/search"');
    expect(drawn).not.toMatch(/write|all_access|data\/read\*|"\*"/);
    expect(await emitted("opensearch", "{}")).not.toContain("indices:data");
    const elastic = await emitted("elasticsearch", "{logs: {}}");
    expect(elastic).toContain("/_security/role/mcp_store");
    expect(elastic).toContain('"view_index_metadata"');
  });
});
