import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { administrator, applyRole } from "../postgresql/live.ts";
import { openDrawn } from "./live.ts";
import type { DrawnModule } from "./live.ts";

const PASSWORD = "p w:é;'\"#of-the-account";

let postgres: LiveServer;
let module: DrawnModule;

function stackOf(port: number): string {
  return `apiVersion: topology/v1
stack: stack
components:
  cnpg:
    namespace: db
    host: 127.0.0.1
    port: ${port}
    databases:
      app_db: {username: app_user}
      keycloak_db: {username: keycloak}
links:
  mcp:
    stack_agent: read
    cnpg: {only: [app_db]}
`;
}

beforeAll(async () => {
  expect(liveVersion("stack-agent"), "run: bash templates/stack-agent/live.sh install").toMatch(/^\d+/);
  postgres = await startLive("stack-agent", { SERVICE: "postgresql" });
  const admin = await administrator(postgres.port);
  await admin.query("CREATE DATABASE app_db");
  await admin.end();
  const account = {
    role: "mcp_ro_app_db",
    database: "app_db",
    schemas: ["public"],
    owner: null,
    writes: false,
  };
  applyRole(postgres.port, account, PASSWORD);
  module = await openDrawn(stackOf(postgres.port), {
    MCP_CNPG_APP_DB_PASSWORD: PASSWORD,
    MCP_CNPG_SSLMODE: "require",
  });
});

afterAll(async () => {
  await module.close();
  await postgres.stop();
});

describe("the commands of the source", () => {
  it("S24: psql runs for the database that is linked", async () => {
    const { data } = await module.call("run_test", {
      source: "type:cnpg",
      target: "sub_components",
      command: 'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
      on_failure: "kubectl get pods -n {namespace} -l cnpg.io/cluster --no-headers",
    });
    expect(data).toMatchObject({
      status: "incomplete",
      results: [
        { name: "app_db", status: "passed", output: "1", exit_code: 0 },
        { name: "keycloak_db", status: "not_linked" },
      ],
    });
  });
});
