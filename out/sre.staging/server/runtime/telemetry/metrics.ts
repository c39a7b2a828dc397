import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { Audit } from "#runtime/audit/audit";
import type { RequestEnd, RequestFacts } from "#runtime/call/exchange";
import type { ForwardCounts } from "#runtime/http/forwarder";
import { PROPOSAL_CHANGES } from "#runtime/approval/watched";
import type { ProposalChange } from "#runtime/approval/watched";

/** Figures for Prometheus, worked out from what the audit is told: every request is in both or in neither. */
export interface Metrics {
  /** The same audit, which is counted as it is written. */
  measured(audit: Audit): Audit;
  /** Counts what happened to a proposal. */
  approval(state: ProposalChange): void;
  /** In Prometheus' text format; `webhook` is missing where nobody is told about proposals. */
  text(audit: Audit, webhook?: ForwardCounts): string;
}

type Labels = Readonly<Record<string, string>>;

/** Bounds of a call in seconds, as OpenTelemetry advises for MCP. */
const BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Everything else is `other`: what a client sends must not make series. */
const METHODS = new Set([
  "completion/complete",
  "initialize",
  "notifications/cancelled",
  "notifications/initialized",
  "ping",
  "prompts/get",
  "prompts/list",
  "resources/list",
  "resources/read",
  "resources/templates/list",
  "server/discover",
  "tools/call",
  "tools/list",
]);

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function series(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

interface Counter {
  add(labels: Labels, by?: number): void;
  lines(): readonly string[];
}

function counter(name: string, help: string): Counter {
  const values = new Map<string, number>();
  return {
    add: (labels, by = 1) => {
      const key = series(name, labels);
      values.set(key, (values.get(key) ?? 0) + by);
    },
    lines: () => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} counter`,
      ...[...values].map(([key, value]) => `${key} ${value}`),
    ],
  };
}

interface Observed {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  total: number;
}

function histogram(
  name: string,
  help: string,
): { observe(labels: Labels, value: number): void; lines(): readonly string[] } {
  const values = new Map<string, Observed>();
  return {
    observe: (labels, value) => {
      const key = series(name, labels);
      const seen = values.get(key) ?? { labels, counts: BUCKETS.map(() => 0), sum: 0, total: 0 };
      values.set(key, seen);
      seen.sum += value;
      seen.total += 1;
      for (const [at, bound] of BUCKETS.entries())
        if (value <= bound) seen.counts[at] = (seen.counts[at] ?? 0) + 1;
    },
    lines: () => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} histogram`,
      ...[...values.values()].flatMap(({ labels, counts, sum, total }) => [
        ...BUCKETS.map(
          (bound, at) => `${series(`${name}_bucket`, { ...labels, le: String(bound) })} ${counts[at] ?? 0}`,
        ),
        `${series(`${name}_bucket`, { ...labels, le: "+Inf" })} ${total}`,
        `${series(`${name}_sum`, labels)} ${sum}`,
        `${series(`${name}_count`, labels)} ${total}`,
      ]),
    ],
  };
}

function gauge(name: string, help: string, labels: Labels, value: number, type = "gauge"): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${series(name, labels)} ${value}`];
}

/** What was delivered to somebody else, and what was not; nothing where nobody wants it. */
function forwardLines(
  prefix: string,
  sent: string,
  lost: string,
  what: string,
  counts: ForwardCounts | undefined,
): readonly string[] {
  if (counts === undefined) return [];
  return [
    ...gauge(`${prefix}${sent}_total`, `${what} that were forwarded.`, {}, counts.sent, "counter"),
    ...gauge(`${prefix}${lost}_total`, `${what} that could not be forwarded.`, {}, counts.lost, "counter"),
  ];
}

function methodOf({ method = "" }: RequestFacts): string {
  return METHODS.has(method) ? method : "other";
}

/** `revision` is of the rules; `null` without any. */
export function createMetrics(revision: string | null): Metrics {
  const operations = histogram(
    "mcp_server_operation_duration_seconds",
    "Duration of MCP requests as the server saw them.",
  );
  const requests = counter("mcp_gateway_requests_total", "Requests by method and HTTP status.");
  const decisions = counter("mcp_gateway_policy_decisions_total", "Decisions by reason, as in the audit.");
  const limited = counter("mcp_rate_limited_total", "Calls that were refused because there were too many.");
  const sent = counter("mcp_gateway_response_bytes_total", "Bytes that were answered.");
  const approvals = counter("mcp_approvals_total", "Proposals by what happened to them.");
  limited.add({}, 0);
  for (const state of PROPOSAL_CHANGES) approvals.add({ state }, 0);

  const count = (facts: RequestFacts, end: RequestEnd): void => {
    const method = methodOf(facts);
    const { decision = "allow", reason = "allowed", fault } = facts;
    // Only tools that exist have a link: a name that a client made up is no label.
    const tool = facts.link === undefined ? "" : (facts.tool ?? "");
    const error = fault ?? (end.status >= 400 ? String(end.status) : "");
    const labels = { mcp_method_name: method, gen_ai_tool_name: tool, error_type: error };
    operations.observe(labels, end.latencyMs / 1_000);
    requests.add({ rpc_method: method, status: String(end.status) });
    decisions.add({ decision, reason, rpc_method: method });
    sent.add({}, end.bytesOut);
    if (reason === "rate_limited") limited.add({});
  };
  return {
    measured: (audit) => ({
      ...audit,
      result: (requestId, facts, end) => {
        audit.result(requestId, facts, end);
        count(facts, end);
      },
    }),
    approval: (state) => approvals.add({ state }),
    text: (audit, webhook) => {
      const { seq, failures, forward } = audit.counts();
      const lines = [
        ...operations.lines(),
        ...requests.lines(),
        ...decisions.lines(),
        ...sent.lines(),
        ...limited.lines(),
        ...approvals.lines(),
        ...gauge("mcp_audit_seq", "Number of the last audit record.", {}, seq),
        ...gauge(
          "mcp_audit_write_failures_total",
          "Audit records that could not be written.",
          {},
          failures,
          "counter",
        ),
        ...forwardLines("mcp_audit_", "forwarded", "forward_lost", "Audit records", forward),
        ...forwardLines("mcp_approval_webhook_", "sent", "lost", "Messages about proposals", webhook),
        ...(revision === null
          ? []
          : gauge(
              "mcp_gateway_policy_active_revision_info",
              "Revision of the rules in force.",
              { revision },
              1,
            )),
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}

/** A port of its own, so that a network rule can tell who reads figures from who calls tools. */
export async function serveMetrics(text: () => string, bind: string, port: number): Promise<Server> {
  const server = createServer({ maxHeaderSize: 8_192 }, (request, response) => {
    request.resume();
    if (request.method !== "GET" || request.url?.split("?", 1)[0] !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text());
  });
  server.maxConnections = 20;
  server.requestTimeout = 5_000;
  server.listen(port, bind);
  await once(server, "listening");
  return server;
}
