import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { regoText } from "../../hooks/rules/policy-text.ts";
import { bootServer, callTool, connectClient, workspace } from "../../test/harness/emitted.ts";
import { answerOf, cases, evaluatorOf, inputOf } from "../../test/harness/random-rules.ts";
import type { Case } from "../../test/harness/random-rules.ts";
import { liveScript, startLive } from "../../test/live/server.ts";

const scratch = mkdtempSync(join(tmpdir(), "topogate-rego-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function decisions(policy: string, questions: readonly unknown[]): readonly { allow: boolean }[] {
  const run = spawnSync("bash", [liveScript("governance"), "eval", policy], {
    input: JSON.stringify(questions),
    encoding: "utf8",
  });
  expect(run.stderr).toBe("");
  return JSON.parse(run.stdout) as { allow: boolean }[];
}

/** As the engine says it, with the same members as the evaluator's. */
function expected({ rules, questions }: Case): readonly unknown[] {
  const evaluator = evaluatorOf(rules);
  return questions.map((question) => {
    const { allow, rule, unmet } = answerOf(evaluator, question);
    return allow ? { allow } : { allow, rule, unmet };
  });
}

describe("the Rego", () => {
  it("T11: decides as the server does in a real OPA, and cites the same rules", () => {
    let seen = 0;
    for (const [at, sample] of fc.sample(cases, { numRuns: 60, seed: 7 }).entries()) {
      const policy = join(scratch, `${at}.rego`);
      writeFileSync(policy, regoText(sample.rules));
      const evaluator = evaluatorOf(sample.rules);
      const said = decisions(
        policy,
        sample.questions.map((question) => inputOf(evaluator, question)),
      );
      const sorted = said.map((each) =>
        "unmet" in each ? { ...each, unmet: (each.unmet as string[]).toSorted() } : each,
      );
      expect(sorted).toEqual(expected(sample));
      seen += said.length;
    }
    expect(seen).toBeGreaterThan(150);
  });
});

const DRAWING = `apiVersion: topology/v1
stack: engine
components: {valkey: {}, mcp: {rules: [rules/all.yaml]}}
links: {mcp: {governance: read, valkey: write}}
`;
const RULES = `apiVersion: governance/v1
kind: RuleSet
metadata: {name: all, layer: overlay, version: 1.0.0}
rules:
- {id: no-info, effect: deny, match: {tools: [valkey_info]}, when: 'principal.human == ""', reason: nobody}
- {id: looked-at, effect: require_approval, match: {tools: [valkey_set]}, reason: A person looks at it}
`;

describe("an emitted server beside a real OPA", () => {
  const work = workspace();
  afterAll(() => work.remove());
  const folder = work.path("out/engine");
  beforeAll(() => {
    work.draw("engine", DRAWING);
    mkdirSync(work.path("stacks/rules"));
    writeFileSync(work.path("stacks/rules/all.yaml"), RULES);
    work.generate();
  });

  const codes = async (policy: string): Promise<readonly unknown[]> => {
    const opa = await startLive("governance", { POLICY: policy });
    const environment = { MCP_VALKEY_WRITE_ACCESS: "true", OPA_URL: `http://127.0.0.1:${opa.port}` };
    const server = await bootServer(folder, environment);
    const client = await connectClient(server);
    const ask = async (tool: string, args = {}): Promise<unknown> =>
      (await callTool(client, tool, args)).content["code"];
    const set = { key: "a", value: "b", persist: true, reason: "a test of rules" };
    const found = [await ask("valkey_get", { key: "a" }), await ask("valkey_set", set)];
    await opa.stop();
    found.push(await ask("valkey_get", { key: "a" }));
    await client.close();
    await server.stop();
    return found;
  };

  it("T11: goes on with what both allow, and stops when it is gone", async () => {
    const policy = join(folder, "governance/mcp.rego");
    expect(await codes(policy)).toEqual(["upstream_unavailable", "approval_required", "policy_unavailable"]);
  });

  it("T11: stops what the engine denies, or has no decision for", async () => {
    const deny = join(scratch, "deny.rego");
    writeFileSync(deny, 'package mcp.authz\n\ndecision := {"allow": false} if input.tool == "valkey_get"\n');
    expect(await codes(deny)).toEqual(["denied", "policy_unavailable", "policy_unavailable"]);
  });
});
