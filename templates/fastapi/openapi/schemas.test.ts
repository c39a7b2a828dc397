import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { operationTool } from "#runtime/fastapi/service";
import { defineModule } from "#runtime/tool";
import { foreignText } from "../../../generator/catalog/foreign-text.ts";
import { openModule } from "../../../test/harness/module.ts";
import { link } from "../tools.ts";
import { document, get, query, rowsOf } from "./drawn.fixture.ts";
import type { Json } from "./drawn.fixture.ts";

const LISTED_BYTES = 1400;

describe("schemas", () => {
  const schemaOf = async (schema: Json, more: Json = {}): Promise<unknown> => {
    const [row] = await rowsOf(document({ "/a": get({ parameters: [query("q", schema)] }) }, more));
    return row === undefined ? undefined : (row.inputSchema["properties"] as Json)["q"];
  };

  it.each([
    [
      { type: "integer", minimum: 1, exclusiveMaximum: true, maximum: 5 },
      { type: "integer", minimum: 1, exclusiveMaximum: 5 },
    ],
    [
      { anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }], default: null },
      { type: "string", maxLength: 5 },
    ],
    [{ type: ["integer", "null"] }, { type: "integer" }],
    [
      { type: "string", nullable: true, maxLength: 3 },
      { type: "string", maxLength: 3 },
    ],
    [{ const: "x" }, { enum: ["x"] }],
    [
      { type: "string", enum: ["a", "b"], default: "b" },
      { enum: ["a", "b"], default: "b" },
    ],
    [{ type: "string", enum: ["a"], default: "z" }, { enum: ["a"] }],
    [
      { type: "array", items: { type: "integer" } },
      { type: "array", items: { type: "integer" }, maxItems: 100 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "(a+)+$" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: ".*.*.*=" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "(?<n>" },
      { type: "string", maxLength: 9 },
    ],
    [
      { type: "string", maxLength: 9, pattern: "^[a-z]+$" },
      { type: "string", maxLength: 9, pattern: "^[a-z]+$" },
    ],
    [
      { type: "string", format: "email" },
      { type: "string", maxLength: 4000, description: "(email)" },
    ],
    [
      { allOf: [{ $ref: "#/components/schemas/S" }], description: "d" },
      { type: "string", maxLength: 7, description: "d" },
    ],
  ])("%j becomes %j", async (written, expected) => {
    expect(
      await schemaOf(written, { components: { schemas: { S: { type: "string", maxLength: 7 } } } }),
    ).toEqual(expected);
  });

  it("a body is flat, without what only the service writes, and a cycle is an object", async () => {
    const Node: Json = {
      type: "object",
      properties: { name: { type: "string" }, next: { $ref: "#/components/schemas/Node" } },
    };
    const New = {
      type: "object",
      required: ["id", "name"],
      properties: {
        id: { type: "integer", readOnly: true },
        name: { type: "string" },
        reason: { type: "string" },
        q: { type: "integer" },
        node: { $ref: "#/components/schemas/Node" },
      },
    };
    const operation = {
      operationId: "make",
      parameters: [query("q", { type: "string" })],
      requestBody: { required: true, content: { "application/json": { schema: New } } },
    };
    const [row] = await rowsOf(
      document({ "/a": { post: operation } }, { components: { schemas: { Node } } }),
    );
    const { properties, required } = row!.inputSchema as { properties: Json; required: string[] };
    expect(Object.keys(properties)).toEqual([
      "q",
      "name",
      "body_reason",
      "body_q",
      "node",
      "dry_run",
      "reason",
    ]);
    expect(required).toEqual(["name", "reason"]);
    expect(JSON.stringify(properties["node"])).toContain('"next":{"type":"object"}');
  });

  it("S4: every tool of a wild document fits the list, compiles and keeps its promise", async () => {
    const leaf = fc.constantFrom<Json>(
      { type: "string" },
      { type: "integer" },
      {},
      { type: ["string", "null"] },
      { $ref: "#/components/schemas/Loop" },
      { nullable: true },
    );
    const schema = fc.letrec<{ node: Json }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 8 },
        leaf,
        fc.record({ type: fc.constant("array"), items: tie("node") }),
        fc.record({ anyOf: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
        fc.record({ allOf: fc.array(tie("node"), { minLength: 1, maxLength: 2 }) }),
        fc.record({
          type: fc.constant("object"),
          properties: fc.dictionary(fc.string({ maxLength: 8 }), tie("node"), { maxKeys: 4 }),
          description: fc.string(),
        }),
      ),
    })).node;
    await fc.assert(
      fc.asyncProperty(schema, async (body) => {
        const content = { "application/json": { schema: body } };
        const documents = document(
          {
            "/a": {
              post: {
                operationId: "a",
                requestBody: { content },
                responses: { 200: { description: "", content } },
              },
            },
          },
          {
            components: {
              schemas: {
                Loop: { type: "object", properties: { loop: { $ref: "#/components/schemas/Loop" } } },
              },
            },
          },
        );
        const rows = await rowsOf(documents);
        for (const row of rows) {
          const shown = { ...operationTool(row), effect: undefined };
          expect(JSON.stringify(shown).length).toBeLessThanOrEqual(LISTED_BYTES);
        }
        const module = {
          link,
          open: () => undefined,
          close: async () => undefined,
          tools: rows.map(operationTool),
        };
        expect(() => openModule(defineModule(module as never), {})).not.toThrow();
      }),
      { numRuns: 60 },
    );
  });
});

describe("foreign text", () => {
  it.each([
    ["a <IMPORTANT>b</IMPORTANT> c", "a b c"],
    ["see [the docs](https://evil/x) now", "see the docs now"],
    ["go to https://evil.example/?q=1 now", "go to (address) now"],
    ["```\nrun this\n``` fine", "fine"],
    ["<!-- hidden --> seen\u202e\u200b\u{e0041}", "seen"],
    ["# Title\n\n* one\n* two", "Title one two"],
  ])("%j is %j", (text, expected) => {
    expect(foreignText(text, 300)).toBe(expected);
  });

  it("is cut, and no text takes long", () => {
    expect(foreignText("x".repeat(400), 300)).toHaveLength(300);
    const started = performance.now();
    for (const hostile of ["<", "[", "`", "a:", "<!--", "![](", "](", "<a "])
      foreignText(hostile.repeat(50_000), 300);
    expect(performance.now() - started).toBeLessThan(1500);
  });
});
