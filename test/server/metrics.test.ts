import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { treeOf } from "../harness/in-process.ts";
import { ask, boot } from "./boot.ts";
import type { Booted } from "./boot.ts";
import { ADAPTERS } from "./emitted.ts";

/** Prometheus' own checker, where it is installed. */
function promtool(args: readonly string[], input: string): string {
  const run = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (run.error !== undefined) return "";
  return run.status === 0 ? "" : `${run.stdout}${run.stderr}failed`;
}

describe.each(ADAPTERS)("metrics of a booted server with %s", (adapter) => {
  let server: Booted;
  beforeAll(async () => {
    server = await boot(adapter, { MCP_METRICS_PORT: "0", MCP_NOTES_WRITE_ACCESS: "true" });
  });
  afterAll(async () => await server.close());
  const metrics = async (): Promise<string> =>
    (await ask(server.metricsPort ?? 0, { path: "/metrics" })).text;
  const valueOf = (text: string, name: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")
        .at(-1) ?? Number.NaN,
    );

  it("R24: are read on a port of their own, and that port has nothing else", async () => {
    expect(server.metricsPort).not.toBe(server.port);
    expect((await ask(server.port, { path: "/metrics" })).status).toBe(404);
    for (const path of ["/", "/mcp", "/health"])
      expect((await ask(server.metricsPort ?? 0, { path })).status).toBe(404);
    expect((await ask(server.metricsPort ?? 0, { path: "/metrics", method: "POST" })).status).toBe(404);
  });

  it("R24: count what the audit records, by tool, reason and method", async () => {
    await server.call("notes_get", { name: "first" });
    await server.call("notes_get", { name: "none" });
    await server.call("notes_hidden");
    await server.call("made_up", {});
    await ask(server.port, { path: "/nowhere" });
    await ask(server.port, { method: "POST", headers: { authorization: "Bearer x" }, body: "{}" });
    await server.newRows();
    const text = await metrics();
    const operation = "mcp_server_operation_duration_seconds_count";
    const labels = 'mcp_method_name="tools/call",gen_ai_tool_name="notes_get"';
    expect(valueOf(text, `${operation}{${labels},error_type=""}`)).toBe(1);
    expect(valueOf(text, `${operation}{${labels},error_type="not_found"}`)).toBe(1);
    const decisions = "mcp_gateway_policy_decisions_total";
    const hidden = `${decisions}{decision="deny",reason="tool_not_allowed",rpc_method="tools/call"}`;
    expect(valueOf(text, hidden)).toBe(2);
    expect(valueOf(text, `${decisions}{decision="deny",reason="unauthenticated",rpc_method="other"}`)).toBe(
      1,
    );
    expect(valueOf(text, "mcp_audit_seq")).toBe(server.audit().length);
    expect(valueOf(text, "mcp_audit_write_failures_total")).toBe(0);
    expect(text).not.toContain("made_up");
    expect(promtool(["check", "metrics"], text).replace(/.*(non-histogram|should not).*\n?/g, "")).toBe("");
  });

  it("R24: say that the audit cannot be written", async () => {
    const full = await boot(adapter, {
      MCP_METRICS_PORT: "0",
      MCP_NOTES_WRITE_ACCESS: "true",
      MCP_AUDIT_FILE: "/dev/full",
    });
    await full.call("notes_clear");
    const text = (await ask(full.metricsPort ?? 0, { path: "/metrics" })).text;
    expect(valueOf(text, "mcp_audit_write_failures_total")).toBeGreaterThan(0);
    await full.close();
  });
});

describe("traces", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";
  const PARENT = "b7ad6b7169203331";

  it("are those of the caller, in the audit and at the endpoint", async () => {
    const spans: Record<string, unknown>[] = [];
    const collector = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => (text += String(chunk)));
      request.on("end", () => {
        const { resourceSpans } = JSON.parse(text) as {
          resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
        };
        spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((each) => each.spans)));
        response.end(`${request.url}`);
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const { port } = collector.address() as AddressInfo;
    const server = await boot("sdk", { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    const call = { name: "notes_get", arguments: { name: "first" } };
    await server.rpc("tools/call", { ...call, _meta: { traceparent } });
    await server.rpc("tools/call", { ...call, _meta: { traceparent: `00-${TRACE}-${PARENT}-00` } });
    await server.rpc("tools/call", { ...call, _meta: { traceparent: "00-nonsense" } });
    await ask(server.port, { path: "/nowhere", headers: { traceparent } });
    await server.newRows();
    const rows = server.audit().map((row) => row["trace_id"] === TRACE);
    expect(rows.filter(Boolean)).toHaveLength(3);
    await server.close();
    collector.close();
    const own = spans.filter(({ traceId }) => traceId === TRACE);
    expect(own.map(({ name }) => name).sort()).toEqual(["GET /nowhere", "tools/call notes_get"]);
    for (const span of own) expect(span).toMatchObject({ parentSpanId: PARENT, kind: 2 });
    expect(spans.filter(({ name }) => name === "tools/call notes_get")).toHaveLength(2);
  });
});

describe("alerts and dashboard", () => {
  const drawing = (link: string): string => `apiVersion: topology/v1
stack: watched
components: {prometheus: {namespace: monitoring}, valkey: {}}
links: {${link}mcp: {valkey: read}}
`;

  it("R24: come with the link that reads the metrics, and go with it", async () => {
    const tree = await treeOf(drawing(""), "watched");
    expect([...tree.keys()].filter((path) => path.startsWith("monitoring/"))).toEqual([]);
    expect(tree.get("k8s/deployment.yaml")?.text).not.toContain("MCP_METRICS_PORT");
    const linked = await treeOf(drawing("prometheus: {mcp: }, "), "watched");
    expect(linked.get("k8s/deployment.yaml")?.text).toMatch(/MCP_METRICS_PORT\n\s+value: "9103"/);
    const rule = parse(linked.get("monitoring/prometheusrule.yaml")?.text ?? "") as {
      spec: { groups: { rules: { alert: string; expr: string }[] }[] };
    };
    expect(rule.spec.groups[0]?.rules.map(({ alert }) => alert)).toEqual([
      "McpAuditNotWritten",
      "McpAuditNotForwarded",
      "McpApprovalWebhookLost",
      "McpManyDenials",
      "McpUpstreamErrors",
    ]);
    const scratch = mkdtempSync(join(tmpdir(), "topogate-rule-"));
    writeFileSync(join(scratch, "rules.yml"), JSON.stringify(rule.spec));
    expect(promtool(["check", "rules", join(scratch, "rules.yml")], "")).toBe("");
    rmSync(scratch, { recursive: true });
    const dashboard = linked.get("monitoring/grafana-dashboard.json")?.text ?? "";
    expect((JSON.parse(dashboard) as { panels: unknown[] }).panels).toHaveLength(7);
  });
});
