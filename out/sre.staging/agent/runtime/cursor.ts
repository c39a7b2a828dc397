import { hash } from "node:crypto";
import { ToolFault } from "#runtime/fault";

type Arguments = Readonly<Record<string, unknown>>;

/** Digest of the arguments that a page belongs to; the cursor itself and the page size may change. */
function pageKey(tool: string, args: Arguments): string {
  const relevant = Object.entries(args)
    .filter(([name]) => name !== "cursor" && name !== "limit")
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return hash("sha256", JSON.stringify([tool, relevant]), "base64url").slice(0, 16);
}

/** A cursor that is bound to one tool and its arguments, and needs no memory on the server. */
export function encodeCursor(tool: string, args: Arguments, position: string | number): string {
  return Buffer.from(JSON.stringify([position, pageKey(tool, args)])).toString("base64url");
}

/** The position in a cursor; a cursor of another tool or other arguments is an `invalid_argument`. */
export function decodeCursor(tool: string, args: Arguments, cursor: string): string | number {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(decoded) && decoded.length === 2 && decoded[1] === pageKey(tool, args)) {
      const position: unknown = decoded[0];
      if (typeof position === "string" || (Number.isSafeInteger(position) && Number(position) >= 0)) {
        return position as string | number;
      }
    }
  } catch {
    // Not JSON: the same answer as for a cursor that was altered.
  }
  throw new ToolFault("invalid_argument", "the cursor does not belong to this call", {
    hint: "repeat the call without cursor, then pass next_cursor back unchanged with the same arguments",
  });
}
