import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";

const MAX_REASON = 300;

/** ClickHouse's error numbers that are not the caller's mistake, or that say more than "invalid". */
const CODES: Readonly<Record<string, readonly [code: FaultCode, hint?: string]>> = {
  60: ["not_found"],
  81: ["not_found"],
  158: ["too_large", "narrow the WHERE by the table's sorting key, or ask for a shorter time"],
  159: ["timeout", "narrow the WHERE by the table's sorting key, or aggregate"],
  160: ["timeout"],
  164: ["denied", "settings of the link's account are fixed: leave SETTINGS and SET out"],
  201: ["rate_limited", "the account's quota is used up: try again in a minute"],
  202: ["busy", "try again later"],
  241: ["too_large", "group by fewer keys, or narrow the WHERE"],
  242: ["upstream_unavailable"],
  243: ["upstream_unavailable"],
  307: ["too_large"],
  394: ["cancelled"],
  396: ["too_large"],
  497: ["denied", "only the drawn databases are within reach of this link"],
  999: ["upstream_unavailable"],
};
/** A table that stands for one elsewhere could not reach it; what the server says then names hosts and accounts. */
const ELSEWHERE = new Set(["198", "209", "210", "279", "499", "614", "1000", "1001", "1002"]);
/** An account that the server does not let in. */
const NOT_LET_IN = new Set(["192", "193", "194", "195", "516"]);

/**
 * What the server wrote about a failure, without its version, stack, user and hosts. `undefined` when the text is not
 * an exception of ClickHouse.
 */
export function faultIn(text: string): ToolFault | undefined {
  const found = /Code: (\d+)\. DB::Exception: ([\s\S]*)/.exec(text);
  if (found === null) return undefined;
  const [, number = "", rest = ""] = found;
  if (NOT_LET_IN.has(number)) return new ToolFault("denied", "the service refused the account of this link");
  if (ELSEWHERE.has(number))
    return new ToolFault("upstream_unavailable", "the table is one of another system, which does not answer");
  const reason = rest
    .replace(/\s*\(version [\s\S]*$/, "")
    .replace(/Stack trace:[\s\S]*$/, "")
    .replace(/^[^\s:]+: (?=Not enough privileges)/, "")
    .replace(/\b[\w.-]+:\d{2,5}\b(?=[\s,)]|$)/g, "a server")
    .trim();
  const [code, hint] = CODES[number] ?? (["invalid_argument"] as const);
  const message = reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : reason;
  return new ToolFault(code, message, hint === undefined ? {} : { hint });
}
