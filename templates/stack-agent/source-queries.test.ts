import { readFileSync } from "node:fs";
import type { ToolFault } from "#runtime/fault";
import { createEngine } from "#runtime/stack-agent/engine";
import type { Engine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import { beforeAll, describe, expect, it } from "vitest";
import { faultOf } from "../../test/harness/fault.ts";
import { treeOf } from "../../test/harness/in-process.ts";

/** What is generated from `stacks/shop.yaml`; `live.test.ts` runs the same commands on real servers. */
let engine: Engine;
beforeAll(async () => {
  const drawing = readFileSync(new URL("../../stacks/shop.yaml", import.meta.url), "utf8");
  const text = (await treeOf(drawing, "shop")).get("agent/topology.json")?.text ?? "";
  engine = createEngine(JSON.parse(text) as TopologyData);
});

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
    // The source runs it and answers passed, with output 1: live.test.ts does so on a real PostgreSQL.
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

  it("S22: the links of the shop that the source's table of queries asks for", () => {
    expect(rows({ source: "kafka" })).toEqual(rows({ source: "type:kafka" }));
    expect(rows({ source: "namespace:db" })).toMatchObject([{ name: "cnpg" }]);
    expect(rows({ source: "group:backend" })).toMatchObject([{ name: "fastapi" }]);
    expect(rows({ source: "kafka", target: "attributes" })).toEqual([
      {
        name: "kafka",
        host: "kafka-kafka-bootstrap.kafka.svc.cluster.local",
        port: 9092,
        is_external: false,
        sasl: "scram-sha-512",
        tls: false,
      },
    ]);
    expect(rows({ source: "all", where: { type: "kafka" } })).toHaveLength(1);
    expect(rows({ source: "all", where: { name__contains: "prometheus" } })).toHaveLength(2);
    expect(rows({ source: "all", where: { namespace__exists: false } })).toMatchObject([
      { name: "sre_prometheus" },
    ]);
    expect(rows({ source: "all", where: { type__in: ["kafka", "valkey"] } })).toHaveLength(2);
    expect(rows({ source: "all", target: "attributes", where: { port__gt: 9090 } })).toMatchObject([
      { name: "kafka", port: 9092 },
    ]);
  });

  it("S23: every variable of the source's table, on the shop", () => {
    const one = (body: object): object | undefined => rows({ ...body, dry_run: true })[0];
    const cnpg = { source: "cnpg", target: "sub_components" };
    expect(
      one({ ...cnpg, command: "{namespace} {name} {port} {password} {database} {username} {host}" }),
    ).toEqual({
      name: "app_db",
      command: "db cnpg 5432 *** app_db app_user cluster-db-rw.db.svc.cluster.local",
    });
    const links = { source: "kafka", target: "links_from", where: { linked_name: "fastapi" } };
    expect(one({ ...links, command: "{link_name} {linked_namespace} {linked_is_external}" })).toEqual({
      name: "fastapi",
      // The source prints messaging for the other end of this link; the shop's fastapi stands in app.
      command: "fastapi-kafka_topic app false",
    });
  });

  it("S24: the engine itself runs nothing, and says what works", () => {
    const fault = refused({ source: "kafka", command: "true" });
    expect(fault.code).toBe("command_mode_off");
    expect(fault.hint).toContain("dry_run: true");
  });
});
