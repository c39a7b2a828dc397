import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PolicyDocument } from "#runtime/policy/document";
import { topogate } from "../harness/emitted.ts";
import type { HttpAnswer, Json } from "./boot.ts";
import { note, openStage } from "./governed.ts";
import type { Governed, Stage } from "./governed.ts";

let stage: Stage;
let server: Governed;
beforeAll(async () => {
  stage = await openStage();
  server = await stage.start();
});
afterAll(() => stage.remove());

const said = ({ status, json }: HttpAnswer): readonly unknown[] => [status, json["error"]];
const CALL = { provider: "grafana", tool: "grafana_create_annotation", args: note("release 1.2") };

/** The runbook of the SARC gateway (A20), step by step, on a server that was generated and started like any other. */
it("A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A20 A22: the live flow", async () => {
  const { api, lastRow, rows } = server;
  const effects = stage.upstream.annotations;

  // A1 A7: an agent proposes. Nothing happens, and the answer says what would.
  const proposed = await api("agent", "propose?tenant=governed", CALL);
  const { proposal_id, argsSha, marker, preview } = proposed.json as Readonly<Record<string, string>>;
  expect(proposed.status).toBe(200);
  expect(preview).toMatchObject({ tool: CALL.tool, arguments: CALL.args });
  expect(marker).toBe(`<!-- mcp:${argsSha} -->`);
  expect(effects).toHaveLength(0);

  // A1 A10: an auditor sees it, and may neither propose nor decide.
  expect(((await api("audit", "proposals")).json["proposals"] as Json[])[0]).toMatchObject({ proposal_id });
  expect(said(await api("audit", "propose", CALL))).toEqual([403, "role_not_allowed"]);
  expect(said(await api("audit", "approve", { proposal_id }))).toEqual([403, "role_not_allowed"]);

  // A2 A10: another role, and then another call than the one that was proposed.
  const { args, ...unnamed } = CALL;
  expect(said(await api("agent", "execute", { ...CALL, argsSha }))).toEqual([403, "role_not_allowed"]);
  const other = { ...unnamed, args: { ...args, text: "release 6.6.6" }, argsSha };
  expect(said(await api("ada", "execute", other))).toEqual([409, "args_sha_mismatch"]);
  expect(said(await api("ada", "execute", { ...CALL, argsSha: "0".repeat(64) }))).toEqual([
    409,
    "args_sha_mismatch",
  ]);
  expect(said(await api("ada", "execute", { ...CALL, argsSha }))).toEqual([409, "not_approved"]);

  // A7: an admin approves.
  expect((await api("ada", "approve", { proposal_id })).json).toMatchObject({
    state: "approved",
    approved_by: "key:ada",
  });

  // A11: while the gateway is off, and while agents are, nothing is executed.
  writeFileSync(server.switchesFile, "MCP_GATEWAY_ENABLED=false\n");
  expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([503, "feature-disabled"]);
  writeFileSync(server.switchesFile, "MCP_AGENT_DISPATCH_ENABLED=false\n");
  expect(said(await api("ben", "execute", { proposal_id, argsSha }))).toEqual([
    403,
    "agent_dispatch_disabled",
  ]);
  writeFileSync(server.switchesFile, "");
  expect(effects).toHaveLength(0);

  // A2 A3: it is executed once, and running it again has no second effect.
  const executed = await api("ben", "execute", { ...CALL, argsSha });
  expect(executed.json).toMatchObject({ ok: true, replayed: false, marker, approved_by: "key:ada" });
  expect(effects).toHaveLength(1);
  // A3 A8: what was made says which proposal it comes from, and who approved it.
  expect(effects[0]).toMatchObject({ text: `release 1.2\n\napproved by key:ada ${marker}` });

  // A9 A8: one attempt and one result, with the action, the digest, the proposer's call and the approver; no argument.
  const [attempt, result] = (await rows()).slice(-2);
  const action = "mcp.tool.grafana.grafana_create_annotation";
  expect(attempt).toMatchObject({ phase: "attempt", action, argsSha, proposal_id, approved_by: "key:ada" });
  expect(result).toMatchObject({ phase: "result", action, argsSha, ok: true, key_id: "key:ben" });
  expect(readFileSync(server.auditFile, "utf8")).not.toContain("release 1.2");

  const again = await api("ben", "execute", { ...CALL, argsSha });
  expect(again.json).toEqual({ ...executed.json, replayed: true });
  expect(effects).toHaveLength(1);

  // A4 A5 A6: the tool is classified as a write; what is on no list is forbidden, whatever a configuration says of it.
  const { tools = [] } = JSON.parse(
    readFileSync(join(stage.folder, "governance/policy.json"), "utf8"),
  ) as PolicyDocument;
  expect(tools.find(({ name }) => name === CALL.tool)).toMatchObject({
    side_effect: "write",
    required_trust: "medium",
    risk_level: "medium",
  });
  const safe = { name: "grafana_delete_everything", side_effect: "read", required_trust: "low" } as const;
  stage.setPolicy({ tools: [...tools, safe] });
  const unknown = { provider: "grafana", tool: "grafana_delete_everything", args: {} };
  expect(said(await api("agent", "propose", unknown))).toEqual([403, "tool_not_allowed"]);
  expect(said(await api("ada", "execute", { ...unknown, argsSha }))).toEqual([403, "tool_not_allowed"]);
  expect(await lastRow()).toMatchObject({ decision: "deny", reason: "tool_not_allowed", ok: false });

  // A22: the chain holds; with one byte edited, the row is named.
  await server.process.stop();
  const verify = (): { status: number | null; text: string } => {
    const { status, stdout } = topogate(["audit", "verify", server.auditFile]);
    return { status, text: stdout };
  };
  expect(verify()).toMatchObject({ status: 0 });
  const lines = readFileSync(server.auditFile, "utf8").split("\n");
  const at = lines.findIndex((line) => line.includes('"role_not_allowed"'));
  const edited = lines.with(at, lines[at]?.replace('"decision":"deny"', '"decision":"dent"') ?? "");
  writeFileSync(server.auditFile, edited.join("\n"));
  const found = verify();
  expect(found.status).toBe(1);
  expect(found.text).toContain(`record ${at + 1} was edited`);
});
