import type { OAuthSettings } from "#runtime/oauth/settings";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

type Described = Pick<OAuthSettings, "issuer" | "name" | "resource" | "scopes">;

/** Where RFC 9728 puts the description of this resource. */
function placeOf({ resource }: Described): URL {
  const { origin, pathname } = new URL(resource);
  return new URL(`${WELL_KNOWN}${pathname === "/" ? "" : pathname}`, origin);
}

/** By path: that of the resource, and the bare one, which clients try when nobody told them. */
export function metadataOf(described: Described): Readonly<Record<string, object>> {
  const { issuer, name, resource, scopes } = described;
  const document = {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    resource_name: name,
  };
  return { [WELL_KNOWN]: document, [placeOf(described).pathname]: document };
}

/** `WWW-Authenticate` of RFC 6750; nothing in it comes from the request. */
export function challengeOf(described: Described, error?: "insufficient_scope" | "invalid_token"): string {
  const { scopes } = described;
  const parameters = [
    ...(error === undefined ? [] : [`error="${error}"`]),
    `resource_metadata="${placeOf(described).href}"`,
    ...(scopes.length === 0 ? [] : [`scope="${scopes.join(" ")}"`]),
  ];
  return `Bearer ${parameters.join(", ")}`;
}
