import { readFileSync, readdirSync } from "node:fs";
import { Module } from "node:module";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { repositoryTypes } from "../../test/harness/catalog.ts";
import { smallCatalog } from "../../test/harness/small-catalog.ts";
import { compileValidators, standaloneValidators } from "./compile-validators.ts";
import { loadStack } from "./load.ts";
import { editorSchema } from "./schema.ts";
import type { Validate } from "./validators.ts";

const STACKS = new URL("../../stacks/", import.meta.url);
const stackFiles = readdirSync(STACKS).filter((name) => name.endsWith(".yaml"));

function editorValidator(types: Parameters<typeof editorSchema>[0]): (text: string) => boolean {
  const validate = new Ajv2020({ strict: true, strictTypes: false, allErrors: true }).compile(
    editorSchema(types),
  );
  return (text) => validate(parse(text));
}

const minimal = (components: string): string =>
  `apiVersion: topology/v1\nstack: demo\ncomponents: ${components}\n`;

describe("the editor's schema", () => {
  const accepts = editorValidator(smallCatalog);

  it.each([
    "{kafka: }",
    "{kafka: {topics: [orders]}}",
    "{kafka: {topics: {orders: , payments: {partitions: 2}}}}",
    "{events: {type: kafka, topics: [orders]}}",
    "{cnpg: {admin_password: {k8s: db/app#password}}}",
    "{postgresql: {type: cnpg, instances: 3}}",
  ])("accepts %s", (components) => {
    expect(accepts(minimal(components))).toBe(true);
  });

  it.each([
    ["an attribute of another type, by name", "{kafka: {instances: 3}}"],
    ["an attribute of another type, by type", "{events: {type: kafka, instances: 3}}"],
    ["an unknown type", "{events: {type: kafak}}"],
    ["a component without a type", "{events: }"],
    ["a secret's value", "{cnpg: {admin_password: hunter2}}"],
    ["a text for a number", '{kafka: {port: "9092"}}'],
  ])("refuses %s", (_, components) => {
    expect(accepts(minimal(components))).toBe(false);
  });

  it("describes every attribute that a person can write", async () => {
    const bare: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      for (const [name, schema] of Object.entries((node as { properties?: object }).properties ?? {})) {
        const at = `${path}/${name}`;
        const isDescribed =
          typeof schema === "object" && schema !== null && ("description" in schema || "$ref" in schema);
        if (!isDescribed && /^\/\$defs\/type_\w+\/\w+$/.test(at)) bare.push(at);
      }
      for (const [key, value] of Object.entries(node))
        visit(value, key === "properties" ? path : `${path}/${key}`);
    };
    visit(editorSchema(await repositoryTypes()), "");
    expect(bare).toEqual([]);
  });
});

describe("the stacks of this repository", () => {
  it.each(stackFiles)("%s loads without an error and fits the editor's schema", async (file) => {
    const types = await repositoryTypes();
    const { stack, diagnostics } = await loadStack({
      file: `stacks/${file}`,
      bytes: readFileSync(new URL(file, STACKS)),
      catalog: types,
      validate: compileValidators(types),
      neighbours: (name) =>
        stackFiles.includes(`${name}.yaml`) ? readFileSync(new URL(`${name}.yaml`, STACKS)) : undefined,
      today: "2026-11-20",
    });
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(new Set(diagnostics.map(({ code }) => code))).toEqual(
      new Set(diagnostics.length === 0 ? [] : ["W-NO-TOOLS-YET"]),
    );
    expect(stack).not.toBeNull();
    expect(editorValidator(types)(readFileSync(new URL(file, STACKS), "utf8"))).toBe(true);
  });
});

describe("the compiled validators", () => {
  it("need nothing at run time and agree with those that ajv compiles", () => {
    const compiled = compileValidators(smallCatalog);
    const texts = standaloneValidators(smallCatalog);
    expect([...texts.keys()].toSorted()).toEqual(Object.keys(compiled).toSorted());
    for (const [name, text] of texts) {
      const module = new Module(name);
      (module as unknown as { _compile(text: string, file: string): void })._compile(text, `/${name}.cjs`);
      const standalone = module.exports as Validate;
      for (const value of [{}, { port: "x" }, { unknown: 1 }, { type: "kafka", config: { a: 1 } }]) {
        expect(standalone(value)).toBe(compiled[name]?.(value));
        expect(standalone.errors).toEqual(compiled[name]?.errors);
      }
    }
  });
});
