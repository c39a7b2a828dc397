import { memfs } from "memfs";
import { describe, expect, it } from "vitest";
import { defineComponent, text } from "../catalog/contract.ts";
import type { ComponentType } from "../catalog/contract.ts";
import type { FileSystem } from "../tree/disk.ts";
import { compileValidators } from "./compile-validators.ts";
import { loadStack } from "./load.ts";
import type { LoadResult } from "./load.ts";
import { readDocument } from "./stack-file.ts";

const TYPES: ReadonlyMap<string, ComponentType> = new Map(
  [
    defineComponent({
      type: "api",
      summary: "A service.",
      group: "backend",
      port: 80,
      host: "{name}",
      attributes: {
        openapi: text({ doc: "Its document.", document: true }),
        image: text({ doc: "Its image." }),
      },
      mcp: "later",
    }),
  ].map((type) => [type.type, type]),
);
const validate = compileValidators(TYPES);

const JSON_DOCUMENT = JSON.stringify({ openapi: "3.1.0", info: { title: "Orders" } });

interface Drawn {
  readonly openapi: string;
  readonly environments?: string;
}

async function load(
  { openapi, environments = "" }: Drawn,
  files: Record<string, string | null> = {},
  prepare: (fs: FileSystem & { symlinkSync(to: string, path: string): void }) => void = () => undefined,
): Promise<LoadResult & { readonly reads: readonly string[] }> {
  const { fs } = memfs({ "/w/stacks/demo.yaml": "", "/w/secret.json": '{"a":1}', ...files });
  const typed = fs as unknown as FileSystem & { symlinkSync(to: string, path: string): void };
  prepare(typed);
  const reads: string[] = [];
  const drawing = `apiVersion: topology/v1
stack: demo
components:
  one: {type: api, openapi: ${openapi}}
  two: {type: api, image: "x:1"}
${environments}`;
  const result = await loadStack({
    file: "stacks/demo.yaml",
    bytes: Buffer.from(drawing),
    catalog: TYPES,
    validate,
    neighbours: () => undefined,
    documents: (file) => {
      reads.push(file);
      return readDocument(typed, "/w/stacks", file);
    },
  });
  return { ...result, reads };
}

const faults = ({ diagnostics }: LoadResult): readonly string[] =>
  diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ code, path, message }) => `${code} ${path} ${message}`);

describe("documents that a drawing names", () => {
  it.each([
    ["./api/orders.json", JSON_DOCUMENT],
    ["api/orders.json", JSON_DOCUMENT],
    ["api/orders.yaml", "openapi: 3.1.0\ninfo: {title: Orders}\n"],
  ])("S34: %s is part of the topology", async (openapi, content) => {
    const path = `/w/stacks/${openapi.replace("./", "")}`;
    const { stack } = await load({ openapi }, { [path]: content });
    expect(stack?.base.documents).toEqual([
      { component: "one", attribute: "openapi", content: { openapi: "3.1.0", info: { title: "Orders" } } },
    ]);
    expect(stack?.base.drawing).toMatchObject({ stack: "demo" });
  });

  it("S34: a drawing without documents reads nothing", async () => {
    const { stack, reads } = await load({ openapi: '""' });
    expect(stack?.base.documents).toEqual([]);
    expect(reads).toEqual([]);
  });

  it("S34: an environment may name another one, and each is read once", async () => {
    const environments = "environments: {dev: {components: {one: {openapi: dev.json}}}, prod: {}}\n";
    const files = { "/w/stacks/base.json": '{"base":1}', "/w/stacks/dev.json": '{"dev":1}' };
    const { stack, reads } = await load({ openapi: "base.json", environments }, files);
    const contents = [...(stack?.environments ?? [])].map(([name, { documents }]) => [
      name,
      documents[0]?.content,
    ]);
    expect(stack?.base.documents[0]?.content).toEqual({ base: 1 });
    expect(contents).toEqual([
      ["dev", { dev: 1 }],
      ["prod", { base: 1 }],
    ]);
    expect(reads).toEqual(["base.json", "dev.json"]);
  });

  it.each([
    ["missing.json", "does not exist beside the stack file"],
    ["../secret.json", "must be a path below the folder"],
    ["api/../../secret.json", "must be a path below the folder"],
    ["/w/secret.json", "must be a path below the folder"],
    ['"c:\\\\secret.json"', "must be a path below the folder"],
    [".", "must be a path below the folder"],
    ["folder", "is no regular file"],
    ["link.json", "is no regular file"],
    ["out/secret.json", "leads through a link or a file"],
    ["demo.yaml/x.json", "leads through a link or a file"],
    ["large.json", "is larger than"],
  ])("S34: %s is refused", async (openapi, problem) => {
    const files = { "/w/stacks/folder/x": "", "/w/stacks/large.json": `"${"x".repeat(600_000)}"` };
    const result = await load({ openapi }, files, (fs) => {
      fs.symlinkSync("/w/secret.json", "/w/stacks/link.json");
      fs.symlinkSync("/w", "/w/stacks/out");
    });
    expect(result.stack).toBeNull();
    expect(faults(result)).toEqual([expect.stringContaining(`E-REF /components/one/openapi`)]);
    expect(faults(result)[0]).toContain(problem);
  });

  it("S34: what is neither JSON nor YAML says where", async () => {
    const result = await load({ openapi: "bad.json" }, { "/w/stacks/bad.json": '{"a": 1,\n "a": 2}' });
    expect(faults(result)).toEqual([expect.stringMatching(/E-SHAPE \/components\/one\/openapi .*line 2/)]);
  });

  it("S34: a credential in it is refused and not repeated", async () => {
    const token = `ghp_${"a1B2".repeat(9)}`;
    const result = await load(
      { openapi: "a.json" },
      { "/w/stacks/a.json": JSON.stringify({ example: token }) },
    );
    expect(faults(result)).toEqual([expect.stringContaining("E-SECRET-PLAINTEXT /components/one/openapi")]);
    expect(JSON.stringify(result.diagnostics)).not.toContain(token);
  });

  it("S34: a drawing with other errors reads none", async () => {
    const { reads, stack } = await load({ openapi: "a.json", environments: "colour: red\n" });
    expect(stack).toBeNull();
    expect(reads).toEqual([]);
  });
});
