import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { groupByStream, linesOf, pageEnd, timeText } from "#runtime/loki/lines";
import { reachOf } from "#runtime/loki/logql";
import { patternsOf } from "#runtime/loki/patterns";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const GIB = 1024 ** 3;
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

async function upstream(answer: Answer): Promise<string> {
  const server = createServer((request, response) =>
    answer(request, response, new URL(request.url ?? "", "http://x")),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const moduleAt = (url: string, environment: Record<string, string> = {}): OpenModule =>
  openModule(tools, { MCP_LOKI_URL: url, ...environment });
const success = (data: unknown): string => JSON.stringify({ status: "success", data });
const streams = (result: unknown): string => success({ resultType: "streams", result });
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

/** A server that knows what a query would read, and answers it with `body`. */
const knowing = async (bytes: number, body: string, asked: URL[] = []): Promise<string> =>
  await upstream((_request, response, url) => {
    asked.push(url);
    response.end(
      url.pathname.endsWith("/index/stats")
        ? JSON.stringify({ streams: 1, chunks: 1, bytes, entries: 1 })
        : body,
    );
  });

const LINES = { query: '{app="api"}' };

describe("the tools as data", () => {
  it("S32: the five names, all of them reads", () => {
    expect(moduleAt("http://localhost").names).toEqual([
      "loki_query",
      "loki_query_range",
      "loki_labels",
      "loki_label_values",
      "loki_series",
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
    ["loki_query", {}],
    ["loki_query", { query: "x".repeat(2001) }],
    ["loki_query", { ...LINES, tenant: "other" }],
    ["loki_query_range", { ...LINES, limit: 501 }],
    ["loki_query_range", { ...LINES, limit: 0 }],
    ["loki_query_range", { ...LINES, shape: "raw" }],
    ["loki_query_range", { ...LINES, url: "http://elsewhere" }],
    ["loki_label_values", { label: "../push" }],
    ["loki_label_values", { label: "app", limit: 1001 }],
    ["loki_series", { match: [] }],
    ["loki_series", { match: Array.from({ length: 6 }, () => '{a="b"}') }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("invalid arguments");
  });
});

describe("what a query would read", () => {
  it("selectors, ranges and offsets are found, and strings and comments are not", () => {
    const reach = reachOf(
      'sum(rate({app="a}[9d]"} |= "{x=`y`}" # {b="c"}[1y]\n[1h30m] offset 1d)) / sum(rate({app=~`b.*`}[5m]))',
    );
    expect(reach).toMatchObject({
      isLogQuery: false,
      selectors: ['{app="a}[9d]"}', "{app=~`b.*`}"],
      rangeS: 5400,
      offsetS: 86_400,
    });
    expect(reach.text).not.toContain("#");
    expect(reachOf('({app="a"} |~ "[0-9]+")')).toMatchObject({ isLogQuery: true, rangeS: 0 });
  });

  it.each([
    "{}",
    "{ }",
    '{app=~".*"}',
    '{app=~".+"}',
    '{app=~"(.+)"}',
    '{app=~"(?:.|x)+"}',
    '{app=~"(?i).+"}',
    '{app=~"^.*$"}',
    '{app=~".{1,}"}',
    '{app=~"[a-z]+"}',
    '{app=~"\\\\w+"}',
    "{app=~`\\S+`}",
    '{app=~"api|.+"}',
    '{app=~"(x)?.+"}',
    '{app=~"x*.+"}',
    '{app!="x"}',
    '{app!~"x.*"}',
    '{app=""}',
    'sum(rate({app="a"}[5m])) + sum(rate({app=~".+"}[5m]))',
  ])("%s is refused before anything is asked", async (query) => {
    const call = moduleAt("http://127.0.0.1:1").call("loki_query_range", { query });
    await expect(call).rejects.toMatchObject({
      code: "invalid_argument",
      message: "a stream selector would read every stream",
    });
  });

  it.each([
    '{app="a"}',
    '{app=~"api-.*"}',
    '{app=~"api|web"}',
    '{app=~"(api|web)-[0-9]+"}',
    '{x!="y", app=~"(?i)api"}',
  ])("%s is not", (query) => expect(reachOf(query).selectors).toEqual([query]));

  it.each([
    ['{app="a"', "no end"],
    ['{app="a}', "without its end"],
    ["{app='a'}", "without its end"],
    ["{app}", "cannot be read"],
    ["sum(1)", "no stream selector"],
    ['rate({app="a"}[$__interval])', "not a duration"],
    [Array.from({ length: 6 }, (_, at) => `rate({app="${at}"}[1m])`).join(" + "), "more than 5"],
  ])("%s: %s", (query, message) => expect(() => reachOf(query)).toThrow(message));

  it("any text is answered in little time", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."{}[]()\"`'#\\=~,.*+?|ab1 \n"), maxLength: 2000 }),
        (query) => {
          const started = performance.now();
          try {
            reachOf(query);
          } catch (error) {
            expect(error).toMatchObject({ code: "invalid_argument" });
          }
          expect(performance.now() - started).toBeLessThan(200);
        },
      ),
    );
    for (const query of [
      "(".repeat(1990),
      '"\\'.repeat(990),
      `{a=~"${"(".repeat(900)}${")*".repeat(450)}"}`,
      `{a=~"${"[".repeat(1900)}"}`,
    ]) {
      const started = performance.now();
      expect(() => reachOf(query)).toThrow();
      expect(performance.now() - started).toBeLessThan(200);
    }
  });

  it.each([
    ["loki_query_range", { ...LINES, start: "now-25h" }],
    ["loki_query_range", { query: 'rate({app="a"}[2h])', start: "now-23h" }],
    ["loki_query", { query: 'rate({app="a"}[25h])' }],
    ["loki_series", { match: ['{app="a"}'], start: "now-2d" }],
    ["loki_labels", { start: "now-2d" }],
  ])("R7: %s %j is more than a day", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("at most 24 hours");
  });

  it("R7: more than the operator allows is refused with the figure, and not read", async () => {
    const asked: URL[] = [];
    const url = await knowing(12.5 * GIB, streams([]), asked);
    await expect(moduleAt(url).call("loki_query_range", LINES)).rejects.toMatchObject({
      code: "too_large",
      message: "the query would read 12.50 GiB, more than 10.00 GiB",
    });
    expect(asked.map(({ pathname }) => pathname)).toEqual(["/loki/api/v1/index/stats"]);
    const wide = moduleAt(url, { MCP_LOKI_MAX_SCAN_BYTES: String(13 * GIB) });
    expect((await wide.call("loki_query_range", LINES)).warnings).toEqual([]);
    await expect(
      moduleAt(url, { MCP_LOKI_MAX_SCAN_BYTES: String(20 * GIB) }).call("loki_query", {
        query: 'sum(rate({app="a"}[1h])) / sum(rate({app="b"}[1h] offset 2h))',
      }),
    ).rejects.toThrow("would read 25.00 GiB");
    const last = asked.at(-1)?.searchParams;
    const span = Number(last?.get("end")) - Number(last?.get("start"));
    expect(span / 3.6e12, "the range and the offset are read too").toBeCloseTo(3, 2);
  });

  it("a server that cannot tell is named in a warning; one that answers otherwise is not believed", async () => {
    const silent = await upstream((_request, response, url) =>
      url.pathname.endsWith("/index/stats")
        ? response.writeHead(404).end("404 page not found")
        : response.end(streams([])),
    );
    const { warnings } = await moduleAt(silent).call("loki_query_range", LINES);
    expect(warnings).toEqual([expect.stringContaining("cannot tell how much")]);
    const odd = await upstream((_request, response) => response.end('{"bytes":"many"}'));
    await expect(moduleAt(odd).call("loki_query_range", LINES)).rejects.toMatchObject({
      code: "upstream_unavailable",
    });
  });
});

describe("pages of lines", () => {
  const line = (at: number, text = `line ${at}`): [string, string] => [
    String(1_700_000_000_000_000_000n + BigInt(at)),
    text,
  ];

  it("end between instants, in both directions, and lose nothing", async () => {
    // Three streams, several lines at one instant.
    const all = Array.from({ length: 60 }, (_, index) => ({
      app: `s${index % 3}`,
      value: line(Math.floor(index / 4), `line ${index}`),
    }));
    const url = await upstream((_request, response, { pathname, searchParams }) => {
      if (pathname.endsWith("/index/stats")) return response.writeHead(404).end();
      const [from, to] = [BigInt(searchParams.get("start") ?? 0), BigInt(searchParams.get("end") ?? 0)];
      const isForward = searchParams.get("direction") === "forward";
      const within = all.filter(({ value }) => BigInt(value[0]) >= from && BigInt(value[0]) < to);
      const ordered = isForward ? within : within.reverse();
      const few = ordered.slice(0, Number(searchParams.get("limit")));
      const apps = [...new Set(few.map(({ app }) => app))];
      return response.end(
        streams(
          apps.map((app) => ({
            stream: { app },
            values: few.filter((each) => each.app === app).map(({ value }) => value),
          })),
        ),
      );
    });
    for (const direction of ["forward", "backward"]) {
      const seen: string[] = [];
      let cursor: string | null | undefined;
      let pages = 0;
      do {
        const args = {
          ...LINES,
          start: "1699999990",
          end: "1700000010",
          shape: "lines",
          limit: 7,
          direction,
          ...(cursor ? { cursor } : {}),
        };
        const result = await moduleAt(url).call("loki_query_range", args);
        seen.push(...(result.data as { lines: { line: string }[] }).lines.map((each) => each.line));
        cursor = result.page?.next_cursor;
        if (cursor !== null) expect(result.truncation).toMatchObject({ by: "rows", limit: 7 });
        pages += 1;
      } while (cursor !== null && pages < 99);
      expect(new Set(seen).size, direction).toBe(60);
      expect(seen.length, direction).toBe(60);
    }
  });

  it("an instant with more lines than fit is said, not lost in silence", () => {
    const lines = linesOf([{ stream: { a: "b" }, values: [line(1), line(1), line(1), line(2)] }], "forward");
    const range = { from: 0n, to: 10n ** 19n };
    expect(pageEnd(lines, 2, range, "forward")).toEqual({ kept: 2, next: null });
    expect(pageEnd(lines, 3, range, "forward")).toMatchObject({ kept: 3, next: { from: lines[3]?.at } });
    expect(pageEnd(lines, 4, range, "forward")).toEqual({ kept: 4, next: null });
  });

  it("a cursor that a caller wrote reads no more than a call may", async () => {
    const url = await knowing(1, streams([{ stream: { a: "b" }, values: [line(2), line(1)] }]));
    const args = { ...LINES, limit: 1, shape: "lines" };
    const { page } = await moduleAt(url).call("loki_query_range", args);
    const cursor = Buffer.from(page?.next_cursor ?? "", "base64url").toString();
    const forged = (position: string): string => {
      const [, key] = JSON.parse(cursor) as [string, string];
      return Buffer.from(JSON.stringify([position, key])).toString("base64url");
    };
    for (const position of ["0:99999999999999999", "5:1", "x", "1:2:3", "-1:2", "1e9:2"]) {
      const call = moduleAt(url).call("loki_query_range", { ...args, cursor: forged(position) });
      expect(await faultOf(call), position).toMatchObject({ code: "invalid_argument" });
    }
    const other = moduleAt(url).call("loki_query_range", {
      ...args,
      query: '{app="b"}',
      cursor: page?.next_cursor,
    });
    await expect(other).rejects.toThrow("does not belong");
  });

  it("500 wide lines are cut to a page of 48 KiB, patterns to their number", async () => {
    const values = Array.from({ length: 501 }, (_, at) => line(501 - at, `${"w".repeat(5000)} ${at}`));
    const url = await knowing(1, streams([{ stream: { app: "api" }, values }]));
    const grouped = await moduleAt(url).call("loki_query_range", { ...LINES, limit: 500 });
    expect(JSON.stringify(grouped).length).toBeLessThan(60_000);
    expect(grouped).toMatchObject({
      truncation: { by: "bytes" },
      page: { total: null, next_cursor: expect.any(String) },
    });
    const patterns = await moduleAt(url).call("loki_query_range", {
      ...LINES,
      limit: 500,
      shape: "patterns",
    });
    expect(patterns.data).toMatchObject({ read: 500, patterns: [{ count: 500 }] });
    expect(patterns.truncation).toMatchObject({ by: "rows", limit: 500 });
  });

  it("patterns leave out what differs, and groups name a stream once", () => {
    const texts = [
      "2026-01-31T12:00:00.5Z GET /order/17 took 12ms id=6f1c8f7e-0c1b-4a0e-9a55-0123456789ab",
      "2026-01-31T12:00:01Z GET /order/918 took 3.5ms id=ffffffff-0c1b-4a0e-9a55-0123456789ab",
      "deadbeef01 gone",
    ];
    const lines = linesOf(
      [{ stream: { a: "b" }, values: texts.map((text, at) => line(at, text)) }],
      "forward",
    );
    expect(patternsOf(lines)).toEqual([
      {
        pattern: "<*> GET /order/<*> took <*>ms id=<*>",
        count: 2,
        first: timeText(lines[0]?.at ?? 0n),
        last: timeText(lines[1]?.at ?? 0n),
      },
      { pattern: "<*> gone", count: 1, first: expect.any(String), last: expect.any(String) },
    ]);
    expect(groupByStream(lines)).toMatchObject([{ labels: { a: "b" }, lines: [{}, {}, {}] }]);
    expect(timeText(1_700_000_000_000_000_001n)).toBe("2023-11-14T22:13:20.000000001Z");
  });
});

describe("the service", () => {
  it("R1: the tenant and the credential are the link's, and a query stands in a GET", async () => {
    const seen: (string | undefined)[] = [];
    const url = await upstream((request, response) => {
      seen.push(
        request.method,
        request.headers["x-scope-orgid"] as string | undefined,
        request.headers.authorization,
      );
      response.end(success([]));
    });
    await moduleAt(url).call("loki_labels");
    await moduleAt(url, { MCP_LOKI_TENANT: "team-a", MCP_LOKI_TOKEN: "t0ken" }).call("loki_labels");
    expect(seen).toEqual(["GET", undefined, undefined, "GET", "team-a", "Bearer t0ken"]);
  });

  it.each([
    ["TENANT", "a|b"],
    ["TENANT", "a\nb"],
    ["MAX_SCAN_BYTES", "10GiB"],
    ["MAX_SCAN_BYTES", String(2 ** 50)],
  ])("%s=%j stops the start", async (name, value) => {
    const call = moduleAt("http://127.0.0.1:1", { [`MCP_LOKI_${name}`]: value }).call("loki_labels");
    await expect(call).rejects.toThrow(`MCP_LOKI_${name} must be`);
  });

  it("S5: Loki's own words about a query come through, a proxy's page and a status do not", async () => {
    const refusing = (status: number, text: string) =>
      upstream((_request, response, { pathname }) =>
        pathname.endsWith("stats") ? response.writeHead(404).end() : response.writeHead(status).end(text),
      );
    const said = await faultOf(
      moduleAt(await refusing(400, "parse error at line 1, col 3: x\n")).call("loki_query_range", LINES),
    );
    expect(said).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("parse error at line 1, col 3"),
    });
    const page = await faultOf(
      moduleAt(await refusing(400, "<html>10.0.0.1</html>")).call("loki_query_range", LINES),
    );
    expect(String(page)).not.toContain("10.0.0.1");
    for (const [status, code] of [
      [401, "denied"],
      [403, "denied"],
      [429, "rate_limited"],
      [500, "upstream_unavailable"],
      [504, "timeout"],
    ] as const)
      expect(
        await faultOf(moduleAt(await refusing(status, "at 10.0.0.1")).call("loki_query_range", LINES)),
      ).toMatchObject({ code, message: expect.not.stringContaining("10.0.0.1") });
  });

  it.each([
    ["no JSON", "<html>"],
    ["an error with status 200", '{"status":"error"}'],
    ["data of another type", success("x")],
    ["streams of another type", streams({})],
    ["values of another type", streams([{ stream: {}, values: 1 }])],
    ["times of another type", streams([{ stream: {}, values: [[1, "x"]] }])],
    ["lines of another type", streams([{ stream: {}, values: [["1", 2]] }])],
    ["labels of another type", streams([{ stream: null, values: [] }])],
  ])("an answer with %s is upstream_unavailable", async (_what, body) => {
    const url = await knowing(1, body);
    for (const shape of ["lines", "grouped", "patterns"])
      expect(await faultOf(moduleAt(url).call("loki_query_range", { ...LINES, shape }))).toMatchObject({
        code: "upstream_unavailable",
      });
  });

  it("R5: a redirect is an error, and aborting ends the call", async () => {
    const url = await upstream((_request, response) =>
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    );
    await expect(moduleAt(url).call("loki_labels")).rejects.toThrow("redirect (302)");
    const hanging = await upstream(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(moduleAt(hanging).call("loki_query_range", LINES, controller.signal)).rejects.toThrow(
      "enough",
    );
  });

  it("a log query has no figures, a match no filter", async () => {
    const module = moduleAt("http://127.0.0.1:1");
    await expect(module.call("loki_query", LINES)).rejects.toMatchObject({
      hint: expect.stringContaining("loki_query_range"),
    });
    for (const match of ['{app="a"} |= "x"', 'rate({app="a"}[1m])', '{app="a"}{b="c"}'])
      await expect(module.call("loki_series", { match: [match] }), match).rejects.toThrow(
        "not a stream selector",
      );
    await expect(
      module.call("loki_query_range", { query: 'rate({app="a"}[1m])', step: "1s" }),
    ).rejects.toThrow("more than 250 points");
  });
});

describe("what is emitted", () => {
  const stack = (loki: string): string =>
    `apiVersion: topology/v1\nstack: stack\ncomponents: {loki: ${loki}}\nlinks: {mcp: {loki: read}}\n`;

  it("the account pins the tenant, or none", async () => {
    const tenant = "a.b!_*'()-c";
    const drawn = await treeOf(stack(`{tenant: "${tenant}", path: /logs, scheme: https}`));
    const conf = drawn.get("principals/loki/nginx.conf")?.text ?? "";
    expect(conf).toContain(`proxy_set_header X-Scope-OrgID "${tenant}";`);
    expect(conf).toContain("location ~ ^/logs/loki/api/v1/(?:query|");
    expect(conf).toContain("proxy_ssl_verify on;");
    expect(drawn.get("k8s/configmap.yaml")?.text).toContain(`"MCP_LOKI_TENANT": "${tenant}"`);
    const none = await treeOf(stack("{port: 80, pod_port: 8080}"));
    expect(none.get("k8s/networkpolicy.yaml")?.text).toMatch(/# mcp->loki\n(?:[^#]*\n)*? *- port: 8080\b/);
    expect(none.get("k8s/configmap.yaml")?.text).toMatch(/"MCP_LOKI_URL": "http:\/\/[^"]+:80"/);
    expect(none.get("principals/loki/nginx.conf")?.text).toContain('proxy_set_header X-Scope-OrgID "";');
    expect(none.get("k8s/configmap.yaml")?.text).not.toContain("WRITE_ACCESS");
  });
});
