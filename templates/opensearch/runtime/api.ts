import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";
import { requestJson } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { cutText, recordOf } from "#runtime/json-shape";

const MAX_REASON = 300;

const CODES: Readonly<Record<string, FaultCode>> = {
  index_not_found_exception: "not_found",
  security_exception: "denied",
  circuit_breaking_exception: "too_large",
  too_many_buckets_exception: "too_large",
  es_rejected_execution_exception: "busy",
  rejected_execution_exception: "busy",
  cluster_block_exception: "upstream_unavailable",
};

/** The innermost reason says what is wrong; those around it say that something is. */
function innermost(error: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let found = error;
  for (let depth = 0; depth < 8; depth += 1) {
    const cause = found["caused_by"];
    if (typeof cause !== "object" || cause === null) break;
    found = cause as Readonly<Record<string, unknown>>;
  }
  return found;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { error } = recordOf(JSON.parse(text));
    return typeof error === "object" && error !== null
      ? (error as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    // A proxy's page: the status alone is told.
    return undefined;
  }
}

/** A node's own number says nothing to a caller, and a name or an address is nobody's business. */
export function withoutNodes(text: string): string {
  return text
    .replace(/node\[[^\]]*\]/g, "node")
    .replace(/\[(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\]|\{[^{}]*\}/g, "")
    .replace(/User \[[^\]]*\]/g, "this account");
}

/** The service's words, where they are about the request; a refusal of the account names only the action. */
export function faultIn(status: number, text: string): ToolFault | undefined {
  const error = parsed(text);
  if (error === undefined) return undefined;
  const roots = error["root_cause"];
  const root = Array.isArray(roots) && roots.length > 0 ? recordOf(roots[0]) : error;
  const type = cutText(root["type"], 100);
  if (status === 401 || status === 403) {
    const action = /no permissions for \[([\w:/*,[\] -]{1,120}?)\]/.exec(cutText(root["reason"], 500))?.[1];
    return new ToolFault(
      "denied",
      `the cluster refused the account of this link${action === undefined ? "" : `: ${action}`}`,
      {
        hint: "apply the principal of this link to the cluster and check the link's user and password",
      },
    );
  }
  const failed = error["failed_shards"];
  const shard = Array.isArray(failed) && failed.length > 0 ? recordOf(recordOf(failed[0])["reason"]) : root;
  const types = [root, shard, innermost(error), innermost(shard)].map((each) => cutText(each["type"], 100));
  const reasons = new Set(
    [shard, innermost(shard)].map((each) => cutText(each["reason"], MAX_REASON).split("\n", 1)[0] ?? ""),
  );
  const reason = withoutNodes([...reasons].filter((each) => each !== "").join(": "));
  const known = types.map((each) => CODES[each]).find((each) => each !== undefined);
  const code = known ?? (status < 500 ? "invalid_argument" : "upstream_unavailable");
  return new ToolFault(code, `the cluster answered ${type}${reason === "" ? "" : `: ${reason}`}`);
}

export async function ask(
  service: HttpService,
  request: HttpRequest,
): Promise<Readonly<Record<string, unknown>>> {
  return recordOf(await requestJson(service, { ...request, faultIn }));
}

/** A table of the `_cat` interface; its numbers are texts. */
export async function askRows(service: HttpService, request: HttpRequest): Promise<unknown> {
  return await requestJson(service, { ...request, faultIn });
}
