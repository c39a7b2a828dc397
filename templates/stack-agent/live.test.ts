import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { treeOf } from "../../test/harness/in-process.ts";
import { drawnData, runTestOn } from "../../test/harness/run-test.ts";
import type { DrawnData, RunTest, RunTestOptions } from "../../test/harness/run-test.ts";
import { liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { administrator, applyRole } from "../postgresql/live.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const PASSWORD = "p w:é;'\"#of-the-account";
const CACHE_PASSWORD = "of-the-cache-account";
const METRICS_PASSWORD = 'metrics"\\pass: wörd';

const psql = (sql: string): string =>
  `PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "${sql}"`;

let postgres: LiveServer;
let redis: LiveServer;
let web: Server;
let secureWeb: Server;
let drawn: DrawnData;
let requests: string[] = [];
let tests: RunTest;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Says what it was asked, headers included: the worst that a service can do with a credential. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers } = request;
  requests.push(`${method} ${url}`);
  if (url === "/slow") return;
  if (url === "/endless") {
    response.writeHead(200);
    const flood = (): void => {
      while (response.write("x".repeat(65_536)));
      response.once("drain", flood);
    };
    response.on("close", () => response.removeAllListeners("drain"));
    flood();
    return;
  }
  if (url === "/redirect") response.writeHead(302, { location: "/elsewhere" });
  else if (url === "/fails") response.writeHead(503);
  else response.writeHead(200, { "content-type": "text/plain" });
  response.end(`${method} ${url}\n${JSON.stringify(headers)}\n`);
}

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function stackOf(): string {
  return `apiVersion: topology/v1
stack: stack
domain: localhost
components:
  cnpg:
    namespace: db
    host: 127.0.0.1
    port: ${postgres.port}
    databases:
      app_db: {username: app_user}
      keycloak_db: {username: keycloak}
  valkey: {namespace: cache, host: 127.0.0.1, port: ${redis.port}}
  prometheus: {namespace: monitoring, host: 127.0.0.1, port: ${portOf(web)}}
  fastapi: {namespace: app, host: 127.0.0.1, port: ${portOf(web)}}
  frontend: {namespace: app, host: 127.0.0.1, port: ${portOf(web)}}
  apisix: {namespace: ingress}
  kafka: {namespace: kafka, host: 127.0.0.1, port: 1}
links:
  apisix:
    fastapi: {subdomain: api}
    frontend: {subdomain: www}
  fastapi: {cnpg/app_db: readwrite}
  mcp:
    stack_agent: read
    cnpg: {only: [app_db]}
    valkey: write
    prometheus: read
    fastapi: read
    kafka: read
`;
}

const ENVIRONMENT = {
  MCP_CNPG_APP_DB_PASSWORD: PASSWORD,
  MCP_CNPG_SSLMODE: "require",
  MCP_VALKEY_PASSWORD: CACHE_PASSWORD,
  MCP_PROMETHEUS_USER: "metrics",
  MCP_PROMETHEUS_PASSWORD: METRICS_PASSWORD,
};

const open = (options: RunTestOptions = {}): RunTest =>
  runTestOn(drawn, { ...options, environment: { ...ENVIRONMENT, ...options.environment } });

async function startDatabase(): Promise<void> {
  postgres = await startLive("stack-agent", { SERVICE: "postgresql" });
  const admin = await administrator(postgres.port);
  await admin.query("CREATE DATABASE app_db");
  await admin.end();
  const inside = await administrator(postgres.port, "app_db");
  await inside.query("CREATE TABLE orders (id int, note text)");
  await inside.query("INSERT INTO orders VALUES (1, 'first'), (2, 'second')");
  await inside.end();
  const account = {
    role: "mcp_ro_app_db",
    database: "app_db",
    schemas: ["public"],
    owner: null,
    writes: false,
  };
  applyRole(postgres.port, account, PASSWORD);
}

function redisCli(...args: readonly string[]): void {
  const run = spawnSync("redis-cli", ["-p", String(redis.port), ...args], { encoding: "utf8" });
  expect(run.stdout.trim()).toBe("OK");
}

async function startCache(): Promise<void> {
  redis = await startLive("stack-agent", { SERVICE: "valkey" });
  redisCli(
    "ACL",
    "SETUSER",
    "mcp_valkey",
    "on",
    `>${CACHE_PASSWORD}`,
    "~*",
    "-@all",
    "+ping",
    "+get",
    "+set",
    "+info",
    "+auth",
  );
  redisCli("SET", "greeting", "good morning");
}

async function startWeb(): Promise<void> {
  web = await listen(createHttpServer(answer));
  const made = spawnSync("openssl", [
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
    "-keyout",
    join(postgres.folder, "web.key"),
    "-out",
    join(postgres.folder, "web.crt"),
  ]);
  expect(made.status).toBe(0);
  const [key, cert] = ["web.key", "web.crt"].map((name) => readFileSync(join(postgres.folder, name)));
  secureWeb = await listen(createHttpsServer({ key: key ?? "", cert: cert ?? "" }, answer));
}

beforeAll(async () => {
  expect(liveVersion("stack-agent"), "run: bash templates/stack-agent/live.sh install").toMatch(/^\d+/);
  await startDatabase();
  await startCache();
  await startWeb();
  const { data, rules } = await drawnData(stackOf());
  // Names below localhost lead to loopback; the port is that of the server which stands for the gateway.
  drawn = { data: { ...data, domain: `localhost:${portOf(secureWeb)}` }, rules };
  tests = open();
});

afterAll(async () => {
  for (const server of [web, secureWeb]) {
    server.closeAllConnections();
    server.close();
  }
  await redis.stop();
  await postgres.stop();
});

const SUBS = { source: "type:cnpg", target: "sub_components", where: { name: "app_db" } };

describe("the commands of the source, on real servers", () => {
  it("S24: psql for each database, exactly as printed", async () => {
    const { data } = await tests.run({
      source: "type:cnpg",
      target: "sub_components",
      command: 'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
      on_failure: "kubectl get pods -n {namespace} -l cnpg.io/cluster --no-headers",
    });
    // The source has both databases linked; here one is not, and the answer says so for its row.
    expect(data).toEqual({
      status: "incomplete",
      results: [
        { name: "app_db", status: "passed", output: "1", exit_code: 0, duration_ms: expect.any(Number) },
        {
          name: "keycloak_db",
          status: "not_linked",
          reason: "not_linked",
          message: "no link leads to cnpg/keycloak_db",
          hint: expect.any(String),
        },
      ],
    });
  });

  it("S24: psql as the picture has it, with single quotes and without a port", async () => {
    const command = "PGPASSWORD={password} psql -h {host} -U {username} -d {database} -c 'SELECT 1'";
    const { data } = await tests.run({ ...SUBS, command });
    expect(data).toMatchObject({ status: "passed", results: [{ name: "app_db", output: "1" }] });
  });

  it("S25: curl to every route of the gateway, shown", async () => {
    const { data } = await tests.run({
      source: "apisix",
      target: "links_to",
      command: "curl -sk https://{subdomain}.{domain}",
      dry_run: true,
    });
    const port = portOf(secureWeb);
    expect(data).toMatchObject({
      status: "dry_run",
      results: [
        { name: "fastapi", command: `curl -sk https://api.localhost:${port}` },
        { name: "frontend", command: `curl -sk https://www.localhost:${port}` },
      ],
    });
  });

  it("S25: the same curl, run: the route to what is linked is tested, the other is not", async () => {
    requests = [];
    const { data } = await tests.run({
      source: "apisix",
      target: "links_to",
      command: "curl -sk https://{subdomain}.{domain}",
    });
    expect(data).toMatchObject({
      status: "incomplete",
      results: [
        { name: "fastapi", status: "passed", output: expect.stringMatching(/^GET \//) },
        { name: "frontend", status: "not_linked" },
      ],
    });
    expect(requests).toEqual(["GET /"]);
  });
});

const KAFKA = {
  source: "kafka",
  command: 'pods=$(kubectl get pods -n {namespace} --no-headers | grep -c Running); test "$pods" -gt 0',
};

describe("what a test answers", () => {
  it("S24: the pods of Kafka: without a link to the cluster there is nothing to ask", async () => {
    await expect(tests.run(KAFKA)).rejects.toMatchObject({
      code: "not_linked",
      message: "no link leads to a component that has kubectl",
    });
  });

  it("S24: after success and the delay on_success runs, after failure on_failure", async () => {
    const more = { on_success: psql("SELECT 'after success'"), on_failure: psql("SELECT 'after failure'") };
    const started = performance.now();
    const passed = await tests.run({ ...SUBS, command: psql("SELECT 1"), ...more, verify_delay: 1 });
    expect(performance.now() - started).toBeGreaterThan(1000);
    expect(passed.data).toMatchObject({
      status: "passed",
      results: [{ output: "1", on_success: { status: "passed", output: "after success" } }],
    });
    const failed = await tests.run({ ...SUBS, command: psql("SELECT 1/0"), ...more });
    expect(failed.data).toMatchObject({
      status: "failed",
      results: [
        { output: expect.stringContaining("division by zero"), on_failure: { output: "after failure" } },
      ],
    });
    expect(JSON.stringify(failed.data)).not.toContain("on_success");
  });

  it("S23: a link's row tests its other end with linked_ variables", async () => {
    const command =
      "PGPASSWORD={linked_password} psql -h {linked_host} -p {linked_port} -U {linked_username} " +
      '-d {linked_database} -c "SELECT count(*) FROM orders"';
    const { data } = await tests.run({ source: "fastapi", target: "links_to", command });
    expect(data).toMatchObject({ status: "passed", results: [{ name: "cnpg", output: "2" }] });
  });

  it("S24: outputs can be counted, kept and compared", async () => {
    const command = `rows=$(${psql("SELECT note FROM orders")} | grep -c i); test "$rows" = 1 && ${psql("SELECT 'one'")}`;
    const { data } = await tests.run({ ...SUBS, command });
    expect(data).toMatchObject({ status: "passed", results: [{ output: "one", captures: { rows: "1" } }] });
  });

  it("S24: pg_isready, redis-cli and curl", async () => {
    const ready = await tests.run({ ...SUBS, command: "pg_isready -h {host} -p {port}" });
    expect(ready.data).toMatchObject({
      results: [{ output: expect.stringContaining("accepting connections") }],
    });
    const cli = "REDISCLI_AUTH={password} redis-cli -h {host} -p {port} --user {username}";
    for (const [command, output] of [
      ["PING", "PONG"],
      ["GET greeting", "good morning"],
      ["INFO server | grep -c redis_version", "1"],
    ]) {
      const { data } = await tests.run({ source: "valkey", command: `${cli} ${command}` });
      expect(data, command).toMatchObject({ status: "passed", results: [{ output }] });
    }
    // The account may not do that, and an error reply of Redis is a failure.
    const denied = await tests.run({ source: "valkey", command: `${cli} DBSIZE` });
    expect(denied.data).toMatchObject({
      status: "failed",
      results: [{ output: expect.stringContaining("NOPERM") }],
    });
    const fails = await tests.run({ source: "fastapi", command: "curl -sf http://{host}:{port}/fails" });
    expect(fails.data).toMatchObject({ status: "failed", results: [{ exit_code: 22 }] });
    const head = await tests.run({ source: "fastapi", command: 'curl -sI "http://{host}:{port}/a?b=c&d=e"' });
    expect(head.data).toMatchObject({
      status: "passed",
      results: [{ output: expect.stringContaining("200 OK") }],
    });
    expect(requests).toContain("HEAD /a?b=c&d=e");
  });

  it("S23: curl logs in with the link's own account, and the answer does not show it", async () => {
    const { data } = await tests.run({
      source: "prometheus",
      command: 'curl -s -u {username}:{password} "http://{host}:{port}/api/v1/query?query=up"',
    });
    const encoded = Buffer.from(`metrics:${METRICS_PASSWORD}`).toString("base64");
    expect(data).toMatchObject({
      status: "passed",
      results: [{ output: expect.stringContaining("Basic [redacted]") }],
    });
    expect(JSON.stringify(data)).not.toContain(encoded.slice(12, -4));
  });

  it("S24: a redirect is shown and not followed", async () => {
    requests = [];
    const { data } = await tests.run({
      source: "fastapi",
      command: "curl -sI http://{host}:{port}/redirect",
    });
    expect(data).toMatchObject({ results: [{ output: expect.stringContaining("302 Found") }] });
    expect(requests).toEqual(["HEAD /redirect"]);
  });
});

describe("the account that a test runs with", () => {
  it("S23: is the link's own, which only reads", async () => {
    const who = await tests.run({ ...SUBS, command: psql("SELECT current_user") });
    expect(who.data).toMatchObject({ results: [{ output: "mcp_ro_app_db" }] });
    const write = await tests.run({ ...SUBS, command: psql("DELETE FROM orders") });
    expect(write.data).toMatchObject({
      status: "incomplete",
      results: [{ status: "refused", reason: "value" }],
    });
  });

  it("S8: a command that writes passes the gate of its tool: drawn, flag on, and no approval asked for", async () => {
    const body = {
      source: "valkey",
      command:
        "REDISCLI_AUTH={password} redis-cli -h {host} -p {port} --user {username} SET greeting changed",
    };
    const closed = { results: [{ status: "refused", reason: "write_disabled" }] };
    expect((await tests.run(body)).data).toMatchObject(closed);
    const on = { environment: { MCP_VALKEY_WRITE_ACCESS: "true" } };
    const waiting = { results: [{ status: "refused", reason: "approval_required" }] };
    expect((await open({ ...on, approvalForWrites: true }).run(body)).data).toMatchObject(waiting);
    expect((await open({ ...on, mayWrite: false }).run(body)).data).toMatchObject(closed);
    expect((await open(on).run(body)).data).toMatchObject({ results: [{ status: "passed", output: "OK" }] });
    redisCli("SET", "greeting", "good morning");
  });
});

describe("what real servers can do to a test", () => {
  const timed = async (
    body: object,
  ): Promise<{ text: string; result: Readonly<Record<string, unknown>>; ms: number }> => {
    const started = performance.now();
    const { data } = await tests.run(body as Record<string, unknown>);
    const { results } = data as { results: readonly Readonly<Record<string, unknown>>[] };
    return { text: JSON.stringify(data), result: results[0] ?? {}, ms: performance.now() - started };
  };

  it.each([
    ["a million rows", "SELECT generate_series(1, 1000000)"],
    ["one cell of fifty megabytes", "SELECT repeat('x', 50000000)"],
  ])("S24: %s are cut", async (_what, sql) => {
    const { text, result, ms } = await timed({ ...SUBS, command: psql(sql) });
    expect(result["truncated"]).toBe(true);
    expect(text.length).toBeLessThan(50_000);
    expect(ms).toBeLessThan(10_000);
  });

  it("S24: what never ends is ended: a query by the server, an answer by the clock, a flood by its size", async () => {
    const endless = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    const [query, slow, flood] = await Promise.all([
      timed({ ...SUBS, command: psql(endless) }),
      timed({ source: "fastapi", command: "curl -s http://{host}:{port}/slow" }),
      timed({ source: "fastapi", command: "curl -s http://{host}:{port}/endless" }),
    ]);
    expect(query.result).toMatchObject({
      status: "failed",
      output: expect.stringContaining("statement timeout"),
    });
    expect(slow.result).toMatchObject({ status: "timeout", exit_code: 124 });
    expect(flood.result).toMatchObject({ status: "failed", truncated: true });
    for (const { ms } of [query, slow, flood]) expect(ms).toBeLessThan(18_000);
  });

  it("S24: nobody is asked for a password that is missing or wrong, and the answer does not hold it", async () => {
    const missing = await timed({ ...SUBS, command: psql("SELECT 1").replace("PGPASSWORD={password} ", "") });
    expect(missing.result).toMatchObject({
      status: "failed",
      output: expect.stringContaining("no password supplied"),
    });
    const wrong = open({ environment: { MCP_CNPG_APP_DB_PASSWORD: "not-the-password" } });
    const { data } = await wrong.run({ ...SUBS, command: psql("SELECT 1") });
    expect(data).toMatchObject({
      results: [{ status: "failed", output: expect.stringContaining("authentication failed") }],
    });
    expect(JSON.stringify(data)).not.toContain("not-the-password");
    const unset = open({ environment: { MCP_CNPG_APP_DB_PASSWORD: "" } });
    expect((await unset.run({ ...SUBS, command: psql("SELECT 1") })).data).toMatchObject({
      results: [
        { status: "refused", reason: "unresolved", message: "the link's own account has no {password} here" },
      ],
    });
  });

  it("S24: even where the account could write, the session only reads", async () => {
    const admin = await administrator(postgres.port, "app_db");
    await admin.query(
      "CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING id'",
    );
    await admin.query("GRANT ALL ON orders TO mcp_ro_app_db");
    await admin.query("ALTER ROLE mcp_ro_app_db RESET default_transaction_read_only");
    const { result } = await timed({ ...SUBS, command: psql("SELECT sneaky()") });
    expect(result).toMatchObject({
      status: "failed",
      output: expect.stringContaining("read-only transaction"),
    });
    const { rows } = await admin.query("SELECT count(*)::int AS count FROM orders");
    expect(rows).toEqual([{ count: 2 }]);
    await admin.query("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON orders FROM mcp_ro_app_db");
    await admin.end();
  });
});

describe("in an emitted server", () => {
  it("S24: run_test finds its lists and the guard of its queries beside the code", async () => {
    const tree = await treeOf(stackOf());
    const server = join(postgres.folder, "emitted");
    for (const [path, { text }] of tree) {
      if (!path.startsWith("server/")) continue;
      const file = join(server, path.slice("server/".length));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    symlinkSync(join(REPOSITORY, "node_modules"), join(server, "node_modules"));
    writeFileSync(
      join(server, "call.ts"),
      `import { settingsOf } from "#runtime/settings";
       import { tools } from "./tools/stack_agent.ts";
       const client = tools.open(settingsOf(tools.link, process.env, () => undefined));
       const tool = tools.tools.find(({ name }) => name === "run_test");
       for (const command of JSON.parse(process.argv[2])) {
         const args = { source: "cnpg", target: "sub_components", where: { name: "app_db" }, command } as never;
         const result = await tool?.handler(args, { client, signal: new AbortController().signal });
         console.log(JSON.stringify(result?.data));
       }`,
    );
    const commands = [psql("SELECT note FROM orders WHERE id = 2"), psql("SELECT pg_sleep(1)")];
    const run = spawnSync(process.execPath, ["--import", "tsx", "call.ts", JSON.stringify(commands)], {
      cwd: server,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...ENVIRONMENT },
    });
    expect(run.stderr).toBe("");
    const [answer, refusal] = run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(answer).toMatchObject({ status: "passed", results: [{ output: "second" }] });
    expect(refusal).toMatchObject({
      status: "incomplete",
      results: [{ reason: "value", message: expect.stringContaining("pg_sleep waits") }],
    });
  });
});

const BIN = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "topogate/bin");
const cluster = liveVersion("kubernetes");

describe.skipIf(cluster === undefined)("kubectl, on a real API server", () => {
  let server: LiveServer;

  function kubectl(args: readonly string[], input = ""): string {
    const config = ["--kubeconfig", join(server.folder, "kubeconfig")];
    const run = spawnSync(join(BIN, "kubectl"), [...config, ...args], { input, encoding: "utf8" });
    expect(run.status, run.stderr).toBe(0);
    return run.stdout.trim();
  }

  function pod(name: string): object {
    const env = [{ name: "APP_KEY", value: "an application's own value" }];
    const containers = [{ name: "main", image: "example.com/kafka", args: ["--key=given"], env }];
    const labels = { "strimzi.io/name": "kafka" };
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "kafka", labels },
      spec: { containers },
    };
  }

  beforeAll(async () => {
    server = await startLive("kubernetes");
    await vi.waitFor(() => kubectl(["get", "--raw", "/readyz"]), { timeout: 60_000, interval: 500 });
    kubectl(["create", "namespace", "kafka"]);
    for (const name of ["kafka-0", "kafka-1", "kafka-2"]) {
      kubectl(["create", "-f", "-"], JSON.stringify(pod(name)));
      const phase = name === "kafka-2" ? "Pending" : "Running";
      kubectl([
        "-n",
        "kafka",
        "patch",
        "pod",
        name,
        "--subresource=status",
        "-p",
        JSON.stringify({ status: { phase } }),
      ]);
    }
    kubectl(["-n", "kafka", "create", "serviceaccount", "mcp"]);
    kubectl(["-n", "kafka", "create", "role", "mcp", "--verb=get,list", "--resource=pods,events"]);
    kubectl(["-n", "kafka", "create", "rolebinding", "mcp", "--role=mcp", "--serviceaccount=kafka:mcp"]);
    const { data, rules } = await drawnData(
      stackOf()
        .replace("  kafka: {", `  kubernetes: {host: 127.0.0.1, port: ${server.port}}\n  kafka: {`)
        .replace("    kafka: read", "    kafka: read\n    kubernetes: read"),
    );
    drawn = { data, rules };
  });

  afterAll(async () => await server.stop());

  /** With the token in a file, as in a pod, or as a credential of the link. */
  function withToken(place: "file" | "value"): RunTest {
    const token = kubectl(["-n", "kafka", "create", "token", "mcp"]);
    const file = join(server.folder, "account.token");
    writeFileSync(file, token, { mode: 0o600 });
    return open({
      environment: {
        MCP_KUBERNETES_CA_FILE: join(server.folder, "apiserver.crt"),
        ...(place === "file" ? { MCP_KUBERNETES_TOKEN_FILE: file } : { MCP_KUBERNETES_TOKEN: token }),
      },
      folders: [BIN],
    });
  }

  it.each(["file", "value"] as const)(
    "S24: the pods of Kafka, exactly as printed, with the token as a %s",
    async (place) => {
      const { data } = await withToken(place).run(KAFKA);
      // The source prints "9 running", which its command does not; what the command counted is answered beside it.
      expect(data).toMatchObject({
        status: "passed",
        results: [{ name: "kafka", status: "passed", output: "", captures: { pods: "2" } }],
      });
    },
  );

  it("S24: on_failure of the source asks the cluster about the pods", async () => {
    const command = "kubectl get pods -n {namespace} -l strimzi.io/name --no-headers";
    const { data } = await withToken("file").run({ source: "kafka", command });
    expect(data).toMatchObject({
      results: [{ status: "passed", output: expect.stringMatching(/^kafka-0 .*\n.*\nkafka-2 .*Pending/) }],
    });
  });

  it("S5: describe leaves out what containers are given", async () => {
    const { data } = await withToken("file").run({
      source: "kafka",
      command: "kubectl describe pod kafka-0 -n {namespace}",
    });
    const text = JSON.stringify(data);
    expect(text).toContain("example.com/kafka");
    expect(text).toContain("Environment: (left out)");
    expect(text).not.toMatch(/APP_KEY|an application's own|--key=given/);
  });

  it("S11: only the namespaces of linked rows can be asked about, and only what the account may list", async () => {
    const run = async (command: string): Promise<unknown> =>
      (await withToken("file").run({ source: "kafka", command })).data;
    expect(await run("kubectl get pods -n db")).toMatchObject({
      results: [{ status: "refused", reason: "value" }],
    });
    expect(await run("kubectl get deployments -n {namespace}")).toMatchObject({
      results: [{ status: "failed", output: expect.stringContaining("forbidden") }],
    });
  });
});
