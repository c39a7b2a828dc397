import type { ComponentType } from "../catalog/contract.ts";
import {
  SUB_NAME,
  aiAttributes,
  componentSchema,
  gatewayAttributes,
  linkAttributes,
  rootAttributes,
  sortedTypes,
} from "./schema-parts.ts";
import type { Notation, Types } from "./schema-parts.ts";
import { closed, named } from "./schema-blocks.ts";
import type { JsonSchema } from "./schema-blocks.ts";

export { editorSchema } from "./editor-schema.ts";
export type { JsonSchema } from "./schema-blocks.ts";
export type { Types } from "./schema-parts.ts";

/** Secrets are read by code of their own, which knows that a wrong value must not be shown. */
const normalisedNotation: Notation = {
  secret: () => true,
  section: (block) => named(block, SUB_NAME),
};

/** What a component of this type is validated against, with its shorthand written out. */
export function typeSchema(type: ComponentType): JsonSchema {
  return componentSchema(type, normalisedNotation);
}

/** What the normalised document is validated against, in pieces, so that a fault is reported by one piece only. */
export interface NormalisedSchemas {
  /** Everything but components, links and environments. */
  readonly root: JsonSchema;
  readonly link: JsonSchema;
  readonly gatewayLink: JsonSchema;
  readonly mcpLink: JsonSchema;
  /** By component type. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

export const rootSchema: JsonSchema = closed(rootAttributes, ["apiVersion", "stack"]);
export const linkSchema: JsonSchema = closed(linkAttributes);
export const gatewayLinkSchema: JsonSchema = closed({ ...linkAttributes, ...gatewayAttributes });
export const mcpLinkSchema: JsonSchema = closed(aiAttributes);

export function normalisedSchema(types: Types): NormalisedSchemas {
  return {
    root: rootSchema,
    link: linkSchema,
    gatewayLink: gatewayLinkSchema,
    mcpLink: mcpLinkSchema,
    components: Object.fromEntries(sortedTypes(types).map((type) => [type.type, typeSchema(type)])),
  };
}
