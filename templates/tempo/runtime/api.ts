import { ToolFault } from "#runtime/fault";
import { openHttp, requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { recordOf } from "#runtime/json-shape";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import { timeOf } from "#runtime/time";
import type { LinkFacts } from "#runtime/tool";

/** As long as Tempo itself allows when nothing else is configured. */
export const MAX_RANGE_H = 168;
const MAX_REASON = 300;

type Json = Readonly<Record<string, unknown>>;
type Query = Readonly<Record<string, string | number | undefined>>;

/** The tenant comes from the operator, never from a caller. */
export function openTempo(link: LinkFacts, settings: Settings): HttpService {
  const tenant = settings.text("TENANT", "");
  if (!/^[A-Za-z0-9!_.*'()-]{0,150}$/.test(tenant))
    throw new SettingError(`${link.env}_TENANT`, "must be the name of one tenant");
  return openHttp(link, settings, { headers: tenant === "" ? {} : { "x-scope-orgid": tenant } });
}

/** Tempo says in plain words what is wrong with a query; a proxy's page is none of them. */
function faultIn(status: number, text: string): ToolFault | undefined {
  const said = text.trim();
  if (status !== 400 || said === "" || /^[<{]/.test(said)) return undefined;
  return new ToolFault("invalid_argument", `the service refused the query: ${said.slice(0, MAX_REASON)}`);
}

/** One of the fixed paths below `/api`; a segment that a caller names is escaped and cannot climb. */
export async function ask(
  service: HttpService,
  path:
    | readonly ["search"]
    | readonly ["v2", "traces", string]
    | readonly ["v2", "search", "tags"]
    | readonly ["v2", "search", "tag", string, "values"],
  query: Query,
  signal: AbortSignal,
): Promise<Json> {
  return recordOf(await requestJson(service, { path: ["api", ...path], query, signal, faultIn }));
}

/** Whole seconds that hold the range; with both ends given, Tempo looks into all of its storage. */
export function rangeOf(start: string, end: string): { readonly start: number; readonly end: number } {
  const now = Date.now();
  const range = { start: Math.floor(timeOf(start, "start", now)), end: Math.ceil(timeOf(end, "end", now)) };
  if (range.start > range.end) throw new ToolFault("invalid_argument", "start is after end");
  if (range.end - range.start <= MAX_RANGE_H * 3600 + 1) return range;
  throw new ToolFault("invalid_argument", `a call searches at most ${MAX_RANGE_H} hours`, {
    hint: "narrow start and end",
  });
}
