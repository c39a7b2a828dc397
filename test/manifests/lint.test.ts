import { beforeAll, describe, expect, it } from "vitest";
import { matrix } from "./matrix.ts";
import type { Manifest } from "./object.ts";
import { rules } from "./rules/all.ts";
import { applied, exampleOutputs, outputOfText, withAgent, withRights } from "./stacks.ts";
import type { Output } from "./stacks.ts";

function problemsOf(manifests: readonly Manifest[]): readonly string[] {
  return rules.flatMap(({ id, title, check }) =>
    check(manifests).map((problem) => `${id} ${title}: ${problem}`),
  );
}

describe("the manifests of the example stacks", () => {
  let outputs: ReadonlyMap<string, Output>;
  beforeAll(async () => {
    outputs = await exampleOutputs();
  });

  it("are those of every environment", () => {
    expect([...outputs.keys()]).toEqual(
      expect.arrayContaining(["hello", "shop", "shop.dev", "shop.prod", "sre", "sre.staging"]),
    );
  });

  it.each(["hello", "shop", "shop.dev", "shop.prod", "sre", "sre.staging"])("H1 to H30: %s", (name) => {
    const output = outputs.get(name);
    expect(output?.manifests.length).toBeGreaterThan(6);
    expect(output?.problems.filter(({ code }) => code.startsWith("E-"))).toEqual([]);
    expect(problemsOf(applied(output?.manifests ?? []))).toEqual([]);
  });
});

describe("the manifests of every way to be reached, delivered and run", () => {
  it.each(matrix().map((drawing) => [drawing.name, drawing.text] as const))(
    "H1 to H30: %s",
    async (_, text) => {
      const { manifests, problems } = await outputOfText(text);
      expect(problems.filter(({ code }) => code.startsWith("E-"))).toEqual([]);
      expect(problemsOf(applied(manifests))).toEqual([]);
    },
  );
});

describe("the manifests of a stack that gives AI nothing", () => {
  it.each([
    ["no link", "components: {valkey: }\n"],
    ["only the drawing", "components: {valkey: }\nlinks: {mcp: {stack_agent: read}}\n"],
  ])("H1 to H30: %s", async (_, text) => {
    const { manifests } = await outputOfText(`apiVersion: topology/v1\nstack: stack\n${text}`);
    expect(problemsOf(applied(manifests))).toEqual([]);
  });
});

/** A stack whose output holds everything that a rule speaks of. */
const FULL =
  matrix().find(({ name }) => name.startsWith("two gateways · none · kubernetes · 3 pods"))?.text ?? "";
const RIGHTS = withRights("valkey", [
  { namespace: "cache", rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list", "get"] }] },
]);

describe("each rule finds what it is for", () => {
  let good: readonly Manifest[];
  beforeAll(async () => {
    good = applied((await outputOfText(FULL, withAgent(RIGHTS))).manifests);
    expect(good.filter(({ object }) => object["kind"] === "Deployment")).toHaveLength(2);
  });

  it("and nothing else", () => {
    expect(problemsOf(good)).toEqual([]);
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.every(({ breaks }) => Object.keys(breaks).length > 0)).toBe(true);
  });

  const broken = rules.flatMap((rule) =>
    Object.entries(rule.breaks).map(([how, change]) => [rule.id, how, rule, change] as const),
  );
  it.each(broken)("%s: %s", (_id, _how, rule, change) => {
    const manifests = structuredClone(good);
    change(manifests);
    expect(rule.check(manifests)).not.toEqual([]);
  });
});
