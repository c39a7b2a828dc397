import type { ErrorObject } from "ajv";
import { entryOf, refuse } from "#runtime/call/call";
import type { Arguments, Stage } from "#runtime/call/call";

const MAX_PROBLEMS = 5;

function parameterOf(error: ErrorObject): string {
  const path = error.instancePath.split("/").slice(1).join(".");
  return path === "" ? "arguments" : path;
}

function allowedValues(values: unknown): string {
  const list = Array.isArray(values) ? values.map((value) => JSON.stringify(value)) : [];
  return list.length > 50 ? `${list.slice(0, 50).join(", ")}, ...` : list.join(", ");
}

function problemOf(error: ErrorObject, known: readonly string[]): string {
  const where = parameterOf(error);
  const params = error.params as Readonly<Record<string, unknown>>;
  if (error.keyword === "required") return `${String(params["missingProperty"])} is required`;
  if (error.keyword === "additionalProperties") {
    const extra = String(params["additionalProperty"]).slice(0, 64);
    return error.instancePath === ""
      ? `${extra} is not a parameter; there ${known.length === 1 ? "is" : "are"} ${known.join(", ") || "none"}`
      : `${where} must not have ${extra}`;
  }
  if (error.keyword === "enum") return `${where} must be one of ${allowedValues(params["allowedValues"])}`;
  return `${where} ${error.message ?? "is not valid"}`;
}

function parametersOf(schema: Readonly<Record<string, unknown>>): readonly string[] {
  const properties = schema["properties"];
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
}

/** Of what came as JSON; `structuredClone` costs as much as the rest of this stage. */
function copyJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyJson(member)]));
}

/** Fills in defaults and refuses everything that the schema does not name; nothing is converted. */
export const validateArguments: Stage = async (call, next) => {
  const { validate, tool } = entryOf(call);
  // The validator writes defaults into what it checks, and the caller's object is not ours to change.
  const args = copyJson(call.args) as Arguments;
  if (validate(args)) return await next({ ...call, args });
  const known = parametersOf(tool.inputSchema);
  const problems = [...new Set((validate.errors ?? []).map((error) => problemOf(error, known)))];
  return refuse({
    code: "invalid_argument",
    message: problems.slice(0, MAX_PROBLEMS).join("; "),
    hint: "correct the arguments and call again",
  });
};
