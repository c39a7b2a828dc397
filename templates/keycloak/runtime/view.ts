/** What of Keycloak's answers is shown: no secret, no attribute, no session id, and addresses of mail only in part. */
import { cutText, listOf, recordOf } from "#runtime/json-shape";

type Json = Readonly<Record<string, unknown>>;

const MAX_TEXT = 200;
const MAX_URIS = 10;

/** `a***@example.com`: enough to tell two people apart, and no address to write to. */
export function maskMail(text: string): string {
  return text.replace(/([^\s@])[^\s@]*@([^\s@]+)/g, "$1***@$2");
}

const masked = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? maskMail(cutText(value, MAX_TEXT)) : null;
const text = (value: unknown): string | null => (typeof value === "string" ? cutText(value, MAX_TEXT) : null);
const truth = (value: unknown): boolean => value === true;
const instant = (value: unknown): string | null =>
  typeof value === "number" && value > 0 && value < 8.64e15 ? new Date(value).toISOString() : null;

export function userOf(value: unknown): Json {
  const { id, username, enabled, email, emailVerified, createdTimestamp } = recordOf(value);
  return {
    id: text(id),
    username: masked(username),
    enabled: truth(enabled),
    email: masked(email),
    email_verified: truth(emailVerified),
    created: instant(createdTimestamp),
  };
}

export function sessionOf(value: unknown): Json {
  const { ipAddress, start, lastAccess, rememberMe, clients } = recordOf(value);
  return {
    started: instant(start),
    last_access: instant(lastAccess),
    ip: text(ipAddress),
    remembered: truth(rememberMe),
    clients: Object.values(recordOf(clients ?? {}))
      .map(text)
      .sort(),
  };
}

export function clientOf(value: unknown): Json {
  const {
    clientId,
    name,
    enabled,
    protocol,
    publicClient,
    bearerOnly,
    serviceAccountsEnabled,
    standardFlowEnabled,
    implicitFlowEnabled,
    directAccessGrantsEnabled,
    redirectUris,
  } = recordOf(value);
  return {
    client_id: text(clientId),
    name: text(name),
    enabled: truth(enabled),
    protocol: text(protocol),
    public: truth(publicClient),
    bearer_only: truth(bearerOnly),
    service_account: truth(serviceAccountsEnabled),
    flows: [
      ...(truth(standardFlowEnabled) ? ["code"] : []),
      ...(truth(implicitFlowEnabled) ? ["implicit"] : []),
      ...(truth(directAccessGrantsEnabled) ? ["password"] : []),
    ],
    redirect_uris: listOf(redirectUris ?? [])
      .slice(0, MAX_URIS)
      .map(text),
  };
}

export interface LoginEvent {
  readonly time: string | null;
  readonly at: number;
  readonly type: string;
  readonly error: string | null;
  readonly client: string | null;
  readonly user_id: string | null;
  readonly username: string | null;
  readonly ip: string | null;
}

export function eventOf(value: unknown): LoginEvent {
  const { time, type, error, clientId, userId, ipAddress, details } = recordOf(value);
  return {
    time: instant(time),
    at: typeof time === "number" ? time : 0,
    type: cutText(type, 64),
    error: text(error),
    client: text(clientId),
    user_id: text(userId),
    username: masked(recordOf(details ?? {})["username"]),
    ip: text(ipAddress),
  };
}

const SETTINGS = {
  registrationAllowed: "registration_allowed",
  resetPasswordAllowed: "reset_password_allowed",
  verifyEmail: "verify_email",
  bruteForceProtected: "brute_force_protected",
  eventsEnabled: "events_enabled",
  adminEventsEnabled: "admin_events_enabled",
} as const;
const SECONDS = {
  eventsExpiration: "events_kept_s",
  accessTokenLifespan: "access_token_s",
  ssoSessionIdleTimeout: "sso_idle_s",
  ssoSessionMaxLifespan: "sso_max_s",
} as const;

export function realmOf(value: unknown): Json {
  const realm = recordOf(value);
  const flags = Object.entries(SETTINGS).map(([name, shown]) => [shown, truth(realm[name])]);
  const seconds = Object.entries(SECONDS).map(([name, shown]) => [
    shown,
    typeof realm[name] === "number" ? realm[name] : null,
  ]);
  return {
    realm: text(realm["realm"]),
    enabled: truth(realm["enabled"]),
    ssl_required: text(realm["sslRequired"]),
    password_policy: text(realm["passwordPolicy"]),
    ...Object.fromEntries([...flags, ...seconds]),
  };
}

export function bruteForceOf(value: unknown): Json {
  const { numFailures, disabled, lastFailure, lastIPFailure } = recordOf(value);
  return {
    locked: truth(disabled),
    failures: typeof numFailures === "number" ? numFailures : 0,
    last_failure: instant(lastFailure),
    last_ip: typeof lastIPFailure === "string" && lastIPFailure !== "n/a" ? text(lastIPFailure) : null,
  };
}
