import { createEngine } from "#runtime/stack-agent/engine";
import type { AttributeTable, ComponentData } from "#runtime/stack-agent/topology-data";
import { describe, expect, it } from "vitest";
import { faultOf } from "../../test/harness/fault.ts";
import { SHOP } from "../../test/harness/shop-data.ts";

describe("where", () => {
  const component = (name: string, config: AttributeTable, port: number | null): ComponentData => ({
    name,
    type: "service",
    namespace: "app",
    group: "backend",
    host: `${name}.app`,
    port,
    external: null,
    builtin: false,
    attributes: {},
    config,
    secrets: [],
    subs: [],
  });
  const small = createEngine({
    ...SHOP,
    components: [
      component("alpha", { tier: "gold", zones: ["a", "b"], debug: true }, 80),
      component("beta", { tier: "silver", zones: [] }, 8080),
      component("gamma", {}, null),
    ],
    links: [],
    reach: [],
  });
  const found = (where: object): unknown[] =>
    small.query({ source: "all", where, select: ["name"] }).rows.map((row) => row["name"]);

  it.each([
    [{ tier: "gold" }, ["alpha"]],
    [{ debug: true }, ["alpha"]],
    [{ port: 80 }, ["alpha"]],
    [{ port: "80" }, []],
    [{ tier__contains: "il" }, ["beta"]],
    [{ zones__contains: "b" }, ["alpha"]],
    [{ tier__exists: true }, ["alpha", "beta"]],
    [{ tier__exists: false }, ["gamma"]],
    [{ zones__exists: true }, ["alpha"]],
    [{ tier__in: ["gold", "bronze"] }, ["alpha"]],
    [{ zones__in: ["b", "z"] }, ["alpha"]],
    [{ port__gt: 80 }, ["beta"]],
    [{ port__gte: 80 }, ["alpha", "beta"]],
    [{ port__lt: 8080 }, ["alpha"]],
    [{ port__lte: 8080 }, ["alpha", "beta"]],
    [{ tier__ne: "gold" }, ["beta", "gamma"]],
    [{ tier__startswith: "si" }, ["beta"]],
    [{ tier__not_in: ["gold", "silver"] }, ["gamma"]],
    [{ port__gte: 80, tier__ne: "gold" }, ["beta"]],
    [{}, ["alpha", "beta", "gamma"]],
  ])("S22: %j", (where, expected) => {
    expect(found(where)).toEqual(expected);
  });

  it.each([
    [{ port__gt: "80" }, "takes a number"],
    [{ port__gt: Number.NaN }, "takes a number"],
    [{ tier__exists: "yes" }, "takes true or false"],
    [{ tier__in: "gold" }, "takes a list"],
    [{ tier__in: [{}] }, "takes a list"],
    [{ tier__in: Array.from({ length: 201 }, () => "x") }, "takes a list"],
    [{ tier: { nested: 1 } }, "takes a text"],
    [{ tier: null }, "takes a text"],
    [{ tier: "x".repeat(257) }, "takes a text"],
    [{ tier__startswith: 1 }, "takes a text"],
    [{ tier__like: "g" }, 'unknown operator "__like"'],
    [{ tyer: "gold" }, 'unknown field "tyer"'],
    [{ ["__proto__"]: "x" }, "unknown operator"],
    [{ constructor: "x" }, 'unknown field "constructor"'],
    [{ ["x".repeat(10_000)]: 1 }, "unknown field"],
    [Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`f${at}`, 1])), "at most 20 conditions"],
  ])("S22: %j is refused", (where, message) => {
    const fault = faultOf(() => found(where));
    expect(fault.code).toBe("invalid_argument");
    expect(fault.message).toContain(message);
    expect(fault.message.length).toBeLessThan(160);
  });

  it("S22: a misspelt field and operator are answered with the right one", () => {
    expect(faultOf(() => found({ teir: 1 })).hint).toBe('did you mean "tier"?');
    expect(faultOf(() => found({ tier__contain: "x" })).hint).toBe('did you mean "contains"?');
  });
});
