import type { IncomingMessage } from "node:http";
import { headerValues } from "#runtime/identity/identity";
import type { ServerSettings } from "#runtime/server-settings";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::(\d{1,5}))?$/;
const ORIGIN = /^https?:\/\/([^/]+)$/;

function isLoopback(authority: string): boolean {
  return LOOPBACK.has(AUTHORITY.exec(authority)?.[1] ?? "");
}

/** An entry of the list without a port stands for every port. */
function isListed(authority: string, list: readonly string[]): boolean {
  const name = AUTHORITY.exec(authority)?.[1];
  return name !== undefined && (list.includes(authority) || list.includes(name));
}

function isKnownOrigin(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes(origin) || isLoopback(ORIGIN.exec(origin)?.[1] ?? "");
}

/**
 * Why a request may come from a page that has no business here, or `undefined`. Both headers count: a page
 * that rebinds its own name to this address sends no Origin, and one that does not cannot change the Host.
 */
export function foreignHeader(
  request: IncomingMessage,
  settings: Pick<ServerSettings, "allowedHosts" | "allowedOrigins">,
): "host_not_allowed" | "origin_not_allowed" | undefined {
  const hosts = headerValues(request, "host");
  const host = hosts[0]?.toLowerCase() ?? "";
  if (hosts.length !== 1 || !(isLoopback(host) || isListed(host, settings.allowedHosts)))
    return "host_not_allowed";
  const origins = headerValues(request, "origin");
  const [origin] = origins;
  if (origin === undefined) return undefined;
  return origins.length === 1 && isKnownOrigin(origin.toLowerCase(), settings.allowedOrigins)
    ? undefined
    : "origin_not_allowed";
}
