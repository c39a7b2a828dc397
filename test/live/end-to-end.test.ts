import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { bootServer, callTool, connectClient, newKey, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { startLive } from "./server.ts";
import type { LiveServer } from "./server.ts";

const STACK = `apiVersion: topology/v1
stack: stack
components:
  postgresql: {databases: {app: {username: app_owner}}}
  valkey: {keyspaces: [session]}
  prometheus:
links:
  mcp: {stack_agent: read, postgresql: write, valkey: write, prometheus: read}
`;

const ADMIN = "postgres";

/** The whole chain on real servers: draw, generate, apply the emitted accounts, start, ask over HTTP. */
describe("from a drawing to answers", () => {
  const work = workspace();
  const password = newKey();
  let servers: {
    readonly postgresql: LiveServer;
    readonly valkey: LiveServer;
    readonly prometheus: LiveServer;
  };
  let server: BootedServer;
  let client: Client;

  const psql = (
    database: string,
    input: string,
    environment: Readonly<Record<string, string>> = {},
  ): void => {
    const connection = [
      "-h",
      "127.0.0.1",
      "-p",
      String(servers.postgresql.port),
      "-U",
      "postgres",
      "-d",
      database,
    ];
    const env = { ...process.env, PGPASSWORD: ADMIN, ...environment };
    const run = spawnSync(
      "psql",
      [
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        ...connection,
        ...(input.endsWith(".sql") ? ["-f", input] : ["-c", input]),
      ],
      { env, encoding: "utf8" },
    );
    if (run.status !== 0) throw new Error(run.stderr);
  };
  const redis = (...args: string[]): string =>
    spawnSync("redis-cli", ["-p", String(servers.valkey.port), ...args], { encoding: "utf8" }).stdout.trim();
  const principal = (...path: string[]): string => work.path("out/stack/principals", ...path);

  beforeAll(async () => {
    work.draw("stack", STACK);
    work.generate();
    const [postgresql, valkey, prometheus] = await Promise.all([
      startLive("postgresql"),
      startLive("valkey"),
      startLive("prometheus"),
    ]);
    servers = { postgresql, valkey, prometheus };
    await vi.waitFor(() => psql("postgres", "SELECT 1"), { timeout: 20_000, interval: 200 });
    psql("postgres", "CREATE ROLE app_owner");
    psql("postgres", "CREATE DATABASE app OWNER app_owner");
    psql(
      "app",
      "CREATE TABLE orders (id int PRIMARY KEY, status text); INSERT INTO orders VALUES (1, 'open'), (2, 'paid')",
    );
    for (const file of ["app.read.sql", "app.write.sql"])
      psql("app", principal("postgresql", file), { PASSWORD: password });
    const acl = spawnSync("redis-cli", ["-p", String(valkey.port)], {
      input: spawnSync("grep", ["-v", "^#", principal("valkey", "valkey.acl")], { encoding: "utf8" }).stdout,
      encoding: "utf8",
    });
    expect(acl.stdout.trim()).toBe("OK");
    expect(redis("ACL", "SETUSER", "mcp_valkey", `>${password}`)).toBe("OK");
    redis("SET", "session:1", "hello");
    redis("HSET", "session:hash", "field", "value");
    redis("SET", "other:1", "out of reach");
    server = await bootServer(work.path("out/stack"), {
      MCP_POSTGRESQL_HOST: "127.0.0.1",
      MCP_POSTGRESQL_PORT: String(postgresql.port),
      MCP_POSTGRESQL_CA_FILE: join(postgresql.folder, "server.crt"),
      MCP_POSTGRESQL_APP_PASSWORD: password,
      MCP_POSTGRESQL_APP_RW_PASSWORD: password,
      MCP_POSTGRESQL_WRITE_ACCESS: "true",
      MCP_VALKEY_HOST: "127.0.0.1",
      MCP_VALKEY_PORT: String(valkey.port),
      MCP_VALKEY_USER: "mcp_valkey",
      MCP_VALKEY_PASSWORD: password,
      MCP_VALKEY_WRITE_ACCESS: "true",
      MCP_PROMETHEUS_URL: `http://127.0.0.1:${prometheus.port}`,
    });
    client = await connectClient(server);
    const scraped = async (): Promise<unknown> =>
      (await callTool(client, "prom_query", { query: "up" })).content["data"];
    await vi.waitFor(async () => expect(JSON.stringify(await scraped())).toContain("absent"), {
      timeout: 30_000,
      interval: 500,
    });
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
    await Promise.all(Object.values(servers ?? {}).map((live: LiveServer) => live.stop()));
    work.remove();
  });

  const CALLS: Readonly<Record<string, Record<string, unknown>>> = {
    get_available_fields: { component: "postgresql" },
    get_component_links: { component: "postgresql" },
    get_environment_profile: {},
    get_stack_structure: {},
    list_components: {},
    pg_describe_table: { database: "app", table: "orders" },
    pg_execute: {
      database: "app",
      sql: "UPDATE orders SET status = 'paid' WHERE id = 1",
      expected_rows: 1,
      dry_run: false,
      reason: "the end-to-end test",
    },
    pg_health: { database: "app" },
    pg_list_databases: {},
    pg_list_tables: { database: "app" },
    pg_query: { database: "app", sql: "SELECT status, count(*)::int FROM orders GROUP BY 1" },
    pg_table_stats: { database: "app" },
    prom_alerts: {},
    prom_label_values: { label: "job" },
    prom_query: { query: "up" },
    prom_query_range: { query: "up" },
    prom_rules: {},
    prom_series: { match: ["up"] },
    prom_targets: {},
    query_topology: { source: "type:postgresql", target: "sub_components" },
    run_test: { source: "postgresql", command: "pg_isready -h {host} -p {port}", dry_run: true },
    valkey_dbsize: {},
    valkey_delete: { keys: ["session:2"], reason: "the end-to-end test" },
    valkey_get: { key: "session:1" },
    valkey_hgetall: { key: "session:hash" },
    valkey_info: {},
    valkey_scan_keys: { pattern: "session:*" },
    valkey_set: { key: "session:2", value: "set", ttl_s: 60, reason: "the end-to-end test" },
    valkey_type_and_ttl: { key: "session:1" },
  };

  it("S32: every tool that is listed answers with data", async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(Object.keys(CALLS).sort());
    for (const { name } of tools) {
      const { isError, content } = await callTool(client, name, CALLS[name]);
      expect(isError, `${name}: ${JSON.stringify(content)}`).toBe(false);
      expect(content, name).toMatchObject({ tool: name, truncated: false });
    }
  });

  it("reads what was written, and nothing outside the drawing", async () => {
    const paid = await callTool(client, "pg_query", {
      database: "app",
      sql: "SELECT count(*)::int FROM orders WHERE status = 'paid'",
    });
    expect(paid.content["data"]).toMatchObject({ rows: [[2]] });
    expect((await callTool(client, "valkey_get", { key: "other:1" })).content).toMatchObject({
      code: "denied",
    });
    expect(
      (await callTool(client, "pg_query", { database: "app", sql: "DELETE FROM orders" })).content,
    ).toMatchObject({ code: "denied" });
    expect(
      (await callTool(client, "pg_query", { database: "postgres", sql: "SELECT 1" })).content,
    ).toMatchObject({ code: "invalid_argument" });
  });

  it("S5: the password of the accounts is nowhere in what the server said", () => {
    expect(server.stderr()).toContain("pg_query");
    expect(server.stderr()).not.toContain(password);
  });
});
