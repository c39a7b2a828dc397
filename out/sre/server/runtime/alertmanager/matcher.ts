import { ToolFault } from "#runtime/fault";
import { cutText, recordOf } from "#runtime/json-shape";
import type { JsonSchema } from "#runtime/parameter";

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export const MAX_MATCHERS = 5;

export interface Matcher {
  readonly name: string;
  readonly op: (typeof OPERATORS)[number];
  readonly value: string;
}

/** The server's regular expressions take time in proportion to the text, so that a caller may write whole ones. */
export const MATCHER: JsonSchema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 200, pattern: "^[a-zA-Z_][a-zA-Z0-9_]*$" },
    op: { enum: OPERATORS },
    value: { type: "string", maxLength: 200 },
  },
  required: ["name", "op", "value"],
  additionalProperties: false,
};

/** A matcher in the server's own words: nothing in the value can end it. */
export function filterOf({ name, op, value }: Matcher): string {
  const escaped = value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
  return `${name}${op}"${escaped}"`;
}

/** As the API takes and gives it in a silence. */
export function writtenMatcher({ name, op, value }: Matcher): object {
  return { name, value, isRegex: op.endsWith("~"), isEqual: !op.startsWith("!") };
}

export function shownMatcher(shown: unknown): Matcher {
  const { name, value, isRegex, isEqual } = recordOf(shown);
  const [plain, regex] = isEqual === false ? (["!=", "!~"] as const) : (["=", "=~"] as const);
  return { name: cutText(name, 200), op: isRegex === true ? regex : plain, value: cutText(value, 512) };
}

/** Labels that say what an alert is about in the words of the drawing. */
const NAMING = ["namespace", "job", "service", "app", "component", "container", "cluster"];

/**
 * A silence must say what it silences: one alert by name, or something that is drawn. Without that, `severity=~".+"`
 * would turn off everything.
 */
export function demandSubject(matchers: readonly Matcher[], drawn: readonly string[]): void {
  const isSubject = ({ name, op, value }: Matcher): boolean =>
    op === "=" && value !== "" && (name === "alertname" || (NAMING.includes(name) && drawn.includes(value)));
  if (matchers.some(isSubject)) return;
  throw new ToolFault("denied", "a silence for everything is not made", {
    hint: `add a matcher alertname="...", or one with = on ${NAMING.join(", ")} whose value is a drawn component or namespace`,
  });
}
