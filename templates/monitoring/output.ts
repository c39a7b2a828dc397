import { defineOutput, factsOf } from "#hook";
import type serverLinksHook from "../../hooks/server-links.ts";
import type workloadHook from "../../hooks/workload.ts";

const HERE = "templates/monitoring";
/** Labels that tell servers apart, whoever scrapes them. */
const BY = "by (job, namespace)";
const BY_TOOL = "by (job, namespace, gen_ai_tool_name)";
const CALLS = 'mcp_server_operation_duration_seconds_count{gen_ai_tool_name!=""}';
const UPSTREAM = 'error_type=~"upstream_unavailable|timeout"';
const FAILED = `mcp_server_operation_duration_seconds_count{gen_ai_tool_name!="",${UPSTREAM}}`;
const DENIED = 'mcp_gateway_policy_decisions_total{decision="deny"}';

const ALERTS = [
  {
    alert: "McpAuditNotWritten",
    expr: `sum ${BY} (increase(mcp_audit_write_failures_total[5m])) > 0`,
    for: "0m",
    severity: "critical",
    summary: "The MCP server cannot write its audit",
    description:
      "Writes are refused with audit_unavailable, and reads go on unrecorded: see docs/RUNBOOK.md.",
  },
  {
    alert: "McpAuditNotForwarded",
    expr: `sum ${BY} (increase(mcp_audit_forward_lost_total[15m])) > 0`,
    for: "0m",
    severity: "warning",
    summary: "Audit records did not reach the ingest service",
    description: "The records are in the server's own file; compare them with what arrived.",
  },
  {
    alert: "McpApprovalWebhookLost",
    expr: `sum ${BY} (increase(mcp_approval_webhook_lost_total[15m])) > 0`,
    for: "0m",
    severity: "warning",
    summary: "Nobody was told about proposals that wait",
    description: "The proposals are safe, and topogate approve lists them; see to the webhook's address.",
  },
  {
    alert: "McpManyDenials",
    expr: `sum ${BY} (rate(${DENIED}[10m])) / sum ${BY} (rate(mcp_gateway_policy_decisions_total[10m])) > 0.5 and sum ${BY} (rate(${DENIED}[10m])) > 0.1`,
    for: "10m",
    severity: "warning",
    summary: "Most of what is asked of the MCP server is denied",
    description:
      "A client with a stale key or list, or somebody who tries doors: the reasons are in the audit.",
  },
  {
    alert: "McpUpstreamErrors",
    expr: `sum ${BY_TOOL} (rate(${FAILED}[10m])) / sum ${BY_TOOL} (rate(${CALLS}[10m])) > 0.2`,
    for: "10m",
    severity: "warning",
    summary: "A service behind the MCP server does not answer",
    description:
      "One call of a tool in five fails or takes too long: see the service, then the network rule.",
  },
];

const PANELS = [
  {
    title: "Calls a second by tool",
    unit: "reqps",
    expr: `sum ${BY_TOOL} (rate(${CALLS}[5m]))`,
    legend: "{{gen_ai_tool_name}}",
  },
  {
    title: "Time of a call, 95 of 100",
    unit: "s",
    expr: `histogram_quantile(0.95, sum by (le, gen_ai_tool_name) (rate(mcp_server_operation_duration_seconds_bucket{gen_ai_tool_name!=""}[5m])))`,
    legend: "{{gen_ai_tool_name}}",
  },
  {
    title: "Denials by reason",
    unit: "reqps",
    expr: `sum by (reason) (rate(${DENIED}[5m]))`,
    legend: "{{reason}}",
  },
  {
    title: "Upstream errors by tool",
    unit: "reqps",
    expr: `sum ${BY_TOOL} (rate(${FAILED}[5m]))`,
    legend: "{{gen_ai_tool_name}}",
  },
  {
    title: "Proposals by what happened to them",
    unit: "short",
    expr: "sum by (state) (increase(mcp_approvals_total[5m]))",
    legend: "{{state}}",
  },
  {
    title: "Calls over their rate",
    unit: "reqps",
    expr: `sum ${BY} (rate(mcp_rate_limited_total[5m]))`,
    legend: "{{namespace}}",
  },
  {
    title: "Audit records that were not written",
    unit: "short",
    expr: `sum ${BY} (increase(mcp_audit_write_failures_total[5m]))`,
    legend: "{{namespace}}",
  },
];

const [WIDTH, HEIGHT] = [12, 8];

function dashboard(name: string): object {
  const datasource = { type: "prometheus", uid: "${datasource}" };
  return {
    uid: name.slice(0, 40),
    title: `MCP server ${name}`,
    tags: ["mcp"],
    schemaVersion: 39,
    editable: false,
    time: { from: "now-6h", to: "now" },
    templating: { list: [{ name: "datasource", type: "datasource", query: "prometheus" }] },
    panels: PANELS.map(({ title, unit, expr, legend }, at) => ({
      id: at + 1,
      type: "timeseries",
      title,
      datasource,
      gridPos: { x: (at % 2) * WIDTH, y: Math.floor(at / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
      fieldConfig: { defaults: { unit }, overrides: [] },
      targets: [{ refId: "A", datasource, expr, legendFormat: legend }],
    })),
  };
}

/** Alerts and a dashboard over the server's metrics, where a drawn link lets something read them. */
export default defineOutput({
  name: "monitoring",
  files: (_topology, facts) => {
    const { scrapers } = factsOf<typeof serverLinksHook>(facts, "server-links");
    if (scrapers.length === 0) return [];
    const { server } = factsOf<typeof workloadHook>(facts, "workload");
    const { name, namespace } = server;
    return [
      {
        kind: "rendered",
        path: "monitoring/prometheusrule.yaml",
        from: `${HERE}/prometheusrule.yaml.hbs`,
        view: { name, namespace, alerts: ALERTS },
      },
      {
        kind: "data",
        path: "monitoring/grafana-dashboard.json",
        from: `${HERE}/output.ts`,
        json: dashboard(name),
        layout: "pretty",
      },
    ];
  },
});
