import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { damagedText, yamlText } from "../../test/harness/yaml-texts.ts";
import { parseStrict } from "./strict-yaml.ts";

const shop = readFileSync(new URL("../../stacks/shop.yaml", import.meta.url), "utf8");

/** The safety of the strict path: it never accepts what `yaml` warns of, and never changes a value. */
function expectSameAsLibrary(text: string): void {
  const strict = parseStrict(text);
  if (!strict.ok) return;
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  expect(documents).toHaveLength(1);
  const [document] = documents;
  expect([...(document?.errors ?? []), ...(document?.warnings ?? [])]).toEqual([]);
  expect(strict.value).toStrictEqual(document?.toJS());
}

describe("the strict path", () => {
  it("agrees with yaml on generated documents", () => {
    fc.assert(fc.property(yamlText, expectSameAsLibrary), { numRuns: 2000 });
  });

  it("agrees with yaml on damaged stack files", () => {
    fc.assert(fc.property(damagedText([shop]), expectSameAsLibrary), { numRuns: 2000 });
  });
});
