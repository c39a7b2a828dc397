/** What people are told about callers that come with a token. A reason of the runtime that is missing here does not compile. */
import type { TokenReason } from "#runtime/reason";
import type oauthHook from "../../hooks/oauth.ts";
import type { Turned } from "./explained.ts";

type OAuth = ReturnType<(typeof oauthHook)["derive"]>;

const INVALID = "401, invalid_token";

export const TOKEN_REASONS: Readonly<Record<TokenReason, Turned>> = {
  insufficient_scope: {
    seen: "403, insufficient_scope",
    means: "the token lacks a scope of access.oauth.scopes",
    remedy: "the issuer gives the client that scope; a good client asks for it by itself",
  },
  issuer_unavailable: {
    seen: "503",
    means: "the issuer's keys are not to be had, so nothing can be said about the token",
    remedy:
      "stderr says why: is it up, does its certificate fit, does the network policy let the server there",
  },
  token_audience: {
    seen: INVALID,
    means: "the token is for another service",
    remedy:
      "the issuer must put the audience of this server into aud; many rows from one place are an attack",
  },
  token_claims: {
    seen: INVALID,
    means: "sub or exp is missing, a drawn claim is no name, or the token names several teams",
    remedy: "the mappers of the issuer; access.oauth.teams says which of several teams counts",
  },
  token_expired: { seen: INVALID, means: "the token is over", remedy: "the client gets a new one" },
  token_issuer: {
    seen: INVALID,
    means: "another issuer made the token, or this one calls itself otherwise",
    remedy: "compare iss of a token with access.oauth.issuer, to the character",
  },
  token_malformed: {
    seen: INVALID,
    means: "no access token that is read here: its form, length, type or algorithm, or it is bound to a key",
    remedy: "an ID token instead of an access token, a shared secret as its key, or an attack",
  },
  token_not_yet_valid: {
    seen: INVALID,
    means: "the token begins in the future",
    remedy: "the clocks of issuer and server",
  },
  token_signature: {
    seen: INVALID,
    means: "no key of the issuer made the signature",
    remedy: "a token from before a change of keys, or a made-up one",
  },
};

const PARTS = ["human", "agent", "team"] as const;

/** `null` where no tokens are drawn. */
export function tokensView(oauth: OAuth): object | null {
  if (oauth === null) return null;
  const { issuer, audience, scopes, claims, roles, teams, delegates, takesKeys, signer, keysUrl } = oauth;
  return {
    issuer,
    audience,
    scopes: scopes.join(" "),
    takesKeys,
    parts: PARTS.flatMap((part) => {
      const claim = claims[part];
      return claim === undefined ? [] : [{ part, claim }];
    }),
    roleClaim: claims["role"] ?? "",
    roles: Object.entries(roles).map(([value, role]) => ({ value, role })),
    teams: teams.join(", "),
    delegates: delegates.join(", "),
    signer: signer?.name ?? "",
    keysUrl: keysUrl ?? "",
  };
}
