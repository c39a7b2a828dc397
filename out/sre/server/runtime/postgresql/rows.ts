import Cursor from "pg-cursor";
import type { FieldDef } from "pg";
import { ToolFault } from "#runtime/fault";
import { rowsOf } from "#runtime/postgresql/statement";
import type { Connection } from "#runtime/postgresql/statement";

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

interface Fetched {
  readonly fields: readonly FieldDef[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Types whose values are better as JSON than as text; all others keep PostgreSQL's own spelling. */
const OF_NUMBERS = new Set([20, 21, 23, 26, 700, 701]);
const OF_BOOLEANS = 16;
const OF_JSON = new Set([114, 3802]);

function numberOf(value: string): number | string {
  const number = Number(value);
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))
    ? number
    : value;
}

/** One value as JSON; a text longer than a cell ends in `…`, and JSON with long numbers stays text to lose no digit. */
function cellOf(value: string | null, type: number | undefined): unknown {
  if (value === null || type === undefined) return null;
  if (OF_NUMBERS.has(type)) return numberOf(value);
  if (type === OF_BOOLEANS) return value === "t";
  if (value.length > MAX_CELL) return `${value.slice(0, MAX_CELL).replace(/[\ud800-\udbff]$/, "")}…`;
  return OF_JSON.has(type) && !/\d{16}/.test(value) ? (JSON.parse(value) as unknown) : value;
}

/**
 * The first rows of a statement: the server itself stops after `count`. COPY has no place in a cursor and
 * would end the process, so a connection that starts one is destroyed.
 */
async function fetchRows(
  connection: Connection,
  sql: string,
  parameters: readonly Parameter[],
  count: number,
): Promise<Fetched> {
  const types = { getTypeParser: () => (text: string) => text };
  const cursor = new Cursor<(string | null)[]>(sql, [...parameters], { rowMode: "array", types });
  return await new Promise((resolve, reject) => {
    const refuseCopy = (): void => {
      reject(new ToolFault("denied", "COPY is not a query"));
      connection.connection.stream.destroy();
    };
    connection.query(Object.assign(cursor, { handleCopyInResponse: refuseCopy, handleCopyData: refuseCopy }));
    cursor.read(count, (error, rows, result) => {
      if (error !== undefined && error !== null) return reject(error);
      cursor.close().then(() => resolve({ fields: result.fields, rows }), reject);
    });
  });
}

async function typeNames(
  connection: Connection,
  fields: readonly FieldDef[],
): Promise<ReadonlyMap<number, string>> {
  const types = [...new Set(fields.map((field) => field.dataTypeID))];
  const named = await rowsOf(
    connection,
    "SELECT t AS oid, pg_catalog.format_type(t, NULL) AS name FROM pg_catalog.unnest($1::oid[]) AS t",
    [types],
  );
  return new Map(named.map((row) => [Number(row["oid"]), String(row["name"])]));
}

/** At most `limit` rows of one statement, cut to cells and bytes that a model can read. */
export async function readRows(
  connection: Connection,
  sql: string,
  parameters: readonly Parameter[],
  limit: number,
): Promise<Rows> {
  const { fields, rows: fetched } = await fetchRows(connection, sql, parameters, limit + 1);
  const names = await typeNames(connection, fields);
  const rows: (readonly unknown[])[] = [];
  let [bytes, shortened] = [0, 0];
  for (const values of fetched.slice(0, limit)) {
    const row = values.map((value, index) => cellOf(value, fields[index]?.dataTypeID));
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (bytes > MAX_RESULT_BYTES) break;
    shortened += values.filter((value) => value !== null && value.length > MAX_CELL).length;
    rows.push(row);
  }
  const columns = fields.map(({ name, dataTypeID }) => ({ name, type: names.get(dataTypeID) ?? "unknown" }));
  const cut = bytes > MAX_RESULT_BYTES ? "bytes" : fetched.length > limit ? "rows" : null;
  return { columns, rows, cut, shortened };
}
