import type { PoolClient } from "pg";

export type Connection = PoolClient;
export type Row = Readonly<Record<string, unknown>>;

/** Rows of one of our own statements, by the extended protocol, which takes one statement only. */
export async function rowsOf(
  connection: Connection,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const statement = { text, values: [...values], queryMode: "extended" };
  return (await connection.query<Row>(statement)).rows;
}
