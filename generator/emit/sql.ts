/** Helpers of the `.sql.hbs` files: PostgreSQL's own quoting, so that no name can leave its place. */

function writtenName(value: unknown): string {
  const name = String(value);
  if (name === "" || Buffer.byteLength(name) > 63 || /[\u0000-\u001f\u007f]/.test(name)) {
    throw new Error(`${JSON.stringify(name)} cannot be the name of anything in PostgreSQL`);
  }
  return name;
}

/** A quoted identifier. Throws for a name that PostgreSQL would refuse or cut, since cut names can collide. */
export function sqlIdentifier(value: unknown): string {
  return `"${writtenName(value).replaceAll('"', '""')}"`;
}

/** A string literal that reads the same whatever `standard_conforming_strings` is. Throws for a NUL character. */
export function sqlLiteral(value: unknown): string {
  const text = String(value);
  if (text.includes("\0")) throw new Error("a NUL character cannot stand in SQL");
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
}
