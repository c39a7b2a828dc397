import { ToolFault } from "#runtime/fault";
import { parseStrictJson, utf8Text } from "#runtime/strict-json";

/** The value of a query's JSON; anything but one strict JSON text in UTF-8 is an `invalid_argument`. */
export function parseBody(bytes: Uint8Array): unknown {
  try {
    const parsed = parseStrictJson(utf8Text(bytes));
    if ("value" in parsed) return parsed.value;
    throw new ToolFault("invalid_argument", `the query ${parsed.objection}`);
  } catch (error) {
    if (error instanceof ToolFault) throw error;
    throw new ToolFault("invalid_argument", "the query is not valid JSON");
  }
}
