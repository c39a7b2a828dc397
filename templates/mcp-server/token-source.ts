import { typescriptLiteral } from "#hook";
import type { Topology } from "#hook";
import type oauthHook from "../../hooks/oauth.ts";

export type OAuth = ReturnType<(typeof oauthHook)["derive"]>;

/** Beside the registry, where the drawing names a file with the issuer's keys. */
export const ISSUER_KEYS = "issuer-keys.json";

/** The drawn issuer as the server holds itself to it: a member of its registry. */
export function tokenSource({ stack }: Topology, oauth: OAuth): string {
  if (oauth === null) return "";
  const { issuer, audience, resource, scopes, claims, roles, teams, delegates, takesKeys, keysUrl } = oauth;
  const drawn = {
    issuer,
    audience,
    resource,
    name: stack,
    scopes,
    claims,
    roles,
    teams,
    delegates,
    takesKeys,
  };
  const members = Object.entries(drawn).map(
    ([name, value]) => `    ${name}: ${typescriptLiteral(value, "    ")},\n`,
  );
  const keys = keysUrl === null ? `new URL("./${ISSUER_KEYS}", import.meta.url)` : typescriptLiteral(keysUrl);
  return `  tokens: openTokens({\n${members.join("")}    keys: ${keys},\n  }),\n`;
}
