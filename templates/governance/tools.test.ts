import { describe, expect, it } from "vitest";
import { treeOf } from "../../test/harness/in-process.ts";
import { isOpen } from "#runtime/rules/window";
import { patchOf } from "#runtime/rules/patch";
import { compileCondition } from "#runtime/rules/condition";
import { parseRules } from "#runtime/rules/document";

const drawing = (links: string): string =>
  `apiVersion: topology/v1
stack: plain
components: {valkey: {}}
links: {mcp: {${links}}}
`;

describe("what rules emit", () => {
  it("S1: without rules and without the link there is nothing of them", async () => {
    const tree = await treeOf(drawing("valkey: read"), "plain");
    const paths = [...tree.keys()].filter((path) => /rules?[./]|mcp\.(rego|cedar)|RULES/.test(path));
    expect(paths).toEqual(["server/runtime/rules.ts"]);
    expect(tree.get("server/package.json")?.text).not.toContain("cel-js");
    expect(tree.get("server/registry.ts")?.text).not.toContain("rules");
  });

  it("S1: the link alone brings the tools, and no rules", async () => {
    const tree = await treeOf(drawing("governance: read"), "plain");
    expect(tree.has("server/tools/governance.ts")).toBe(true);
    expect(tree.get("server/registry.ts")?.text).not.toContain("rulesIn");
    expect(tree.has("docs/RULES.md")).toBe(false);
  });
});

describe("a change window", () => {
  const at = (time: string): Date => new Date(`2026-03-${time}:00Z`);
  const day = { days: ["mon", "tue"], from: "09:00", to: "17:00", timezone: "Europe/Berlin" };

  it("is open on its days, in its own time zone, through a change of the clock", () => {
    expect(isOpen(day, at("02T07:59"))).toBe(false);
    expect(isOpen(day, at("02T08:00"))).toBe(true);
    expect(isOpen(day, at("02T15:59"))).toBe(true);
    expect(isOpen(day, at("02T16:00"))).toBe(false);
    expect(isOpen(day, at("04T10:00"))).toBe(false);
    expect(isOpen(day, at("30T07:30"))).toBe(true);
  });

  it("goes on past midnight into a day that is not its own", () => {
    const night = { days: ["fri"], from: "22:00", to: "04:00", timezone: "UTC" };
    expect(isOpen(night, at("06T23:00"))).toBe(true);
    expect(isOpen(night, at("07T03:59"))).toBe(true);
    expect(isOpen(night, at("07T04:00"))).toBe(false);
    expect(isOpen(night, at("06T03:00"))).toBe(false);
  });
});

describe("a condition", () => {
  const facts = { stack: { name: "s", env: null }, tool: "t", principal: {}, change_ref: "" };
  const holds = (text: string, args: object): boolean => compileCondition(text, "x")({ ...facts, args });

  it("compares whole numbers, and throws for what is not there or no boolean", () => {
    expect(holds("args.limit > 10", { limit: 11 })).toBe(true);
    expect(holds("args.limit == 10 && !has(args.none)", { limit: 10 })).toBe(true);
    expect(() => holds("args.none > 1", {})).toThrow();
    expect(() => holds("args.limit", { limit: 1 })).toThrow("true or false");
  });
});

describe("what is read at the start", () => {
  it.each([
    ["hello", "has no layer"],
    ['metadata: {"layer":"pack","version":"1.0.0"}\nrules:\n  - {"id":1}', "rules/x.yaml:3 is no rule"],
    ['metadata: {"layer":"pack","version":"1.0.0"}\nrules:\n  - {', "is not a file of rules"],
  ])("refuses %j", (text, problem) => {
    expect(() => parseRules("rules/x.yaml", text)).toThrow(problem);
  });
});

describe("a patch", () => {
  it("is not made of arguments that nobody could review", () => {
    const change = { stack: "s", environment: null, link: "l", component: "c", tool: "t", rule: "r" };
    const list = Array.from({ length: 500 }, (_, at) => at);
    expect(patchOf({ ...change, args: { list }, requestedBy: "me" })).toBeUndefined();
    expect(patchOf({ ...change, args: { list: [1] }, requestedBy: "me" })).toContain("+++ b/changes/s-t-");
  });
});
