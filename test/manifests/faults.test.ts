import { afterAll, describe, expect, it } from "vitest";
import { existsSync } from "node:fs";
import { topogate, workspace } from "../harness/emitted.ts";
import { codeMaps, reportSizes } from "../../templates/kubernetes/code.ts";
import { outputOfText } from "./stacks.ts";

const HEAD = "apiVersion: topology/v1\nstack: stack\n";
const VALKEY = "  valkey: {namespace: cache}\n";
const LINK = "links:\n  mcp: {stack_agent: read, valkey: read}\n";

async function codesOf(text: string): Promise<readonly string[]> {
  return (await outputOfText(text)).problems.map(({ code }) => code);
}

describe("what cannot run in a cluster is said before anything is written", () => {
  it.each([
    ["E-SHAPE", `apiVersion: topology/v1\nstack: ${"s".repeat(60)}\ncomponents:\n${VALKEY}${LINK}`],
    ["E-SHAPE", `${HEAD}components:\n  mcp: {resources: {limits: {memory: lots}}}\n${VALKEY}${LINK}`],
    [
      "E-SECRET-NAMESPACE",
      `${HEAD}components:\n${VALKEY}links:\n  mcp: {valkey: {access: read, credentials: {password: {k8s: cache/a#b}}}}\n`,
    ],
    ["E-ROUTE", `${HEAD}components:\n  apisix:\n${VALKEY}links:\n  apisix: {mcp: }\n  mcp: {valkey: read}\n`],
    ["E-DELIVERY", `${HEAD}components:\n  mcp: {delivery: mcp-runtime}\n${VALKEY}${LINK}`],
    [
      "E-DELIVERY",
      `${HEAD}domain: example.com\ncomponents:\n  mcp: {delivery: mcp-runtime}\n  traefik:\n${VALKEY}links:\n  traefik: {mcp: }\n  mcp: {valkey: read}\naccess:\n  grants: {a: {subject: {team: x, group: y}, maxTrust: low}}\n`,
    ],
  ])("%s", async (code, text) => {
    expect(await codesOf(text)).toEqual([code]);
  });

  const work = workspace();
  afterAll(work.remove);

  it("with its place in the file, for generate and for plan", () => {
    work.draw(
      "stack",
      `${HEAD}components:\n  apisix:\n${VALKEY}links:\n  apisix:\n    mcp:\n  mcp: {stack_agent: read, valkey: read}\n`,
    );
    const run = topogate(["generate"], { cwd: work.folder });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(
      'stacks/stack.yaml:8:5: error E-ROUTE /links/apisix/mcp: the route from "apisix" to mcp has no host',
    );
    expect(existsSync(work.path("out"))).toBe(false);
    const plan = topogate(["plan"], { cwd: work.folder });
    expect(plan.status).toBe(1);
    expect(plan.stderr).toContain("E-ROUTE");
  });

  it("once, where the environments share it", () => {
    work.draw(
      "stack",
      `${HEAD}components:\n  apisix:\n${VALKEY}links:\n  apisix:\n    mcp:\n  mcp: {stack_agent: read, valkey: read}\nenvironments:\n  dev: {}\n  prod: {}\n`,
    );
    expect(topogate(["generate"], { cwd: work.folder }).stderr.match(/E-ROUTE/g)).toHaveLength(1);
  });
});

describe("E-CONFIGMAP-SIZE: a ConfigMap that no API server takes", () => {
  it("names the ConfigMap, its size and its largest files", async () => {
    const { tree } = await outputOfText(`${HEAD}components:\n${VALKEY}${LINK}`);
    expect(tree.size).toBeGreaterThan(50);
    const file = (path: string, kibibytes: number): { path: string; bytes: number; digest: string } => ({
      path,
      bytes: kibibytes * 1024,
      digest: "",
    });
    const emitted = [
      ...Array.from({ length: 9 }, (_, index) => file(`server/tools/t${index}.ts`, 101 + index)),
      file("server/tools/whole.ts", 1100),
      file("server/runtime/a.ts", 1024),
      file("server/main.ts", 1),
      file("server/package-lock.json", 4096),
    ];
    const workload = {
      name: "stack-mcp",
      namespace: "stack",
      podLabel: "a",
      component: "server",
      port: 1,
      entryPort: 1,
      folder: "server",
    } as const;
    const maps = codeMaps(emitted, workload);
    expect(maps.map(({ name, bytes }) => [name, bytes / 1024])).toEqual([
      ["stack-mcp-code", 1],
      ["stack-mcp-code-runtime", 1024],
      ["stack-mcp-code-tools", 945],
      ["stack-mcp-code-tools-2", 1100],
    ]);
    const said: string[] = [];
    reportSizes(maps, emitted, (code, message) => said.push(`${code} ${message}`));
    expect(said).toEqual([
      "E-CONFIGMAP-SIZE the ConfigMap stack-mcp-code-tools-2 would hold 1100 KiB of code in 1 files, and 1024 KiB is the most: server/tools/whole.ts 1100 KiB",
    ]);
  });

  it("stops a run with so many links that their lock alone is too large", async () => {
    const names = Array.from({ length: 90 }, (_, index) => `cache_${index}`);
    const drawn = names.map((name) => `  ${name}: {type: valkey}\n`).join("");
    const links = names.map((name) => `    ${name}: write\n`).join("");
    const { problems } = await outputOfText(
      `${HEAD}components:\n${drawn}links:\n  mcp:\n    stack_agent: read\n${links}`,
    );
    expect(problems.map(({ code, path }) => [code, path])).toEqual(
      problems.map(() => ["E-CONFIGMAP-SIZE", ["links", "mcp"]]),
    );
    expect(problems.length).toBeGreaterThan(0);
  });
});
