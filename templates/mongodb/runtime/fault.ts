import { MongoError, MongoServerError, MongoServerSelectionError } from "mongodb";
import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";

const MAX_REASON = 300;
/** MongoDB's error numbers that are not the caller's mistake, or that say more than "invalid". */
const CODES: Readonly<Record<number, readonly [code: FaultCode, hint?: string]>> = {
  13: ["denied", "only the drawn databases are within reach of this link"],
  26: ["not_found"],
  50: ["timeout", "filter by an indexed field, or narrow the range; the indexes are listed by a tool"],
  59: ["upstream_unavailable"],
  292: ["too_large", "filter first, or sort by an indexed field"],
  10334: ["too_large", "project fewer fields"],
};

/** The fault behind an error of the driver or the server, without hosts and accounts. */
export function faultOf(error: unknown): unknown {
  if (error instanceof ToolFault || !(error instanceof MongoError)) return error;
  if (error instanceof MongoServerError) {
    if (error.code === 18) return new ToolFault("denied", "the service refused the account of this link");
    const [code, hint] = CODES[Number(error.code)] ?? (["invalid_argument"] as const);
    const reason = error.message
      .replace(/\b[\w.-]+:\d{2,5}\b/g, "a server")
      .replace(/not authorized on .*/s, "not authorized");
    const message = reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : reason;
    return new ToolFault(code, message, hint === undefined ? {} : { hint });
  }
  // How the driver wraps a login that the server refused while a connection was made.
  const cause = error instanceof MongoServerSelectionError ? error.reason : undefined;
  const inner =
    cause === undefined ? undefined : [...cause.servers.values()].find(({ error }) => error)?.error;
  if (inner instanceof MongoServerError) return faultOf(inner);
  const wait = error.name === "MongoWaitQueueTimeoutError";
  if (wait)
    return new ToolFault("busy", "all connections of this link are in use", { hint: "try again later" });
  if (
    /^Mongo(?:Network|ServerSelection|Topology|ServerClosed|PoolCleared|PoolClosed|Tailable|MissingCredentials)/.test(
      error.name,
    )
  )
    return new ToolFault("upstream_unavailable", "the service cannot be reached");
  return new ToolFault("invalid_argument", error.message.slice(0, MAX_REASON));
}
