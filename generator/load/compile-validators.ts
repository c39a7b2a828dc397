import { Ajv2020 } from "ajv/dist/2020.js";
import type { AnySchemaObject } from "ajv/dist/2020.js";
import standalone from "ajv/dist/standalone/index.js";
import { sortedTypes } from "./schema-parts.ts";
import type { Types } from "./schema-parts.ts";
import { normalisedSchema } from "./schema.ts";
import { validatorName } from "./validators.ts";
import type { StackValidators, Validate } from "./validators.ts";

/** Every validator by its name; descriptions and defaults are for people and only make the code longer. */
function schemasByName(types: Types): ReadonlyMap<string, AnySchemaObject> {
  const { components, ...pieces } = normalisedSchema(types);
  const all = new Map<string, AnySchemaObject>(Object.entries(pieces));
  for (const type of sortedTypes(types)) all.set(validatorName(type), components[type.type] ?? {});
  return all;
}

function ajvWith(schemas: ReadonlyMap<string, AnySchemaObject>, forStandalone: boolean): Ajv2020 {
  const ajv = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    allErrors: true,
    ...(forStandalone ? { code: { source: true } } : {}),
  });
  for (const [name, schema] of schemas) ajv.addSchema(schema, name);
  return ajv;
}

/** Compiles on first use, for tests and for catalogs that are not built. */
export function compileValidators(types: Types): StackValidators {
  const schemas = schemasByName(types);
  const ajv = ajvWith(schemas, false);
  return Object.fromEntries(
    [...schemas.keys()].map((name) => [name, lazily(() => ajv.getSchema(name) as Validate)]),
  );
}

function lazily(compile: () => Validate): Validate {
  let compiled: Validate | undefined;
  const validate: Validate = (value) => {
    compiled ??= compile();
    const valid = compiled(value);
    validate.errors = compiled.errors ?? null;
    return valid;
  };
  return validate;
}

/**
 * The text of one CommonJS module for each validator, which imports nothing. They are separate because a
 * stack uses few component types, and a validator that is not loaded costs nothing.
 */
export function standaloneValidators(types: Types): ReadonlyMap<string, string> {
  const schemas = schemasByName(types);
  const ajv = ajvWith(schemas, true);
  const texts = [...schemas.keys()].map((name) => {
    const compiled = ajv.getSchema(name);
    if (compiled === undefined) throw new Error(`no schema "${name}"`);
    return [name, standalone.default(ajv, compiled)] as const;
  });
  for (const [name, text] of texts) {
    if (/\brequire\(/.test(text))
      throw new Error(`${name} uses a keyword whose validator needs ajv at run time`);
  }
  return new Map(texts);
}
