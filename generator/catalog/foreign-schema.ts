/**
 * Schemas of a document as the parameters of a tool: closed, bounded, and in the part of JSON Schema that the
 * emitted server's strict validator knows. What is left out is checked by the service itself.
 */
import { foreignText } from "./foreign-text.ts";
import { MAX_DEPTH, listOf, own, recordOf } from "./foreign-document.ts";
import type { ForeignDocument, Json, Part } from "./foreign-document.ts";

const MAX_TEXT = 4000;
const MAX_ITEMS = 100;
const MAX_ENUM = 100;
const MAX_DOC = 120;
const MAX_PATTERN = 200;
/** Formats that a pattern says; others are only mentioned. */
const FORMATS: Readonly<Record<string, string>> = {
  uuid: "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
  date: "^\\d{4}-\\d{2}-\\d{2}$",
  "date-time": "^\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?([Zz]|[+-]\\d{2}:?\\d{2})?$",
};
/** A group that holds a repetition or a choice and is repeated itself: such a pattern can take for ever. */
const REPEATED = /[+*}]\)*[^()[\]]{0,20}\)[+*{]|\)[+*{]?[+*{]|\|[^)]*\)[+*{]/;
/** Each may try every length of what it matches, so that few of them stay fast. */
const UNBOUNDED = /[+*]|\{\d+,(?:\d{3,})?\}|\{\d{3,}\}/g;
const MAX_UNBOUNDED = 2;

const ANY_OBJECT: Json = { type: "object" };

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function numbers(schema: Json, names: readonly string[]): Json {
  return Object.fromEntries(
    names.flatMap((name) => (typeof schema[name] === "number" ? [[name, schema[name]]] : [])),
  );
}

/** OpenAPI 3.0 writes the exclusive bounds as flags beside the others. */
function bounds(schema: Json): Json {
  const limits: Record<string, unknown> = {
    ...numbers(schema, ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
  };
  for (const [flag, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    if (schema[flag] !== true || limits[bound] === undefined) continue;
    limits[flag] = limits[bound];
    delete limits[bound];
  }
  return limits;
}

/** A pattern that the emitted server can check in time that no argument can stretch. */
function safePattern(pattern: unknown): string | undefined {
  if (typeof pattern !== "string" || pattern.length > MAX_PATTERN || REPEATED.test(pattern)) return undefined;
  if ((pattern.match(UNBOUNDED) ?? []).length > MAX_UNBOUNDED) return undefined;
  try {
    RegExp(pattern, "u");
    return pattern;
  } catch {
    // Of another language than this one: the service checks it.
    return undefined;
  }
}

function textOf(schema: Json): Json {
  const { format } = schema;
  const known = typeof format === "string" ? own(FORMATS, format) : undefined;
  const pattern = safePattern(schema["pattern"]) ?? known;
  const max = typeof schema["maxLength"] === "number" ? Math.min(schema["maxLength"], MAX_TEXT) : MAX_TEXT;
  return {
    type: "string",
    ...numbers(schema, ["minLength"]),
    maxLength: max,
    ...(pattern === undefined ? {} : { pattern }),
  };
}

/** The types that a schema allows; what is not written follows from its keywords. */
function typesOf(schema: Json): readonly string[] {
  const { type } = schema;
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((each) => typeof each === "string");
  if (schema["properties"] !== undefined || schema["additionalProperties"] !== undefined) return ["object"];
  return schema["items"] === undefined ? [] : ["array"];
}

function note(schema: Json, types: readonly string[]): Json {
  const { format } = schema;
  const isTold = types.includes("string") && typeof format === "string" && own(FORMATS, format) === undefined;
  const text = foreignText(
    [schema["description"], isTold ? `(${format})` : ""].filter(Boolean).join(" "),
    MAX_DOC,
  );
  return text === "" ? {} : { description: text };
}

/** `allOf` as one schema: bounds of later parts replace those of earlier ones, members add up. */
function merged(document: ForeignDocument, part: Part): Json {
  const { allOf, ...rest } = part.value;
  return listOf(allOf).reduce<Json>((sum, each) => {
    const next = document.part(each, { ...part, depth: part.depth - 1 });
    if (next === undefined) return sum;
    const more = next.depth > MAX_DEPTH ? {} : merged(document, next);
    return {
      ...sum,
      ...more,
      ...(sum["description"] === undefined ? {} : { description: sum["description"] }),
      ...(sum["properties"] === undefined && more["properties"] === undefined
        ? {}
        : { properties: { ...recordOf(sum["properties"]), ...recordOf(more["properties"]) } }),
      required: [...listOf(sum["required"]), ...listOf(more["required"])],
    };
  }, rest);
}

function objectOf(document: ForeignDocument, schema: Json, part: Part): Json {
  const properties = Object.entries(recordOf(schema["properties"])).flatMap(([name, written]) => {
    const next = document.part(written, part);
    // What only the service writes is nothing to send.
    return next?.value["readOnly"] === true ? [] : [[name, inputOf(document, written, part)] as const];
  });
  const extra = schema["additionalProperties"];
  if (properties.length === 0) {
    if (typeof extra !== "object") return ANY_OBJECT;
    return { type: "object", additionalProperties: inputOf(document, extra, part), maxProperties: MAX_ITEMS };
  }
  const names = new Set(properties.map(([name]) => name));
  const required = [
    ...new Set(listOf(schema["required"]).filter((name) => typeof name === "string" && names.has(name))),
  ];
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function typed(document: ForeignDocument, type: string, schema: Json, part: Part): Json {
  switch (type) {
    case "string":
      return textOf(schema);
    case "integer":
    case "number":
      return { type, ...bounds(schema) };
    case "boolean":
    case "null":
      return { type };
    case "array": {
      const max = schema["maxItems"];
      return {
        type,
        items: inputOf(document, schema["items"] ?? {}, part),
        ...numbers(schema, ["minItems"]),
        maxItems: typeof max === "number" ? Math.min(max, MAX_ITEMS) : MAX_ITEMS,
      };
    }
    default:
      return objectOf(document, schema, part);
  }
}

function choiceOf(all: readonly Json[]): Json {
  const different = [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
  return different.length === 1 ? (different[0] ?? {}) : { anyOf: different };
}

/** The schema of a value that a caller gives; a cycle, and what is too deep, is an object of any kind. */
export function inputOf(document: ForeignDocument, written: unknown, from?: Part): Json {
  const part = document.part(written, from);
  if (part === undefined || part.depth > MAX_DEPTH) return ANY_OBJECT;
  const schema = merged(document, part);
  const values = schema["const"] === undefined ? schema["enum"] : [schema["const"]];
  const scalars = listOf(values).filter(isScalar);
  const types = typesOf(schema);
  const about = note(schema, types);
  if (scalars.length > 0 && scalars.length <= MAX_ENUM) return { enum: [...new Set(scalars)], ...about };
  const alternatives = listOf(schema["anyOf"] ?? schema["oneOf"]);
  const choices =
    alternatives.length > 0
      ? alternatives.map((each) => inputOf(document, each, { ...part, depth: part.depth - 1 }))
      : types.map((type) => typed(document, type, schema, part));
  const nullable = schema["nullable"] === true ? [{ type: "null" }] : [];
  return choices.length === 0 ? about : { ...choiceOf([...choices, ...nullable]), ...about };
}

/** Without the alternative that is no value: a parameter that may be null is one that may be left out. */
export function withoutNull(schema: Json): Json {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const left = (anyOf as readonly Json[]).filter(({ type }) => type !== "null");
  return left.length === anyOf.length ? schema : { ...choiceOf(left), ...rest };
}

/** A default that a validator may fill in: one of the schema's own scalars. */
export function defaultOf(document: ForeignDocument, written: unknown, schema: Json): Json {
  const value = document.part(written)?.value["default"];
  if (!isScalar(value)) return {};
  const { type } = schema;
  const fits = Array.isArray(schema["enum"])
    ? schema["enum"].includes(value)
    : type === typeof value || (type === "integer" && Number.isSafeInteger(value));
  return fits ? { default: value } : {};
}

function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDescriptions);
  if (typeof value !== "object" || value === null) return value;
  // A property may be called description too, and is then a schema.
  const entries = Object.entries(value).filter(
    ([key, each]) => key !== "description" || typeof each !== "string",
  );
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutDescriptions(each)]));
}

/** What stands inside goes unsaid: the other side checks it. */
function flat(schema: Json): Json {
  const { type, anyOf, maxItems } = schema;
  if (type === "array") return { type, items: {}, ...(maxItems === undefined ? {} : { maxItems }) };
  if (type === "object") return { type };
  return anyOf === undefined ? schema : {};
}

/** The schemas of a tool's parameters as they are, without words, and without what stands inside of them. */
export function plainerForms(schemas: readonly Json[]): readonly (readonly Json[])[] {
  const bare = schemas.map((schema) => withoutDescriptions(schema) as Json);
  return [schemas, bare, bare.map(flat)];
}
