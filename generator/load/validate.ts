import { suggestion } from "../diagnostics/suggest.ts";
import type { Path } from "../model/topology.ts";
import { isBlock, kindOf } from "../model/block.ts";
import type { Block } from "../model/block.ts";
import type { DrawnComponent, Drawing, DrawnLink } from "../model/drawing.ts";
import { SERVER } from "../model/builtins.ts";
import { listed, quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { gatewayLinkSchema, linkSchema, mcpLinkSchema, rootSchema, typeSchema } from "./schema.ts";
import type { JsonSchema } from "./schema.ts";
import { validator, validatorName } from "./validators.ts";
import type { StackValidators, Validate, Violation } from "./validators.ts";

/** Splits a JSON pointer; names of the stack file may hold `/`, which the pointer writes as `~1`. */
function pointer(text: string): string[] {
  return text === ""
    ? []
    : text
        .slice(1)
        .split("/")
        .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function at(value: unknown, steps: readonly string[]): unknown {
  let node = value;
  for (const step of steps) {
    if (Array.isArray(node)) node = node[Number(step)];
    else node = isBlock(node) && Object.hasOwn(node, step) ? node[step] : undefined;
  }
  return node;
}

const WANTED: Readonly<Record<string, string>> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
};

function wanted(type: unknown): string {
  const types = Array.isArray(type) ? type : [type];
  return types.map((one) => WANTED[String(one)] ?? String(one)).join(" or ");
}

function typeMessage(name: string, value: unknown, type: unknown): string {
  const message = `${quoted(name)} is ${kindOf(value)}, ${wanted(type)} is wanted`;
  const isNumber = typeof value === "string" && /^-?\d+$/.test(value) && String(type) !== "string";
  const isText = typeof value !== "string" && String(type) === "string" && kindOf(value) !== "empty";
  if (isNumber) return `${message}: take the quotes away`;
  return isText && !isBlock(value) && !Array.isArray(value) ? `${message}: put it in quotes` : message;
}

interface Problem {
  readonly code: "E-UNKNOWN-KEY" | "E-MISSING" | "E-SHAPE" | "E-API-VERSION";
  readonly message: string;
  /** Below the validated value. */
  readonly path: readonly string[];
}

function unknownKey(violation: Violation, steps: readonly string[], schema: JsonSchema): Problem {
  const key = String(violation.params["additionalProperty"]);
  const parent = at(schema, pointer(violation.schemaPath.slice(1)).slice(0, -1));
  const known = isBlock(parent) && isBlock(parent["properties"]) ? Object.keys(parent["properties"]) : [];
  const place = steps.length === 0 ? "here" : `in ${quoted(steps.at(-1) ?? "")}`;
  return {
    code: "E-UNKNOWN-KEY",
    message: `unknown key ${quoted(key)} ${place}.${suggestion(key, known)}`,
    path: [...steps, key],
  };
}

/** The text of a schema's `pattern` is for machines; `format` says it to people. */
const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/\(s\|min\|h\)/, "a number per s, min or h, such as 60/min"],
  [/\(s\|m\|h\|d\)/, "a duration such as 15m"],
  [/^\^\[0-9\]\{4\}-/, "a day such as 2027-01-31, or an instant such as 2027-01-31T12:00Z"],
  [/\{0,126\}/, "letters, digits, ., - and _, 127 characters at most"],
  [/^\^\[a-z\]/, "small letters, digits, - and _, with a letter first, 63 characters at most"],
  [/^\^\[a-z0-9\]/, "small letters, digits and -, 63 characters at most"],
  [/A-Fa?\.:|a-fA-F\.:/, "an address range such as 203.0.113.10/32"],
  [/^\^\[\\x21/, "visible ASCII characters without blanks"],
  [/^\^\[A-Za-z0-9\]/, "letters, digits, . and -"],
];

function format(pattern: unknown): string {
  const text = String(pattern);
  return FORMATS.find(([form]) => form.test(text))?.[1] ?? `text that matches ${text}`;
}

/** `null` for a violation that only repeats another one. */
function problem(violation: Violation, root: unknown, schema: JsonSchema, owner: string): Problem | null {
  const { keyword, params } = violation;
  const steps = pointer(violation.instancePath);
  const name = steps.findLast((step) => !/^\d+$/.test(step)) ?? owner;
  const shape = (message: string, path: readonly string[] = steps): Problem => ({
    code: "E-SHAPE",
    message,
    path,
  });
  if (violation.schemaPath.includes("/propertyNames/")) return null;
  switch (keyword) {
    case "additionalProperties":
      return unknownKey(violation, steps, schema);
    case "required":
      return {
        code: "E-MISSING",
        message: `${quoted(name)} needs ${quoted(String(params["missingProperty"]))}`,
        path: steps,
      };
    case "type":
      return shape(typeMessage(name, at(root, steps), params["type"]));
    case "const":
      return { code: "E-API-VERSION", message: "this release reads topology/v1", path: steps };
    case "enum":
      return shape(
        `${quoted(name)} is one of ${listed((params["allowedValues"] as readonly unknown[]).map(String))}`,
      );
    case "pattern":
      return shape(`${quoted(name)} is ${format(params["pattern"])}`);
    case "propertyNames": {
      const key = String(params["propertyName"]);
      return shape(`${quoted(key)} is no name: use ${format(namePattern(violation, schema))}`, [
        ...steps,
        key,
      ]);
    }
    case "minimum":
    case "maximum":
      return shape(
        `${quoted(name)} is a number ${keyword === "minimum" ? "from" : "up to"} ${String(params["limit"])}`,
      );
    case "minProperties":
      return shape(`${quoted(name)} is empty`);
    default:
      return shape(`${quoted(name)} has a wrong value (${keyword})`);
  }
}

function namePattern(violation: Violation, schema: JsonSchema): unknown {
  return at(schema, [...pointer(violation.schemaPath.slice(1)), "pattern"]);
}

function check(
  validate: Validate,
  value: unknown,
  schema: () => JsonSchema,
  path: Path,
  report: Report,
): void {
  if (validate(value)) return;
  const owner = String(path.at(-1) ?? "the stack file");
  for (const violation of validate.errors ?? []) {
    const found = problem(violation, value, schema(), owner);
    if (found !== null) report(found.code, found.message, [...path, ...found.path]);
  }
}

/** A component that the base has as well, unchanged, was validated there. */
export function validateComponents(
  drawing: Drawing,
  base: Drawing | null,
  validators: StackValidators,
  report: Report,
): void {
  for (const drawn of drawing.components.values()) {
    if (drawn.type === null || base?.components.get(drawn.name) === drawn) continue;
    validateComponent(drawn, drawn.type, validators, report);
  }
}

function validateComponent(
  drawn: DrawnComponent,
  type: NonNullable<DrawnComponent["type"]>,
  validators: StackValidators,
  report: Report,
): void {
  check(validator(validators, validatorName(type)), drawn.value, () => typeSchema(type), drawn.path, report);
}

function linkRole(
  link: DrawnLink,
  drawing: Drawing,
): readonly ["mcpLink" | "gatewayLink" | "link", JsonSchema] {
  if (link.from === SERVER) return ["mcpLink", mcpLinkSchema];
  const type = drawing.components.get(link.from)?.type;
  return type?.gateway === true ? ["gatewayLink", gatewayLinkSchema] : ["link", linkSchema];
}

/** As `validateComponents`. The attributes that a link may carry depend on where it starts. */
export function validateLinks(
  drawing: Drawing,
  base: Drawing | null,
  validators: StackValidators,
  report: Report,
): void {
  if (base?.links === drawing.links) return;
  const validated = new Set(base?.links);
  for (const link of drawing.links) {
    // Most links of a large drawing carry nothing.
    if (validated.has(link) || isEmpty(link.value)) continue;
    const [role, schema] = linkRole(link, drawing);
    check(validator(validators, role), link.value, () => schema, link.path, report);
  }
}

function isEmpty(block: Block): boolean {
  for (const _key in block) return false;
  return true;
}

export function validateRoot(
  drawing: Drawing,
  base: Drawing | null,
  validators: StackValidators,
  report: Report,
): void {
  if (base?.root === drawing.root) return;
  check(validator(validators, "root"), drawing.root, () => rootSchema, [], report);
}
