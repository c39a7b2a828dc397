import type { Principal } from "#runtime/identity/identity";
import type { TokenReason } from "#runtime/reason";
import type { Environment } from "#runtime/settings";

/** Why a token does not let anybody in, and what its bearer is told about it. */
export interface RefusedToken {
  readonly refused: TokenReason;
  readonly status: 401 | 403 | 503;
  readonly headers: Readonly<Record<string, string>>;
}

/** The tokens of the drawn issuer. A server that draws none has nothing of this, nor the library that reads them. */
export interface Tokens {
  /** False where only tokens let anybody in. */
  readonly takesKeys: boolean;
  /** What whoever brings no token is told, as the value of `WWW-Authenticate`. */
  readonly challenge: string;
  /** The description of RFC 9728, by each path at which it stands. */
  readonly metadata: Readonly<Record<string, object>>;
  /** Never throws for what is wrong with the token or its issuer. */
  holderOf(token: string): Promise<Principal | RefusedToken>;
}

export type OpenTokens = (environment: Environment) => Tokens;
