import type { Connection, QueryOptions } from "mysql2";

export type Row = Readonly<Record<string, unknown>>;

/** All rows of a statement of ours, values bound. */
export async function rowsOf(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  return await new Promise((resolve, reject) => {
    const done = (error: Error | null, rows: unknown): void =>
      error === null ? resolve(Array.isArray(rows) ? (rows as Row[]) : []) : reject(error);
    if (values.length === 0) connection.query(sql, done);
    else connection.execute({ sql, values: [...values] } as QueryOptions, done);
  });
}

/** How many rows a statement changed. */
export async function changedBy(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
): Promise<number> {
  return await new Promise((resolve, reject) => {
    connection.execute({ sql, values: [...values] } as QueryOptions, (error, result: unknown) => {
      if (error !== null) return reject(error);
      resolve(Number((result as { affectedRows?: number }).affectedRows ?? 0));
    });
  });
}
