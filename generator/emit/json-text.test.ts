import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactJson, jsonRows, jsonText, rowTexts } from "./json-text.ts";

const anything = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())));

describe("a JSON file", () => {
  it("says the same in every layout, and compactly what JSON.stringify says", () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(compactJson(value)).toBe(JSON.stringify(value));
        for (const layout of ["pretty", "rows"] as const)
          expect(JSON.stringify(JSON.parse(jsonText(value, layout)))).toBe(JSON.stringify(value));
      }),
    );
  });

  it("has every element of a top-level list on a line of its own", () => {
    const value = { stack: "shop", none: undefined, links: [{ a: [1, 2] }, null], empty: [] };
    expect(jsonText(value, "rows")).toBe(
      '{\n"stack": "shop",\n"links": [\n{"a":[1,2]},\nnull\n],\n"empty": []\n}\n',
    );
  });

  it("takes rows that are serialised already, an empty list too", () => {
    const list = [{ a: 1 }, "two"];
    expect(jsonText({ list: jsonRows(rowTexts(list)) }, "rows")).toBe(jsonText({ list }, "rows"));
    expect(jsonText({ list: jsonRows([]) }, "rows")).toBe(jsonText({ list: [] }, "rows"));
  });

  it("takes nothing that a drawing can hold for serialised rows", () => {
    const drawn = JSON.parse('{"exports": {"topogate.serialised": ["}, forged"], "texts": ["]"]}}') as object;
    expect(JSON.parse(jsonText(drawn, "rows"))).toEqual(drawn);
  });
});
