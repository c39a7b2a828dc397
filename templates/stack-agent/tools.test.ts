import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Settings } from "#runtime/settings";
import { openAgent } from "#runtime/stack-agent/open-agent";
import { defineModule } from "#runtime/tool";
import type { ToolResult } from "#runtime/tool";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { SHOP } from "../../test/harness/shop-data.ts";
import { tools } from "./tools.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

let folder: string;
let topology: OpenModule;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "topogate-stack-agent-"));
  const emitted = await treeOf(readFileSync(join(REPOSITORY, "stacks/shop.yaml"), "utf8"), "shop");
  writeFileSync(join(folder, "topology.json"), JSON.stringify(SHOP));
  writeFileSync(join(folder, "commands.json"), emitted.get("server/commands.json")?.text ?? "");
  topology = openModule(onFolder(), { MCP_CNPG_APP_DB_PASSWORD: "never shown anywhere" });
});

function onFolder(): typeof tools {
  const file = (name: string): URL => pathToFileURL(join(folder, name));
  const files = { topology: file("topology.json"), commands: file("commands.json") };
  return defineModule({
    ...tools,
    open: (settings: Settings) => openAgent(tools.link, settings, files) as never,
  });
}

afterAll(async () => {
  await topology.close();
  rmSync(folder, { recursive: true });
});

const data = async (name: string, args?: Record<string, unknown>): Promise<unknown> =>
  (await topology.call(name, args)).data;

describe("the tools of a link to the stack agent", () => {
  it("S26: there are seven, the six of the source under its names and the profile", () => {
    expect([...topology.names].sort()).toEqual([
      "get_available_fields",
      "get_component_links",
      "get_environment_profile",
      "get_stack_structure",
      "list_components",
      "query_topology",
      "run_test",
    ]);
  });

  it("S26: only run_test may write, through another link's gate, and the list of all stays small", () => {
    const sizes = tools.tools.map(({ name, title, description, inputSchema, outputSchema, annotations }) => {
      expect(annotations.readOnlyHint).toBe(name !== "run_test");
      return Buffer.byteLength(
        JSON.stringify({ name, title, description, inputSchema, outputSchema, annotations }),
      );
    });
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(5600);
  });

  it("S26: list_components", async () => {
    const result = await topology.call("list_components");
    expect(result.page).toEqual({ returned: 16, total: 16, next_cursor: null });
    expect(result.data).toContainEqual({ name: "cnpg", type: "cnpg", namespace: "db", group: "databases" });
  });

  it("S26: list_components goes on where it stopped", async () => {
    const seen: unknown[] = [];
    let page: ToolResult["page"];
    do {
      const cursor = page?.next_cursor;
      const result = await topology.call("list_components", { limit: 7, ...(cursor ? { cursor } : {}) });
      seen.push(...(result.data as unknown[]));
      page = result.page;
    } while (page?.next_cursor);
    expect(seen).toEqual(await data("list_components"));
  });

  it("S22: query_topology takes the source's query as it is printed", async () => {
    const args = {
      source: "type:cnpg",
      target: "sub_components",
      select: ["database", "username", "consumers"],
    };
    expect(await data("query_topology", args)).toEqual([
      { database: "app_db", username: "app_user", consumers: ["fastapi"] },
      { database: "keycloak_db", username: "keycloak", consumers: ["keycloak"] },
    ]);
  });

  it("S25: query_topology previews a command for each row", async () => {
    const command = "curl -sk https://{subdomain}.{domain}";
    const args = { source: "apisix", target: "links_to", command, dry_run: true, limit: 1 };
    expect(await data("query_topology", args)).toEqual([
      { name: "fastapi", command: "curl -sk https://api.stack-3.source-lab.io" },
    ]);
  });

  it("S26: get_component_links goes both ways", async () => {
    expect(await data("get_component_links", { component: "grafana" })).toEqual([
      { link: "grafana-loki", component: "loki" },
      { link: "grafana-prometheus", component: "prometheus" },
    ]);
    expect(await data("get_component_links", { component: "grafana", direction: "inbound" })).toEqual([
      { link: "apisix-grafana", component: "apisix" },
    ]);
  });

  it.each(["all", "type:kafka"])(
    "S26: get_component_links does not take %s for a component",
    async (component) => {
      const call = topology.call("get_component_links", { component });
      await expect(call).rejects.toMatchObject({
        code: "invalid_argument",
        hint: expect.stringContaining("query_topology"),
      });
    },
  );

  it("S24: run_test shows the pipeline of every row", async () => {
    const result = await topology.call("run_test", {
      source: "type:cnpg",
      target: "sub_components",
      command: "PGPASSWORD={password} psql -h {host} -U {username} -d {database} -c 'TABLE x'",
      on_failure: "kubectl get pods -n {namespace}",
      dry_run: true,
    });
    expect(result.data).toEqual({
      status: "dry_run",
      results: [
        {
          name: "app_db",
          // The user is the account of the link, because that is who a run logs in as.
          command:
            "PGPASSWORD=*** psql -h cluster-db-rw.db.svc.cluster.local -U mcp_ro_app_db -d app_db -c 'TABLE x'",
          on_failure: "kubectl get pods -n db",
        },
        {
          name: "keycloak_db",
          command:
            "PGPASSWORD=*** psql -h cluster-db-rw.db.svc.cluster.local -U keycloak -d keycloak_db -c 'TABLE x'",
          on_failure: "kubectl get pods -n db",
        },
      ],
    });
    expect(result.warnings).toEqual(["no link leads there, a run would answer not_linked: cnpg/keycloak_db"]);
  });

  it.each(["run_test", "query_topology"])(
    "S24: %s refuses what is on no list, and says what is",
    async (name) => {
      await expect(topology.call(name, { source: "kafka", command: "true" })).rejects.toMatchObject({
        code: "denied",
        hint: expect.stringMatching(/^use one of: .*curl.* kubectl.*psql/),
      });
    },
  );

  it.each(["run_test", "query_topology"])("S24: %s answers not_linked where no link leads", async (name) => {
    const args = { source: "keycloak", command: "curl -s http://{host}:{port}/" };
    await expect(topology.call(name, args)).rejects.toMatchObject({ code: "not_linked" });
  });

  it("S24: in the mode off nothing is run, and a word that is no mode stops the start", async () => {
    const off = openModule(onFolder(), { MCP_AGENT_COMMAND_MODE: "off" });
    const args = { source: "prometheus", command: "curl -s http://{host}:{port}/" };
    await expect(off.call("run_test", args)).rejects.toMatchObject({ code: "command_mode_off" });
    const wrong = openModule(onFolder(), { MCP_AGENT_COMMAND_MODE: "on" });
    await expect(wrong.call("list_components")).rejects.toThrow("MCP_AGENT_COMMAND_MODE must be one of");
  });

  it("S24: in the mode catalog only the commands of the component types are run", async () => {
    const catalog = openModule(onFolder(), { MCP_AGENT_COMMAND_MODE: "catalog" });
    const run = (command: string): Promise<ToolResult> =>
      catalog.call("run_test", { source: "prometheus", command, dry_run: true });
    await expect(run("curl -s http://{host}:{port}/metrics")).rejects.toMatchObject({
      code: "command_mode_off",
    });
    expect((await run("curl  -sf http://{host}:{port}/-/ready")).data).toMatchObject({ status: "dry_run" });
  });

  it("S26: get_stack_structure", async () => {
    const result = await topology.call("get_stack_structure", { limit: 3 });
    expect(result.page).toMatchObject({ returned: 3, total: 16, next_cursor: expect.any(String) });
    expect(result.data).toMatchObject({
      stack: "shop",
      components: [{ name: "apisix" }, { name: "argo_cd" }, {}],
    });
  });

  it("S26: get_available_fields", async () => {
    const fields = await data("get_available_fields", { component: "valkey" });
    expect(fields).toMatchObject({ variables: { namespace: "cache", port: 6379, password: "***" } });
  });

  it("T3: get_environment_profile, whole and one category", async () => {
    expect(await data("get_environment_profile")).toMatchObject({ stack: "shop", owner: "team-orders" });
    expect(await data("get_environment_profile", { category: "cache" })).toMatchObject({
      categories: [
        { components: [{ name: "valkey", ai: { access: "write", tools: ["valkey_get", "valkey_set"] } }] },
      ],
    });
  });

  it.each([
    ["query_topology", {}],
    ["query_topology", { source: "all", target: "everything" }],
    ["query_topology", { source: "all", limit: 501 }],
    ["query_topology", { source: "all", url: "http://example.com" }],
    [
      "query_topology",
      { source: "all", where: { a: 1, ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [i, 1])) } },
    ],
    ["get_component_links", { component: "kafka", direction: "sideways" }],
    ["run_test", { source: "kafka", command: "x".repeat(2001), dry_run: true }],
    ["get_available_fields", { component: "x".repeat(201) }],
  ])("S26: %s refuses %j before the engine sees it", async (name, args) => {
    await expect(topology.call(name, args)).rejects.toThrow("invalid arguments");
  });
});

describe("the folder of an emitted server", () => {
  /** `server/` as it is emitted: the module in `tools/`, the runtime beside it, the drawing beside `main.ts`. */
  function emit(server: string): void {
    const templates = join(REPOSITORY, "templates");
    for (const path of ["tools", "runtime"]) mkdirSync(join(server, path), { recursive: true });
    cpSync(join(templates, "mcp-server/runtime"), join(server, "runtime"), { recursive: true });
    cpSync(join(templates, "stack-agent/runtime"), join(server, "runtime/stack-agent"), { recursive: true });
    cpSync(join(templates, "stack-agent/tools.ts"), join(server, "tools/stack_agent.ts"));
    symlinkSync(join(REPOSITORY, "node_modules"), join(server, "node_modules"));
    const manifest = { type: "module", imports: { "#runtime/*": "./runtime/*.ts" } };
    writeFileSync(join(server, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(server, "topology.json"), JSON.stringify(SHOP));
  }

  it("S21: the module finds the drawing beside the server, at its first call", () => {
    const server = join(folder, "server");
    emit(server);
    writeFileSync(
      join(server, "call.ts"),
      `import { settingsOf } from "#runtime/settings";
       import { tools } from "./tools/stack_agent.ts";
       const client = tools.open(settingsOf(tools.link, {}, () => undefined));
       const tool = tools.tools.find(({ name }) => name === "get_component_links");
       const args = { component: "kafka", direction: "inbound", limit: 1 } as never;
       const result = await tool?.handler(args, { client, signal: new AbortController().signal });
       console.log(JSON.stringify(result?.data));`,
    );
    const output = execFileSync(process.execPath, ["--import", "tsx", "call.ts"], {
      cwd: server,
      encoding: "utf8",
    });
    expect(JSON.parse(output)).toEqual([
      { link: "fastapi-kafka_topic", component: "fastapi", via: "orders", access: "produce" },
    ]);
  });
});
