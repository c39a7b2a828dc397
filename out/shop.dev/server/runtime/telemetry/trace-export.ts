import type { Audit } from "#runtime/audit/audit";
import type { RequestEnd, RequestFacts } from "#runtime/call/exchange";
import { StartError } from "#runtime/start-error";
import { newTrace } from "#runtime/call/trace";

/** Spans in OpenTelemetry's OTLP over HTTP, in JSON; never waited for, and dropped when nobody takes them. */
export interface TraceExport {
  /** The same audit, of whose requests spans are made. */
  traced(audit: Audit): Audit;
  close(): Promise<void>;
}

const MOST_WAITING = 2_000;
const BATCH = 200;
const EVERY_MS = 2_000;
const TIMEOUT_MS = 5_000;
const SERVER_KIND = 2;
const ERROR_STATUS = 2;

function attribute(key: string, value: string): object {
  return { key, value: { stringValue: value } };
}

function nanoseconds(milliseconds: number): string {
  return `${BigInt(Math.round(milliseconds)) * 1_000_000n}`;
}

function spanOf(facts: RequestFacts, { status, latencyMs }: RequestEnd): object | undefined {
  const { traceId, parentId, spanId, isSampled } = facts.trace ?? newTrace();
  if (!isSampled) return undefined;
  const { method = "", link, fault } = facts;
  const tool = link === undefined ? undefined : facts.tool;
  const error = fault ?? (status >= 400 ? String(status) : undefined);
  const end = Date.now();
  const optional: readonly (readonly [string, string | undefined])[] = [
    ["mcp.method.name", method],
    ["gen_ai.tool.name", tool],
    ["gen_ai.operation.name", tool === undefined ? undefined : "execute_tool"],
    ["mcp.session.id", facts.mcpSession],
    ["error.type", error],
    ["network.transport", "tcp"],
    ["mcp.decision", facts.decision],
    ["mcp.reason", facts.reason],
  ];
  return {
    traceId,
    spanId,
    ...(parentId === null ? {} : { parentSpanId: parentId }),
    name: tool === undefined ? method : `${method} ${tool}`,
    kind: SERVER_KIND,
    startTimeUnixNano: nanoseconds(end - latencyMs),
    endTimeUnixNano: nanoseconds(end),
    attributes: optional.flatMap(([key, value]) => (value === undefined ? [] : [attribute(key, value)])),
    status: error === undefined ? {} : { code: ERROR_STATUS },
  };
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new StartError("OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL without a user in it");
  return new URL(`${url.pathname.replace(/\/$/, "")}/v1/traces`, url);
}

export function openTraceExport(service: string, endpoint: string): TraceExport {
  const url = endpointOf(endpoint);
  const waiting: object[] = [];
  const resource = { attributes: [attribute("service.name", service)] };
  const flush = async (): Promise<void> => {
    const spans = waiting.splice(0, BATCH);
    if (spans.length === 0) return;
    const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "topogate" }, spans }] }] };
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await answer.body?.cancel();
    } catch {
      // A trace is a convenience: what was done stands in the audit.
    }
  };
  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();
  return {
    traced: (audit) => ({
      ...audit,
      result: (requestId, facts, end) => {
        audit.result(requestId, facts, end);
        const span = waiting.length < MOST_WAITING ? spanOf(facts, end) : undefined;
        if (span !== undefined) waiting.push(span);
      },
    }),
    close: async () => {
      clearInterval(timer);
      await flush();
    },
  };
}
