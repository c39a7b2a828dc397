import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectClient } from "../harness/emitted.ts";
import { mountPod, probe } from "./mounted.ts";
import type { Mounted, RunningPod } from "./mounted.ts";
import { podsIn } from "./object.ts";
import type { Block } from "./object.ts";
import { exampleOutputs } from "./stacks.ts";
import type { Output } from "./stacks.ts";

describe("the code as Kubernetes mounts it: one projected volume, node_modules one level above", () => {
  let output: Output;
  let container: Block;
  let mounted: Mounted;
  let running: RunningPod;

  beforeAll(async () => {
    const found = (await exampleOutputs()).get("shop");
    const [pod] = podsIn(found?.manifests ?? []);
    if (found === undefined || pod?.containers[0] === undefined) throw new Error("shop has no pod");
    [output, container] = [found, pod.containers[0]];
    // Node 20 runs TypeScript through tsx, which the image with its newer Node does without.
    mounted = mountPod(output, pod, process.execPath, true);
    running = await mounted.start({ MCP_PORT: "0", MCP_API_KEY_TEAM_ID: "sre" });
  });
  afterAll(async () => {
    await running.stop();
    mounted.remove();
  });

  it("every file is a link into a folder that is replaced as a whole", () => {
    const main = realpathSync(join(mounted.folder, "main.ts"));
    expect(main).toMatch(/\/\.\.2027[^/]*\/main\.ts$/);
    expect(realpathSync(join(mounted.folder, "runtime/stage/execute.ts"))).toBe(
      main.replace("main.ts", "runtime/stage/execute.ts"),
    );
  });

  it("runs as the account of the manifest, without a right, on a root that cannot be written", () => {
    const status = readFileSync(`/proc/${running.pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
    expect(status).toMatch(/^Gid:\t10001\t10001\t10001\t10001$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    const mounts = readFileSync(`/proc/${running.pid}/mounts`, "utf8")
      .split("\n")
      .map((line) => line.split(" "));
    const optionsOf = (path: string): string =>
      mounts.filter(([, target]) => target === path).at(-1)?.[3] ?? "";
    for (const path of ["/", "/mnt", "/mnt/app"]) expect(optionsOf(path), path).toMatch(/^ro\b/);
    expect(optionsOf("/tmp")).toMatch(/^rw\b/);
  });

  it("A21: answers the probes of the manifest, and no other host", async () => {
    for (const name of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(await probe(running.port, container[name]), name).toBe(200);
      expect(await probe(running.port, container[name], "evil.example"), name).toBe(403);
    }
    for (const host of String(running.variables["MCP_ALLOWED_HOSTS"]).split(","))
      expect(await probe(running.port, container["readinessProbe"], `${host}:8080`), host).toBe(200);
  });

  it("A21: lists its tools to a client with the key of the Secret", async () => {
    const url = new URL(`http://127.0.0.1:${running.port}/mcp`);
    const client = await connectClient({ url, key: running.variables["MCP_API_KEY"] ?? "" });
    const { tools } = await client.listTools();
    const lock = JSON.parse(output.tree.get("server/surface.lock.json")?.text ?? "{}") as {
      tools: { name: string }[];
    };
    expect(tools.map(({ name }) => name)).toEqual(lock.tools.map(({ name }) => name));
    await client.close();
  });

  it("P14: ends by itself when it is asked to", async () => {
    const again = await mounted.start({ MCP_PORT: "0" });
    expect(await again.stop()).toBe(0);
  });
});
