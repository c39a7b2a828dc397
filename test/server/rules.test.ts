import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSource } from "../../generator/load/source.ts";
import { bootServer, callTool, connectClient, topogate, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";

const work = workspace();
afterAll(() => work.remove());
const folder = work.path("out/ruled");

const drawing = (framework: string): string => `apiVersion: topology/v1
stack: ruled
components:
  valkey:
  postgresql: {databases: [app]}
  mcp: {framework: ${framework}, rules: [rules/constitution.yaml, rules/night.yaml, rules/overlay.yaml]}
links:
  mcp: {governance: read, stack_agent: read, valkey: write, postgresql: read}
`;

const clock = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);

const FILES: Readonly<Record<string, string>> = {
  "constitution.yaml": `apiVersion: governance/v1
kind: RuleSet
metadata: {name: constitution, layer: constitution, version: 1.0.0}
rules:
- id: no-admin-keys
  effect: deny
  match: {side_effect: [write, destructive], services: ["*"], tools: ["*"]}
  when: 'args.key.startsWith("admin:")'
  reason: Keys of administrators are theirs
- id: change-record
  effect: require_change_ref
  match: {side_effect: [write, destructive]}
  reason: Every write names its change record
  overridable: true
- id: no-server-facts
  effect: deny
  match: {services: [postgresql], tools: [pg_health]}
  reason: Nobody needs this
`,
  "night.yaml": `apiVersion: governance/v1
kind: RuleSet
metadata: {name: night, layer: pack, version: 1.2.0}
rules:
- id: open-now
  effect: change_window
  match: {tools: [valkey_set]}
  window: {from: "${clock(-1)}", to: "${clock(1)}"}
  reason: Changes around now
- id: closed-now
  effect: change_window
  match: {tools: [valkey_set]}
  when: 'args.key.startsWith("late:")'
  window: {from: "${clock(2)}", to: "${clock(3)}"}
  reason: Changes later
- id: by-git
  effect: route
  route: gitops
  match: {tools: [valkey_set]}
  when: 'args.key == "config"'
  reason: Configuration is in git
`,
  "overlay.yaml": `apiVersion: governance/v1
kind: RuleSet
metadata: {name: overlay, layer: overlay, version: 2.0.0}
rules:
- id: short-lived
  effect: allow
  match: {tools: [valkey_set]}
  when: 'has(args.ttl_s) && args.ttl_s <= 60'
  reason: Short-lived keys need no change record
- id: second-look
  effect: require_approval
  match: {tools: [valkey_set, valkey_dbsize]}
  when: 'tool == "valkey_dbsize" || args.value == "everything"'
  reason: A person looks at this
`,
};

function draw(framework: string): void {
  work.draw("ruled", drawing(framework));
  mkdirSync(work.path("stacks/rules"), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(work.path("stacks/rules", name), text);
  work.generate();
}

interface AuditRow {
  readonly tool_name: string;
  readonly reason: string;
  readonly change_ref?: string;
  readonly rule?: {
    readonly decided_by: { readonly rule: string; readonly file: string; readonly line: number };
  };
}

describe.each(["sdk", "fastmcp"])("rules on an emitted server with %s", (framework) => {
  let server: BootedServer;
  let client: Client;
  const audit = join(work.folder, `${framework}.jsonl`);
  beforeAll(async () => {
    draw(framework);
    server = await bootServer(folder, { MCP_VALKEY_WRITE_ACCESS: "true", MCP_AUDIT_FILE: audit });
    client = await connectClient(server);
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });
  const set = async (more: Record<string, unknown>): Promise<Record<string, unknown>> => {
    const args = { key: "a", value: "b", persist: true, reason: "a test of rules", ...more };
    const { content } = await callTool(client, "valkey_set", args);
    return { ...content };
  };
  const lastRow = async (tool: string): Promise<AuditRow> => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const rows = readFileSync(audit, "utf8").trimEnd().split("\n");
    const payloads = rows.map((row) => (JSON.parse(row) as { payload: AuditRow }).payload);
    return payloads.findLast((row) => row.tool_name === tool) ?? expect.fail("no such row");
  };
  /** The line that a citation names, in the file that it names. */
  const cited = (file: string, line: number): string =>
    readFileSync(join(folder, "governance", file), "utf8").split("\n")[line - 1] ?? "";

  it("T10: refuses what is denied under a condition, citing rule, layer, file and line", async () => {
    const refused = await set({ key: "admin:root", change_ref: "CHG-7" });
    expect(refused).toMatchObject({ code: "denied" });
    const [, file = "", line = "0"] = /, (rules\/[^:]+):(\d+)\)/.exec(String(refused["message"])) ?? [];
    expect(cited(file, Number(line))).toContain('"id":"no-admin-keys"');
    const row = await lastRow("valkey_set");
    expect(row).toMatchObject({ reason: "denied", rule: { decided_by: { rule: "no-admin-keys", file } } });
    expect(cited(row.rule?.decided_by.file ?? "", row.rule?.decided_by.line ?? 0)).toContain("no-admin-keys");
  });

  it("T10: a tool that is denied whatever its arguments is not listed, and unknown like any other", async () => {
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain("pg_health");
    for (const name of ["pg_health", "pg_nothing"])
      await expect(client.callTool({ name, arguments: {} })).rejects.toThrow(`Unknown tool: ${name}`);
    expect(await lastRow("pg_health")).toMatchObject({
      reason: "rule_denied",
      rule: { decided_by: { rule: "no-server-facts" } },
    });
  });

  it("T22: demands a change record, shows the parameter for it, and keeps its id in the audit", async () => {
    expect(await set({})).toMatchObject({ code: "change_ref_required" });
    expect(await set({ change_ref: "no spaces please" })).toMatchObject({ code: "invalid_argument" });
    expect(await set({ change_ref: "CHG-42" })).toMatchObject({ code: "upstream_unavailable" });
    expect(await lastRow("valkey_set")).toMatchObject({ reason: "allowed", change_ref: "CHG-42" });
    const { tools } = await client.listTools();
    const schema = (name: string): object =>
      tools.find((tool) => tool.name === name)?.inputSchema.properties ?? {};
    expect(schema("valkey_set")).toHaveProperty("change_ref");
    expect(schema("valkey_get")).not.toHaveProperty("change_ref");
  });

  it("T9: an overlay lifts only what is overridable", async () => {
    const short = { persist: undefined, ttl_s: 30 };
    expect(await set(short)).toMatchObject({ code: "upstream_unavailable" });
    expect(await set({ ...short, key: "admin:x" })).toMatchObject({ code: "denied" });
    expect(await set({ ttl_s: 61, persist: undefined })).toMatchObject({ code: "change_ref_required" });
  });

  it("A23: keeps changes to their window", async () => {
    const late = await set({ key: "late:1", change_ref: "CHG-1" });
    expect(late).toMatchObject({ code: "outside_change_window" });
    expect(late["hint"]).toContain(`${clock(2).slice(0, 2)}:`);
  });

  it("A24: answers with a patch that git applies, and executes nothing", async () => {
    const answer = await set({ key: "config", value: 'a "quoted"\nline', change_ref: "CHG-1" });
    expect(answer).toMatchObject({ code: "gitops_required" });
    const repository = mkdtempSync(join(tmpdir(), "topogate-patch-"));
    const apply = spawnSync("git", ["apply", "-"], {
      cwd: repository,
      input: String(answer["patch"]),
      encoding: "utf8",
    });
    expect(apply.stderr).toBe("");
    const path = /^\+\+\+ b\/(.*)$/m.exec(String(answer["patch"]))?.[1] ?? "";
    const read = await readSource("change.yaml", readFileSync(join(repository, path)));
    rmSync(repository, { recursive: true });
    expect(read).toMatchObject({
      ok: true,
      source: { value: { kind: "ChangeRequest", spec: { tool: "valkey_set", rule: "by-git" } } },
    });
    expect(answer["patch"]).toContain('+    "value": "a \\"quoted\\"\\nline"');
  });

  it("a rule can want an approval for what was drawn to run directly, a read too", async () => {
    expect(await set({ value: "everything", change_ref: "CHG-1" })).toMatchObject({
      code: "approval_required",
    });
    expect((await callTool(client, "valkey_dbsize", {})).content).toMatchObject({
      code: "approval_required",
    });
  });

  it("T8: shows the active rules as tool and resource, page by page", async () => {
    const { content } = await callTool(client, "get_active_rules", { limit: 2 });
    const data = content["data"] as { policy_revision: string; rules: readonly { rule: string }[] };
    expect(data.rules.map(({ rule }) => rule)).toEqual(["no-admin-keys", "change-record"]);
    expect(content).toMatchObject({ truncated: true, page: { total: 8 } });
    const { next_cursor: cursor } = content["page"] as { next_cursor: string };
    const next = await callTool(client, "get_active_rules", { limit: 100, cursor });
    expect((next.content["data"] as typeof data).rules).toHaveLength(6);
    const { contents } = await client.readResource({ uri: "stack://governance/rules" });
    const [resource] = contents as { text: string }[];
    expect(JSON.parse(resource?.text ?? "")).toMatchObject({ policy_revision: data.policy_revision });
  });

  it("T11: evaluates a call without making it", async () => {
    const verdict = async (args: Record<string, unknown>): Promise<unknown> =>
      (await callTool(client, "evaluate_policy", { tool: "valkey_set", ...args })).content["data"];
    expect(await verdict({ arguments: { key: "admin:x", value: "" } })).toMatchObject({
      allow: false,
      effect: "deny",
      decided_by: { rule: "no-admin-keys", layer: "constitution", file: "rules/constitution.yaml" },
    });
    expect(await verdict({ arguments: { key: "a", value: "" }, change_ref: "CHG-1" })).toMatchObject({
      allow: true,
      considered: [
        { rule: "change-record", outcome: "met" },
        { rule: "open-now", outcome: "met" },
      ],
    });
    expect(await verdict({ arguments: {} })).toMatchObject({ allow: false, effect: "deny" });
  });
});

describe("rules that are not those that were reviewed", () => {
  const refusal = async (environment: Record<string, string> = {}): Promise<string> =>
    await bootServer(folder, environment).then(
      async (server) => `started ${await server.stop()}`,
      (error: Error) => error.message,
    );

  it("T15: stop the start", async () => {
    const file = join(folder, "governance/rules/overlay.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("<= 60", "<= 6000"));
    expect(await refusal()).toContain(
      "rules rules/overlay.yaml of surface.lock.json are not what was reviewed",
    );
    writeFileSync(file, `${text}  - hello\n`);
    expect(await refusal()).toContain("cannot start: governance/rules/overlay.yaml");
    writeFileSync(file, text);
  }, 120_000);

  it("T11: an engine that does not answer stops every call; without rules it is an error to name one", async () => {
    const decisions: unknown[] = [{ allow: true }, { allow: false }, undefined, "yes"];
    const engine = createServer((request, response) => {
      request.resume();
      response.end(JSON.stringify({ result: decisions.shift() }));
    });
    await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(engine.address() as AddressInfo).port}`;
    const server = await bootServer(folder, { OPA_URL: url });
    const client = await connectClient(server);
    const codes: unknown[] = [];
    for (let at = 0; at < 4; at += 1)
      codes.push((await callTool(client, "valkey_get", { key: "a" })).content["code"]);
    engine.close();
    engine.closeAllConnections();
    codes.push((await callTool(client, "valkey_get", { key: "a" })).content["code"]);
    await client.close();
    await server.stop();
    expect(codes).toEqual([
      "upstream_unavailable",
      "denied",
      "policy_unavailable",
      "policy_unavailable",
      "policy_unavailable",
    ]);
    for (const engineSaid of ["policy_denied", "policy_undefined", "policy_unavailable"])
      expect(server.stderr()).toContain(`"engine":"${engineSaid}"`);
    work.draw("ruled", drawing("sdk").replace(/, rules: \[[^\]]*\]/, ""));
    work.generate();
    expect(await refusal({ OPA_URL: url })).toContain("OPA_URL is set, but no rules are drawn");
  }, 120_000);
});

describe("what the generator says of rules", () => {
  const problems = (change: (files: Record<string, string>) => void, more = ""): string => {
    const files = { ...FILES };
    change(files);
    for (const [name, text] of Object.entries(files)) writeFileSync(work.path("stacks/rules", name), text);
    work.draw("ruled", drawing("sdk") + more);
    return topogate(["validate", "ruled"], { cwd: work.folder }).stderr;
  };
  const edit = (name: string, from: string, to: string): string =>
    problems((files) => void (files[name] = (files[name] ?? "").replace(from, to)));

  it.each([
    [
      "overlay.yaml",
      "id: short-lived",
      "id: no-admin-keys",
      "rule no-admin-keys of the constitution is not overridable",
    ],
    ["overlay.yaml", "effect: allow", "effect: permit", "rules/overlay.yaml:6: effect must be one of deny"],
    [
      "overlay.yaml",
      "<= 60'",
      "<=='",
      "rules/overlay.yaml:8: rule short-lived: its condition cannot be used",
    ],
    ["overlay.yaml", "has(args.ttl_s)", 'args.key.matches("a+")', "instead of matches"],
    ["overlay.yaml", "tool ==", "tol ==", "Unknown variable: tol"],
    ["night.yaml", "route: gitops", "route: mail", "an effect route needs route: gitops"],
    ["night.yaml", "match: {tools: [valkey_set]}", "match: {tool: [valkey_set]}", '"tool" is not known here'],
    [
      "constitution.yaml",
      "effect: require_change_ref",
      "effect: allow",
      "there is none above the constitution",
    ],
    ["constitution.yaml", "kind: RuleSet", "kind: Rules", "begins with apiVersion: governance/v1"],
    ["constitution.yaml", "version: 1.0.0", "version: one", "metadata.version must be three numbers"],
  ])("%s: %s -> %s", (name, from, to, message) => {
    expect(edit(name, from, to)).toContain(message);
  });

  it("names a file that is not there, or leads elsewhere, and an environment that leaves rules out", () => {
    const moved = drawing("sdk")
      .replace("rules/night.yaml", "../night.yaml")
      .replace("rules/overlay.yaml", "none.yaml");
    work.draw("ruled", moved);
    const said = topogate(["validate", "ruled"], { cwd: work.folder }).stderr;
    expect(said).toContain('"../night.yaml" must be a path below the folder of the stack file');
    expect(said).toContain('"none.yaml" does not exist beside the stack file');
    const environment = "environments: {dev: {components: {mcp: {rules: [rules/overlay.yaml]}}}}\n";
    expect(problems(() => undefined, environment)).toContain(
      "leaves out the rules rules/constitution.yaml, rules/night.yaml",
    );
  });

  it("T9: reports the merge, and regenerates when a file of rules changes", () => {
    expect(problems(() => undefined)).not.toContain(" error ");
    work.generate();
    const report = (): string => readFileSync(join(folder, "docs/RULES.md"), "utf8");
    expect(report()).toContain("lifts: change-record");
    appendFileSync(
      work.path("stacks/rules/overlay.yaml"),
      "- id: change-record\n  effect: deny\n  match: {tools: [nothing_*]}\n  reason: Stricter\n",
    );
    work.generate();
    expect(report()).toContain("`change-record` of the overlay overlay replaces the one of constitution");
    expect(report()).toMatch(/without effect: .*`change-record`/);
  });
});
