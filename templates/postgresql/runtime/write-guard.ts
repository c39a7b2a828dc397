/** The part of the SQL guard for statements that change rows: the same walk, another root. */
import { ToolFault } from "#runtime/fault";
import { isNode, onlyStatement, refuse, walk } from "#runtime/postgresql/guard";
import type { Names } from "#runtime/postgresql/guard";

const DML: Readonly<Record<string, string>> = {
  InsertStmt: "INSERT",
  UpdateStmt: "UPDATE",
  DeleteStmt: "DELETE",
};
const PARTS = new Set(["InferClause", "IndexElem", "MultiAssignRef", "OnConflictClause", "SetToDefault"]);

export interface Change {
  readonly verb: string;
  readonly names: Names;
}

/** A condition that names no column is true for every row or for none. */
function filters(condition: unknown): boolean {
  const waiting: unknown[] = [condition];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (Array.isArray(value)) waiting.push(...(value as readonly unknown[]));
    if (!isNode(value)) continue;
    if (value["ColumnRef"] !== undefined) return true;
    waiting.push(...Object.values(value));
  }
  return false;
}

/**
 * Decides whether a text may be sent as a change: exactly one INSERT, UPDATE or DELETE of a table in the link's
 * schemas, with a WHERE that names a column unless `all` is confirmed, and no other change inside it.
 */
export async function guardChange(sql: unknown, schemas: readonly string[], all: boolean): Promise<Change> {
  const [tag, body] = await onlyStatement(sql);
  const verb = DML[tag];
  if (verb === undefined) throw refuse("only one INSERT, UPDATE or DELETE is allowed");
  if (body["returningList"] !== undefined || body["returningClause"] !== undefined) {
    throw refuse("RETURNING is not allowed", "the answer is a count; read the rows afterwards");
  }
  const relation = body["relation"];
  const target = isNode(relation) ? relation : {};
  const schema = typeof target["schemaname"] === "string" ? target["schemaname"] : "";
  if (/^pg_|^information_schema$/.test(schema) || String(target["relname"]).startsWith("pg_")) {
    throw refuse("a system table may not be changed");
  }
  const names = walk(body, schemas, PARTS);
  if (verb !== "INSERT" && !all && !filters(body["whereClause"])) {
    throw new ToolFault(
      "invalid_argument",
      `an ${verb} without a WHERE on a column changes every row`.replace("an DELETE", "a DELETE"),
      {
        hint: "add a WHERE, or pass confirm_all: true",
      },
    );
  }
  return { verb, names };
}

/** A change of more rows than this must have been announced with expected_rows. */
export const MAX_UNANNOUNCED_ROWS = 1000;

/** What is wrong with the number of rows that a change touches, if anything. */
export function unexpected(count: number, expected: number | undefined): string | undefined {
  if (expected !== undefined)
    return count === expected ? undefined : `the statement changes ${count} rows, not ${expected}`;
  return count > MAX_UNANNOUNCED_ROWS
    ? `the statement changes ${count} rows, and over ${MAX_UNANNOUNCED_ROWS} need expected_rows`
    : undefined;
}
