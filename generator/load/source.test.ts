import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { type Source, readSource } from "./source.ts";

const shop = new URL("../../stacks/shop.yaml", import.meta.url);

async function refused(content: string | Uint8Array): Promise<readonly Diagnostic[]> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const read = await readSource("stacks/x.yaml", bytes);
  if (read.ok) throw new Error(`accepted as ${JSON.stringify(read.source.value)}`);
  return read.diagnostics;
}

async function accepted(content: string): Promise<Source> {
  const read = await readSource("stacks/x.yaml", new TextEncoder().encode(content));
  if (!read.ok) throw new Error(read.diagnostics.map(({ message }) => message).join("\n"));
  return read.source;
}

/** `line:column code path`, which is what the cases below are about. */
async function faults(content: string | Uint8Array): Promise<readonly string[]> {
  const diagnostics = await refused(content);
  return diagnostics.map(({ at, code, path }) => `${at.line}:${at.column} ${code} ${path}`.trimEnd());
}

async function places(
  source: Source,
  ...queries: Parameters<Source["positionsOf"]>[0]
): Promise<readonly string[]> {
  return (await source.positionsOf(queries)).map(({ line, column }) => `${line}:${column}`);
}

describe("a file that is not a stack file", () => {
  it.each<[string, string | Uint8Array, readonly string[]]>([
    ["an empty file", "", ["1:1 E-YAML"]],
    ["only comments", "# a\n", ["1:1 E-YAML"]],
    ["nothing but null", "~\n", ["1:1 E-YAML"]],
    ["a list", "- a\n", ["1:1 E-YAML"]],
    ["a text", "\n  hello\n", ["2:3 E-YAML"]],
    ["an anchor, an alias, a tag", "a: &x b\nc: *x\nd: !t e\n", ["1:4 E-YAML", "2:4 E-YAML", "3:4 E-YAML"]],
    ["an alias without an anchor", "a: *nowhere\n", ["1:4 E-YAML"]],
    ["a tag of the core schema", "a: !!str 1\n", ["1:4 E-YAML"]],
    ["a directive", "%YAML 1.1\n---\na: no\n", ["1:1 E-YAML"]],
    ["two documents", "a: b\n---\nc: d\n", ["2:1 E-YAML"]],
    ["two documents after an end mark", "a: b\n...\nc: d\n", ["3:1 E-YAML"]],
    ["a merge key", "a: {b: c}\n<<: {d: e}\n", ["2:1 E-YAML"]],
    ["a quoted merge key", '"<<": {d: e}\n', ["1:1 E-YAML"]],
    [
      "keys that are not text",
      "1: a\ntrue: b\n~: c\n? [d]\n: e\n: f\n",
      ["1:1 E-YAML", "2:1 E-YAML", "3:1 E-YAML", "4:3 E-YAML", "6:1 E-YAML"],
    ],
    [
      "reserved keys",
      "__proto__: a\nb: {constructor: c, prototype: d}\n",
      ["1:1 E-YAML", "2:5 E-YAML /b", "2:21 E-YAML /b"],
    ],
    [
      "duplicate keys",
      "a: {b: 1, b: 2}\nc:\n  - d: 1\n    d: 2\na: 3\n",
      ["1:11 E-DUP /a/b", "4:5 E-DUP /c/0/d", "5:1 E-DUP /a"],
    ],
    ["duplicate keys, one of them quoted", "a: 1\n'a': 2\n", ["2:1 E-DUP /a"]],
    [
      "numbers with a leading zero",
      "a: 012\nb: -00\nc: 01.5\n",
      ["1:4 E-YAML /a", "2:4 E-YAML /b", "3:4 E-YAML /c"],
    ],
    [
      "integers that lose digits",
      "a: 9007199254740993\nb: [-12345678901234567890]\n",
      ["1:4 E-YAML /a", "2:5 E-YAML /b/0"],
    ],
    [
      "numbers outside of JSON",
      "a: .inf\nb: -.INF\nc: .nan\nd: 1e999\n",
      ["1:4 E-YAML /a", "2:4 E-YAML /b", "3:4 E-YAML /c", "4:4 E-YAML /d"],
    ],
    ["a null byte", "a: b\0c\n", ["1:5 E-YAML"]],
    ["control characters", "a: \u0007b\nc: \u009bd\n", ["1:4 E-YAML", "2:4 E-YAML"]],
    ["characters that reverse text", "a: b # \u202e\nc: \u2066d\n", ["1:8 E-YAML", "2:4 E-YAML"]],
    ["a second byte order mark", "\ufeffa: b\n\ufefflinks: c\n", ["2:1 E-YAML"]],
    ["a lone carriage return", "a: b\rc: d\n", ["1:5 E-YAML"]],
    [
      "escapes for such characters",
      'a: "\\0"\nb: "\\u202E"\nc: "\\ud800"\n"\\u0007": d\n',
      ["1:4 E-YAML /a", "2:4 E-YAML /b", "3:4 E-YAML /c", "4:1 E-YAML"],
    ],
    ["bytes that are not UTF-8", new Uint8Array([0x61, 0x3a, 0x0a, 0x62, 0x20, 0xc3, 0x28]), ["2:3 E-YAML"]],
    ["a cut UTF-8 character at the end", new Uint8Array([0x61, 0x3a, 0x20, 0xe2, 0x82]), ["1:4 E-YAML"]],
    ["an encoded surrogate", new Uint8Array([0x61, 0x3a, 0x20, 0xed, 0xa0, 0x80]), ["1:4 E-YAML"]],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 0x61, 0]), ["1:1 E-YAML"]],
    ["a tab that indents", "a:\n\tb: c\n", ["2:1 E-YAML"]],
    ["an indentation that fits nothing", "a:\n    b: c\n  d: e\n", ["3:1 E-YAML"]],
    ["an open quote", "a: b\nc: 'd\ne: f\n", ["2:4 E-YAML"]],
    ["an open double quote that ends in an escaped one", 'a: "b\\"\n', ["1:4 E-YAML"]],
    ["an open bracket", "a: [b, {c: d}\ne: f\n", ["1:4 E-YAML"]],
    ["an open bracket at the end", "a: {b: [c", ["1:8 E-YAML"]],
    ["a closing bracket too many", "a: [b]]\n", ["1:7 E-YAML"]],
    ["empty items", "a: [b,, c]\n", ["1:7 E-YAML"]],
    [
      "a value that begins with an indicator",
      "a: @b\nc: `d`\ne: %f\n",
      ["1:4 E-YAML", "2:4 E-YAML", "3:4 E-YAML"],
    ],
    ["two keys on one line", "a: b: c\nd: e: f\n", ["1:4 E-YAML", "2:4 E-YAML"]],
    ["syntax faults before an open bracket", "a: b: c\nd: [e\n", ["1:4 E-YAML", "2:4 E-YAML"]],
    ["faults of different kinds", "a: &x 1\nb: 012\nb: 2\n", ["1:4 E-YAML", "2:4 E-YAML /b", "3:1 E-DUP /b"]],
  ])("%s", async (_, content, expected) => {
    expect(await faults(content)).toEqual(expected);
  });

  it("counts columns in UTF-16 code units", async () => {
    expect(await faults('a: ["😀", 012]\n')).toEqual(["1:11 E-YAML /a/1"]);
  });

  it("reports depth, size and the number of faults within bounds", async () => {
    const deepLists = `a: ${"[".repeat(40)}${"]".repeat(40)}\n`;
    const deepMaps = Array.from({ length: 40 }, (_, level) => `${" ".repeat(level)}a:\n`).join("");
    expect(await faults(deepLists)).toEqual([expect.stringMatching(/^1:3\d E-LIMIT/)]);
    expect(await faults(deepMaps)).toEqual([expect.stringMatching(/^3\d:3\d E-LIMIT/)]);
    expect(await faults(new Uint8Array(16 * 1024 * 1024 + 1))).toEqual(["1:1 E-LIMIT"]);
    expect(await faults("a: &x b\n".repeat(1000))).toHaveLength(100);
  });

  it("never shows the source, which may be a secret", async () => {
    const secret = "hunter2-Tr0ub4dor";
    const files = [
      `a: &${secret} b\n`,
      `a: *${secret}\n`,
      `a: !${secret} b\n`,
      `%${secret}\n---\na: b\n`,
      `a: @${secret}\n`,
      `a: "\\q${secret}"\n`,
      `a: '${secret}\n`,
      `a: [${secret}\n`,
      `a: b: ${secret}\n`,
      `a: "b" ${secret}\n`,
      `a: ${secret}\n  b: c\n`,
      `- ${secret}\n`,
      `${secret}\n`,
      `a: |${secret}\n`,
      `a: {b ${secret}: }c\n`,
      `a: 0${"1234567890".repeat(3)}\n`,
      `? ${secret}\n? [${secret}]\n`,
      `a:\n\t${secret}\n`,
      `a: ${secret}\u0000\n`,
    ];
    for (const file of files) {
      const diagnostics = await refused(file);
      expect(diagnostics.length).toBeGreaterThan(0);
      expect(JSON.stringify(diagnostics)).not.toMatch(/hunter2|1234567890/);
    }
  });

  it("says what to do", async () => {
    for (const { message, severity, at } of await refused("a: &x 1\nb: 012\nb: *x\nc: !t\n1: 2\n")) {
      expect(message).toMatch(/quote|write|remove|make|choose/);
      expect(severity).toBe("error");
      expect(at.file).toBe("stacks/x.yaml");
    }
  });
});

describe("a file that the complete parser reads", () => {
  it.each<[string, unknown]>([
    ["a: |\n  b\n  c\n", { a: "b\nc\n" }],
    ["a: >-\n  b\n  c\n", { a: "b c" }],
    ["a: 'it''s'\nb: \"\\x41\"\n", { a: "it's", b: "A" }],
    ["a: b\n  c\n", { a: "b c" }],
    ["? a\n: b\n", { a: "b" }],
    ["a: 0x1F\nb: 0o17\nc: 1e3\nd: +1\ne: .5\n", { a: 31, b: 15, c: 1000, d: 1, e: 0.5 }],
    ["a: [b: c]\n", { a: [{ b: "c" }] }],
    ["a: no\nb: 1_000\nc: 1:30\nd: 2027-01-31\n", { a: "no", b: "1_000", c: "1:30", d: "2027-01-31" }],
    ["a: b\n...\n", { a: "b" }],
    ["\ufeffa: 'b''c'\r\nd: 'e'\r\n", { a: "b'c", d: "e" }],
    ['"toString": |\n  a\n', { toString: "a\n" }],
  ])("%j", async (content, value) => {
    const source = await accepted(content);
    expect(source.value).toEqual(value);
    expect(source.file).toBe("stacks/x.yaml");
  });
});

describe("positions", () => {
  const drawing =
    "components:\n  cnpg:\n    databases: {app_db: {username: u}}\n  web:\nlist:\n  - a\n  - b: c\n";
  const forms = [
    drawing,
    drawing.replaceAll("\n", "\r\n"),
    `\ufeff${drawing}`,
    `${drawing}note: |\n  read by the complete parser\n`,
  ];

  it.each(forms)("of keys, values, items and what is missing", async (content) => {
    const source = await accepted(content);
    const found = await places(
      source,
      { path: ["components"] },
      { path: ["components"], on: "value" },
      { path: ["components", "cnpg", "databases", "app_db", "username"] },
      { path: ["components", "cnpg", "databases", "app_db", "username"], on: "value" },
      { path: ["components", "web", "type"] },
      { path: ["components", "web"], on: "value" },
      { path: ["list", 1] },
      { path: ["list", 1, "b"], on: "value" },
      { path: ["list", 7] },
      { path: ["nowhere", "at", "all"] },
      { path: [] },
    );
    expect(found).toEqual(["1:1", "2:3", "3:26", "3:36", "4:3", "4:3", "7:5", "7:8", "5:1", "1:1", "1:1"]);
  });

  it("of a stack on disk", async () => {
    const read = await readSource("stacks/shop.yaml", readFileSync(shop));
    if (!read.ok) throw new Error("shop.yaml is refused");
    const lines = readFileSync(shop, "utf8").split("\n");
    const path = ["links", "mcp", "valkey", "limits"];
    const [position] = await read.source.positionsOf([{ path }]);
    expect(position?.file).toBe("stacks/shop.yaml");
    expect(lines[(position?.line ?? 0) - 1]?.slice((position?.column ?? 0) - 1)).toMatch(/^limits: \{/);
  });

  it("of 20 000 values in one pass", async () => {
    const source = await accepted(Array.from({ length: 20_000 }, (_, index) => `k${index}: v\n`).join(""));
    const queries = Array.from({ length: 20_000 }, (_, index) => ({ path: [`k${19_999 - index}`] }));
    const found = await source.positionsOf(queries);
    expect(found[0]).toEqual({ file: "stacks/x.yaml", line: 20_000, column: 1 });
    expect(found[19_999]).toEqual({ file: "stacks/x.yaml", line: 1, column: 1 });
  });
});
