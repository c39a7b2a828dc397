interface ParameterRow {
  readonly name: string;
  readonly shape: string;
  readonly presence: string;
  readonly doc: string;
}

type Schema = Readonly<Record<string, unknown>>;

function boundsOf(schema: Schema, low: string, high: string): string {
  const [min, max] = [schema[low], schema[high]];
  if (min === undefined && max === undefined) return "";
  return ` ${String(min ?? "")}..${String(max ?? "")}`;
}

/** A JSON Schema in the words of a table cell: `integer 1..500`, `"a" or "b"`, `list 1..20 of string`. */
function shapeOf(schema: Schema): string {
  if (schema["not"] !== undefined) return "nothing is drawn";
  if (Array.isArray(schema["enum"])) {
    const values: readonly unknown[] = schema["enum"];
    return values.map((value) => JSON.stringify(value)).join(" or ");
  }
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(alternatives)) return alternatives.map((each: Schema) => shapeOf(each)).join(" or ");
  if (schema["type"] === "array") {
    return `list${boundsOf(schema, "minItems", "maxItems")} of ${shapeOf((schema["items"] ?? {}) as Schema)}`;
  }
  const type = Array.isArray(schema["type"]) ? schema["type"].join(" or ") : String(schema["type"] ?? "any");
  const length = boundsOf(schema, "minLength", "maxLength");
  return `${type}${boundsOf(schema, "minimum", "maximum")}${length === "" ? "" : `, length${length}`}`;
}

/** What the helper `parameterRows` writes: the parameters of a tool, for people. */
export function parameterTable(inputSchema: unknown): readonly ParameterRow[] {
  const schema = inputSchema as { properties?: Record<string, Schema>; required?: readonly string[] };
  return Object.entries(schema.properties ?? {}).map(([name, parameter]) => ({
    name,
    shape: shapeOf(parameter),
    presence:
      schema.required?.includes(name) === true
        ? "required"
        : parameter["default"] === undefined
          ? "optional"
          : `default ${JSON.stringify(parameter["default"])}`,
    doc: typeof parameter["description"] === "string" ? parameter["description"] : "",
  }));
}
