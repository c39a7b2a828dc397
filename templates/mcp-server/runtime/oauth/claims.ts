import { shortDigest } from "#runtime/digest";
import type { Principal, Role } from "#runtime/identity/identity";
import type { OAuthSettings } from "#runtime/oauth/settings";

export type Claims = Readonly<Record<string, unknown>>;

const NAME = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;
/** Of several roles in one token the first of these counts. */
const STRONGEST_FIRST: readonly Role[] = ["admin", "operator", "auditor", "viewer"];

/** A claim that cannot be what it is drawn to be. */
export class UnfitClaim extends Error {}

function isRecord(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function member(of: unknown, name: string): unknown {
  return isRecord(of) && Object.hasOwn(of, name) ? of[name] : undefined;
}

/** A claim of that very name, which may be a URL; else the way down: `realm_access.roles`. */
function claimIn(claims: Claims, path: string): unknown {
  const own = member(claims, path);
  return own === undefined ? path.split(".").reduce<unknown>(member, claims) : own;
}

/** Every text that the claim holds; none when it is missing. */
function textsIn(claims: Claims, path: string | undefined): readonly string[] {
  const value = path === undefined ? undefined : claimIn(claims, path);
  if (value === undefined || value === null || value === "") return [];
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return texts.map((text) => {
    if (typeof text !== "string") throw new UnfitClaim();
    return text;
  });
}

function nameIn(texts: readonly string[]): string | null {
  const [only] = texts;
  if (only === undefined) return null;
  if (texts.length > 1 || !NAME.test(only)) throw new UnfitClaim();
  return only;
}

/** A caller has one team. Which one of several is for the drawing to say: rules may hold for the others. */
function teamIn(texts: readonly string[], teams: readonly string[]): string | null {
  return teams.length === 0 ? nameIn(texts) : (teams.find((team) => texts.includes(team)) ?? null);
}

function roleIn(texts: readonly string[], roles: OAuthSettings["roles"]): Role {
  const given = new Set(texts.flatMap((text) => (Object.hasOwn(roles, text) ? roles[text] : [])));
  return STRONGEST_FIRST.find((role) => given.has(role)) ?? "viewer";
}

/** Whom a valid token stands for: its subject, and what is drawn beside it. Throws UnfitClaim. */
export function principalIn(claims: Claims, settings: OAuthSettings): Principal {
  const subject = claims["sub"];
  if (typeof subject !== "string" || subject === "") throw new UnfitClaim();
  const { issuer, claims: paths, roles, teams, delegates } = settings;
  const client = claims["azp"] ?? claims["client_id"];
  return {
    id: `oauth:${shortDigest(`${issuer}\0${subject}`)}`,
    human: nameIn(textsIn(claims, paths.human)),
    agent: nameIn(textsIn(claims, paths.agent)),
    team: teamIn(textsIn(claims, paths.team), teams),
    role: roleIn(textsIn(claims, paths.role), roles),
    delegated: typeof client === "string" && delegates.includes(client),
    session: null,
  };
}

/** Of RFC 9068 a text with blanks; some issuers write a list, or call it `scp`. */
function scopesIn(claims: Claims): ReadonlySet<string> {
  const { scope, scp } = claims;
  const written: readonly unknown[] = [scope, scp].flat();
  return new Set(written.flatMap((each) => (typeof each === "string" ? each.split(" ") : [])));
}

export function hasScopes(claims: Claims, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  const given = scopesIn(claims);
  return wanted.every((scope) => given.has(scope));
}
