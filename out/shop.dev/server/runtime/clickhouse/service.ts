import { randomUUID } from "node:crypto";
import { ToolFault } from "#runtime/fault";
import { openHttp, requestLines, requestText } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { foreignAnswer } from "#runtime/json-shape";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import { faultIn } from "#runtime/clickhouse/fault";
import { cellOf, lengthOf } from "#runtime/clickhouse/cell";

export interface Clickhouse {
  readonly link: LinkFacts;
  readonly settings: Settings;
  /** With the account that reads. */
  readonly reader: HttpService;
  /** Whether that account was found unable to write. */
  readonly checked: { done: boolean };
}

export const MAX_QUERY_MS = 15_000;
/** Of the rows of one result as JSON; below the hard limit of a whole answer. */
export const MAX_RESULT_BYTES = 196_608;
/** Of the rows as the server sends them, before long values are cut. */
const MAX_READ_BYTES = 2 * 1024 * 1024;
/** Names and types come first, then one line for each row, while the query still runs. */
const FORMAT = "JSONCompactEachRowWithNamesAndTypes";

export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface Rows {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly unknown[])[];
  /** What ended the rows early, proved by one more row than was asked for. */
  readonly cut: "rows" | "bytes" | null;
  readonly shortened: number;
}

export interface Question {
  /** The database that names without one stand in. */
  readonly database: string;
  readonly sql: string;
  /** Values of `{name:Type}`, as ClickHouse writes them. */
  readonly values: Readonly<Record<string, string>>;
  readonly limit: number;
  readonly timeoutMs: number;
}

export function openClickhouse(link: LinkFacts, settings: Settings): Clickhouse {
  return { link, settings, reader: openHttp(link, settings), checked: { done: false } };
}

/** Collects the lines of one answer; `take` answers `false` once no more is needed. */
class Answer {
  #columns: readonly Column[] | undefined;
  #names: readonly unknown[] | undefined;
  readonly #rows: (readonly unknown[])[] = [];
  readonly #failure: string[] = [];
  #cut: Rows["cut"] = null;
  #shortened = 0;
  #bytes = 0;
  #read = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(line: string): boolean {
    // A query that fails after its first rows says so in the middle of them, in lines that are no JSON.
    if (this.#failure.length > 0 || !line.startsWith("[")) return this.#takeOther(line);
    const values = arrayIn(line);
    if (this.#columns === undefined) return this.#takeHead(values);
    this.#read += line.length;
    const row = values.map((value, index) => cellOf(value, this.#columns?.[index]?.type ?? ""));
    this.#bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (this.#rows.length === this.#limit) return this.#end("rows");
    const isMuch = this.#read > MAX_READ_BYTES && this.#rows.length > 0;
    if (this.#bytes > MAX_RESULT_BYTES || isMuch) return this.#end("bytes");
    this.#shortened += values.filter((value, index) => lengthOf(value) > lengthOf(row[index])).length;
    this.#rows.push(row);
    return true;
  }

  rows(): Rows {
    if (this.#failure.length > 0) throw faultIn(this.#failure.join("\n")) ?? foreignAnswer();
    if (this.#columns === undefined) throw foreignAnswer();
    return { columns: this.#columns, rows: this.#rows, cut: this.#cut, shortened: this.#shortened };
  }

  #end(cut: "rows" | "bytes"): false {
    this.#cut = cut;
    return false;
  }

  #takeOther(line: string): boolean {
    if (line !== "" && this.#failure.length < 50) this.#failure.push(line);
    return true;
  }

  #takeHead(values: readonly unknown[]): boolean {
    if (this.#names === undefined) this.#names = values;
    else
      this.#columns = this.#names.map((name, index) => ({
        name: String(name),
        type: String(values[index]),
      }));
    return true;
  }
}

function arrayIn(line: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(line);
    if (Array.isArray(parsed)) return parsed;
  } catch {
    // What is not JSON is not what the format promises.
  }
  throw foreignAnswer();
}

/**
 * Ends a query on the server. A closed connection does that too, but only where the query shows progress, which a
 * join may not do for long.
 */
async function kill(service: HttpService, query_id: string): Promise<void> {
  try {
    await requestText(service, {
      path: [],
      text: `KILL QUERY WHERE query_id = '${query_id}' ASYNC`,
      contentType: "text/plain; charset=utf-8",
      signal: AbortSignal.timeout(5000),
    });
  } catch {
    // The time limit of the account's profile remains.
  }
}

/**
 * Runs one query as it is written and reads one row more than `limit`; then, after `timeoutMs` or when the caller goes
 * away, the query is ended on the server too.
 */
export async function readRows(
  service: HttpService,
  { database, sql, values, limit, timeoutMs }: Question,
  signal: AbortSignal,
): Promise<Rows> {
  const late = AbortSignal.timeout(timeoutMs);
  const query_id = `mcp-${randomUUID()}`;
  const answer = new Answer(limit);
  const parameters = Object.entries(values).map(([name, value]) => [`param_${name}`, value] as const);
  try {
    await requestLines(
      service,
      {
        path: [],
        query: {
          database,
          default_format: FORMAT,
          query_id,
          ...Object.fromEntries(parameters),
        },
        text: sql,
        contentType: "text/plain; charset=utf-8",
        signal: AbortSignal.any([signal, late]),
        faultIn: (_status, text) => faultIn(text),
      },
      (line) => answer.take(line),
    );
  } catch (error) {
    if (signal.aborted || late.aborted) void kill(service, query_id);
    if (late.aborted && !signal.aborted) {
      throw new ToolFault("timeout", `the query was stopped after ${timeoutMs} ms`, {
        hint: "narrow the WHERE by the table's sorting key, or aggregate",
      });
    }
    throw error;
  }
  return answer.rows();
}

const OWN_RIGHTS =
  "SELECT toString(getSetting('readonly')), toString(getSetting('output_format_json_quote_64bit_integers'))";

/**
 * Refuses to work with an account that could write, or whose numbers of 64 bits would arrive rounded: the guard is one
 * lock, the account's profile is the other.
 */
async function checkAccount(
  { reader, checked }: Clickhouse,
  database: string,
  signal: AbortSignal,
): Promise<void> {
  if (checked.done) return;
  const question = { database, sql: OWN_RIGHTS, values: {}, limit: 1, timeoutMs: MAX_QUERY_MS };
  const { rows } = await readRows(reader, question, signal);
  const [readonly, quotes] = rows[0] ?? [];
  const apply = { hint: "apply the link's account: reads use a profile of their own" };
  if (readonly !== "1")
    throw new ToolFault("denied", "the account of this link may do more than read", apply);
  if (quotes !== "1" && quotes !== "true")
    throw new ToolFault("denied", "the account of this link has another profile than its own", apply);
  checked.done = true;
}

/** As `readRows` with the account that reads, once that is proved to be one that only can. */
export async function query(client: Clickhouse, question: Question, signal: AbortSignal): Promise<Rows> {
  await checkAccount(client, question.database, signal);
  return await readRows(client.reader, question, signal);
}
