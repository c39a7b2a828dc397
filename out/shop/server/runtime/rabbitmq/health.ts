import { ToolFault } from "#runtime/fault";
import { requestJson } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { ask, nameOf } from "#runtime/rabbitmq/api";
import type { Context, Json } from "#runtime/rabbitmq/api";
import { numberOf, rateOf } from "#runtime/rabbitmq/rows";

export const CHECKS = ["alarms", "local-alarms", "virtual-hosts"] as const;
export type Check = (typeof CHECKS)[number];

const MAX_ALARMS = 20;
const MAX_NODES = 50;

export interface Verdict {
  readonly check: Check;
  readonly ok: boolean;
  /** What is wrong, in the broker's words. */
  readonly reason: string | null;
  /** The resources that ran out, or the virtual hosts that are down. */
  readonly about: readonly string[];
}

/** A check that fails answers 503, which is what was asked for and no fault. */
class FailedCheck extends ToolFault {
  readonly body: Json;

  constructor(body: Json) {
    super("upstream_unavailable", "the check failed");
    this.body = body;
  }
}

/** Another 503, of a proxy for instance, says nothing about the broker. */
function failureIn(status: number, text: string): ToolFault | undefined {
  if (status !== 503) return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && (body as Json)["status"] === "failed")
      return new FailedCheck(body as Json);
  } catch {
    return undefined;
  }
  return undefined;
}

function failureOf(check: Check, { reason, alarms, "virtual-hosts": down }: Json): Verdict {
  const found = listOf(alarms ?? []).map((alarm) => nameOf(recordOf(alarm)["resource"]));
  const vhosts = listOf(down ?? []).map(nameOf);
  const about = [...new Set([...found, ...vhosts])].slice(0, MAX_ALARMS);
  return { check, ok: false, reason: cutText(reason, 300), about };
}

export async function runCheck({ client, signal }: Context, check: Check): Promise<Verdict> {
  const path = ["api", "health", "checks", check];
  try {
    const { status } = recordOf(await requestJson(client, { path, signal, faultIn: failureIn }));
    return { check, ok: status === "ok", reason: null, about: [] };
  } catch (error) {
    if (error instanceof FailedCheck) return failureOf(check, error.body);
    throw error;
  }
}

const NODE_COLUMNS =
  "name,running,uptime,mem_used,mem_limit,mem_alarm,disk_free,disk_free_limit,disk_free_alarm,fd_used,fd_total,sockets_used,sockets_total,proc_used,proc_total,partitions";
const NUMBERS = [
  "mem_used",
  "mem_limit",
  "disk_free",
  "disk_free_limit",
  "fd_used",
  "fd_total",
  "sockets_used",
  "sockets_total",
  "proc_used",
  "proc_total",
] as const;

function nodeOf(value: unknown, index: number): object {
  const node = recordOf(value);
  const uptime = numberOf(node["uptime"]);
  return {
    node: index + 1,
    running: node["running"] === true,
    uptime_s: uptime === null ? null : Math.round(uptime / 1000),
    mem_alarm: node["mem_alarm"] === true,
    disk_free_alarm: node["disk_free_alarm"] === true,
    partitioned_from: Array.isArray(node["partitions"]) ? node["partitions"].length : 0,
    ...Object.fromEntries(NUMBERS.map((name) => [name, numberOf(node[name])])),
  };
}

/** Nodes by number, in the order of their names, which are host names. */
export async function nodesOf(context: Context): Promise<readonly object[]> {
  const nodes = listOf(await ask(context, { path: ["nodes"], query: { columns: NODE_COLUMNS } }));
  const sorted = [...nodes].sort((a, b) =>
    nameOf(recordOf(a)["name"]) < nameOf(recordOf(b)["name"]) ? -1 : 1,
  );
  return sorted.slice(0, MAX_NODES).map(nodeOf);
}

const RATES = ["publish", "deliver_get", "ack", "redeliver", "return_unroutable", "drop_unroutable"] as const;
const OBJECTS = ["connections", "channels", "consumers", "queues", "exchanges"] as const;

/** Versions and totals, without the name of the cluster and what listens where. */
export function overviewOf(value: unknown): Json {
  const { rabbitmq_version, erlang_version, queue_totals, object_totals, message_stats } = recordOf(value);
  const totals = recordOf(queue_totals ?? {});
  const objects = recordOf(object_totals ?? {});
  const stats = recordOf(message_stats ?? {});
  return {
    version: nameOf(rabbitmq_version),
    erlang: nameOf(erlang_version),
    messages: numberOf(totals["messages"]),
    ready: numberOf(totals["messages_ready"]),
    unacked: numberOf(totals["messages_unacknowledged"]),
    totals: Object.fromEntries(OBJECTS.map((name) => [name, numberOf(objects[name])])),
    rates: Object.fromEntries(RATES.map((name) => [name, rateOf(stats, `${name}_details`)])),
  };
}
