import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, callTool, connectClient, newKey, ROOT, workspace } from "../harness/emitted.ts";
import { treeOf } from "../harness/in-process.ts";
import { ask } from "./boot.ts";

const STACK = `apiVersion: topology/v1
stack: stack
domain: example.com
components:
  postgresql: {databases: [app]}
  valkey:
  apisix:
links:
  apisix: {mcp: {auth: key-auth}}
  mcp: {stack_agent: read, valkey: write, postgresql: read}
`;
const work = workspace();
const folder = work.path("out/stack");
let runbook: string;

beforeAll(() => {
  work.draw("stack", STACK);
  work.generate();
  runbook = readFileSync(join(folder, "docs/RUNBOOK.md"), "utf8");
  const anchor = { payload: { seq: 7, hash: "0".repeat(64) } };
  writeFileSync(work.path("cut.jsonl.anchor"), JSON.stringify(anchor));
});
afterAll(() => work.remove());

/** First cells of the table whose head starts with `head`, without markup. */
function firstCells(text: string, head: string): readonly string[] {
  const lines = text.split("\n");
  const rows = lines.slice(lines.findIndex((line) => line.startsWith(`| ${head} |`)) + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith("|")),
    )
    .map((row) => (row.split(" | ")[0] ?? "").replace(/^\| /, "").replace(/[`\\]/g, ""));
}

/** The words that the runtime's own source lists. */
function wordsIn(file: string, after: string, before: string): readonly string[] {
  const source = readFileSync(join(ROOT, "templates/mcp-server/runtime", file), "utf8");
  const part = source.slice(source.indexOf(after), source.indexOf(before));
  return [...new Set([...part.matchAll(/"([a-z_-]+)"/g)].map(([, word]) => word ?? ""))].sort();
}

describe("the tables of the runbook are those of the code", () => {
  it("every code of an answer", () => {
    const codes = wordsIn("fault.ts", "export", "export class");
    expect(codes.length).toBeGreaterThan(10);
    expect(firstCells(runbook, "code")).toEqual(codes);
  });

  it("every reason of the audit that no answer names", () => {
    const reasons = wordsIn("reason.ts", "export type DoorReason", "export type Reason ");
    expect(reasons.length).toBeGreaterThan(8);
    expect(firstCells(runbook, "reason")).toEqual(reasons);
  });
});

describe("a server that does not start says what the runbook lists", () => {
  const lock = (): string => join(folder, "server/surface.lock.json");
  const CAUSES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "MCP_API_KEY is not set": { MCP_API_KEY: "" },
    "MCP_API_KEY must hold 32 random bytes": { MCP_API_KEY: "short" },
    "is true, but the drawing gives this link read access only": { MCP_POSTGRESQL_WRITE_ACCESS: "true" },
    "must be true or false": { MCP_VALKEY_WRITE_ACCESS: "yes" },
    "surface.lock.json": {},
    "MCP_AUDIT_FILE cannot be opened": { MCP_AUDIT_FILE: "/nowhere/audit.jsonl" },
    "records are missing": { MCP_AUDIT_FILE: work.path("cut.jsonl") },
    "MCP_AUDIT_KEY_FILE cannot be read": { MCP_AUDIT_KEY_FILE: "/nowhere/audit.key" },
    "must be a whole number": { MCP_VALKEY_PORT: "six" },
    EADDRINUSE: {},
  };

  it("every line of the table is tried here", () => {
    expect(firstCells(runbook, "the line goes on with")).toEqual(Object.keys(CAUSES));
  });

  it.each(Object.entries(CAUSES))("%s", async (line, environment) => {
    const first = line === "EADDRINUSE" ? await bootServer(folder) : undefined;
    const kept = readFileSync(lock(), "utf8");
    if (line === "surface.lock.json") writeFileSync(lock(), kept.replace("Use to", "Use now to"));
    const port = first === undefined ? {} : { MCP_PORT: first.url.port };
    const failure = await bootServer(folder, { ...environment, ...port }).then(
      async (server) => `it started, exit ${await server.stop()}`,
      (error: Error) => error.message,
    );
    writeFileSync(lock(), kept);
    await first?.stop();
    expect(failure).toMatch(/stack: cannot start: /);
    expect(failure.split("cannot start: ")[1]).toContain(line);
  });
});

describe("what the runbook says about a running server", () => {
  it("S8: a write flag counts from the next start, and then the tool is unknown", async () => {
    const set = { key: "k", value: "v", persist: true, reason: "a test of the runbook" };
    const open = await bootServer(folder, { MCP_VALKEY_WRITE_ACCESS: "true" });
    const before = await connectClient(open);
    expect((await before.listTools()).tools.map(({ name }) => name)).toContain("valkey_set");
    expect((await callTool(before, "valkey_set", set)).content["code"]).toBe("upstream_unavailable");
    await before.close();
    await open.stop();
    const closed = await bootServer(folder, { MCP_VALKEY_WRITE_ACCESS: "false" });
    const after = await connectClient(closed);
    expect((await after.listTools()).tools.map(({ name }) => name)).not.toContain("valkey_set");
    await expect(after.callTool({ name: "valkey_set", arguments: set })).rejects.toThrow(
      "Unknown tool: valkey_set",
    );
    await after.close();
    await closed.stop();
    expect(closed.stderr()).toContain('"reason":"write_disabled"');
  });

  it("the softer way leaves the tool and refuses the write", async () => {
    const server = await bootServer(folder, {
      MCP_VALKEY_WRITE_ACCESS: "true",
      MCP_APPROVAL_MODE: "required",
    });
    const client = await connectClient(server);
    const { content } = await callTool(client, "valkey_set", {
      key: "k",
      value: "v",
      persist: true,
      reason: "a test of the runbook",
    });
    expect(content["code"]).toBe("approval_required");
    await client.close();
    await server.stop();
  });

  it("the command that tries an old key is answered with 401 after a rotation, and the key is in no argument", async () => {
    const [old, fresh] = [newKey(), newKey()];
    const command = /^ {4}(curl .*)$/m.exec(runbook)?.[1] ?? "";
    expect(command).toContain("https://mcp.example.com/mcp");
    const server = await bootServer(folder, { MCP_API_KEY: fresh });
    const answered = (key: string): string => {
      writeFileSync(work.path("old-key.header"), `Authorization: Bearer ${key}`, { mode: 0o600 });
      const local = command.replace("https://mcp.example.com/mcp", server.url.href);
      return spawnSync("sh", ["-c", local], { cwd: work.folder, encoding: "utf8" }).stdout.trim();
    };
    expect(answered(old)).toBe("401");
    expect(answered(fresh)).toMatch(/^(200|400)$/);
    await server.stop();
    expect(server.stderr()).toContain('"reason":"unauthenticated"');
  });

  it("/ready is green without any service, and refuses another Host", async () => {
    const server = await bootServer(folder);
    const port = Number(server.url.port);
    expect((await ask(port, { path: "/ready", headers: { host: "localhost" } })).status).toBe(200);
    const foreign = await ask(port, { path: "/ready", headers: { host: "stack-mcp.stack.svc" } });
    expect([foreign.status, foreign.json]).toEqual([403, { error: "Forbidden" }]);
    await server.stop();
    expect(server.stderr()).toContain('"reason":"host_not_allowed"');
  });
});

describe("real names", () => {
  const read = async (text: string): Promise<string> =>
    (await treeOf(text)).get("docs/RUNBOOK.md")?.text ?? "";
  const drawn = (mcp: string): string => STACK.replace("  apisix:\n", `  apisix:\n  mcp: ${mcp}\n`);

  it("the controller that was drawn is held back before anything is done by hand, and no other is named", async () => {
    const flux = await read(drawn("{gitops: flux, namespace: ai}"));
    expect(flux.match(/^ {4}flux suspend kustomization stack-mcp$/gm)).toHaveLength(2);
    expect(flux).toContain("kubectl -n ai set env deployment/stack-mcp MCP_VALKEY_WRITE_ACCESS=false");
    expect(flux).not.toMatch(/argocd|KSOPS/);
    const argo = await read(drawn("{gitops: argocd}"));
    expect(argo.match(/^ {4}argocd app set stack-mcp --sync-policy none$/gm)).toHaveLength(2);
    expect(argo).toContain("SOPS_AGE_KEY_FILE");
    expect(argo).not.toContain("flux ");
    expect(runbook).not.toMatch(/flux |argocd/);
  });

  it("a key that lives elsewhere is rotated there", async () => {
    const text = await read(drawn("{api_key: {k8s: stack/mcp-key#token}, namespace: stack}"));
    expect(text).toContain("the Secret mcp-key in stack, key token");
    expect(text).not.toContain("openssl rand");
  });

  it("the recipients are those that can open the files", async () => {
    const key = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";
    expect(await read(drawn(`{recipients: [${key}]}`))).toContain(`- \`${key}\``);
    expect(runbook).toContain("Nothing is sealed");
  });

  it("a stack that writes nothing has no flag to kill", async () => {
    const text = await read(STACK.replace("valkey: write", "valkey: read"));
    expect(text).not.toContain("set env");
    expect(text).toContain("no link of this stack has write tools that are drawn");
  });
});
