import { readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { redraw } from "../generator/load/redraw.ts";
import { ROOT, topogate, workspace } from "./harness/emitted.ts";
import { emit } from "../generator/emit/emit.ts";
import { catalog, topologyOf } from "./harness/in-process.ts";

const BOTH =
  "apiVersion: topology/v1\nstack: stack\ncomponents: {valkey: , prometheus: }\nlinks: {mcp: {stack_agent: read, prometheus: read, valkey: {access: write, tools: [valkey_set]}}}\n";
const ONE = BOTH.replace(", valkey: {access: write, tools: [valkey_set]}", "");

interface Manifest {
  generator: string;
  files: Record<string, { sha256: string }>;
}

describe("plan", () => {
  const work = workspace();
  afterAll(work.remove);
  const plan = (): string => topogate(["plan"], { cwd: work.folder }).stdout;

  /** Makes the output look as an older generator would have left it: another version, one file different. */
  function age(path: string): void {
    const manifestPath = work.path("out/stack/.generated.json");
    const manifest = JSON.parse(readFileSync(manifestPath, "utf8")) as Manifest;
    const older = "// an older runtime\n";
    writeFileSync(work.path("out/stack", path), older);
    manifest.generator = "0.0.1";
    const entry = manifest.files[path];
    if (entry !== undefined) entry.sha256 = createHash("sha256").update(older).digest("hex");
    writeFileSync(manifestPath, JSON.stringify(manifest));
  }

  it("says which files, tools, credentials, flags and addresses go with a link", () => {
    work.draw("stack", BOTH);
    work.generate();
    expect(plan()).toBe("out/stack: up to date\n");
    work.draw("stack", ONE);
    const text = plan();
    for (const line of [
      "- server/tools/valkey.ts",
      "- principals/valkey/README.md",
      "- principals/valkey/valkey.acl",
      "- tool valkey_set",
      "- credential MCP_VALKEY_PASSWORD",
      "- egress valkey.valkey.svc.cluster.local:6379",
      "- write flag MCP_VALKEY_WRITE_ACCESS",
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain("AI gains");
    expect(text).not.toContain("newer generator");
    expect(topogate(["plan", "--detailed-exitcode"], { cwd: work.folder }).status).toBe(2);
  });

  it("names a wider access as a gain", () => {
    work.draw("stack", BOTH.replace("{access: write, tools: [valkey_set]}", "read"));
    work.generate();
    work.draw("stack", BOTH);
    expect(plan()).toMatch(/AI gains\n {4}\+ tool valkey_set/);
  });

  it("tells the changes of a newer generator from those of the drawing", () => {
    work.draw("stack", BOTH);
    work.generate();
    age("server/runtime/fault.ts");
    expect(plan()).toMatch(
      /from a newer generator\n {4}~ \.generated\.json\n {4}~ server\/runtime\/fault\.ts\n/,
    );
    expect(plan()).not.toContain("from the drawing");
    work.draw("stack", ONE);
    const text = plan();
    const section = (title: string): string =>
      new RegExp(`  ${title}\\n((?: {4}.*\\n)*)`).exec(text)?.[1] ?? "";
    expect(section("from a newer generator")).toBe("    ~ server/runtime/fault.ts\n");
    expect(section("from the drawing")).toContain("- server/tools/valkey.ts");
    expect(section("from the drawing")).not.toContain("fault.ts");
    expect(section("from both")).toBe("    ~ .generated.json\n");
  });
});

describe("the drawing on record", () => {
  it.each(["hello", "shop", "sre"])("%s says the same when it is read again", async (stack) => {
    const text = readFileSync(`${ROOT}stacks/${stack}.yaml`, "utf8")
      .replace(/^exports:.*$/m, "")
      .replace(/external: \{[^}]*\}/, "external: {stack: other, component: other}");
    const topology = await topologyOf(text, stack);
    const { environments } = topology;
    const drawn = await topologyOf(Buffer.from(redraw(JSON.stringify(topology.drawing))).toString(), stack);
    const again = { ...drawn, environments };
    expect(again.drawing).toEqual(topology.drawing);
    expect((await emit(again, catalog)).tree).toEqual((await emit(topology, catalog)).tree);
  });
});
