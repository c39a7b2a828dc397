/** The live suite's realm: users, clients and events, and the link's account as its README makes it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { emitPrincipals } from "../../test/harness/principals.ts";

const VERSION = "26.0.7";
const CACHE = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const BIN = join(CACHE, "topogate", `keycloak-${VERSION}`, "bin");
const ADMIN = "seed-of-the-live-suite";

export const USERS = 130;
export const FAILED_LOGINS = 4;

type Json = Readonly<Record<string, unknown>>;

export interface Administrator {
  send(method: string, path: string, body?: unknown): Promise<unknown>;
}

async function tokenFrom(
  url: string,
  realm: string,
  form: Record<string, string>,
): Promise<{ status: number; token: string }> {
  const answer = await fetch(`${url}/realms/${realm}/protocol/openid-connect/token`, {
    method: "POST",
    body: new URLSearchParams(form),
  });
  const { access_token: token = "" } = (await answer.json()) as { access_token?: string };
  return { status: answer.status, token };
}

/** Each request has a token of its own: an administrator's lasts a minute only. */
export function administrator(url: string): Administrator {
  const login = { grant_type: "password", client_id: "admin-cli", username: "admin", password: ADMIN };
  return {
    send: async (method, path, body) => {
      const { token } = await tokenFrom(url, "master", login);
      const answer = await fetch(`${url}/admin/realms${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    },
  };
}

const user = (at: number): Json => ({
  username: at === 0 ? "ann" : `user-${String(at).padStart(3, "0")}`,
  firstName: "First",
  lastName: "Last",
  email: at === 0 ? "ann@example.com" : `user${at}@example.com`,
  emailVerified: true,
  enabled: at !== 1,
  attributes: { phone: ["555-0100"] },
  // Few have one: making it takes long, on purpose.
  credentials: at < 5 ? [{ type: "password", value: "pass-word-of-a-user", temporary: false }] : [],
});

/** Two realms: `shop` with users, clients and a history of logins, and `other`, which nothing may reach. */
export async function makeRealms(url: string, admin: Administrator): Promise<void> {
  const clients = [
    {
      clientId: "shop-web",
      publicClient: true,
      directAccessGrantsEnabled: true,
      redirectUris: ["https://shop.example.com/*"],
    },
    { clientId: "shop-api", secret: "client-secret-of-the-api", serviceAccountsEnabled: true },
  ];
  const users = Array.from({ length: USERS }, (_, at) => user(at));
  for (const realm of ["shop", "other"])
    await admin.send("POST", "", {
      realm,
      enabled: true,
      eventsEnabled: true,
      bruteForceProtected: true,
      failureFactor: 3,
      waitIncrementSeconds: 3600,
      maxFailureWaitSeconds: 7200,
      clients,
      users: realm === "shop" ? users : [],
    });
  await logIn(url, "ann", "pass-word-of-a-user");
  for (let count = 0; count < FAILED_LOGINS; count += 1) await logIn(url, "user-002", "wrong");
}

/** The HTTP status of a login at the shop. */
export async function logIn(url: string, username: string, password: string): Promise<number> {
  const form = { grant_type: "password", client_id: "shop-web", username, password };
  return (await tokenFrom(url, "shop", form)).status;
}

/** A failed login that costs the server little: of an application that does not exist. */
export async function failLightly(url: string): Promise<void> {
  await tokenFrom(url, "shop", {
    grant_type: "password",
    client_id: "nobody",
    username: "nobody",
    password: "wrong",
  });
}

/** Runs the README's commands as they stand, with kcadm logged in as an administrator. */
export async function makeAccount(url: string, link: string, secret: string): Promise<void> {
  const { port } = new URL(url);
  const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {keycloak: {host: 127.0.0.1, port: ${port}, realms: [shop]}}
links: {mcp: {keycloak: ${link}}}
`);
  const home = mkdtempSync(join(tmpdir(), "topogate-kcadm-"));
  try {
    const environment = { HOME: home, PATH: `${BIN}:${process.env["PATH"] ?? ""}` };
    const login = ["config", "credentials", "--server", url, "--realm", "master", "--user", "admin"];
    const run = spawnSync(join(BIN, "kcadm.sh"), login, {
      env: { ...environment, KC_CLI_PASSWORD: ADMIN },
      encoding: "utf8",
    });
    if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}`);
    principals.apply("keycloak", { ...environment, MCP_KEYCLOAK_CLIENT_SECRET: secret });
  } finally {
    rmSync(home, { recursive: true, force: true });
    principals.remove();
  }
}

/** What the account itself is answered, whatever the tools would ask. */
export async function asAccount(
  url: string,
  secret: string,
): Promise<(method: string, path: string, body?: unknown) => Promise<number>> {
  const { token } = await tokenFrom(url, "shop", {
    grant_type: "client_credentials",
    client_id: "mcp_keycloak",
    client_secret: secret,
  });
  return async (method, path, body) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    await answer.arrayBuffer();
    return answer.status;
  };
}
