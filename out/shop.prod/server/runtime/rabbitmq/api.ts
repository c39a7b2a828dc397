import { encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";
import { requestJson, requestText } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { firstPart, offsetOf, pageFrom } from "#runtime/page";
import type { Page } from "#runtime/page";
import type { CallContext } from "#runtime/tool";

export type Context = CallContext<HttpService>;
export type Json = Readonly<Record<string, unknown>>;

const MAX_NAME = 255;
const MAX_REASON = 200;
/** The most that one page of the API may hold. */
const PAGE_SIZE = 500;

/** Names of the broker are at most 255 bytes long. */
export function nameOf(value: unknown): string {
  return cutText(value, MAX_NAME);
}

/** A page behind the last one, which a cursor can lead to when things are gone meanwhile. */
class PastTheEnd extends ToolFault {
  constructor() {
    super("not_found", "the list ends before this page");
  }
}

/** The broker says in `reason` what is wrong, and often which account asked. */
function faultIn(status: number, body: string): ToolFault | undefined {
  if (status !== 400) return undefined;
  if (body.includes('"error":"page_out_of_range"')) return new PastTheEnd();
  const [, reason = ""] = /"reason":"((?:[^"\\]|\\.){0,2000})"/.exec(body) ?? [];
  if (reason.includes("ACCESS_REFUSED"))
    return new ToolFault("denied", "the service refused the account of this link (400)");
  const said = reason.replace(/ for user .*/s, "").slice(0, MAX_REASON);
  return new ToolFault("invalid_argument", `the broker answered 400: ${said}`);
}

type Asked = Pick<HttpRequest, "path" | "query" | "json" | "method">;

/** One request below `/api`, and its JSON answer. */
export async function ask({ client, signal }: Context, asked: Asked): Promise<unknown> {
  return await requestJson(client, { faultIn, ...asked, path: ["api", ...asked.path], signal });
}

/** As `ask`, for what is answered without a body. */
export async function command({ client, signal }: Context, asked: Asked): Promise<void> {
  await requestText(client, { faultIn, ...asked, path: ["api", ...asked.path], signal });
}

export interface Listed {
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string | boolean | undefined>>;
}

export interface Asking {
  readonly tool: string;
  readonly args: Json;
  readonly cursor: string | undefined;
  readonly limit: number;
}

interface Part {
  readonly items: readonly unknown[];
  readonly total: number | null;
  readonly isLast: boolean;
}

async function fetchPart(context: Context, { path, query }: Listed, number: number): Promise<Part> {
  try {
    const paging = { page: String(number), page_size: String(PAGE_SIZE) };
    const page = recordOf(await ask(context, { path, query: { ...query, ...paging } }));
    const { items, filtered_count, page_count } = page;
    return { items: listOf(items), total: Number(filtered_count), isLast: number >= Number(page_count) };
  } catch (error) {
    if (error instanceof PastTheEnd) return { items: [], total: null, isLast: true };
    throw error;
  }
}

/**
 * One page of a list that the broker pages itself. Its own pages start at multiples of their size, so that ours,
 * which end with the bytes too, may need the end of one and the start of the next.
 */
export async function pageOfApi<T>(
  context: Context,
  listed: Listed,
  rowOf: (row: Json) => T,
  { tool, args, cursor, limit }: Asking,
): Promise<Page<T>> {
  const offset = offsetOf(tool, args, cursor);
  const number = Math.floor(offset / PAGE_SIZE) + 1;
  const { items: part, total, isLast } = await fetchPart(context, listed, number);
  const rest = part.slice(offset % PAGE_SIZE);
  const next = rest.length > limit || isLast ? [] : (await fetchPart(context, listed, number + 1)).items;
  const rows = [...rest, ...next].slice(0, limit + 1).map((row) => rowOf(recordOf(row)));
  const { items, about } = firstPart(rows, limit, "go on with next_cursor");
  const next_cursor = about.truncation === undefined ? null : encodeCursor(tool, args, offset + items.length);
  return { items, about: { ...about, page: { returned: items.length, total, next_cursor } } };
}

/** One page of a list that the broker only gives as a whole. */
export async function pageOfWhole<T>(
  context: Context,
  listed: Listed,
  rowOf: (row: Json) => T,
  { tool, args, cursor, limit }: Asking,
): Promise<Page<T>> {
  const offset = offsetOf(tool, args, cursor);
  const rows = listOf(await ask(context, listed)).map((row) => rowOf(recordOf(row)));
  return pageFrom(rows, limit, { tool, args, offset, total: rows.length });
}
