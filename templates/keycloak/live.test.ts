import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { freePort, liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import type { ToolResult } from "#runtime/tool";
import {
  FAILED_LOGINS,
  USERS,
  administrator,
  asAccount,
  failLightly,
  logIn,
  makeAccount,
  makeRealms,
} from "./live.ts";
import type { Administrator } from "./live.ts";
import { tools } from "./tools.ts";

const SECRET = "s3cret-of-the-link's-own";
const REASON = "the live suite asks for it";
const HARD_LIMIT = 262_144;
const PASSWORD = "pass-word-of-a-user";
const shop = { realm: "shop" };

let server: LiveServer;
let url: string;
let admin: Administrator;
let keycloak: OpenModule;

const call = async (tool: string, args: Record<string, unknown> = {}): Promise<ToolResult> => {
  const started = performance.now();
  const result = await keycloak.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(2000);
  const text = JSON.stringify(result);
  expect(text.length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  expect(text, tool).not.toMatch(/client-secret-of|pass-word-of|s3cret-of|555-0100|ann@example/);
  return result;
};
async function idOf(search: string): Promise<string> {
  const { data } = await call("keycloak_search_users", { ...shop, search });
  return (data as { users: { id: string }[] }).users[0]?.id ?? "";
}
const open = (secret = SECRET): OpenModule =>
  openModule(tools, { MCP_KEYCLOAK_URL: url, MCP_KEYCLOAK_CLIENT_SECRET: secret });

beforeAll(async () => {
  expect(liveVersion("keycloak"), "run: bash templates/keycloak/live.sh install").toMatch(/^\d+\.\d+/);
  server = await startLive("keycloak", { MANAGEMENT_PORT: String(await freePort()) });
  url = `http://127.0.0.1:${server.port}`;
  admin = administrator(url);
  await makeRealms(url, admin);
  await makeAccount(url, "write", SECRET);
  keycloak = open();
  // The first requests of a fresh server compile what the later ones run.
  for (let count = 0; count < 3; count += 1) await keycloak.call("keycloak_realm_summary", shop);
});

afterAll(async () => {
  await keycloak?.close();
  await server?.stop();
});

describe("every tool with data, under the emitted account", () => {
  it("S32: keycloak_realm_summary", async () => {
    expect((await call("keycloak_realm_summary", shop)).data).toMatchObject({
      realm: "shop",
      enabled: true,
      brute_force_protected: true,
      events_enabled: true,
      ssl_required: "external",
      users: USERS,
      sessions: [{ client: "shop-web", active: 1 }],
    });
  });

  it("S32: keycloak_search_users finds, filters and pages to the end", async () => {
    expect((await call("keycloak_search_users", { ...shop, search: "ann" })).data).toMatchObject({
      users: [{ username: "ann", email: "a***@example.com", enabled: true, email_verified: true }],
    });
    expect(
      (await call("keycloak_search_users", { ...shop, search: "user-", enabled: false })).page,
    ).toMatchObject({ returned: 1, total: 1 });
    const seen = new Set<string>();
    let cursor: string | null | undefined;
    do {
      const page = await call("keycloak_search_users", {
        ...shop,
        search: "user-",
        ...(cursor ? { cursor } : {}),
      });
      expect(page.page?.total).toBe(USERS - 1);
      for (const { id } of (page.data as { users: { id: string }[] }).users) seen.add(id);
      cursor = page.page?.next_cursor;
    } while (cursor);
    expect(seen.size).toBe(USERS - 1);
    expect((await call("keycloak_search_users", { ...shop, search: "nobody-at-all" })).page).toEqual({
      returned: 0,
      total: 0,
      next_cursor: null,
    });
  });

  it("S32: keycloak_get_user_sessions", async () => {
    const { data, page } = await call("keycloak_get_user_sessions", { ...shop, user_id: await idOf("ann") });
    expect(page?.total).toBe(1);
    expect(data).toMatchObject({
      sessions: [{ ip: "127.0.0.1", clients: ["shop-web"], started: expect.stringMatching(/^20/) }],
    });
  });

  it("S32: keycloak_list_clients shows no secret", async () => {
    expect((await call("keycloak_list_clients", { ...shop, search: "shop-" })).data).toMatchObject({
      clients: [
        { client_id: "shop-api", public: false, service_account: true },
        { client_id: "shop-web", public: true, redirect_uris: ["https://shop.example.com/*"] },
      ],
    });
    const first = await call("keycloak_list_clients", { ...shop, limit: 3 });
    expect(first).toMatchObject({ truncation: { by: "rows" }, page: { returned: 3, total: null } });
    const rest = await call("keycloak_list_clients", {
      ...shop,
      limit: 100,
      cursor: first.page?.next_cursor,
    });
    expect(rest.page?.total).toBe(3 + (rest.page?.returned ?? 0));
  });

  it("S32: keycloak_events and keycloak_login_stats", async () => {
    const failed = await call("keycloak_events", { ...shop, type: "LOGIN_ERROR" });
    expect(failed.page?.total).toBe(FAILED_LOGINS);
    expect(failed.data).toMatchObject({
      events: expect.arrayContaining([
        expect.objectContaining({
          error: "invalid_user_credentials",
          client: "shop-web",
          username: "user-002",
        }),
      ]),
    });
    const one = await call("keycloak_events", { ...shop, type: "LOGIN_ERROR", limit: 1 });
    const two = await call("keycloak_events", {
      ...shop,
      type: "LOGIN_ERROR",
      limit: 1,
      cursor: one.page?.next_cursor,
    });
    expect(two.data).not.toEqual(one.data);
    expect((await call("keycloak_events", { ...shop, user_id: await idOf("ann") })).page?.total).toBe(1);
    expect((await call("keycloak_events", { ...shop, client_id: "shop-web" })).page?.total).toBe(
      FAILED_LOGINS + 1,
    );
    expect((await call("keycloak_events", { ...shop, since: "now+1h" })).page?.total).toBe(0);
    expect((await call("keycloak_login_stats", shop)).data).toMatchObject({
      logins: 1,
      failed_logins: FAILED_LOGINS,
      failing_ips: [{ name: "127.0.0.1", count: FAILED_LOGINS }],
    });
  });

  it("S32: keycloak_brute_force_status", async () => {
    const user_id = await idOf("user-004");
    // Keycloak counts a failure some time after it, and two at once as one.
    const status = async (): Promise<unknown> => {
      await logIn(url, "user-004", "wrong");
      return (await call("keycloak_brute_force_status", { ...shop, user_id })).data;
    };
    await expect
      .poll(status, { timeout: 30_000, interval: 500 })
      .toMatchObject({ locked: true, last_ip: "127.0.0.1" });
    const free = await call("keycloak_brute_force_status", { ...shop, user_id: await idOf("ann") });
    expect(free.data).toEqual({ locked: false, failures: 0, last_failure: null, last_ip: null });
  });

  it("S32: keycloak_set_user_enabled changes that and nothing else", async () => {
    const user_id = await idOf("user-003");
    const before = (await admin.send("GET", `/shop/users/${user_id}`)) as Record<string, unknown>;
    const args = { ...shop, user_id, reason: REASON, enabled: false };
    expect((await call("keycloak_set_user_enabled", args)).data).toMatchObject({
      was_enabled: true,
      changed: false,
    });
    expect(await logIn(url, "user-003", PASSWORD)).toBe(200);
    expect((await call("keycloak_set_user_enabled", { ...args, dry_run: false })).data).toMatchObject({
      enabled: false,
      changed: true,
    });
    expect(await logIn(url, "user-003", PASSWORD)).toBe(400);
    expect(await admin.send("GET", `/shop/users/${user_id}`)).toEqual({ ...before, enabled: false });
    await call("keycloak_set_user_enabled", { ...args, enabled: true, dry_run: false });
    expect(await logIn(url, "user-003", PASSWORD)).toBe(200);
  });

  it("S32: keycloak_logout_user ends the sessions", async () => {
    const user_id = await idOf("user-003");
    const sessions = async (): Promise<number | null | undefined> =>
      (await call("keycloak_get_user_sessions", { ...shop, user_id })).page?.total;
    const before = await sessions();
    expect(before).toBeGreaterThan(0);
    expect((await call("keycloak_logout_user", { ...shop, user_id, reason: REASON })).data).toMatchObject({
      sessions: before,
      ended: false,
    });
    expect(await sessions()).toBe(before);
    await call("keycloak_logout_user", { ...shop, user_id, reason: REASON, dry_run: false });
    expect(await sessions()).toBe(0);
  });
});

describe("what is wrong is said, not guessed", () => {
  it("a user that is not there, another realm, a wrong secret", async () => {
    const missing = "11111111-2222-3333-4444-555555555555";
    await expect(
      keycloak.call("keycloak_get_user_sessions", { ...shop, user_id: missing }),
    ).rejects.toMatchObject({ code: "not_found" });
    await expect(
      keycloak.call("keycloak_logout_user", { ...shop, user_id: missing, reason: REASON, dry_run: false }),
    ).rejects.toMatchObject({ code: "not_found" });
    await expect(keycloak.call("keycloak_realm_summary", { realm: "other" })).rejects.toThrow(
      "invalid arguments",
    );
    const fault: unknown = await open("not-this-secret")
      .call("keycloak_realm_summary", shop)
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "denied" });
    expect(JSON.stringify(fault) + String(fault)).not.toContain("not-this-secret");
  });

  it("search text is data: nothing in it reaches another path or parameter", async () => {
    for (const search of ["../clients", "a&max=1000", "a#", "%2e%2e", "*", "'; drop table--", "ü 😀"])
      expect(
        (await call("keycloak_search_users", { ...shop, search })).page?.returned,
        search,
      ).toBeLessThanOrEqual(20);
  });
});

describe("floods", () => {
  it("6 000 events: what is looked at is bounded, and that is said", async () => {
    for (let round = 0; round < 60; round += 1)
      await Promise.all(Array.from({ length: 100 }, async () => await failLightly(url)));
    const stats = await call("keycloak_login_stats", shop);
    expect(stats).toMatchObject({ truncation: { by: "rows", limit: 2000 }, data: { events: 2000 } });
    const listed = await call("keycloak_events", { ...shop, limit: 500 });
    expect(listed).toMatchObject({ page: { total: null } });
    expect(listed.truncation?.by).toMatch(/rows|bytes/);
  });
});

describe("the account", () => {
  it("S4: reads its realm and no other, and writes users alone", async () => {
    const send = await asAccount(url, SECRET);
    const user = `/admin/realms/shop/users/${await idOf("user-004")}`;
    expect(await send("GET", "/admin/realms/shop/users/count")).toBe(200);
    for (const [method, path, body] of [
      ["GET", "/admin/realms/other"],
      ["GET", "/admin/realms/other/users"],
      ["GET", "/admin/realms/master"],
      ["PUT", "/admin/realms/shop", { enabled: false }],
      ["DELETE", "/admin/realms/shop"],
      ["POST", "/admin/realms", { realm: "mine" }],
      ["POST", "/admin/realms/shop/clients", { clientId: "mine" }],
      ["DELETE", "/admin/realms/shop/events"],
      ["GET", "/admin/realms/shop/identity-provider/instances"],
      ["POST", "/admin/realms/shop/partialImport", {}],
    ] as const)
      expect(await send(method, path, body), `${method} ${path}`).toBe(403);
    expect(await send("PUT", user, { enabled: true })).toBe(204);
  });

  it("S4: of a link that reads, changes no user either", async () => {
    await makeAccount(url, "read", SECRET);
    const send = await asAccount(url, SECRET);
    const reader = open();
    expect((await reader.call("keycloak_search_users", { ...shop, search: "user-004" })).page?.total).toBe(1);
    const user_id = await idOf("user-004");
    for (const [method, path, body] of [
      ["PUT", `/users/${user_id}`, { enabled: false }],
      ["POST", `/users/${user_id}/logout`],
      ["PUT", `/users/${user_id}/reset-password`, { type: "password", value: "x" }],
      ["DELETE", `/users/${user_id}`],
      ["POST", "/users", { username: "mine" }],
      ["DELETE", `/attack-detection/brute-force/users/${user_id}`],
    ] as const)
      expect(await send(method, `/admin/realms/shop${path}`, body), `${method} ${path}`).toBe(403);
    await expect(
      reader.call("keycloak_logout_user", { ...shop, user_id, reason: REASON, dry_run: false }),
    ).rejects.toMatchObject({ code: "denied" });
    await reader.close();
  });
});

describe("cancellation", () => {
  it("ends the call at once", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const slow = keycloak.call("keycloak_login_stats", shop, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 5);
    await expect(slow).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(500);
  });
});
