import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { readTopology } from "#runtime/stack-agent/topology-file";
import { treeOf } from "../../test/harness/in-process.ts";

const drawing = (links: string): string =>
  `apiVersion: topology/v1
stack: caches
components: {valkey: {namespace: cache}}
links: {mcp: {${links}}}
`;

interface Package {
  readonly name: string;
  readonly dependencies: object;
}

describe("what a link to the stack agent emits", () => {
  it("S1: without it there is neither topology.json nor an agent", async () => {
    const tree = await treeOf(drawing("valkey: read"), "caches");
    expect([...tree.keys()].filter((path) => /^agent\/|(topology|commands)\.json$/.test(path))).toEqual([]);
  });

  it("S21: server and agent have the same drawing, one component or link a line", async () => {
    const tree = await treeOf(drawing("stack_agent: read, valkey: read"), "caches");
    const text = tree.get("agent/topology.json")?.text ?? "";
    expect(tree.get("server/topology.json")?.text).toBe(text);
    expect(JSON.parse(text)).toMatchObject({ stack: "caches", reach: [{ component: "stack_agent" }, {}] });
    expect(text.split("\n").filter((line) => line.startsWith('{"id":"mcp->'))).toHaveLength(2);
  });

  it("S21: a large drawing comes in files that a ConfigMap holds, and is read as one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "topology-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const many = Array.from(
      { length: 3_000 },
      (_, index) => `  app-${index}: {type: worker, namespace: apps}\n`,
    );
    const links = many.map((_, index) => `  app-${index}: {valkey: readwrite}\n`).join("");
    const text = `apiVersion: topology/v1\nstack: large\ncomponents:\n  valkey:\n${many.join("")}links:\n  mcp: {stack_agent: read}\n${links}`;
    const tree = await treeOf(text, "large");
    const paths = [...tree.keys()].filter((path) => /^server\/topology.*\.json$/.test(path));
    expect(paths).toEqual(expect.arrayContaining(["server/topology.json", "server/topology-2.json"]));
    for (const path of paths) {
      const content = tree.get(path)?.text ?? "";
      expect(tree.get(path.replace("server", "agent"))?.text).toBe(content);
      expect(Buffer.byteLength(content)).toBeLessThan(512 * 1024);
      writeFileSync(join(folder, path.slice("server/".length)), content);
    }
    const { components, links: read, ...rest } = readTopology(pathToFileURL(join(folder, "topology.json")));
    expect(rest).toMatchObject({ stack: "large", reach: [{ component: "stack_agent" }] });
    expect(rest).not.toHaveProperty("parts");
    const names = components.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(["app-0", "app-2999", "valkey"]));
    expect(read).toHaveLength(3_001);
    const config = tree.get("kustomization.yaml")?.text ?? "";
    for (const path of paths) expect(config).toContain(`- ${path}\n`);
  });

  it("S21: the agent's folder holds what main.ts imports, and no more", async () => {
    const tree = await treeOf(drawing("stack_agent: read"), "caches");
    const paths = [...tree.keys()].filter((path) => path.startsWith("agent/"));
    expect(paths).toEqual(
      expect.arrayContaining([
        "agent/main.ts",
        "agent/start.mjs",
        "agent/tsconfig.json",
        "agent/package-lock.json",
        "agent/service/front-door.ts",
        "agent/runtime/door/host-guard.ts",
        "agent/runtime/stack-agent/engine.ts",
      ]),
    );
    expect(paths.filter((path) => /adapter|audit|pipeline|remote/.test(path))).toEqual([]);
    for (const path of paths) {
      const specifiers = tree.get(path)?.text.matchAll(/from "#runtime\/([^"]+)"/g) ?? [];
      for (const [, name] of specifiers) expect(paths, path).toContain(`agent/runtime/${name}.ts`);
    }
  });

  it("S24: the agent judges the SQL of tests as the server does, where a database is linked", async () => {
    const text = drawing("stack_agent: read, pg: read").replace(
      "{valkey:",
      "{pg: {type: postgresql}, valkey:",
    );
    const tree = await treeOf(text, "caches");
    const manifest = JSON.parse(tree.get("agent/package.json")?.text ?? "{}") as Package;
    expect(manifest.dependencies).toEqual({ "libpg-query": expect.any(String) });
    expect(tree.has("agent/runtime/postgresql/command-guard.ts")).toBe(true);
    expect(tree.has("agent/runtime/postgresql/session.ts")).toBe(false);
    expect(tree.get("agent/commands.json")?.text).toBe(tree.get("server/commands.json")?.text);
  });

  it("S21: the agent needs no library", async () => {
    const tree = await treeOf(drawing("stack_agent: read"), "caches");
    const manifest = JSON.parse(tree.get("agent/package.json")?.text ?? "{}") as Package;
    expect(manifest).toMatchObject({ name: "caches-agent", dependencies: {} });
  });

  it("S21: the server is told where the agent is, and both need one token", async () => {
    const tree = await treeOf(drawing("stack_agent: read"), "caches");
    expect(tree.get("k8s/configmap.yaml")?.text).toContain(
      '"MCP_AGENT_URL": "http://caches-agent.caches.svc.cluster.local:8090"',
    );
    const lock = JSON.parse(tree.get("server/surface.lock.json")?.text ?? "{}") as Record<string, unknown>;
    expect(lock["credentials"]).toEqual(["MCP_AGENT_TOKEN", "MCP_API_KEY"]);
    expect(lock["egress"]).toEqual(["caches-agent.caches.svc.cluster.local:8090"]);
  });
});
