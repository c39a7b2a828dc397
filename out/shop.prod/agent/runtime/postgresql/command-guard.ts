import { ToolFault } from "#runtime/fault";
import { guardQuery } from "#runtime/postgresql/guard";

/**
 * Lets one SELECT, EXPLAIN or SHOW pass to `psql -c`, by the rules that the query tool has for its text. A text
 * that psql itself would take for one of its own commands is refused first.
 */
export async function guardCommand(
  text: string,
  attributes: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (text.includes("\\")) throw new ToolFault("denied", "a backslash in the SQL could be a command of psql");
  const { schema } = attributes;
  await guardQuery(text, Array.isArray(schema) ? schema.map(String) : []);
}
