/** The admin API of Keycloak, one realm at a time, with a token of the link's own service account in that realm. */
import { ToolFault } from "#runtime/fault";
import { requestJson, requestText } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { recordOf } from "#runtime/json-shape";
import { Secret } from "#runtime/settings";

/** A token is replaced this long before it ends. */
const EARLY_S = 30;
const TOKEN_TIMEOUT_MS = 10_000;

export interface Account {
  readonly http: HttpService;
  readonly clientId: string;
  readonly secret: Secret;
  /** By realm; each holds its token until that ends. */
  readonly realms: Map<string, HttpService>;
}

interface Token {
  readonly value: Secret;
  readonly until: number;
}

async function newToken({ http, clientId, secret }: Account, realm: string): Promise<Token> {
  const answer = await requestJson(http, {
    path: ["realms", realm, "protocol", "openid-connect", "token"],
    form: { grant_type: "client_credentials", client_id: clientId, client_secret: secret.reveal() },
    signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
    faultIn: (status) =>
      status === 400 || status === 401
        ? new ToolFault("denied", "Keycloak refused the account of this link in that realm", {
            hint: "the operator must create the account there, as its README says",
          })
        : undefined,
  });
  const { access_token: token, expires_in: seconds } = recordOf(answer);
  if (typeof token !== "string" || typeof seconds !== "number")
    throw new ToolFault("upstream_unavailable", "Keycloak gave no token");
  return { value: new Secret(`Bearer ${token}`), until: Date.now() + (seconds - EARLY_S) * 1000 };
}

function realmService(account: Account, realm: string): HttpService {
  let token: Promise<Token> | undefined;
  const authorization = async (): Promise<Secret> => {
    const held = await token?.catch(() => undefined);
    if (held !== undefined && held.until > Date.now()) return held.value;
    token = newToken(account, realm);
    return (await token).value;
  };
  return { ...account.http, authorization };
}

type Asked = Omit<HttpRequest, "path" | "faultIn"> & { readonly path?: readonly string[] };

/** A token may end before its time, as when the account was made anew. */
class TokenRefused extends ToolFault {
  constructor() {
    super("denied", "Keycloak refused a fresh token of the account of this link");
  }
}

const faultIn = (status: number): ToolFault | undefined => (status === 401 ? new TokenRefused() : undefined);

/** A request that was refused has changed nothing, so that it may be sent again with a new token. */
async function withToken<T>(
  account: Account,
  realm: string,
  { path = [], ...request }: Asked,
  send: (service: HttpService, request: HttpRequest) => Promise<T>,
): Promise<T> {
  const full = { ...request, path: ["admin", "realms", realm, ...path], faultIn };
  const service = account.realms.get(realm) ?? realmService(account, realm);
  account.realms.set(realm, service);
  try {
    return await send(service, full);
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    const anew = realmService(account, realm);
    account.realms.set(realm, anew);
    return await send(anew, full);
  }
}

/** One request below `/admin/realms/<realm>`, and its JSON. */
export async function askRealm(account: Account, realm: string, request: Asked): Promise<unknown> {
  return await withToken(account, realm, request, requestJson);
}

/** As `askRealm`, for what Keycloak answers with nothing. */
export async function changeRealm(account: Account, realm: string, request: Asked): Promise<void> {
  await withToken(account, realm, request, requestText);
}
