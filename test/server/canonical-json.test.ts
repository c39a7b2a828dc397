import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "#runtime/json/canonical";
import { argumentsDigest, toolDigest } from "#runtime/digest";

describe("canonical JSON", () => {
  it("sorts keys by UTF-16 code units, as RFC 8785 says", () => {
    expect(
      canonicalJson({
        "\u20ac": 1,
        "\r": 2,
        "\ufb33": 3,
        "1": 4,
        "\ud83d\ude00": 5,
        "\u0080": 6,
        "\u00f6": 7,
      }),
    ).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
  });

  it("writes numbers as RFC 8785 says", () => {
    expect(canonicalJson([Number("333333333.33333329"), 1e30, 4.5, 0.002, 1e-27, -0])).toBe(
      "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]",
    );
  });

  it("says the same value, in the same way for every order of keys", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it.each([[Number.NaN], [Infinity], ["\ud800"], [{ "\udc00": 1 }], [undefined], [() => 1], [1n]])(
    "refuses %s",
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );

  it("digests with a domain of its own", () => {
    const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
    expect(argumentsDigest("valkey", "valkey_get", { key: "a" })).toBe(
      sha('mcp-args\0v1\0valkey\0valkey_get\0{"key":"a"}'),
    );
    const tool = {
      name: "t",
      title: "T",
      description: "d",
      inputSchema: {},
      outputSchema: {},
      annotations: {},
    };
    expect(toolDigest(tool)).toBe(
      `sha256:${sha('mcp_tool\0 1\0{"annotations":{},"description":"d","inputSchema":{},"name":"t","outputSchema":{},"title":"T"}')}`,
    );
  });
});
