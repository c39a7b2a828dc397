import { describe, expect, it } from "vitest";
import { catalog } from "../harness/in-process.ts";
import { at, blocks, ofKind, podsIn } from "./object.ts";
import { outputOfText, withFile } from "./stacks.ts";
import type { Output } from "./stacks.ts";

const DRAWING = `apiVersion: topology/v1
stack: stack
components: {valkey: {namespace: cache}}
links: {mcp: {valkey: read}}
`;

const withPolicy = async (text: string): Promise<Output> =>
  await outputOfText(DRAWING, withFile(catalog, "governance/rules/test.yaml", text));

function annotations(output: Output): Readonly<Record<string, unknown>> {
  return at(
    podsIn(output.manifests)[0]?.owner.object,
    "spec",
    "template",
    "metadata",
    "annotations",
  ) as Record<string, unknown>;
}

describe("A17: a policy of the output is mounted, and rolls the pods when it changes", () => {
  it("stands where `../governance` leads from the mounted code", async () => {
    const output = await withPolicy("a: 1\n");
    const sources = blocks(podsIn(output.manifests)[0]?.spec["volumes"]).flatMap((volume) =>
      blocks(at(volume, "projected", "sources")),
    );
    const policy = sources.find((source) => at(source, "configMap", "name") === "stack-mcp-policy-rules");
    expect(at(policy, "configMap", "items")).toEqual([
      { key: "test.yaml", path: "governance/rules/test.yaml" },
    ]);
    const generators = blocks(ofKind(output.manifests, "Kustomization")[0]?.object["configMapGenerator"]);
    expect(generators.find(({ name }) => name === "stack-mcp-policy-rules")).toEqual({
      name: "stack-mcp-policy-rules",
      namespace: "stack",
      files: ["governance/rules/test.yaml"],
    });
  });

  it("has a checksum of its own", async () => {
    const [one, same, other] = [
      await withPolicy("a: 1\n"),
      await withPolicy("a: 1\n"),
      await withPolicy("a: 2\n"),
    ].map(annotations);
    expect(same).toEqual(one);
    expect(other?.["checksum/code"]).toBe(one?.["checksum/code"]);
    expect(other?.["checksum/policy"]).not.toBe(one?.["checksum/policy"]);
  });
});
