/**
 * Typed parameters: one declaration gives the JSON Schema that the model reads, the validator that
 * refuses everything else, and the TypeScript type that the handler receives.
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** `Presence` says what a handler sees when the caller leaves the parameter out. */
export interface Parameter<T, Presence extends "required" | "optional" | "defaulted"> {
  readonly schema: JsonSchema;
  readonly presence: Presence;
  readonly type?: T;
}

type AnyParameter = Parameter<unknown, "required" | "optional" | "defaulted">;
export type Parameters = Readonly<Record<string, AnyParameter>>;

type ValueOf<P> = P extends Parameter<infer T, infer _> ? T : never;
type OptionalKeys<P extends Parameters> = {
  [K in keyof P]: P[K]["presence"] extends "optional" ? K : never;
}[keyof P];

/** The arguments a handler receives: validated, defaults filled in, nothing else present. */
export type ArgumentsOf<P extends Parameters> = {
  readonly [K in Exclude<keyof P, OptionalKeys<P>>]: ValueOf<P[K]>;
} & { readonly [K in OptionalKeys<P>]?: ValueOf<P[K]> };

interface Options<T> {
  /** One short sentence for the model; leave it out where name and type say everything. */
  readonly doc?: string;
  readonly default?: T;
  readonly optional?: true;
}
type PresenceOf<O> = O extends { default: unknown }
  ? "defaulted"
  : O extends { optional: true }
    ? "optional"
    : "required";

function parameter<T, O extends Options<T>>(shape: JsonSchema, options: O): Parameter<T, PresenceOf<O>> {
  const presence = (
    options.default !== undefined ? "defaulted" : options.optional === true ? "optional" : "required"
  ) as PresenceOf<O>;
  const schema: Record<string, unknown> = { ...shape };
  if (options.default !== undefined) schema["default"] = options.default;
  if (options.doc !== undefined) schema["description"] = options.doc;
  return { schema, presence };
}

/** A string; `max` is in UTF-16 code units, as JSON Schema counts them. */
export function text<const O extends Options<string> & { max: number; min?: number; pattern?: string }>(
  options: O,
): Parameter<string, PresenceOf<O>> {
  return parameter(
    {
      type: "string",
      ...(options.min === undefined ? {} : { minLength: options.min }),
      maxLength: options.max,
      ...(options.pattern === undefined ? {} : { pattern: options.pattern }),
    },
    options,
  );
}

export function integer<const O extends Options<number> & { min: number; max: number }>(
  options: O,
): Parameter<number, PresenceOf<O>> {
  return parameter({ type: "integer", minimum: options.min, maximum: options.max }, options);
}

export function flag<const O extends Options<boolean>>(options: O): Parameter<boolean, PresenceOf<O>> {
  return parameter({ type: "boolean" }, options);
}

/**
 * A closed list. Everything that names a thing in the drawing is one of these. Where nothing was drawn, no value
 * is accepted: a validator refuses an empty `enum`.
 */
export function oneOf<const V extends string, const O extends Options<NoInfer<V>>>(
  values: readonly V[],
  options: O,
): Parameter<V, PresenceOf<O>> {
  return parameter(values.length === 0 ? { not: {} } : { enum: [...values] }, options);
}

export function listOf<T, const O extends Options<readonly T[]> & { max: number; min?: number }>(
  item: Parameter<T, "required">,
  options: O,
): Parameter<readonly T[], PresenceOf<O>> {
  return parameter(
    {
      type: "array",
      items: item.schema,
      ...(options.min === undefined ? {} : { minItems: options.min }),
      maxItems: options.max,
    },
    options,
  );
}

/** For the rare shape that the functions above cannot say; the schema must be closed. */
export function shaped<T, const O extends Options<T> = Options<T>>(
  schema: JsonSchema,
  options: O,
): Parameter<T, PresenceOf<O>> {
  return parameter(schema, options);
}

/** The closed object schema of a whole argument list. */
export function inputSchemaOf(parameters: Parameters): JsonSchema {
  const required = Object.keys(parameters).filter((name) => parameters[name]?.presence === "required");
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, p.schema])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}
