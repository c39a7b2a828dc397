import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { maskMail } from "#runtime/keycloak/view";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const ID = "11111111-2222-3333-4444-555555555555";
const SECRET = "s3cret-of-the-link";
const REASON = "a unit test asks for it";
const READS =
  "realm_summary search_users get_user_sessions list_clients events login_stats brute_force_status".split(
    " ",
  );

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Asked {
  readonly line: string;
  readonly body: string;
  readonly authorization: string | undefined;
}
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Gives tokens as Keycloak does, and everything else as the test says. */
async function keycloak(
  answer: Answer,
  token: object = { access_token: "t1", expires_in: 300 },
): Promise<{ module: OpenModule; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      asked.push({
        line: `${request.method} ${request.url}`,
        body,
        authorization: request.headers.authorization,
      });
      if (request.url?.endsWith("/token") === true) response.end(JSON.stringify(token));
      else answer(request, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`;
  return { module: openModule(tools, { MCP_KEYCLOAK_URL: url, MCP_KEYCLOAK_CLIENT_SECRET: SECRET }), asked };
}
const json =
  (value: unknown): Answer =>
  (_request, response) =>
    void response.end(JSON.stringify(value));
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

describe("the tools as data", () => {
  it("S32: seven reads and two writes, each with its use and closed realms", () => {
    expect(tools.tools.map(({ name }) => name.slice(9))).toEqual([
      ...READS,
      "logout_user",
      "set_user_enabled",
    ]);
    for (const { description, inputSchema, effect, name } of tools.tools) {
      expect(description).toMatch(/^Use /);
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|url|tenant|password|header|secret/i);
      expect((inputSchema["properties"] as Record<string, unknown>)["realm"], name).toEqual({
        enum: ["shop"],
      });
      expect(effect === "read").toBe(READS.includes(name.slice(9)));
    }
  });

  const stack = (link: string): string => `apiVersion: topology/v1
stack: stack
components: {keycloak: {realms: [shop, staff], clients: {web: {realm: public}}}}
links: {mcp: {keycloak: ${link}}}
`;
  const emitted = async (link: string): Promise<Record<"module" | "readme", string>> => {
    const tree = await treeOf(stack(link));
    return {
      module: tree.get("server/tools/keycloak.ts")?.text ?? "",
      readme: tree.get("principals/keycloak/README.md")?.text ?? "",
    };
  };

  it("S8: realms follow from the drawing, and writes from its words", async () => {
    const read = await emitted("read");
    expect(read.module).toContain('realms: readonly string[] = ["public", "shop", "staff"]');
    expect(read.module).not.toMatch(/logout|PUT|changeRealm|writableRealm\b/);
    expect(read.readme).not.toContain("manage-users");
    const mixed = await emitted("{only: {shop: write, staff: read}}");
    expect(mixed.module).toContain('realms: readonly string[] = ["shop", "staff"]');
    expect(mixed.module).toContain('writableRealms: readonly string[] = ["shop"]');
    expect(mixed.readme.match(/-r \w+ .*manage-users/g)).toEqual([expect.stringMatching(/^-r shop /)]);
    expect(mixed.readme).not.toContain("-r public");
  });

  it("R12: no command of the account holds a secret in its arguments", async () => {
    const { readme } = await emitted("write");
    const commands = readme
      .split("\n")
      .filter((line) => line.startsWith("    ") && line.includes("CLIENT_SECRET"));
    expect(commands).toHaveLength(3);
    for (const command of commands)
      expect(command).toMatch(
        /^ {4}printf '[^']*' "\$MCP_KEYCLOAK_CLIENT_SECRET" \| kcadm\.sh [^$]*"clients\/\$ID" -r \w+ -m -f -$/,
      );
  });
});

describe("arguments", () => {
  it.each([
    ["keycloak_realm_summary", { realm: "master" }],
    ["keycloak_realm_summary", { realm: "shop", url: "http://x" }],
    ["keycloak_search_users", { realm: "shop", search: "" }],
    ["keycloak_search_users", { realm: "shop", search: "a", limit: 21 }],
    ["keycloak_get_user_sessions", { realm: "shop", user_id: "../clients" }],
    ["keycloak_get_user_sessions", { realm: "shop", user_id: `${ID}/x` }],
    ["keycloak_events", { realm: "shop", type: "LOGIN&x=1" }],
    ["keycloak_events", { realm: "shop", limit: 501 }],
    ["keycloak_logout_user", { realm: "shop", user_id: ID }],
    ["keycloak_set_user_enabled", { realm: "shop", user_id: ID, reason: REASON }],
  ])("R5: %s refuses %j", async (tool, args) => {
    const { module, asked } = await keycloak(json({}));
    await expect(module.call(tool, args)).rejects.toThrow("invalid arguments");
    expect(asked).toEqual([]);
  });
});

describe("the account", () => {
  it("has one token a realm until it ends, and the secret goes nowhere else", async () => {
    const { module, asked } = await keycloak(json([]));
    await module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID });
    await module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID });
    expect(asked.map(({ line }) => line.replace(ID, "ID"))).toEqual([
      "POST /auth/realms/shop/protocol/openid-connect/token",
      "GET /auth/admin/realms/shop/users/ID/sessions",
      "GET /auth/admin/realms/shop/users/ID/sessions",
    ]);
    expect(asked[0]?.body).toBe(
      `grant_type=client_credentials&client_id=mcp_keycloak&client_secret=${SECRET}`,
    );
    expect(asked.slice(1).map(({ authorization }) => authorization)).toEqual(["Bearer t1", "Bearer t1"]);
    const short = await keycloak(json([]), { access_token: "t2", expires_in: 10 });
    await short.module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID });
    await short.module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID });
    expect(short.asked.filter(({ line }) => line.endsWith("/token"))).toHaveLength(2);
  });

  it("a token that ended before its time is replaced once, and then that is said", async () => {
    let refusals = 1;
    const { module, asked } = await keycloak((_request, response) => {
      if (refusals > 0) response.writeHead(401);
      refusals -= 1;
      response.end("[]");
    });
    const sessions = async (): Promise<unknown> =>
      await faultOf(module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID }));
    expect(await sessions()).toMatchObject({ data: { sessions: [] } });
    expect(asked.filter(({ line }) => line.endsWith("/token"))).toHaveLength(2);
    refusals = 5;
    expect(await sessions()).toMatchObject({ code: "denied" });
    expect(refusals).toBe(3);
  });

  it("R12: without a secret the server does not start, and a refused one is not repeated", async () => {
    expect(
      String(await faultOf(openModule(tools, {}).call("keycloak_realm_summary", { realm: "shop" }))),
    ).toContain("MCP_KEYCLOAK_CLIENT_SECRET is missing");
    const server = createServer((_request, response) =>
      response.writeHead(401).end(`{"error_description":"${SECRET}"}`),
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const module = openModule(tools, { MCP_KEYCLOAK_URL: url, MCP_KEYCLOAK_CLIENT_SECRET: SECRET });
    const fault = await faultOf(module.call("keycloak_realm_summary", { realm: "shop" }));
    expect(fault).toMatchObject({
      code: "denied",
      message: "Keycloak refused the account of this link in that realm",
    });
    expect(JSON.stringify(fault) + String(fault)).not.toContain(SECRET);
  });

  it.each([[{}], [{ access_token: 1, expires_in: 1 }], [[]]])(
    "a token of another shape is no token: %j",
    async (token) => {
      const { module } = await keycloak(json([]), token);
      expect(
        await faultOf(module.call("keycloak_get_user_sessions", { realm: "shop", user_id: ID })),
      ).toMatchObject({ code: "upstream_unavailable" });
    },
  );
});

describe("answers", () => {
  it("R10: secrets, attributes and whole addresses are left out", async () => {
    const client = {
      clientId: "web",
      secret: "hidden",
      attributes: { x: "hidden" },
      registrationAccessToken: "hidden",
      publicClient: true,
      standardFlowEnabled: true,
      redirectUris: Array.from({ length: 30 }, (_, at) => `https://a/${at}`),
    };
    const listed = await (
      await keycloak(json([client]))
    ).module.call("keycloak_list_clients", { realm: "shop" });
    expect(JSON.stringify(listed)).not.toContain("hidden");
    expect(listed).toMatchObject({
      data: { clients: [{ client_id: "web", public: true, flows: ["code"] }] },
      page: { returned: 1, total: 1 },
    });
    const user = {
      id: ID,
      username: "ann@example.com",
      email: "ann@example.com",
      attributes: { phone: ["hidden"] },
      credentials: ["hidden"],
      createdTimestamp: 1_700_000_000_000,
    };
    const { module } = await keycloak((request, response) =>
      response.end(JSON.stringify(request.url?.includes("count") === true ? 1 : [user])),
    );
    const found = await module.call("keycloak_search_users", { realm: "shop", search: "ann" });
    expect(found.data).toEqual({
      users: [
        {
          id: ID,
          username: "a***@example.com",
          email: "a***@example.com",
          enabled: false,
          email_verified: false,
          created: "2023-11-14T22:13:20.000Z",
        },
      ],
    });
    expect(maskMail("x y@z.org, q@w")).toBe("x y***@z.org, q***@w");
  });

  it("pages are asked for by the server's own offset, with one more than the page", async () => {
    const { module, asked } = await keycloak((request, response) => {
      const query = new URL(request.url ?? "", "http://x").searchParams;
      const first = Number(query.get("first"));
      const rows = Array.from({ length: 25 }, (_, at) => ({ clientId: `c${at}` })).slice(
        first,
        first + Number(query.get("max")),
      );
      response.end(JSON.stringify(rows));
    });
    const names = ({ data }: { data: unknown }): readonly string[] =>
      (data as { clients: { client_id: string }[] }).clients.map(({ client_id }) => client_id);
    const one = await module.call("keycloak_list_clients", { realm: "shop", limit: 10 });
    expect(one).toMatchObject({ page: { returned: 10, total: null }, truncation: { by: "rows", limit: 10 } });
    const two = await module.call("keycloak_list_clients", {
      realm: "shop",
      limit: 10,
      cursor: one.page?.next_cursor,
    });
    const three = await module.call("keycloak_list_clients", {
      realm: "shop",
      limit: 10,
      cursor: two.page?.next_cursor,
    });
    expect([...names(one), ...names(two), ...names(three)]).toEqual(
      Array.from({ length: 25 }, (_, at) => `c${at}`),
    );
    expect(three.page).toEqual({ returned: 5, total: 25, next_cursor: null });
    expect(asked.at(-1)?.line).toContain("first=20&max=11");
    await expect(
      module.call("keycloak_list_clients", { realm: "shop", search: "x", cursor: one.page?.next_cursor }),
    ).rejects.toThrow("does not belong");
  });

  it("events before the asked time are left out, and too many are said to be", async () => {
    const now = Date.now();
    const event = (age: number): object => ({
      time: now - age,
      type: "LOGIN_ERROR",
      error: "user_not_found",
      ipAddress: "10.0.0.1",
      details: { username: "eve@x.org", code_id: "hidden" },
    });
    const few = await (
      await keycloak(json([event(1000), event(9_000_000)]))
    ).module.call("keycloak_events", { realm: "shop", since: "now-1h" });
    expect(few).toMatchObject({
      page: { returned: 1, total: 1 },
      data: { events: [{ type: "LOGIN_ERROR", username: "e***@x.org" }] },
    });
    expect(JSON.stringify(few)).not.toContain("hidden");
    const many = await keycloak(json(Array.from({ length: 1000 }, () => event(1000))));
    const stats = await many.module.call("keycloak_login_stats", { realm: "shop" });
    expect(stats).toMatchObject({
      truncation: { by: "rows", limit: 2000 },
      data: { events: 2000, failed_logins: 2000, by_error: [{ name: "user_not_found", count: 2000 }] },
    });
  });

  it.each([["[]"], ['"x"'], ["null"], ["{"]])("a realm that is %s is a fault and no crash", async (text) => {
    const { module } = await keycloak((_request, response) => void response.end(text));
    expect(await faultOf(module.call("keycloak_realm_summary", { realm: "shop" }))).toMatchObject({
      code: "upstream_unavailable",
    });
  });
});

describe("writes", () => {
  const user = { id: ID, username: "ann", enabled: true, email: "ann@example.com" };
  const answer: Answer = (request, response) => {
    if (request.method !== "GET") return void response.writeHead(204).end();
    return void response.end(JSON.stringify(request.url?.endsWith("sessions") === true ? [{}, {}] : user));
  };
  const writesOf = (asked: readonly Asked[]): readonly string[] =>
    asked
      .filter(({ line }) => !line.startsWith("GET") && !line.endsWith("/token"))
      .map(({ line, body }) => `${line} ${body}`);

  it("a dry run only looks; a real one sends the whole user back", async () => {
    const { module, asked } = await keycloak(answer);
    const args = { realm: "shop", user_id: ID, reason: REASON };
    expect((await module.call("keycloak_logout_user", args)).data).toEqual({
      user_id: ID,
      sessions: 2,
      ended: false,
    });
    expect((await module.call("keycloak_set_user_enabled", { ...args, enabled: false })).data).toMatchObject({
      was_enabled: true,
      enabled: true,
      changed: false,
    });
    expect(
      (await module.call("keycloak_set_user_enabled", { ...args, enabled: true, dry_run: false })).data,
    ).toMatchObject({ changed: false });
    expect(writesOf(asked)).toEqual([]);
    await module.call("keycloak_logout_user", { ...args, dry_run: false });
    await module.call("keycloak_set_user_enabled", { ...args, enabled: false, dry_run: false });
    expect(writesOf(asked)).toEqual([
      `POST /auth/admin/realms/shop/users/${ID}/logout `,
      `PUT /auth/admin/realms/shop/users/${ID} ${JSON.stringify({ ...user, enabled: false })}`,
    ]);
  });

  it("the account of a service is no user", async () => {
    const { module } = await keycloak(json({ ...user, serviceAccountClientId: "web" }));
    const args = { realm: "shop", user_id: ID, enabled: false, dry_run: false, reason: REASON };
    expect(await faultOf(module.call("keycloak_set_user_enabled", args))).toMatchObject({ code: "denied" });
  });
});
