import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { openHttp, requestJson } from "#runtime/http";
import { globMatcher, labelMatcher } from "#runtime/prometheus/matcher";
import { summaryOf } from "#runtime/prometheus/sample";
import { settingsOf } from "#runtime/settings";
import { secondsOf, timeOf } from "#runtime/time";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { freePort } from "../../test/live/server.ts";
import { link, tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers in ways that no Prometheus does. */
async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const moduleAt = (url: string, environment: Record<string, string> = {}): OpenModule =>
  openModule(tools, { MCP_PROMETHEUS_URL: url, ...environment });

const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);
const query = async (url: string, environment?: Record<string, string>): Promise<unknown> =>
  await faultOf(moduleAt(url, environment).call("prom_query", { query: "up" }));
const success = (data: unknown): string => JSON.stringify({ status: "success", data });

describe("the tools as data", () => {
  it("S32: the seven names, all of them reads", () => {
    expect(moduleAt("http://localhost").names).toEqual(
      "prom_query prom_query_range prom_alerts prom_targets prom_rules prom_label_values prom_series".split(
        " ",
      ),
    );
    expect(
      tools.tools.every(({ effect, annotations }) => effect === "read" && annotations.readOnlyHint),
    ).toBe(true);
  });

  it("P7: every description says when to use the tool and stays short", () => {
    for (const { description } of tools.tools) {
      expect(description).toMatch(/^Use /);
      expect(description.length).toBeLessThan(200);
    }
  });

  it("R5: no parameter names a host, a tenant or a credential", () => {
    for (const { inputSchema } of tools.tools)
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|url|tenant|user|password|header/i);
  });
});

describe("arguments", () => {
  it.each([
    ["prom_query", {}],
    ["prom_query", { query: "u".repeat(4001) }],
    ["prom_query", { query: "up", limit_series: 501 }],
    ["prom_query", { query: "up", url: "http://elsewhere" }],
    ["prom_query_range", { query: "up", limit_series: 101 }],
    ["prom_query_range", { query: "up", shape: "raw" }],
    ["prom_alerts", { state: "inactive" }],
    ["prom_alerts", { matchers: [{ name: "a", op: "==", value: "" }] }],
    ["prom_alerts", { matchers: [{ name: "a", op: "=", value: "", extra: 1 }] }],
    ["prom_targets", { limit: 501 }],
    ["prom_rules", { health: "ok" }],
    ["prom_label_values", { label: "../admin" }],
    ["prom_label_values", { label: "job", limit: 1001 }],
    ["prom_series", { match: [] }],
    ["prom_series", { match: ["a", "b", "c", "d", "e", "f"] }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt("http://127.0.0.1:1").call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it("a regular expression that could backtrack is refused before anything is asked", async () => {
    for (const value of ["(a+)+b", "[a-z]*", "a{9}", "x*", "a?", "^a$", "\\d"]) {
      const call = moduleAt("http://127.0.0.1:1").call("prom_alerts", {
        matchers: [{ name: "a", op: "=~", value }],
      });
      await expect(call, value).rejects.toThrow("text, ., .*, .+ and | only");
    }
  });
});

describe("hostile upstream", () => {
  it("R5: a redirect is an error, and the credential goes nowhere", async () => {
    const visited: (string | undefined)[] = [];
    const elsewhere = await upstream((request, response) => {
      visited.push(request.headers.authorization);
      response.end(success({}));
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const redirecting = await upstream((_request, response) =>
        response.writeHead(status, { location: `${elsewhere}/api/v1/query` }).end(),
      );
      expect(await query(redirecting, { MCP_PROMETHEUS_TOKEN: "t0ken" })).toMatchObject({
        code: "upstream_unavailable",
        message: `the service answered with a redirect (${status})`,
      });
    }
    expect(visited).toEqual([]);
  });

  it("R1: only the link's own credential is sent, as Bearer or Basic", async () => {
    const seen: (string | undefined)[] = [];
    const url = await upstream((request, response) => {
      seen.push(request.headers.authorization);
      response.end(success({ resultType: "vector", result: [] }));
    });
    await query(url);
    await query(url, { MCP_PROMETHEUS_TOKEN: "t0ken\n" });
    await query(url, { MCP_PROMETHEUS_USER: "reader", MCP_PROMETHEUS_PASSWORD: "gehé:im" });
    expect(seen).toEqual([
      undefined,
      "Bearer t0ken",
      `Basic ${Buffer.from("reader:gehé:im").toString("base64")}`,
    ]);
  });

  it("R7: a body of 100 MB is not read to its end", async () => {
    let sent = 0;
    const url = await upstream((_request, response) => {
      const chunk = Buffer.alloc(1_000_000, "x");
      const send = (): void => {
        while (sent < 100 && !response.destroyed) {
          sent += 1;
          if (!response.write(chunk)) return;
        }
        response.end();
      };
      response.on("drain", send);
      send();
    });
    expect(await query(url)).toMatchObject({ code: "too_large" });
    expect(sent).toBeLessThan(40);
  });

  it("R7: a small body that unpacks to 100 MB is not unpacked to its end", async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000, " "));
    const url = await upstream((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    );
    expect(await query(url)).toMatchObject({ code: "too_large" });
  });

  it("a slow drip ends with the caller's patience, and the connection with it", async () => {
    let closed = false;
    const url = await upstream((_request, response) => {
      const drip = setInterval(() => response.write(" "), 20);
      response.on("close", () => {
        closed = true;
        clearInterval(drip);
      });
    });
    const started = performance.now();
    const error = await faultOf(moduleAt(url).call("prom_query", { query: "up" }, AbortSignal.timeout(300)));
    expect(error).toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(() => closed).toBe(true);
  });

  it("something that accepts and never answers ends with the caller", async () => {
    const url = await upstream(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(moduleAt(url).call("prom_targets", {}, controller.signal)).rejects.toThrow("enough");
  });

  it.each([
    ["no JSON", "<html>nginx</html>"],
    ["half of it", '{"status":"success","da'],
    ["another shape", "[]"],
    ["nothing", ""],
    ["null", "null"],
    ["an error with status 200", '{"status":"error","error":"x"}'],
    ["data of another type", success("x")],
    ["a result of another type", success({ resultType: "vector", result: {} })],
    ["series of another type", success({ resultType: "vector", result: [1] })],
    ["samples of another type", success({ resultType: "vector", result: [{ metric: {}, value: 1 }] })],
    [
      "labels of another type",
      success({ resultType: "vector", result: [{ metric: null, value: [1, "1"] }] }),
    ],
    ["alerts of another type", success({ alerts: 1, activeTargets: 1, groups: 1 })],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const url = await upstream((_request, response) => response.end(body));
    const calls: readonly (readonly [string, Record<string, unknown>])[] = [
      ["prom_query", { query: "up" }],
      ["prom_query_range", { query: "up" }],
      ["prom_alerts", {}],
      ["prom_targets", {}],
      ["prom_rules", {}],
    ];
    for (const [tool, args] of calls)
      expect(await faultOf(moduleAt(url).call(tool, args)), tool).toMatchObject({
        code: "upstream_unavailable",
      });
  });

  it("hostile labels are data: names of the prototype, and long text", async () => {
    const metric = JSON.parse('{"__proto__":"x","constructor":"y","long":""}') as Record<string, string>;
    metric["long"] = "z".repeat(2_000_000);
    const url = await upstream((_request, response) =>
      response.end(success({ resultType: "vector", result: [{ metric, value: [1, "1"] }] })),
    );
    const result = await moduleAt(url).call("prom_query", { query: "up" });
    const text = JSON.stringify(result.data);
    expect(text).toContain('"__proto__":"x"');
    expect(text.length).toBeLessThan(3000);
  });

  it.each([
    [400, "invalid_argument"],
    [401, "denied"],
    [403, "denied"],
    [404, "not_found"],
    [422, "invalid_argument"],
    [429, "rate_limited"],
    [500, "upstream_unavailable"],
    [503, "upstream_unavailable"],
    [504, "timeout"],
  ])("S5: status %i is %s, and its text names no address and no account", async (status, code) => {
    const url = await upstream((request, response) =>
      response
        .writeHead(status)
        .end(JSON.stringify({ error: `at http://${request.headers.host ?? ""}/x`, stack: "secret" })),
    );
    const error = await query(url, { MCP_PROMETHEUS_USER: "reader", MCP_PROMETHEUS_PASSWORD: "geheim" });
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toMatch(/127\.0\.0\.1|reader|geheim|secret/);
  });

  it("an error page of a proxy is not quoted", async () => {
    const url = await upstream((_request, response) =>
      response.writeHead(502).end("<h1>secret backend 10.0.0.1</h1>"),
    );
    expect(String(await query(url))).toBe("ToolFault: the service answered 502");
  });

  it("bytes that are not HTTP", async () => {
    const server = createTcpServer((socket) => socket.on("error", () => undefined).end("-ERR\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    expect(await query(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).toMatchObject({
      code: "upstream_unavailable",
    });
    server.close();
  });

  it("newer servers that honour limit: the total is not guessed", async () => {
    const url = await upstream((request, response) => {
      const limit = Number(new URL(request.url ?? "", "http://x").searchParams.get("limit"));
      response.end(success(Array.from({ length: 30 }, (_, index) => `v${index}`).slice(0, limit)));
    });
    const first = await moduleAt(url).call("prom_label_values", { label: "job", limit: 20 });
    expect(first).toMatchObject({
      page: { returned: 20, total: null },
      truncation: { by: "rows", limit: 20 },
    });
    const second = await moduleAt(url).call("prom_label_values", {
      label: "job",
      limit: 20,
      cursor: first.page?.next_cursor,
    });
    expect(second.page).toEqual({ returned: 10, total: 30, next_cursor: null });
    expect(second.truncation).toBeUndefined();
  });
});

describe("a server that is not there", () => {
  it("is an answer at once, without its address", async () => {
    const port = await freePort();
    const started = performance.now();
    const error = await query(`http://127.0.0.1:${port}`);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error).toMatchObject({
      code: "upstream_unavailable",
      message: "the service cannot be reached (ECONNREFUSED)",
    });
    expect(await query("http://no-such-host.invalid")).toMatchObject({ code: "upstream_unavailable" });
  });

  it("whose network drops packets is an answer within four seconds", async () => {
    const dropping = await droppingPort();
    const started = performance.now();
    expect(await query(`http://127.0.0.1:${dropping.port}`)).toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(4500);
    await dropping.close();
  });

  it("is told apart from one that thinks longer than that", async () => {
    const url = await upstream((_request, response) => {
      setTimeout(() => response.end(success({ resultType: "vector", result: [] })), 4000);
    });
    expect(await query(url)).toMatchObject({ data: { result_type: "vector" } });
  });
});

describe("the address of a link", () => {
  const open = (environment: Record<string, string>) =>
    openHttp(
      link,
      settingsOf(link, environment, () => undefined),
    );

  it("follows the drawing when nothing is set, and keeps the path in front", async () => {
    expect(open({}).base.href).toBe("http://127.0.0.1:9090/");
    const paths: (string | undefined)[] = [];
    const url = await upstream((request, response) => {
      paths.push(request.url);
      response.end(success([]));
    });
    const service = open({ MCP_PROMETHEUS_URL: `${url}/team/prometheus/` });
    await requestJson(service, {
      path: ["api", "a/b?c#d%2e", "ü"],
      query: { q: "x&y", list: ["1", "2"] },
      signal: new AbortController().signal,
    });
    expect(paths).toEqual(["/team/prometheus/api/a%2Fb%3Fc%23d%252e/%C3%BC?q=x%26y&list=1&list=2"]);
  });

  it.each(["", ".", ".."])("a path segment %j cannot climb", async (segment) => {
    const request = { path: ["api", segment, "x"], signal: new AbortController().signal };
    await expect(requestJson(open({}), request)).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it.each([
    ["URL", "prometheus:9090"],
    ["URL", "nonsense"],
    ["URL", "file:///etc/passwd"],
    ["URL", "http://user:pw@host"],
    ["URL", "http://host/?a=1"],
    ["TOKEN", "two\nlines"],
    ["USER", "a:b"],
  ])("%s=%j stops the start and is not printed", (name, value) => {
    expect(() => open({ [`MCP_PROMETHEUS_${name}`]: value })).toThrow(new RegExp(`^MCP_PROMETHEUS_${name} `));
    expect(() => open({ [`MCP_PROMETHEUS_${name}`]: value })).not.toThrow(value.replace(/[/?\n]/g, "."));
  });
});

describe("times, matchers and summaries", () => {
  it("every form of time is the same second", () => {
    const now = Date.parse("2026-01-31T12:00:00Z");
    expect(timeOf("now", "time", now)).toBe(now / 1000);
    expect(timeOf("now-1h30m", "time", now)).toBe(now / 1000 - 5400);
    expect(timeOf("2026-01-31T13:00:00+01:00", "time")).toBe(now / 1000);
    expect(timeOf("1769860800.5", "time")).toBe(1769860800.5);
    expect(secondsOf("1w2d3h4m5s6ms")).toBeCloseTo(788_645.006);
    for (const text of [
      "",
      "now-",
      "now-1y",
      "2026-01-31",
      "1e9",
      "-1",
      "now-1h now",
      "2026-13-01T00:00:00Z",
    ]) {
      expect(() => timeOf(text, "since"), text).toThrow("since is not a time");
    }
  });

  it("a glob agrees with a regular expression, and stays quick where that would not", () => {
    const alphabet = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    fc.assert(
      fc.property(alphabet, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }), (glob, text) => {
        expect(globMatcher(glob)(text)).toBe(new RegExp(`^${glob.replaceAll("*", ".*")}$`).test(text));
      }),
    );
    const started = performance.now();
    expect(globMatcher(`${"*a".repeat(99)}*b`)("a".repeat(1000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });

  it("a matcher agrees with an anchored regular expression", () => {
    const pattern = fc
      .array(fc.constantFrom("a", "b", ".", ".*", ".+", "|", "\\."), { maxLength: 7 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 9 }),
        (value, text) => {
          const expected = new RegExp(`^(?:${value})$`).test(text);
          expect(labelMatcher([{ name: "l", op: "=~", value }])({ l: text }), `${value} on ${text}`).toBe(
            expected,
          );
          expect(labelMatcher([{ name: "l", op: "!~", value }])({ l: text })).toBe(!expected);
        },
      ),
    );
  });

  it("a summary leaves out what is not finite and says how much that was", () => {
    expect(
      summaryOf([
        [1, 1],
        [2, "NaN"],
        [3, 3],
        [4, "+Inf"],
      ]),
    ).toEqual({
      min: 1,
      max: 3,
      avg: 2,
      first: 1,
      last: "+Inf",
      count: 4,
      trend: "rising",
      nan: 2,
    });
    expect(summaryOf([]).count).toBe(0);
    expect(
      summaryOf([
        [1, 5],
        [2, 5],
      ]).trend,
    ).toBe("flat");
    expect(
      summaryOf([
        [1, 0],
        [2, 0],
      ]).trend,
    ).toBe("flat");
    expect(
      summaryOf([
        [1, 9],
        [2, -9],
      ]).trend,
    ).toBe("falling");
  });
});
