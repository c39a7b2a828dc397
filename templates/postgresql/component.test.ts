import { describe, expect, it } from "vitest";
import type {
  Access,
  Component,
  Link,
  McpLink,
  SubComponent,
  Topology,
} from "../../generator/model/topology.ts";
import { accountsOf, cnpg, postgresql } from "./component.ts";
import { roleSql } from "./live.ts";

const database = (name: string, attributes: SubComponent["attributes"] = {}): SubComponent => ({
  name,
  kind: "database",
  section: "databases",
  attributes,
  secrets: {},
  path: [],
});

const component = (name: string, type: string, subs: readonly SubComponent[] = []): Component => ({
  name,
  type,
  namespace: "db",
  group: "databases",
  host: `${name}.db.svc.cluster.local`,
  port: 5432,
  cidr: null,
  external: null,
  builtin: false,
  podLabels: {},
  attributes: {},
  config: {},
  secrets: {},
  subs,
  path: [],
});

const subs = [
  database("app-db", { username: "app_user" }),
  database("audit_db", { database: "audit", schema: ["public", "sales"] }),
];
const server = component("cnpg", "cnpg", subs);

function mcpLink(access: Readonly<Record<string, Access>>, tools: readonly string[] | null = null): McpLink {
  return {
    id: "mcp->cnpg",
    component: server,
    access: Object.values(access).includes("write") ? "write" : "read",
    targets: subs
      .filter(({ name }) => access[name] !== undefined)
      .map((sub) => ({ sub, access: access[sub.name] ?? "read" })),
    narrowed: false,
    tools,
    limits: {},
    approvers: [],
    credentials: {},
    drawn: "",
    path: [],
  };
}

function linkFrom(from: Component, sub: SubComponent | null): Link {
  const to = { component: server, sub };
  return {
    id: `${from.name}->cnpg`,
    type: "",
    name: "",
    from: { component: from, sub: null },
    to,
    access: null,
    attributes: {},
    path: [],
  };
}

describe("the component types", () => {
  it("S32: differ in name, host, prefix and flag, and share the rest", () => {
    expect([
      postgresql.type,
      postgresql.tools?.ownPrefix ?? postgresql.tools?.prefix,
      postgresql.tools?.service,
    ]).toEqual(["postgresql", "pg", "POSTGRESQL"]);
    expect([cnpg.type, cnpg.tools?.ownPrefix, cnpg.tools?.service]).toEqual(["cnpg", "cnpg", "CNPG"]);
    expect(cnpg.host).toBe("{cluster}-rw.{namespace}.svc.{cluster_domain}");
    expect(cnpg.podLabels).toEqual({ "cnpg.io/cluster": "{cluster}" });
  });

  it("S12: give the tools what was drawn, and only that", () => {
    const topology = {
      links: [
        linkFrom(component("fastapi", "fastapi"), subs[0] ?? null),
        linkFrom(component("mcp", "mcp"), null),
        linkFrom(component("other", "fastapi"), null),
      ],
    } as unknown as Topology;
    const slots = cnpg.tools?.slots(mcpLink({ "app-db": "write", audit_db: "read" }), topology);
    expect(slots).toEqual({
      databases: [
        { name: "app-db", database: "app-db", env: "APP_DB", schemas: [], consumers: ["fastapi"] },
        { name: "audit_db", database: "audit", env: "AUDIT_DB", schemas: ["public", "sales"], consumers: [] },
      ],
      writable: ["app-db"],
    });
  });

  it("S5: ask for one password for each account, and a writer's only where writing was drawn", () => {
    const names = (link: McpLink): unknown => cnpg.tools?.credentials(link).map(({ name }) => name);
    expect(names(mcpLink({ audit_db: "read" }))).toEqual(["AUDIT_DB_PASSWORD"]);
    expect(names(mcpLink({ "app-db": "write", audit_db: "read" }))).toEqual([
      "APP_DB_PASSWORD",
      "APP_DB_RW_PASSWORD",
      "AUDIT_DB_PASSWORD",
    ]);
    expect(names(mcpLink({ "app-db": "write" }, []))).toEqual(["APP_DB_PASSWORD"]);
  });
});

describe("the role SQL", () => {
  const [reader, writer] = accountsOf(mcpLink({ "app-db": "write" }));

  it("gives the reading account nothing that writes", () => {
    if (reader === undefined) throw new Error("no account");
    const sql = roleSql(reader);
    expect(sql).toContain(`GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "mcp_ro_app-db"`);
    expect(sql).toContain(`ALTER ROLE "mcp_ro_app-db" SET default_transaction_read_only = on`);
    expect(sql).toContain(`ALTER DEFAULT PRIVILEGES FOR ROLE "app_user"`);
    expect(sql.replaceAll(/^--.*$/gm, "")).not.toMatch(
      /GRANT[^;]*\b(INSERT|UPDATE|DELETE|TRUNCATE|CREATE|TEMP|ALL(?! TABLES| SEQUENCES))\b/,
    );
    expect(sql).toContain("PASSWORD :'password'");
  });

  it("lets the writing account change rows, and no structure", () => {
    if (writer === undefined) throw new Error("no account");
    const sql = roleSql(writer);
    expect(sql).toContain(`GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "public" TO "mcp_rw_app-db"`);
    expect(sql.replaceAll(/^--.*$/gm, "")).not.toMatch(
      /GRANT[^;]*\b(TRUNCATE|CREATE|TEMP|REFERENCES|TRIGGER|ALL(?! TABLES| SEQUENCES))\b/,
    );
  });
});
