/** A realm whose clients get tokens for the emitted server, and one that gets them for another. */
import type { Administrator } from "../../../templates/keycloak/live.ts";

type Json = Readonly<Record<string, unknown>>;

export const REALM = "shop";
export const SECRET = "client-secret-of-the-live-suite";
export const PASSWORD = "pass-word-of-a-user";

function mapper(name: string, kind: string, config: Json): Json {
  const tokens = { "access.token.claim": "true", "id.token.claim": "false" };
  return { name, protocol: "openid-connect", protocolMapper: kind, config: { ...tokens, ...config } };
}

function client(clientId: string, audience: string, more: Json = {}): Json {
  return {
    clientId,
    secret: SECRET,
    serviceAccountsEnabled: true,
    directAccessGrantsEnabled: true,
    standardFlowEnabled: false,
    protocolMappers: [
      mapper("for the server", "oidc-audience-mapper", { "included.custom.audience": audience }),
      mapper("teams", "oidc-group-membership-mapper", { "claim.name": "groups", "full.path": "false" }),
    ],
    ...more,
  };
}

interface Found {
  readonly id: string;
  readonly name?: string;
  readonly clientId?: string;
  readonly providerId?: string;
}

async function idOf(admin: Administrator, path: string): Promise<string> {
  const [found] = (await admin.send("GET", path)) as readonly Found[];
  if (found === undefined) throw new Error(`nothing at ${path}`);
  return found.id;
}

/** `ops-agent` of the team sre, `outsider` of none, `unscoped` without the scope, `elsewhere` for another audience; ann. */
export async function makeRealm(admin: Administrator, audience: string): Promise<void> {
  await admin.send("POST", "", {
    realm: REALM,
    enabled: true,
    accessTokenLifespan: 600,
    roles: { realm: [{ name: "mcp-operator" }] },
    groups: [{ name: "sre" }],
    clients: [
      client("ops-agent", audience),
      client("outsider", audience),
      client("unscoped", audience),
      client("elsewhere", "https://other.example.com/mcp"),
    ],
    users: [
      {
        username: "ann",
        firstName: "Ann",
        lastName: "Other",
        email: "ann@example.com",
        emailVerified: true,
        enabled: true,
        credentials: [{ type: "password", value: PASSWORD, temporary: false }],
      },
      {
        username: "service-account-ops-agent",
        enabled: true,
        serviceAccountClientId: "ops-agent",
        groups: ["/sre"],
        realmRoles: ["mcp-operator"],
      },
    ],
  });
  const scope = { name: "mcp", protocol: "openid-connect", attributes: { "include.in.token.scope": "true" } };
  await admin.send("POST", `/${REALM}/client-scopes`, scope);
  const scopes = (await admin.send("GET", `/${REALM}/client-scopes`)) as readonly Found[];
  const mcp = scopes.find(({ name }) => name === "mcp")?.id ?? "";
  for (const name of ["ops-agent", "outsider", "elsewhere"]) {
    const id = await idOf(admin, `/${REALM}/clients?clientId=${name}`);
    await admin.send("PUT", `/${REALM}/clients/${id}/default-client-scopes/${mcp}`);
  }
}

/** New signing keys, and the old ones gone, as after a leak. */
export async function rotateKeys(admin: Administrator): Promise<void> {
  const type = "org.keycloak.keys.KeyProvider";
  const before = (await admin.send("GET", `/${REALM}/components?type=${type}`)) as readonly Found[];
  const config = { priority: ["200"], algorithm: ["RS256"], keySize: ["2048"] };
  await admin.send("POST", `/${REALM}/components`, {
    name: "fresh",
    providerId: "rsa-generated",
    providerType: type,
    config,
  });
  for (const { id, providerId } of before)
    if (providerId === "rsa-generated") await admin.send("DELETE", `/${REALM}/components/${id}`);
}

interface Tokens {
  readonly access_token: string;
  readonly id_token?: string;
}

export async function tokenOf(
  url: string,
  client: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Tokens> {
  const answer = await fetch(`${url}/realms/${REALM}/protocol/openid-connect/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: client,
      client_secret: SECRET,
      ...more,
    }),
  });
  if (!answer.ok) throw new Error(`no token for ${client}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Tokens;
}
