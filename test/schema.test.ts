import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT, topogate } from "./harness/emitted.ts";

const schema = readFileSync(join(ROOT, "stacks/stack.schema.json"), "utf8");

describe("the schema for editors", () => {
  it("in stacks/ is what `topogate schema` prints", () => {
    expect(topogate(["schema"]).stdout).toBe(schema);
  });

  it.each(["hello", "shop", "sre"])("accepts stacks/%s.yaml as it is written", (stack) => {
    const validate = new Ajv2020({ strict: false, allErrors: true }).compile(JSON.parse(schema) as object);
    validate(parse(readFileSync(join(ROOT, "stacks", `${stack}.yaml`), "utf8")));
    expect(validate.errors).toBeNull();
  });

  it("refuses a typo in an inferred type", () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(schema) as object);
    expect(validate({ apiVersion: "topology/v1", stack: "a", components: { cnpg: { instnaces: 3 } } })).toBe(
      false,
    );
  });
});
