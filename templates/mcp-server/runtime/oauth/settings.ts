import type { Role } from "#runtime/identity/identity";

/** What is drawn under `access.oauth`, resolved. Generated as code, so that no configuration can widen it. */
export interface OAuthSettings {
  /** As tokens name it, to the character. */
  readonly issuer: string;
  /** What a token must be made for. */
  readonly audience: string;
  /** This server, as its clients know it. */
  readonly resource: string;
  readonly name: string;
  /** A token needs all of them. */
  readonly scopes: readonly string[];
  /** Where a token says whom it stands for; what is not drawn is not read. */
  readonly claims: {
    readonly human?: string;
    readonly agent?: string;
    readonly team?: string;
    readonly role?: string;
  };
  /** The role that each value of the role's claim gives. */
  readonly roles: Readonly<Record<string, Role>>;
  /** Of several teams in a token the first of these counts, and no other one. */
  readonly teams: readonly string[];
  /** Clients that speak for others. */
  readonly delegates: readonly string[];
  readonly takesKeys: boolean;
  /** The issuer's keys: a file beside the code, or where they are fetched, unless `MCP_OAUTH_JWKS_URL` says otherwise. */
  readonly keys: URL | string;
}
