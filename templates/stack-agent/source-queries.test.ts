import type { ToolFault } from "#runtime/fault";
import { createEngine } from "#runtime/stack-agent/engine";
import { describe, expect, it } from "vitest";
import { faultOf } from "../../test/harness/fault.ts";
import { SHOP } from "../../test/harness/shop-data.ts";

const engine = createEngine(SHOP);
const rows = (body: object): readonly object[] => engine.query(body).rows;
const refused = (body: unknown): ToolFault => faultOf(() => engine.query(body));

describe("the queries of the source, on the shop", () => {
  it("S22: list_components answers name, type, namespace and group, and the source's four components as printed", () => {
    const all = rows({ source: "all" });
    // The source prints four rows and an ellipsis; the shop has sixteen, in the order of their names.
    expect(all).toHaveLength(16);
    for (const row of [
      { name: "kafka", type: "kafka", namespace: "kafka", group: "messaging" },
      { name: "cnpg", type: "cnpg", namespace: "db", group: "databases" },
      { name: "fastapi", type: "fastapi", namespace: "app", group: "backend" },
      { name: "apisix", type: "apisix", namespace: "ingress", group: "gateway" },
    ]) {
      expect(all).toContainEqual(row);
    }
  });

  it("S22: databases with their users and consumers are equal to the source", () => {
    const query = {
      source: "type:cnpg",
      target: "sub_components",
      select: ["database", "username", "consumers"],
    };
    expect(rows(query)).toEqual([
      { database: "app_db", username: "app_user", consumers: ["fastapi"] },
      { database: "keycloak_db", username: "keycloak", consumers: ["keycloak"] },
    ]);
  });

  it("S23: the psql test resolves every variable, and the password stays ***", () => {
    const command =
      'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"';
    const on_failure = "kubectl get pods -n {namespace} -l cnpg.io/cluster --no-headers";
    const body = { source: "type:cnpg", target: "sub_components", command, on_failure, dry_run: true };
    const psql = (database: string, user: string): object => ({
      name: database,
      command:
        "PGPASSWORD=*** psql -h cluster-db-rw.db.svc.cluster.local -p 5432 " +
        `-U ${user} -d ${database} -c "SELECT 1"`,
      on_failure: "kubectl get pods -n db -l cnpg.io/cluster --no-headers",
    });
    // The source runs it and answers passed; without a run the answer is what would be run.
    expect(rows(body)).toEqual([psql("app_db", "app_user"), psql("keycloak_db", "keycloak")]);
    expect(engine.query(body).warnings).toEqual([
      "no link leads there, a run would answer not_linked: cnpg/keycloak_db",
    ]);
  });

  it("S25: the curl preview has the source's rows", () => {
    const command = "curl -sk https://{subdomain}.{domain}";
    // The source has langflow as third; the shop routes to keycloak and to the MCP server instead.
    expect(rows({ source: "apisix", target: "links_to", command, dry_run: true })).toEqual([
      { name: "fastapi", command: "curl -sk https://api.stack-3.source-lab.io" },
      { name: "grafana", command: "curl -sk https://grafana.stack-3.source-lab.io" },
      { name: "keycloak", command: "curl -sk https://auth.stack-3.source-lab.io" },
      { name: "mcp", command: "curl -sk https://mcp.stack-3.source-lab.io" },
    ]);
  });

  it("S22: kafka as a component is equal to the source, as a list of one", () => {
    expect(rows({ source: "kafka", target: "component" })).toEqual([
      { name: "kafka", type: "kafka", namespace: "kafka", group: "messaging" },
    ]);
  });

  it("S22: kafka's outbound links: none of the component itself, as in the source", () => {
    expect(rows({ source: "kafka", target: "links_to", where: { via__exists: false } })).toEqual([]);
    // The shop also draws a sink from a topic, which the source's stack has not.
    expect(rows({ source: "kafka", target: "links_to" })).toEqual([
      {
        link: "kafka-clickhouse_database",
        component: "clickhouse",
        sub: "events",
        via: "orders",
        access: "write",
      },
    ]);
  });

  it("S22: kafka's inbound links: the source's row, and the links to topics rolled up with via", () => {
    const prometheus = { link: "prometheus-kafka", component: "prometheus" };
    expect(rows({ source: "kafka", target: "links_from", where: { via__exists: false } })).toEqual([
      prometheus,
    ]);
    expect(rows({ source: "kafka", target: "links_from" })).toEqual([
      { link: "fastapi-kafka_topic", component: "fastapi", via: "orders", access: "produce" },
      { link: "fastapi-kafka_topic", component: "fastapi", via: "payments", access: "consume" },
      prometheus,
    ]);
  });

  it("S22: the MCP server's own link shows only when it is asked for", () => {
    const withMcp = rows({ source: "kafka", target: "links_from", include_mcp: true });
    expect(withMcp).toContainEqual({ link: "mcp-kafka", component: "mcp", access: "read" });
    expect(withMcp).toHaveLength(4);
  });

  it("S23: the pod count keeps the source's pipe and variable", () => {
    const command = `pods=$(kubectl get pods -n {namespace} --no-headers | grep -c Running); test "$pods" -gt 0`;
    expect(rows({ source: "kafka", command, dry_run: true })).toEqual([
      {
        name: "kafka",
        command: `pods=$(kubectl get pods -n kafka --no-headers | grep -c Running); test "$pods" -gt 0`,
      },
    ]);
  });

  it("S24: a run is refused and says what works", () => {
    const fault = refused({ source: "kafka", command: "true" });
    expect(fault.code).toBe("command_mode_off");
    expect(fault.hint).toContain("dry_run: true");
  });
});
