/** What a link reaches on the broker: the closed lists of its tools, and what its account is permitted. */
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

type Queue = (typeof module.queues)[number];
type Exchange = (typeof module.exchanges)[number];

function vhostOf(attributes: Readonly<Record<string, unknown>>, link: McpLink): string {
  return String(attributes["vhost"] ?? link.component.attributes["vhost"] ?? "/");
}

/** Name of the link's own account on the broker. */
export function accountOf(link: McpLink): string {
  return `mcp_${link.component.name.replaceAll("-", "_")}`;
}

export function managementPortOf(link: McpLink): number {
  return Number(link.component.attributes["management_port"] ?? 15_672);
}

export function queuesOf(link: McpLink): readonly Queue[] {
  return link.targets.map(({ sub }) => ({
    name: sub.name,
    queue: String(sub.attributes["queue"] ?? sub.name),
    vhost: vhostOf(sub.attributes, link),
  }));
}

/** Names of the queues that were drawn with propose or write. */
export function writableQueuesOf(link: McpLink): readonly string[] {
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

export function exchangesOf(link: McpLink): readonly Exchange[] {
  return link.component.subs
    .filter(({ section }) => section === "exchanges")
    .map(({ name, attributes }) => ({
      name,
      exchange: String(attributes["exchange"] ?? name),
      vhost: vhostOf(attributes, link),
    }));
}

/** An exchange can lead to any queue, so a link that was narrowed to some queues publishes to those alone. */
export function writableExchangesOf(link: McpLink): readonly string[] {
  return link.narrowed || link.access === "read" ? [] : exchangesOf(link).map(({ name }) => name);
}

/** The virtual hosts of what is drawn; a link that was narrowed sees those of its queues only. */
export function vhostsOf(link: McpLink): readonly string[] {
  const own = link.narrowed ? [] : [vhostOf({}, link), ...exchangesOf(link).map(({ vhost }) => vhost)];
  return [...new Set([...own, ...queuesOf(link).map(({ vhost }) => vhost)])].sort();
}
