/**
 * The schema of the stack file as people write it, for editors: shorthand included, and the attributes of a
 * component completed by its name when the name is a type. The loader is stricter than this schema can be.
 */
import type { ComponentType, SecretSpec } from "../catalog/contract.ts";
import {
  SUB_NAME,
  accessSchema,
  aiAttributes,
  componentSchema,
  gatewayAttributes,
  linkAttributes,
  rootAttributes,
  sortedTypes,
} from "./schema-parts.ts";
import type { Notation, Types } from "./schema-parts.ts";
import { NAME, closed, doc, named } from "./schema-blocks.ts";
import type { JsonSchema } from "./schema-blocks.ts";

const string = { type: "string" };
const names = { type: "array", items: { type: "string", pattern: SUB_NAME } };
const orNothing = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: "null" }] });

/** One way to name where a secret's value comes from. */
function way(name: string, description: string, schema: JsonSchema = string): JsonSchema {
  return {
    type: "object",
    properties: { [name]: doc(description, schema) },
    required: [name],
    additionalProperties: false,
  };
}

const storeAndKey = {
  type: "object",
  properties: { store: string, key: string },
  required: ["store", "key"],
  additionalProperties: false,
};

const length = { type: "integer", minimum: 16, maximum: 128 };
const lengthBlock = {
  type: "object",
  properties: { length },
  required: ["length"],
  additionalProperties: false,
};

const secretReference = doc(
  "Where the value comes from; never the value. Left out, the conventional name applies.",
  {
    anyOf: [
      { type: "null" },
      way("key", "Entry of the stack's sealed secrets."),
      way("env", "Variable in the environment of the generator."),
      way("file", "File outside the repository, or a sealed file."),
      way("k8s", "Existing Secret: namespace/name#key."),
      way("external", "Entry of an external store: store/key.", { anyOf: [string, storeAndKey] }),
      way("generate", "Made once, of so many characters.", { anyOf: [length, lengthBlock] }),
    ],
  },
);

const writtenNotation: Notation = {
  secret: ({ doc: description }: SecretSpec) => ({ description, $ref: "#/$defs/secret" }),
  section: (block, spec) =>
    doc(spec.doc, { anyOf: [names, named(orNothing(block), SUB_NAME), { type: "null" }] }),
};

function definitionName(type: ComponentType): string {
  return `type_${type.type}`;
}

function reference(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` };
}

/** A component with a type of its own has that type's attributes, whatever its name says. */
function typedComponent(types: readonly ComponentType[]): JsonSchema {
  return {
    type: "object",
    properties: { type: doc("Type from the catalog.", { enum: types.map((type) => type.type) }) },
    required: ["type"],
    allOf: types.map((type) => ({
      if: { properties: { type: { const: type.type } }, required: ["type"] },
      then: reference(definitionName(type)),
    })),
  };
}

function componentsByName(types: readonly ComponentType[]): Record<string, JsonSchema> {
  const byName = types.map((type) => [
    type.builtin ?? type.type,
    {
      description: type.summary,
      if: { type: "object", properties: { type: true }, required: ["type"] },
      then: reference("component"),
      else: orNothing(reference(definitionName(type))),
    },
  ]);
  return Object.fromEntries(byName) as Record<string, JsonSchema>;
}

const aiLink: JsonSchema = {
  anyOf: [
    { type: "null" },
    { enum: ["read", "propose", "write"] },
    closed({
      ...aiAttributes,
      credentials: { ...aiAttributes["credentials"], additionalProperties: reference("secret") },
      access: doc("read (default), propose: each call needs an approval, or write.", {
        enum: ["read", "propose", "write"],
      }),
      only: doc("The sub-components that AI may reach: names, or a map from name to access.", {
        anyOf: [
          { type: "array", items: string, minItems: 1 },
          { type: "object", additionalProperties: { enum: ["read", "propose", "write", null] } },
        ],
      }),
    }),
  ],
};

const attributesOfLink = closed({ ...linkAttributes, ...gatewayAttributes });
const link: JsonSchema = {
  anyOf: [{ type: "null" }, string, attributesOfLink, { type: "array", items: attributesOfLink }],
};

const linkBlock: JsonSchema = {
  type: "object",
  properties: {
    mcp: doc(
      "Everything that AI can reach, and how far.",
      orNothing({ type: "object", additionalProperties: reference("aiLink") }),
    ),
  },
  additionalProperties: orNothing({ type: "object", additionalProperties: reference("link") }),
};

const environment: JsonSchema = closed({
  domain: rootAttributes["domain"],
  cluster_domain: rootAttributes["cluster_domain"],
  defaults: rootAttributes["defaults"],
  components: doc(
    "Attributes that differ; empty removes the component.",
    named({ type: ["object", "null"] }),
  ),
  links: reference("links"),
  access: accessSchema([]),
});

/** JSON Schema, draft 2020-12; `topogate schema` prints it. */
export function editorSchema(types: Types): JsonSchema {
  const sorted = sortedTypes(types);
  const definitions = sorted.map((type) => [definitionName(type), componentSchema(type, writtenNotation)]);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "topogate stack file",
    ...closed(
      {
        ...rootAttributes,
        components: doc("Everything that is there, by name.", {
          type: "object",
          propertyNames: { pattern: NAME },
          properties: componentsByName(sorted),
          additionalProperties: reference("component"),
        }),
        links: doc("Who reaches whom, from source to target.", orNothing(reference("links"))),
        environments: doc(
          "What differs in an environment; it can only narrow what AI may do.",
          named(orNothing(reference("environment"))),
        ),
      },
      ["apiVersion", "stack", "components"],
    ),
    $defs: {
      secret: secretReference,
      link,
      aiLink,
      links: linkBlock,
      environment,
      component: typedComponent(sorted),
      ...Object.fromEntries(definitions),
    },
  };
}
