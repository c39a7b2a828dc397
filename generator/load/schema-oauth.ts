import { closed, doc } from "./schema-blocks.ts";
import type { JsonSchema } from "./schema-blocks.ts";

const string = { type: "string" };
const NO_BLANK = "^[\\x21-\\x7e]{1,256}$";
const SCOPE = "^[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,128}$";
const claim = { type: "string", pattern: NO_BLANK };
const claimValues = { type: "array", items: claim };

const issuerKeys = doc(
  "Where the issuer's public keys are; left out for an issuer that is drawn.",
  closed({
    from: doc("The drawn component that gives them.", string),
    path: doc("Path of the key set there: /oauth2/jwks.", {
      type: "string",
      pattern: "^/[A-Za-z0-9/_.~%-]*$",
    }),
    file: doc("A key set beside the stack file: keys/issuer.json.", string),
  }),
);

/** `access.oauth`; an environment writes only what differs. */
export function oauthSchema(needs: readonly string[]): JsonSchema {
  const claims = closed({
    human: doc("Claim with the person's name: sub, preferred_username.", claim),
    agent: doc("Claim with the client: azp.", claim),
    team: doc("Claim with the team: groups.", claim),
    role: doc("Claim that roles maps: realm_access.roles.", claim),
  });
  return doc(
    "Tokens of an issuer let callers in.",
    closed(
      {
        issuer: doc(
          "A drawn component that signs tokens, keycloak/realm, or the https URL that they name.",
          string,
        ),
        audience: doc(
          "What a token must be made for; default: the server's address behind its gateway.",
          claim,
        ),
        keys: issuerKeys,
        scopes: doc("Scopes that a token needs, all of them.", {
          type: "array",
          items: { type: "string", pattern: SCOPE },
        }),
        claims: doc("Where a token says whom it stands for; what is not written is not read.", claims),
        roles: doc("Role by value of the role's claim; everybody else is a viewer.", {
          type: "object",
          propertyNames: { pattern: NO_BLANK },
          additionalProperties: { type: "string", enum: ["viewer", "operator", "admin", "auditor"] },
        }),
        teams: doc("Of several teams in a token the first of these counts.", claimValues),
        delegates: doc("Clients that say with X-MCP headers on whose behalf they call.", claimValues),
        api_keys: doc("Whether keys let callers in as well; default: true.", { type: "boolean" }),
      },
      needs,
    ),
  );
}
