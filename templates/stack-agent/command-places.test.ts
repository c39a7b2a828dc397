import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createObserver } from "../../test/harness/observer.ts";
import type { Observer } from "../../test/harness/observer.ts";
import { drawnData, runTestOn } from "../../test/harness/run-test.ts";
import type { DrawnData, RunTest } from "../../test/harness/run-test.ts";

const STACK = `apiVersion: topology/v1
stack: stack
domain: shop.example.com
components:
  cnpg: {namespace: db, databases: {app_db: }}
  fastapi: {namespace: app}
  prometheus: {namespace: monitoring}
  other_prometheus: {type: prometheus, namespace: far}
  apisix: {namespace: ingress}
  kubernetes: {}
links:
  apisix: {prometheus: {subdomain: metrics}, other_prometheus: }
  prometheus: {other_prometheus: }
  fastapi: {cnpg/app_db: readwrite}
  mcp:
    stack_agent: read
    cnpg: read
    fastapi: read
    prometheus: read
    other_prometheus: read
    kubernetes: read
`;

const ENVIRONMENT = {
  MCP_CNPG_APP_DB_PASSWORD: "password of the database",
  MCP_CNPG_HOST: "127.0.0.2",
  MCP_CNPG_PORT: "15432",
  MCP_CNPG_SSLMODE: "verify-full",
  MCP_CNPG_CA_FILE: "/etc/ca.crt",
  MCP_PROMETHEUS_USER: "near",
  MCP_PROMETHEUS_PASSWORD: "password of the near one",
  MCP_OTHER_PROMETHEUS_USER: "far",
  MCP_OTHER_PROMETHEUS_PASSWORD: "password of the far one",
  MCP_KUBERNETES_URL: "https://cluster.example.com:6443",
  MCP_KUBERNETES_TOKEN_FILE: "/tmp/token",
};

let observer: Observer;
let drawn: DrawnData;
let tests: RunTest;

beforeAll(async () => {
  observer = createObserver();
  drawn = await drawnData(STACK);
  tests = runTestOn(drawn, { environment: ENVIRONMENT, folders: [observer.folder] });
});

beforeEach(() => {
  for (const program of ["curl", "psql", "kubectl"]) observer.replace(program, 'printf "<%s>" "$@"; cat');
});

afterAll(() => observer.remove());

async function rowsOf(
  body: Record<string, unknown>,
  on: RunTest = tests,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { data } = await on.run(body);
  return (data as { results: readonly Readonly<Record<string, unknown>>[] }).results;
}

describe("the place that a command is for", () => {
  const link = { source: "prometheus", target: "links_to" };

  it("S23: is the end of a link whose values the command uses", async () => {
    const [near] = await rowsOf({
      ...link,
      command: "curl -s -u {username}:{password} http://{host}:{port}/",
    });
    expect(near?.["output"]).toMatch(/<http:\/\/prometheus\.monitoring\S+\/>user = "near:\[redacted\]"$/);
    const [far] = await rowsOf({
      ...link,
      command: "curl -s -u {linked_username}:{linked_password} http://{linked_host}:{linked_port}/",
    });
    expect(far?.["output"]).toMatch(/<http:\/\/other-prometheus\.far\S+\/>user = "far:\[redacted\]"$/);
  });

  it.each([
    "curl -s -u {username}:{password} http://{linked_host}:{linked_port}/",
    "curl -s -u {linked_username}:{linked_password} http://{host}:{port}/",
    "curl -s -u {username}:{linked_password} http://{host}:{port}/",
    "curl -s -u {linked_username}:{password} http://{linked_host}:{linked_port}/",
  ])("S5: a credential goes to its own component only: %s", async (command) => {
    const [row] = await rowsOf({ ...link, command });
    expect(row).toMatchObject({ status: "refused", reason: expect.stringMatching(/^(secret_place|value)$/) });
  });

  it("S5: a route can be asked, but no credential goes through a gateway", async () => {
    const routes = { source: "apisix", target: "links_to" };
    const [plain, named] = await rowsOf({
      ...routes,
      command: "curl -s https://{subdomain}.{domain}/-/ready",
    });
    expect(plain?.["output"]).toContain("<https://other_prometheus.shop.example.com/-/ready>");
    expect(named?.["output"]).toContain("<https://metrics.shop.example.com/-/ready>");
    const command = "curl -s -u {linked_username}:{linked_password} https://{subdomain}.{domain}/";
    for (const row of await rowsOf({ ...routes, command })) expect(row).toMatchObject({ reason: "value" });
    // A link that starts at no gateway is no route.
    const [other] = await rowsOf({ ...link, command: "curl -s https://{subdomain}.{domain}/" });
    expect(other).toMatchObject({ status: "refused", reason: "value" });
  });

  it("S23: what the link's settings say of host and port wins over the drawing, and the preview shows it", async () => {
    const body = {
      source: "fastapi",
      target: "links_to",
      command: "psql -h {linked_host} -U {linked_username} -c 'SELECT 1'",
    };
    observer.replace("psql", 'printf "<%s>" "$@"; env | grep ^PG | sort');
    const [row] = await rowsOf(body);
    expect(row?.["output"]).toContain("<-h><127.0.0.2><-U><mcp_ro_app_db>");
    expect(row?.["output"]).toMatch(/PGPORT=15432\nPGSSLMODE=verify-full\nPGSSLROOTCERT=\/etc\/ca\.crt/);
    const [shown] = await rowsOf({ ...body, dry_run: true });
    expect(shown?.["command"]).toBe("psql -h 127.0.0.2 -U mcp_ro_app_db -c 'SELECT 1'");
  });
});

describe("a program that serves every row", () => {
  it("S24: gets the account of its own link", async () => {
    const [row] = await rowsOf({ source: "fastapi", command: "kubectl get pods -n {namespace}" });
    const [args, input] = String(row?.["output"])
      .split(/(?=\{)/, 1)
      .concat(String(row?.["output"]).replace(/^[^{]*/, ""));
    expect(args).toBe("<get><pods><--namespace><app>");
    expect(JSON.parse(input ?? "")).toMatchObject({
      clusters: [{ cluster: { server: "https://cluster.example.com:6443" } }],
      users: [{ user: { tokenFile: "/tmp/token" } }],
    });
  });

  it("S11: stays in the namespaces that its own link was narrowed to", async () => {
    const sub = { name: "app", kind: "namespace", section: "namespaces", attributes: {}, secrets: [] };
    const data = {
      ...drawn.data,
      components: drawn.data.components.map((each) =>
        each.name === "kubernetes" ? { ...each, subs: [sub] } : each,
      ),
      reach: drawn.data.reach.map((each) =>
        each.component === "kubernetes"
          ? { ...each, narrowed: true, targets: [{ name: "app", kind: "namespace", access: "read" }] }
          : each,
      ),
    };
    const narrowed = runTestOn({ ...drawn, data }, { environment: ENVIRONMENT, folders: [observer.folder] });
    const command = "kubectl get pods -n {namespace}";
    expect(await rowsOf({ source: "fastapi", command }, narrowed)).toMatchObject([{ status: "passed" }]);
    expect(await rowsOf({ source: "prometheus", command }, narrowed)).toMatchObject([{ reason: "value" }]);
  });
});

describe("the whole of a test", () => {
  it("S24: says when nothing matches, and when rows were left out", async () => {
    const none = await tests.run({
      source: "cnpg",
      target: "sub_components",
      where: { name: "x" },
      command: "test 1 = 1",
    });
    expect(none.data).toEqual({ status: "incomplete", results: [] });
    const many = {
      ...drawn.data,
      components: Array.from({ length: 60 }, (_, at) => ({ ...drawn.data.components[0]!, name: `c${at}` })),
      links: [],
      reach: Array.from({ length: 60 }, (_, at) => ({ ...drawn.data.reach[0]!, component: `c${at}` })),
    };
    const on = runTestOn({ ...drawn, data: many });
    const result = await on.run({ source: "all", command: "test {name} != x" });
    expect(result).toMatchObject({
      data: { status: "passed" },
      page: { returned: 50, total: null, next_cursor: null },
      truncation: { by: "rows", limit: 50 },
    });
  });

  it("S24: a credential that cannot be hidden is said to be", async () => {
    const short = runTestOn(drawn, {
      environment: { ...ENVIRONMENT, MCP_CNPG_APP_DB_PASSWORD: "abc" },
      folders: [observer.folder],
    });
    const { warnings } = await short.run({ source: "fastapi", command: "test 1 = 1" });
    expect(warnings).toEqual(["a credential is too short to be found and hidden in output"]);
  });
});
