import { ToolFault } from "#runtime/fault";
import { rowsOf } from "#runtime/postgresql/statement";
import type { Connection } from "#runtime/postgresql/statement";

/** Rights that a reading account must not have; `SET ROLE` makes membership as good as the right itself. */
const EXCESS = `
SELECT 'is or may become a role with special rights' AS fault FROM pg_catalog.pg_roles r
WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls OR r.rolname = ANY ($1::name[]))
UNION ALL
SELECT 'may write to a table' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
UNION ALL
SELECT 'may create objects in a schema' FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_(toast|temp)' AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
LIMIT 1`;

const POWERFUL = [
  "pg_execute_server_program",
  "pg_maintain",
  "pg_read_all_data",
  "pg_read_server_files",
  "pg_signal_backend",
  "pg_write_all_data",
  "pg_write_server_files",
];

/** Refuses to work with an account that could write: the guard is one lock, the account is the other. */
export async function checkReadOnly(connection: Connection): Promise<void> {
  const [excess] = await rowsOf(connection, EXCESS, [POWERFUL]);
  if (excess === undefined) return;
  throw new ToolFault("denied", `the account of this link ${String(excess["fault"])}`, {
    hint: "apply the link's role SQL: reads use an account that can only read",
  });
}
