import { randomUUID } from "node:crypto";
import { ToolFault } from "#runtime/fault";
import { requestText } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { markerComment } from "#runtime/marker";
import type { Marker } from "#runtime/marker";
import { Secret } from "#runtime/settings";
import { describeTable } from "#runtime/clickhouse/catalog";
import { faultIn } from "#runtime/clickhouse/fault";
import type { Clickhouse } from "#runtime/clickhouse/service";

export const MAX_INSERT_BYTES = 1_048_576;

export interface Insertion {
  readonly database: string;
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly async: boolean;
  readonly dedup_token: string | undefined;
  /** Goes into the statement as a comment, and so into the server's log of queries. */
  readonly marker: Marker | undefined;
}

/** The same server with the link's other account, which may only insert. */
function writerOf({ link, settings, reader }: Clickhouse): HttpService {
  const password = settings.secret("RW_PASSWORD");
  if (password === undefined) {
    throw new ToolFault("upstream_unavailable", "this link has no password for inserting", {
      hint: `set ${link.env}_RW_PASSWORD`,
    });
  }
  const user = settings.text("RW_USER", "mcp_rw");
  const basic = new Secret(`Basic ${Buffer.from(`${user}:${password.reveal()}`).toString("base64")}`);
  return { ...reader, authorization: async () => basic };
}

function nameOf(name: string): string {
  return `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}

/** Nothing is guessed: an unknown column, and a null where the column takes none, are faults of the caller. */
const STRICT = {
  input_format_skip_unknown_fields: 0,
  input_format_null_as_default: 0,
  date_time_input_format: "best_effort",
} as const;

const TAKES_NULL = /^(?:LowCardinality\()?Nullable\(|^(?:Dynamic|JSON|Variant)\b/;

/** The server itself reads null as 0 in a column of numbers, so columns that take none are looked up first. */
async function checkNulls(
  client: Clickhouse,
  { database, table, rows }: Insertion,
  signal: AbortSignal,
): Promise<void> {
  const nulls = new Set(rows.flatMap((row) => Object.keys(row).filter((name) => row[name] === null)));
  if (nulls.size === 0) return;
  const { columns } = await describeTable(client, database, table, signal);
  const wrong = columns.find(({ name, type }) => nulls.has(String(name)) && !TAKES_NULL.test(String(type)));
  if (wrong === undefined) return;
  throw new ToolFault("invalid_argument", `the column ${String(wrong["name"])} takes no null`, {
    hint: "leave it out of the object: it then gets its default",
  });
}

/** Inserts all rows or none; the server answers once they are kept. */
export async function insertRows(
  client: Clickhouse,
  insertion: Insertion,
  signal: AbortSignal,
): Promise<void> {
  const { database, table, rows, async, dedup_token, marker } = insertion;
  const text = JSON.stringify(rows);
  if (Buffer.byteLength(text) > MAX_INSERT_BYTES) {
    throw new ToolFault("too_large", `the rows have more than ${MAX_INSERT_BYTES} bytes`, {
      hint: "insert fewer rows at a time",
    });
  }
  await checkNulls(client, insertion, signal);
  await requestText(writerOf(client), {
    path: [],
    query: {
      query: `${markerComment(marker)}INSERT INTO ${nameOf(database)}.${nameOf(table)} FORMAT JSONEachRow`,
      query_id: `mcp-${randomUUID()}`,
      ...STRICT,
      async_insert: async ? 1 : 0,
      wait_for_async_insert: 1,
      insert_deduplication_token: dedup_token,
    },
    text,
    contentType: "application/json",
    signal,
    faultIn: (_status, answer) => faultIn(answer),
  });
}
