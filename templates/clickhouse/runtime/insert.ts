import { randomUUID } from "node:crypto";
import { ToolFault } from "#runtime/fault";
import { requestText } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { Secret } from "#runtime/settings";
import { faultIn } from "#runtime/clickhouse/fault";
import type { Clickhouse } from "#runtime/clickhouse/service";

export const MAX_INSERT_BYTES = 1_048_576;

export interface Insertion {
  readonly database: string;
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly async: boolean;
  readonly dedup_token?: string;
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

/** Inserts all rows or none; the server answers once they are kept. */
export async function insertRows(
  client: Clickhouse,
  { database, table, rows, async, dedup_token }: Insertion,
  signal: AbortSignal,
): Promise<void> {
  const text = JSON.stringify(rows);
  if (Buffer.byteLength(text) > MAX_INSERT_BYTES) {
    throw new ToolFault("too_large", `the rows have more than ${MAX_INSERT_BYTES} bytes`, {
      hint: "insert fewer rows at a time",
    });
  }
  await requestText(writerOf(client), {
    path: [],
    query: {
      query: `INSERT INTO ${nameOf(database)}.${nameOf(table)} FORMAT JSONEachRow`,
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
