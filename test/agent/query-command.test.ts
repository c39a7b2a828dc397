import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT, topogate } from "../harness/emitted.ts";
import { ask } from "../server/boot.ts";
import { bootAgent, emitStack } from "./folder.ts";
import type { BootedAgent, EmittedStack } from "./folder.ts";

let shop: EmittedStack;
let agent: BootedAgent;
beforeAll(async () => {
  shop = await emitStack("shop");
  agent = await bootAgent(shop);
});
afterAll(async () => {
  await agent.stop();
  shop.remove();
});

const QUESTIONS: readonly string[] = [
  '{"source":"all"}',
  '{"source":"all","limit":3}',
  '{"source":"all","target":"links_to"}',
  '{"source":"kafka","target":"links_from","where":{"via__exists":false}}',
  '{"source":"type:cnpg","target":"sub_components","select":["database","username","consumers"]}',
  '{"source":"all","target":"attributes","where":{"port__gt":9000},"select":["name","port"]}',
  '{"source":"apisix","target":"links_to","command":"curl -sk https://{subdomain}.{domain}","dry_run":true}',
  '{"source":"kafkaa"}',
  '{"source":"all","select":["password"]}',
  '{"source":"all","colour":"red"}',
  '{"source":"all","source":"kafka"}',
  '{"source":',
  "[]",
  "7",
  "",
];

describe("topogate query", () => {
  it.each(QUESTIONS)("S22: answers %j as the service does, byte for byte", async (question) => {
    const served = await ask(agent.port, {
      method: "POST",
      path: "/metadata/q",
      headers: { authorization: `Bearer ${agent.token}`, "content-type": "application/json" },
      body: question,
    });
    const run = topogate(["query", "shop", question]);
    expect(run.stdout).toBe(`${served.text}\n`);
    expect(run.stderr).toBe("");
    expect(run.status).toBe(served.status === 200 ? 0 : 1);
  });

  it("S22: reads a query from stdin", () => {
    const run = spawnSync(
      process.execPath,
      [join(ROOT, "dist/topogate.cjs"), "query", "stacks/shop.yaml", "-"],
      {
        cwd: ROOT,
        input: '{"source":"valkey"}',
        encoding: "utf8",
      },
    );
    expect(JSON.parse(run.stdout)).toMatchObject({ rows: [{ name: "valkey", namespace: "cache" }] });
  });

  it("S22: asks an environment", () => {
    const question = '{"source":"kafka","target":"sub_components","select":["name","partitions","env"]}';
    const rows = (...args: string[]): unknown =>
      (JSON.parse(topogate(["query", "shop", question, ...args]).stdout) as { rows: unknown[] }).rows[0];
    expect(rows()).toEqual({ name: "orders", partitions: 6, env: "base" });
    expect(rows("--env", "dev")).toEqual({ name: "orders", partitions: 1, env: "dev" });
    expect(topogate(["query", "shop", question, "--env", "nowhere"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no environment "nowhere"'),
    });
  });

  it("S22: a stack file with errors is not asked, and a file that is not there is said", () => {
    const folder = mkdtempSync(join(tmpdir(), "topogate-query-"));
    mkdirSync(join(folder, "stacks"));
    writeFileSync(join(folder, "stacks/bad.yaml"), "apiVersion: topology/v1\nstack: bad\n");
    const bad = topogate(["query", "bad", '{"source":"all"}'], { cwd: folder });
    expect(bad).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("E-MISSING") });
    const none = topogate(["query", "none", '{"source":"all"}'], { cwd: folder });
    expect(none).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("no such file") });
    rmSync(folder, { recursive: true });
  });
});
