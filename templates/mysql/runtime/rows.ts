import mysql from "mysql2";
import type { Connection, FieldPacket, QueryOptions } from "mysql2";
import type { Done } from "#runtime/mysql/session";

export const MAX_CELL = 2048;
/** Of one result as JSON; below the hard limit of a whole answer. */
export const MAX_RESULT_BYTES = 196_608;

export type Parameter = string | number | boolean | null;

export interface Rows {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  /** What ended the rows early, proved by one more row than was asked for. */
  readonly cut: "rows" | "bytes" | null;
  readonly shortened: number;
}

const TYPES: Readonly<Record<string, string>> = {
  TINY: "tinyint",
  SHORT: "smallint",
  INT24: "mediumint",
  LONG: "int",
  LONGLONG: "bigint",
  NEWDECIMAL: "decimal",
  VAR_STRING: "varchar",
  STRING: "char",
};

function typeOf({ columnType }: FieldPacket): string {
  const name = (mysql.Types as unknown as Record<number, string>)[columnType ?? -1] ?? "unknown";
  return TYPES[name] ?? name.toLowerCase();
}

function textOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return `0x${value.subarray(0, MAX_CELL).toString("hex")}`;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return value;
}

function lengthOf(value: unknown): number {
  const text = textOf(value);
  return typeof text === "string" ? text.length : 0;
}

/** One value as JSON; a text longer than a cell ends in `…`. */
function cellOf(value: unknown): unknown {
  const text = textOf(value);
  if (typeof text !== "string" || text.length <= MAX_CELL) return text;
  return `${text.slice(0, MAX_CELL).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** At most `limit` rows of one statement, read one by one: what comes after them is not waited for. */
export async function readRows(
  connection: Connection,
  sql: string,
  values: readonly Parameter[],
  limit: number,
): Promise<Done<Rows>> {
  const rows: (readonly unknown[])[] = [];
  let [bytes, shortened] = [0, 0];
  let columns: Rows["columns"] = [];
  return await new Promise((resolve, reject) => {
    const done = (cut: Rows["cut"], isComplete: boolean): void =>
      resolve({ value: { columns, rows, cut, shortened }, isComplete });
    const options = { sql, values: [...values], rowsAsArray: true } as QueryOptions;
    const statement = connection.execute(options);
    statement.on("error", reject);
    statement.on("fields", (fields: readonly FieldPacket[] | undefined) => {
      columns = (fields ?? []).map((field) => ({ name: field.name, type: typeOf(field) }));
    });
    statement.on("result", (row: unknown) => {
      if (!Array.isArray(row)) return;
      if (rows.length === limit) return done("rows", false);
      const cells = (row as readonly unknown[]).map(cellOf);
      bytes += Buffer.byteLength(JSON.stringify(cells)) + 1;
      if (bytes > MAX_RESULT_BYTES) return done("bytes", false);
      shortened += (row as readonly unknown[]).filter((value) => lengthOf(value) > MAX_CELL).length;
      rows.push(cells);
    });
    statement.on("end", () => done(null, true));
  });
}
