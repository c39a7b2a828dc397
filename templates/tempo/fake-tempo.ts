/**
 * A fake of Tempo, after the HTTP API that its vendor describes for 2.9: no Tempo can be had where these tests run.
 *
 * It searches with the part of TraceQL that the tests need and refuses the rest, as Tempo refuses what it cannot
 * parse. What would change or stop a Tempo is open, and only counted.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeSpan {
  readonly id: string;
  readonly parent?: string;
  readonly service: string;
  readonly name: string;
  /** Milliseconds from the start of the trace. */
  readonly from: number;
  readonly to: number;
  readonly error?: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

export interface FakeTrace {
  readonly id: string;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly spans: readonly FakeSpan[];
  /** As Tempo says it of a trace that it could not read as a whole. */
  readonly partial?: string;
}

export interface FakeTempo {
  readonly port: number;
  /** Requests that would have changed something. */
  readonly changes: () => number;
  /** Searches that the client ended before their answer. */
  readonly cancelled: () => number;
  stop(): Promise<void>;
}

const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");
const nanoseconds = (milliseconds: number): string => `${Math.round(milliseconds * 1000)}000`;

function valueOf(value: string | number | boolean): object {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "string") return { stringValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const attributesOf = (values: NonNullable<FakeSpan["attributes"]>): object[] =>
  Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }));

function spanOf(trace: FakeTrace, span: FakeSpan): object {
  const status =
    span.error === undefined ? {} : { status: { code: "STATUS_CODE_ERROR", message: span.error } };
  return {
    traceId: base64(trace.id),
    spanId: base64(span.id),
    ...(span.parent === undefined ? {} : { parentSpanId: base64(span.parent) }),
    name: span.name,
    kind: "SPAN_KIND_SERVER",
    startTimeUnixNano: nanoseconds(trace.start + span.from),
    endTimeUnixNano: nanoseconds(trace.start + span.to),
    attributes: attributesOf(span.attributes ?? {}),
    ...status,
  };
}

function wholeTrace(trace: FakeTrace): object {
  const services = [...new Set(trace.spans.map(({ service }) => service))];
  const resourceSpans = services.map((service) => ({
    resource: { attributes: attributesOf({ "service.name": service }) },
    scopeSpans: [
      {
        scope: {},
        spans: trace.spans.filter((span) => span.service === service).map((span) => spanOf(trace, span)),
      },
    ],
  }));
  const partial = trace.partial === undefined ? {} : { status: "PARTIAL", message: trace.partial };
  return { trace: { resourceSpans }, metrics: {}, ...partial };
}

const lengthOf = ({ spans }: FakeTrace): number => Math.max(...spans.map(({ to }) => to));

type Test = (trace: FakeTrace) => boolean;

/** One comparison of a spanset filter, or `undefined` for what this fake cannot parse. */
function comparison(text: string): Test | undefined {
  const [, name, value] =
    /^(resource\.service\.name|name|status|duration)\s*[=>]\s*"?([^"]*)"?$/.exec(text) ?? [];
  if (name === undefined || value === undefined) return undefined;
  const some =
    (test: (span: FakeSpan) => boolean): Test =>
    (trace) =>
      trace.spans.some(test);
  if (name === "resource.service.name") return some(({ service }) => service === value);
  if (name === "name") return some((span) => span.name === value);
  if (name === "status") return some(({ error }) => (error !== undefined) === (value === "error"));
  return some(({ from, to }) => to - from > Number.parseFloat(value));
}

function searchFor(query: string): Test | undefined {
  const [, body] = /^\s*\{(.*)\}\s*$/s.exec(query) ?? [];
  if (body === undefined) return undefined;
  const tests = body.trim() === "" ? [] : body.split("&&").map((each) => comparison(each.trim()));
  if (tests.includes(undefined)) return undefined;
  return (trace) => tests.every((test) => test?.(trace));
}

function foundOf(trace: FakeTrace): object {
  const root = trace.spans.find(({ parent }) => parent === undefined);
  const services = new Map<string, { spanCount: number; errorCount: number }>();
  for (const { service, error } of trace.spans) {
    const stats = services.get(service) ?? { spanCount: 0, errorCount: 0 };
    stats.spanCount += 1;
    stats.errorCount += error === undefined ? 0 : 1;
    services.set(service, stats);
  }
  return {
    traceID: trace.id.replace(/^0+/, ""),
    rootServiceName: root?.service ?? "<root span not yet received>",
    rootTraceName: root?.name ?? "",
    startTimeUnixNano: nanoseconds(trace.start),
    durationMs: lengthOf(trace),
    spanSets: [{ spans: [], matched: trace.spans.length }],
    serviceStats: Object.fromEntries(services),
  };
}

const written = (response: ServerResponse, body: string): void => {
  response.setHeader("content-type", "application/json");
  response.end(body);
};
const json = (response: ServerResponse, body: object): void => written(response, JSON.stringify(body));
const plain = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
};

function tagsOf(traces: readonly FakeTrace[], scope: string | null): object {
  const names = traces.flatMap(({ spans }) =>
    spans.flatMap(({ attributes }) => Object.keys(attributes ?? {})),
  );
  const scopes = [
    { name: "resource", tags: ["service.name"] },
    { name: "span", tags: [...new Set(names)] },
    { name: "intrinsic", tags: ["duration", "name", "status"] },
  ];
  return { scopes: scopes.filter(({ name }) => scope === null || scope === name), metrics: {} };
}

function valuesOf(traces: readonly FakeTrace[], tag: string): object {
  const spans = traces.flatMap((trace) => trace.spans);
  const values = spans.flatMap((span) => {
    if (tag === "resource.service.name" || tag === ".service.name") return [span.service];
    const value = span.attributes?.[tag.replace(/^(span)?\./, "")];
    return value === undefined ? [] : [String(value)];
  });
  return { tagValues: [...new Set(values)].map((value) => ({ type: "string", value })), metrics: {} };
}

/** Serves the traces of the tenant that a request names, on a free port of loopback. */
export async function startFakeTempo(traces: readonly FakeTrace[]): Promise<FakeTempo> {
  let changes = 0;
  let cancelled = 0;
  // Written out beforehand: what is measured is the client, not this fake.
  const bodies = new Map(traces.map((trace) => [trace, JSON.stringify(wholeTrace(trace))]));

  function search(url: URL, mine: readonly FakeTrace[], response: ServerResponse): void {
    const query = url.searchParams.get("q") ?? "";
    const test = searchFor(query);
    if (test === undefined) {
      plain(
        response,
        400,
        `invalid TraceQL query: parse error at line 1, col ${query.length}: syntax error: unexpected end`,
      );
      return;
    }
    const [start, end] = ["start", "end"].map((name) => Number(url.searchParams.get(name)) * 1000);
    const limit = Number(url.searchParams.get("limit") ?? 20);
    const within = mine.filter(
      (trace) => trace.start <= (end ?? 0) && trace.start + lengthOf(trace) >= (start ?? 0),
    );
    const found = within.filter(test).slice(0, limit);
    const isSlow = query.includes('"slow"');
    const timer = setTimeout(
      () => json(response, { traces: found.map(foundOf), metrics: {} }),
      isSlow ? 5000 : 0,
    );
    response.on("close", () => {
      clearTimeout(timer);
      if (!response.writableFinished) cancelled += 1;
    });
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "", "http://fake");
    const tenant = request.headers["x-scope-orgid"];
    if (request.method !== "GET" || /^\/(flush|shutdown|api\/overrides|v1\/traces)/.test(url.pathname)) {
      changes += 1;
      plain(response, 204, "");
      return;
    }
    if (tenant === undefined) return plain(response, 401, "no org id");
    const mine = traces.filter((trace) => trace.tenant === tenant);
    const [, id] = /^\/api\/v2\/traces\/([0-9a-fA-F]+)$/.exec(url.pathname) ?? [];
    const [, tag] = /^\/api\/v2\/search\/tag\/([^/]+)\/values$/.exec(url.pathname) ?? [];
    if (id !== undefined) {
      const trace = mine.find((each) => each.id === id.toLowerCase().padStart(32, "0"));
      return trace === undefined
        ? plain(response, 404, "trace not found")
        : written(response, bodies.get(trace) ?? "");
    }
    if (tag !== undefined) return json(response, valuesOf(mine, decodeURIComponent(tag)));
    if (url.pathname === "/api/v2/search/tags")
      return json(response, tagsOf(mine, url.searchParams.get("scope")));
    if (url.pathname === "/api/search") return search(url, mine, response);
    return plain(response, 200, "something else that a Tempo tells");
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    changes: () => changes,
    cancelled: () => cancelled,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
