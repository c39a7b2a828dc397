/** What schemas of the stack file are built from. */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a name may look like: it becomes part of file names, variables, tool names and Kubernetes names. */
export const NAME = "^[a-z][a-z0-9_-]{0,62}$";

/** A closed map: `x-` keys are for other tools and mean nothing here. */
export function closed(
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[] = [],
): JsonSchema {
  return {
    type: "object",
    properties,
    patternProperties: { "^x-": true },
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

/** A map from names of the author's choice. */
export function named(value: unknown, pattern = NAME): JsonSchema {
  return { type: "object", propertyNames: { pattern }, additionalProperties: value };
}

export function doc(description: string, schema: JsonSchema): JsonSchema {
  return { description, ...schema };
}
