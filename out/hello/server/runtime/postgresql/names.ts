import { ToolFault } from "#runtime/fault";
import { COMPUTING_EXTENSIONS, HARMLESS_VOLATILE } from "#runtime/postgresql/functions";
import type { Names } from "#runtime/postgresql/guard";
import { rowsOf } from "#runtime/postgresql/statement";
import type { Connection } from "#runtime/postgresql/statement";

/**
 * The names of a statement that resolve, on this server, to something that does more than compute.
 *
 * Parameters: what is asked, trusted extensions, harmless volatile functions. A name without a schema is looked
 * up in the whole search path, since the server would choose among all its overloads.
 */
const UNSAFE_NAMES = `
WITH asked AS (
  SELECT * FROM pg_catalog.jsonb_to_recordset($1::jsonb) AS a(kind text, schema text, name text)
), member AS (
  SELECT d.classid, d.objid, e.extname FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
), place AS (
  SELECT oid, nspname, nspname = ANY (pg_catalog.current_schemas(true)) AS visible FROM pg_catalog.pg_namespace
)
SELECT a.kind, a.name FROM asked a
JOIN pg_catalog.pg_proc p ON p.proname = a.name
JOIN place n ON n.oid = p.pronamespace AND (n.nspname = a.schema OR (a.schema IS NULL AND n.visible))
LEFT JOIN member m ON m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid
WHERE (a.kind = 'function' OR (a.kind = 'column' AND p.pronargs = 1 AND n.nspname <> 'pg_catalog'))
  AND NOT (
    CASE WHEN m.extname IS NULL THEN n.nspname = 'pg_catalog' ELSE m.extname = ANY ($2::text[]) END
    AND (p.provolatile <> 'v' OR p.proname = ANY ($3::text[])) AND NOT p.prosecdef
  )
UNION ALL
SELECT a.kind, a.name FROM asked a
JOIN pg_catalog.pg_operator o ON o.oprname = a.name
JOIN place n ON n.oid = o.oprnamespace AND n.visible AND n.nspname <> 'pg_catalog'
JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
LEFT JOIN member m ON m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND m.objid = o.oid
WHERE a.kind = 'operator' AND (m.extname IS NULL OR m.extname <> ALL ($2::text[]))
  AND (p.provolatile = 'v' OR p.prosecdef)
UNION ALL
SELECT 'type', a.name FROM asked a
JOIN pg_catalog.pg_type t ON t.typname = a.name AND (a.kind = 'type' OR (a.kind = 'function' AND t.typtype IN ('d', 'b')))
JOIN place n ON n.oid = t.typnamespace AND (n.nspname = a.schema OR (a.schema IS NULL AND n.visible))
LEFT JOIN member m ON m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND m.objid = t.oid
WHERE n.nspname <> 'pg_catalog' AND t.typtype <> 'e' AND (m.extname IS NULL OR m.extname <> ALL ($2::text[]))
LIMIT 1`;

const WHY: Readonly<Record<string, string>> = {
  function: "is not a built-in function that only computes",
  column: "would call a function that is not built in",
  operator: "calls a function that may have effects",
  type: "is a type with rules of its own",
};

/**
 * Asks the server, inside the read-only transaction, what a statement's names stand for. Only a lookup can
 * tell a computing function from one that acts with its owner's rights. Throws `denied` for the first that may act.
 */
export async function checkNames(connection: Connection, names: Names): Promise<void> {
  const asked = [
    ...names.functions.map((name) => ({ kind: "function", ...name })),
    ...names.types.map((name) => ({ kind: "type", ...name })),
    ...names.operators.map((name) => ({ kind: "operator", schema: null, name })),
    ...names.columns.map((name) => ({ kind: "column", schema: null, name })),
  ];
  if (asked.length === 0) return;
  const values = [JSON.stringify(asked), COMPUTING_EXTENSIONS, HARMLESS_VOLATILE];
  const [unsafe] = await rowsOf(connection, UNSAFE_NAMES, values);
  if (unsafe === undefined) return;
  throw new ToolFault("denied", `${String(unsafe["name"])} ${WHY[String(unsafe["kind"])]}`, {
    hint: "use PostgreSQL's own functions, or a view that the database's owner grants",
  });
}
