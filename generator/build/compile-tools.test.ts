import { describe, expect, it } from "vitest";
import { specialize } from "../emit/specialize.ts";
import { compileRuntime } from "./compile-runtime.ts";
import { compileTools } from "./compile-tools.ts";

const MODULE = `import { readOnly, shared, writeOnly } from "#runtime/thing/code";
import { guardWrites } from "#runtime/thing/guard";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";

/** A slot. */
export const names: readonly string[] = slot("names", ["one"]);

const LIMIT = 10;
/** Only the setter knows it. */
const MOST = 20;

interface Row {
  readonly set: string;
}

function describeRow(row: Row): string {
  return row.set + shared(LIMIT);
}

const get = defineTool({
  name: named("thing_get"),
  effect: "read",
  description: \`Use \${named("thing_list")} first. At most \${LIMIT}.\`,
  handler: () => readOnly(describeRow),
});

const set = defineTool({
  name: named("thing_set"),
  effect: "additive",
  description: "Writes.",
  handler: () => writeOnly(shared(MOST), guardWrites),
});

const remove = defineTool({
  name: named("thing_remove"),
  effect: "destructive",
  description: "Removes.",
  handler: () => guardWrites(LIMIT),
});

export const tools = defineModule({ tools: [get, set, remove] });
`;

const prefixed =
  (prefix: string) =>
  (rest: string): string =>
    `${prefix}${rest}`;

function emitted(writeTools: readonly string[], nameOf = prefixed("thing")): string {
  const { pieces, slots } = compileTools("templates/thing/tools.ts", MODULE, "thing");
  const module = {
    from: "templates/thing/tools.ts",
    folder: "thing",
    runtime: [],
    pieces,
    slots,
    tools: [],
    resources: [],
    prompts: [],
  };
  return specialize(module, {
    nameOf,
    slots: { names: ["a", "b"] },
    writeTools: new Set(writeTools),
  });
}

describe("the cut of write tools", () => {
  it("S8: without write tools, nothing that only they need is left", () => {
    const text = emitted([]);
    expect(text).not.toMatch(
      /thing_set|thing_remove|writeOnly|guardWrites|MOST|Only the setter|defineTool\(\{[^}]*additive/,
    );
    expect(text).toContain("tools: [get,]");
    expect(text).toContain("readOnly, shared,");
    expect(text).toContain('name: "thing_get"');
  });

  it("keeps what one of two needs, and cuts what only the other one needs", () => {
    const removing = emitted(["thing_remove"]);
    expect(removing).toContain("guardWrites");
    expect(removing).not.toMatch(/thing_set|writeOnly|MOST/);
    const setting = emitted(["thing_set"]);
    expect(setting).toMatch(/MOST = 20/);
    expect(setting).not.toContain("thing_remove");
  });

  it("with all of them, the module is its own text with the slots filled", () => {
    const expected = MODULE.replace('import { named, slot } from "#runtime/slot";\n', "")
      .replace('slot("names", ["one"])', '["a", "b"]')
      .replace('${named("thing_list")}', "thing_list")
      .replaceAll(/named\(("[a-z_]+")\)/g, "$1");
    expect(emitted(["thing_set", "thing_remove"])).toBe(expected);
  });

  it("a second instance gets names of its own, in texts as well", () => {
    const text = emitted([], prefixed("session_cache"));
    expect(text).toContain('name: "session_cache_get"');
    expect(text).toContain("Use session_cache_list first.");
  });

  it("a value in a slot cannot leave its literal", () => {
    const { pieces, slots } = compileTools("templates/thing/tools.ts", MODULE, "thing");
    const module = {
      from: "x",
      folder: "thing",
      runtime: [],
      pieces,
      slots,
      tools: [],
      resources: [],
      prompts: [],
    };
    const nasty = ['"; process.exit(1); //', "`${process.env}`", "\u2028\u202e", "*/"];
    const text = specialize(module, {
      nameOf: prefixed("thing"),
      slots: { names: nasty },
      writeTools: new Set(),
    });
    const literal = /readonly string\[\] = (\[[\s\S]*?\n?\]);/.exec(text)?.[1] ?? "";
    expect(JSON.parse(literal.replace(/,\s*\]$/, "]"))).toEqual(nasty);
    expect(text).not.toMatch(/[\u2028\u202e]/);
  });
});

describe("a template that cannot be cut or filled", () => {
  const broken =
    (from: string, to: string): (() => unknown) =>
    () =>
      compileTools("templates/thing/tools.ts", MODULE.replace(from, to), "thing");

  it.each([
    [
      'slot("names", ["one"])',
      'slot("other", ["one"])',
      /templates\/thing\/tools\.ts:7:\d+: slot "other" must be written/,
    ],
    ['named("thing_get")', 'named("other_get")', /"other_get" does not start with the prefix/],
    ['effect: "additive"', "effect: EFFECT", /effect must be a string literal/],
    ["tools: [get, set, remove]", "tools: [get, set]", /write tool "remove" is not in the module's list/],
    ["tools: [get, set, remove]", "tools: all()", /write: export const tools = defineModule/],
  ])("%s -> %s is named with its place", (from, to, message) => {
    expect(broken(from, to)).toThrow(message);
  });
});

describe("the cut of runtime files", () => {
  it("leaves out a file that only write tools import, directly or not", () => {
    const { pieces } = compileTools("templates/thing/tools.ts", MODULE, "thing");
    const texts = new Map([
      ["templates/thing/runtime/code.ts", 'import { x } from "#runtime/thing/shared";'],
      ["templates/thing/runtime/guard.ts", 'import { y } from "#runtime/thing/deep";'],
      ["templates/thing/runtime/deep.ts", ""],
      ["templates/thing/runtime/shared.ts", ""],
    ]);
    expect(compileRuntime("thing", pieces, texts)).toEqual([
      { path: "templates/thing/runtime/code.ts" },
      { path: "templates/thing/runtime/guard.ts", needs: ["thing_remove", "thing_set"] },
      { path: "templates/thing/runtime/deep.ts", needs: ["thing_remove", "thing_set"] },
      { path: "templates/thing/runtime/shared.ts" },
    ]);
  });
});
