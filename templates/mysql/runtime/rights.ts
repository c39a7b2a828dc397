import type { Connection } from "mysql2";
import { ToolFault } from "#runtime/fault";
import { rowsOf } from "#runtime/mysql/statement";

interface Wanted {
  readonly user: string;
  readonly database: string;
  readonly writes: boolean;
}

const READ = new Set(["USAGE", "SELECT"]);
const WRITE = new Set([...READ, "INSERT", "UPDATE", "DELETE"]);

/** `app\_db` in a pattern is the database `app_db`; some servers print the backslash twice. */
function isDatabase(pattern: string, database: string): boolean {
  return pattern.replaceAll(/\\+([_%])/g, "$1") === database && !/(?<!\\)[_%]/.test(pattern);
}

/** Whether a line of SHOW GRANTS gives no more than the link needs. */
export function isWanted(grant: string, { database, writes }: Omit<Wanted, "user">): boolean {
  const [, rights = "", on = ""] = /^GRANT ([A-Z, ]+) ON (\*\.\*|`(?:[^`]|``)+`\.\*) TO /.exec(grant) ?? [];
  if (/ WITH GRANT OPTION\b/.test(grant)) return false;
  if (on === "*.*") return rights === "USAGE";
  const allowed = writes ? WRITE : READ;
  return (
    on !== "" &&
    isDatabase(on.slice(1, -3).replaceAll("``", "`"), database) &&
    rights.split(", ").every((right) => allowed.has(right))
  );
}

/**
 * The account is what holds when everything else fails, so one with more rights than the link was drawn with is not
 * used at all. Looked at once for each account and start.
 */
export async function demandRights(
  connection: Connection,
  checked: Set<string>,
  wanted: Wanted,
): Promise<void> {
  if (checked.has(wanted.user)) return;
  const rows = await rowsOf(connection, "SHOW GRANTS");
  if (!rows.every((row) => isWanted(String(Object.values(row)[0]), wanted)))
    throw new ToolFault("denied", "the account of this link has more rights on the server than the link", {
      hint: "the operator must apply the SQL of this link again, which takes them away",
    });
  checked.add(wanted.user);
}
