import { fileURLToPath } from "node:url";
import { errors, jwtVerify } from "jose";
import type { JWTVerifyResult } from "jose";
import { UnfitClaim, hasScopes, principalIn } from "#runtime/oauth/claims";
import type { Claims } from "#runtime/oauth/claims";
import { NoKeys, fileKeys, remoteKeys } from "#runtime/oauth/issuer-keys";
import type { FindKey } from "#runtime/oauth/issuer-keys";
import { challengeOf, metadataOf } from "#runtime/oauth/metadata";
import type { OAuthSettings } from "#runtime/oauth/settings";
import type { Principal } from "#runtime/identity/identity";
import type { TokenReason } from "#runtime/reason";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import type { OpenTokens, RefusedToken } from "#runtime/identity/tokens";

/** Issuers put groups and roles into tokens; more than this is no token for a header. */
const MOST_CHARACTERS = 8_192;
const CLOCK_SECONDS = 30;
/** With keys that only the issuer has. A shared secret would be one that this server could sign with too. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");
/** RFC 9068, and what issuers wrote before it. A token for another purpose says so here. */
const TYPES = new Set(["", "jwt", "at+jwt", "application/at+jwt"]);
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

function urlOf(drawn: string, environment: Environment): URL {
  const written = environment["MCP_OAUTH_JWKS_URL"] || drawn;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.has(url.hostname));
  if (url === undefined || !isSafe || url.username !== "" || url.password !== "" || url.hash !== "")
    throw new StartError(
      "MCP_OAUTH_JWKS_URL must be an https URL: whoever changes its answer lets anybody in",
    );
  return url;
}

function keysOf({ keys }: OAuthSettings, environment: Environment): FindKey {
  if (typeof keys !== "string") return fileKeys(fileURLToPath(keys));
  const ca = environment["MCP_OAUTH_CA_FILE"] || "";
  const tls = ca === "" ? [] : [{ use: "ca" as const, path: ca, variable: "MCP_OAUTH_CA_FILE" }];
  return remoteKeys(urlOf(keys, environment), tls);
}

const REASONS: Readonly<Record<string, TokenReason>> = {
  aud: "token_audience",
  iss: "token_issuer",
  nbf: "token_not_yet_valid",
};

/** The one word of the audit. What the library says quotes the token, so it goes nowhere. */
function reasonOf(problem: unknown): TokenReason | undefined {
  if (problem instanceof NoKeys) return "issuer_unavailable";
  if (problem instanceof UnfitClaim) return "token_claims";
  if (problem instanceof errors.JWTExpired) return "token_expired";
  if (problem instanceof errors.JWTClaimValidationFailed) return REASONS[problem.claim] ?? "token_claims";
  const isUnsigned =
    problem instanceof errors.JWSSignatureVerificationFailed ||
    problem instanceof errors.JWKSNoMatchingKey ||
    problem instanceof errors.JWKSMultipleMatchingKeys;
  if (isUnsigned) return "token_signature";
  return problem instanceof errors.JOSEError ? "token_malformed" : undefined;
}

/** A token that is no access token, or that only its owner's own key makes one, is none here. */
function isAccessToken({ protectedHeader, payload }: JWTVerifyResult): boolean {
  const type: unknown = protectedHeader.typ ?? "";
  const { typ: purpose = "Bearer", cnf } = payload;
  return (
    typeof type === "string" && TYPES.has(type.toLowerCase()) && purpose === "Bearer" && cnf === undefined
  );
}

/** Tokens of one issuer, for this server alone. Throws a StartError when its keys have no place. */
export function openTokens(settings: OAuthSettings): OpenTokens {
  return (environment) => {
    const { issuer, audience, scopes, takesKeys } = settings;
    const findKey = keysOf(settings, environment);
    const demands = {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_SECONDS,
      requiredClaims: ["exp", "sub"],
    };
    const invalid = (refused: TokenReason): RefusedToken => ({
      refused,
      status: 401,
      headers: { "www-authenticate": challengeOf(settings, "invalid_token") },
    });
    const refusalOf = (refused: TokenReason): RefusedToken => {
      if (refused === "issuer_unavailable") return { refused, status: 503, headers: { "retry-after": "5" } };
      if (refused !== "insufficient_scope") return invalid(refused);
      const challenge = challengeOf(settings, refused);
      return { refused, status: 403, headers: { "www-authenticate": challenge } };
    };
    const holderOf = async (token: string): Promise<Principal | TokenReason> => {
      const verified = await jwtVerify(token, findKey, demands);
      if (!isAccessToken(verified)) return "token_malformed";
      const claims = verified.payload as Claims;
      return hasScopes(claims, scopes) ? principalIn(claims, settings) : "insufficient_scope";
    };
    return {
      takesKeys,
      challenge: challengeOf(settings),
      metadata: metadataOf(settings),
      holderOf: async (token) => {
        if (token.length > MOST_CHARACTERS) return invalid("token_malformed");
        try {
          const held = await holderOf(token);
          return typeof held === "string" ? refusalOf(held) : held;
        } catch (problem) {
          const reason = reasonOf(problem);
          if (reason === undefined) throw problem;
          return refusalOf(reason);
        }
      },
    };
  };
}
