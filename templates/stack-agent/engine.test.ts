import type { ToolFault } from "#runtime/fault";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { faultOf } from "../../test/harness/fault.ts";
import { SHOP } from "../../test/harness/shop-data.ts";

const engine = createEngine(SHOP);
const rows = (body: object): readonly object[] => engine.query(body).rows;
const refused = (body: unknown): ToolFault => faultOf(() => engine.query(body));

describe("pages", () => {
  function pages(body: object, limit: number): unknown[][] {
    const seen: unknown[][] = [];
    let cursor: string | null = null;
    do {
      const answer = engine.query({ ...body, limit, ...(cursor === null ? {} : { cursor }) });
      seen.push([...answer.rows]);
      cursor = answer.next_cursor;
    } while (cursor !== null);
    return seen;
  }

  it.each(["component", "sub_components", "links_to", "links_from", "attributes"])(
    "S22: pages of %s put together are the whole",
    (target) => {
      const whole = rows({ source: "all", target });
      fc.assert(
        fc.property(fc.integer({ min: 1, max: whole.length + 1 }), (limit) => {
          const seen = pages({ source: "all", target }, limit);
          expect(seen.flat()).toEqual(whole);
          expect(seen.slice(0, -1).every((page) => page.length === limit)).toBe(true);
        }),
        { numRuns: 20 },
      );
    },
  );

  it("S22: a full last page has no cursor", () => {
    expect(engine.query({ source: "all", limit: 16 })).toMatchObject({ total: 16, next_cursor: null });
  });

  it("S22: a total that would need a longer search is null", () => {
    const query = { source: "all", target: "sub_components", limit: 2 };
    expect(engine.query(query).total).toBeNull();
    expect(engine.query({ ...query, limit: 100 }).total).toBe(13);
    expect(engine.query({ source: "all", limit: 2 }).total).toBe(16);
  });

  it("S22: a cursor belongs to its query", () => {
    const { next_cursor } = engine.query({ source: "all", limit: 3 });
    for (const body of [{ source: "all", target: "attributes" }, { source: "group:ai" }]) {
      expect(refused({ ...body, cursor: next_cursor }).message).toContain("cursor");
    }
    expect(refused({ source: "all", cursor: "AAAA" }).code).toBe("invalid_argument");
  });
});

describe("beside the queries", () => {
  it("S21: serialise gives the JSON of the answer, twice the same", () => {
    for (const body of [
      { source: "all" },
      { source: "all", target: "links_to" },
      { source: "all", limit: 2 },
    ]) {
      const answer = engine.query(body);
      expect(JSON.parse(engine.serialise(answer))).toEqual(answer);
      expect(engine.serialise(engine.query(body))).toBe(engine.serialise(answer));
    }
  });

  it("S26: the structure counts sub-components by kind and names what a component leads to", () => {
    const { components, ...head } = engine.structure();
    expect(head).toEqual({
      stack: "shop",
      environment: "base",
      domain: "stack-3.source-lab.io",
      total: 16,
      next_cursor: null,
    });
    expect(components.find(({ name }) => name === "rabbitmq")).toEqual({
      name: "rabbitmq",
      type: "rabbitmq",
      namespace: "messaging",
      group: "messaging",
      is_external: false,
      sub_components: { exchange: 1, queue: 2 },
      links_to: [],
      links_from: 2,
    });
    expect(components.find(({ name }) => name === "fastapi")?.links_to).toEqual([
      "cnpg",
      "kafka",
      "keycloak",
      "rabbitmq",
      "seaweedfs",
      "valkey",
    ]);
  });

  it("S26: the structure has pages", () => {
    const first = engine.structure({ limit: 10 });
    expect(first.components).toHaveLength(10);
    const second = engine.structure({ limit: 10, cursor: first.next_cursor ?? "" });
    expect([...first.components, ...second.components]).toEqual(engine.structure().components);
    expect(second.next_cursor).toBeNull();
  });

  it("S26: every variable that is offered resolves as offered", () => {
    for (const { name } of SHOP.components) {
      const { variables, sub_components } = engine.fields(name);
      const text = (names: Iterable<string>): string =>
        [...names].map((variable) => `{${variable}}`).join("\n");
      const whole = engine.query({ source: name, command: text(Object.keys(variables)), dry_run: true });
      expect(whole.rows[0]).not.toHaveProperty("unresolved");
      for (const [kind, own] of Object.entries(sub_components)) {
        const body = { source: name, target: "sub_components", where: { kind }, dry_run: true };
        for (const [variable, value] of Object.entries(own)) {
          const shown = engine.query({ ...body, command: `{${variable}}` }).rows.map((row) => row["command"]);
          expect(shown).toContain(String(value));
        }
      }
    }
  });

  it("S26: fields name secrets and hide their values", () => {
    expect(engine.fields("cnpg")).toMatchObject({
      component: "cnpg",
      variables: { namespace: "db", port: 5432, admin_password: "***" },
      sub_components: { database: { database: "app_db", username: "app_user", password: "***" } },
      links_to: { linked_bucket: "backups", schedule: "0 3 * * *" },
      links_from: { linked_name: "fastapi" },
    });
    expect(faultOf(() => engine.fields("cnpgg")).hint).toBe('did you mean "cnpg"?');
  });

  it("T3: the profile is the inventory by category with what AI reaches", () => {
    expect(engine.profile("databases").categories).toEqual([
      {
        category: "databases",
        components: [
          {
            name: "cnpg",
            type: "cnpg",
            namespace: "db",
            is_external: false,
            ai: {
              access: "read",
              targets: { app_db: "read" },
              tools: ["cnpg_list_databases", "cnpg_query"],
            },
          },
        ],
      },
    ]);
    const whole = engine.profile();
    const listed = whole.categories.flatMap(({ components }) => components.map(({ name }) => name));
    expect([...listed].sort()).toEqual(SHOP.components.map(({ name }) => name));
    expect(whole.categories.find(({ category }) => category === "identity")?.components[0]?.ai).toBeNull();
    expect(faultOf(() => engine.profile("mesaging")).hint).toBe('did you mean "messaging"?');
  });

  it("S21: the engine changes nothing that it was given", () => {
    const freeze = <T>(value: T): T => {
      if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
      return value;
    };
    const frozen = createEngine(freeze(structuredClone(SHOP)) as TopologyData);
    expect(frozen.query({ source: "all", target: "links_from" }).rows).toEqual(
      rows({ source: "all", target: "links_from" }),
    );
    expect(frozen.fields("kafka")).toEqual(engine.fields("kafka"));
  });
});
