import { ToolFault } from "#runtime/fault";
import { openHttp, requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, foreignAnswer, recordOf } from "#runtime/json-shape";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

const GIB = 1024 ** 3;
const DEFAULT_SCAN_BYTES = 10 * GIB;
const HARD_SCAN_BYTES = 1024 * GIB;
const MAX_LABEL = 1024;
const MAX_REASON = 300;

export interface Loki {
  readonly http: HttpService;
  /** A query that would read more is not asked. */
  readonly maxScanBytes: number;
}

export type Labels = Readonly<Record<string, string>>;
type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Everything of the HTTP API that is ever asked for, besides the values of a label; all of it with GET. */
type Endpoint = "query" | "query_range" | "labels" | "series";

/** The tenant and the amount that a query may read come from the operator, never from a caller. */
export function openLoki(link: LinkFacts, settings: Settings): Loki {
  const tenant = settings.text("TENANT", "");
  if (!/^[A-Za-z0-9!_.*'()-]{0,150}$/.test(tenant))
    throw new SettingError(`${link.env}_TENANT`, "must be the name of one tenant");
  const maxScanBytes = settings.integer("MAX_SCAN_BYTES", DEFAULT_SCAN_BYTES);
  if (maxScanBytes > HARD_SCAN_BYTES)
    throw new SettingError(`${link.env}_MAX_SCAN_BYTES`, `must be at most ${HARD_SCAN_BYTES}`);
  const headers = tenant === "" ? {} : { "x-scope-orgid": tenant };
  return { http: openHttp(link, settings, { headers }), maxScanBytes };
}

/** Loki says in plain words what is wrong with a query; a proxy's page is none of them. */
function faultIn(status: number, text: string): ToolFault | undefined {
  const said = text.trim();
  if (status !== 400 || said === "" || /^[<{]/.test(said)) return undefined;
  return new ToolFault("invalid_argument", `the service refused the query: ${said.slice(0, MAX_REASON)}`);
}

async function get(
  loki: Loki,
  path: readonly string[],
  query: Parameters,
  signal: AbortSignal,
): Promise<unknown> {
  return await requestJson(loki.http, { path: ["loki", "api", "v1", ...path], query, signal, faultIn });
}

function dataOf(body: unknown): unknown {
  const { status, data } = recordOf(body);
  if (status !== "success") throw foreignAnswer();
  return data;
}

/** The data of an answer; a list without items may be left out of one. */
export async function ask(
  loki: Loki,
  endpoint: Endpoint,
  query: Parameters,
  signal: AbortSignal,
): Promise<unknown> {
  return dataOf(await get(loki, [endpoint], query, signal)) ?? [];
}

export async function askLabelValues(
  loki: Loki,
  label: string,
  query: Parameters,
  signal: AbortSignal,
): Promise<unknown> {
  return dataOf(await get(loki, ["label", label, "values"], query, signal)) ?? [];
}

/** Bytes that the index knows of the streams, or `null` for a server that is too old to say. */
export async function bytesOf(loki: Loki, query: Parameters, signal: AbortSignal): Promise<number | null> {
  try {
    const bytes = Number(recordOf(await get(loki, ["index", "stats"], query, signal))["bytes"]);
    if (!Number.isFinite(bytes)) throw foreignAnswer();
    return bytes;
  } catch (error) {
    if (error instanceof ToolFault && error.code === "not_found") return null;
    throw error;
  }
}

/** A label set with values of bounded length. */
export function labelsOf(value: unknown): Labels {
  return Object.fromEntries(
    Object.entries(recordOf(value)).map(([name, text]) => [name, cutText(text, MAX_LABEL)]),
  );
}
