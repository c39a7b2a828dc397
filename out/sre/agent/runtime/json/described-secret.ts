/** Words with which JSON Schema and OpenAPI say what a value must be; none of them holds the value. */
const WORDS: ReadonlySet<string> = new Set([
  "$ref",
  "additionalProperties",
  "allOf",
  "anyOf",
  "bearerFormat",
  "content",
  "deprecated",
  "description",
  "flows",
  "format",
  "in",
  "items",
  "maxLength",
  "minLength",
  "name",
  "nullable",
  "oneOf",
  "openIdConnectUrl",
  "pattern",
  "properties",
  "readOnly",
  "required",
  "schema",
  "scheme",
  "title",
  "type",
  "writeOnly",
]);

/**
 * Whether what stands under `password` or `apiKey` describes such a value and is none: `{type: "string"}` in a
 * schema, `{type: "apiKey", in: "header"}` in an OpenAPI document. An object with any other word in it may hold one.
 */
export function describesSecret(held: unknown): boolean {
  if (typeof held !== "object" || held === null || Array.isArray(held)) return false;
  const words = Object.keys(held);
  return (words.includes("type") || words.includes("$ref")) && words.every((word) => WORDS.has(word));
}
