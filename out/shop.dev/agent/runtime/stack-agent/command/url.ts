import type { ValueRule } from "./rules.ts";
import type { Target } from "./values.ts";
import { portOf } from "./place.ts";

type UrlRule = Extract<ValueRule, { is: "url" }>;

const SCHEMES = ["http:", "https:"];
/** Characters that two readers of a URL could take differently. */
const PLAIN = /^[\w.~:/?#=&%+,;!$'()*|{}"<> -]{1,1800}$/;

/** Hosts with their ports that the command may talk to. */
function origins(rule: UrlRule, { place, route }: Target): readonly string[] {
  const own = place.host === null ? [] : [`${place.host}:${portOf(place, rule.port)}`];
  return route === null ? own : [...own, route];
}

/** `host:port` as two texts may differ for one place: the default port may be left out. */
function sameOrigin(url: URL, allowed: string): boolean {
  const candidate = URL.canParse(`${url.protocol}//${allowed}`)
    ? new URL(`${url.protocol}//${allowed}`)
    : null;
  return candidate !== null && candidate.host !== "" && candidate.host === url.host;
}

/**
 * The URL as it is requested, in one canonical spelling; its scheme is http or https, its host and port those of
 * the component (or of the row's route), it carries no user, and its path stays inside what the type allows.
 */
export function settleUrl(
  rule: UrlRule,
  text: string,
  target: Target,
): { text: string } | { problem: string } {
  if (!PLAIN.test(text) || !URL.canParse(text)) return { problem: "is not a plain URL" };
  const url = new URL(text);
  if (!SCHEMES.includes(url.protocol)) return { problem: "must begin with http:// or https://" };
  if (url.username !== "" || url.password !== "") return { problem: "may not carry a user" };
  if (!origins(rule, target).some((allowed) => sameOrigin(url, allowed))) {
    return { problem: "does not lead to the host and port of the component" };
  }
  if (rule.paths !== undefined && !new RegExp(rule.paths, "u").test(decoded(url.pathname))) {
    return { problem: "has a path that is not for tests" };
  }
  url.hash = "";
  return { text: url.href };
}

/** A path is looked at as the server will read it. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return "\u0000";
  }
}
