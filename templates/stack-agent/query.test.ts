import { ToolFault } from "#runtime/fault";
import { createEngine } from "#runtime/stack-agent/engine";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { faultOf } from "../../test/harness/fault.ts";
import { SHOP } from "../../test/harness/shop-data.ts";

const engine = createEngine(SHOP);
const rows = (body: object): readonly object[] => engine.query(body).rows;
const names = (body: object): unknown[] =>
  engine.query({ ...body, select: ["name"] }).rows.map((row) => row["name"]);
const refused = (body: unknown): ToolFault => faultOf(() => engine.query(body));

describe("sources", () => {
  it.each([
    ["type:prometheus", ["prometheus", "sre_prometheus"]],
    ["namespace:monitoring", ["grafana", "loki", "prometheus"]],
    ["group:messaging", ["kafka", "rabbitmq"]],
    ["valkey", ["valkey"]],
  ])("S22: %s", (source, expected) => {
    expect(names({ source })).toEqual(expected);
  });

  it.each([
    ["kafak", 'did you mean "kafka"?'],
    ["type:promethus", 'did you mean "prometheus"?'],
    ["namespace:monitorin", 'did you mean "monitoring"?'],
    ["group:databass", 'did you mean "databases"?'],
    ["stack:shop", "use all, type:<type>"],
    ["__proto__", "use one of: apisix"],
    ["type:__proto__", "use one of:"],
    ["k".repeat(200), "use one of:"],
  ])("S22: %s is refused with a hint", (source, hint) => {
    const fault = refused({ source });
    expect(fault.code).toBe("invalid_argument");
    expect(fault.hint).toContain(hint);
    expect(fault.message.length).toBeLessThan(160);
  });
});

describe("select and targets", () => {
  it("S22: every selected field is in every row, null where a row has none", () => {
    expect(rows({ source: "group:messaging", select: ["name", "partitions", "port"] })).toEqual([
      { name: "kafka", partitions: null, port: 9092 },
      { name: "rabbitmq", partitions: null, port: 5672 },
    ]);
  });

  it("S22: sub-components carry kind, component and what was written on them", () => {
    expect(rows({ source: "kafka", target: "sub_components" })).toEqual([
      { name: "orders", kind: "topic", component: "kafka", partitions: 6, topic: "orders" },
      { name: "payments", kind: "topic", component: "kafka", topic: "payments" },
    ]);
  });

  it("S22: an attribute cannot take the place of what a row is called", () => {
    expect(rows({ source: "rabbitmq", target: "sub_components", where: { name: "events" } })).toEqual([
      { name: "events", kind: "exchange", component: "rabbitmq" },
    ]);
  });

  it("S22: attributes hold host, port and configuration, and no secret", () => {
    expect(rows({ source: "fastapi", target: "attributes" })).toEqual([
      {
        name: "fastapi",
        host: "fastapi.app.svc.cluster.local",
        port: 8080,
        is_external: false,
        openapi: "./openapi/shop.json",
        workers: 4,
      },
    ]);
  });

  it("S12: a component of another stack says so", () => {
    expect(names({ source: "all", where: { is_external: true } })).toEqual(["sre_prometheus"]);
    const linked = { source: "prometheus", target: "links_to", where: { linked_is_external: true } };
    expect(names(linked)).toEqual(["sre_prometheus"]);
  });

  it("S22: links of several sources name their source", () => {
    expect(
      rows({ source: "group:messaging", target: "links_from", where: { component: "prometheus" } }),
    ).toEqual([{ source: "kafka", link: "prometheus-kafka", component: "prometheus" }]);
  });

  it.each(["password", "linked_password", "admin_password", "secret_key"])(
    "S23: the secret %s is neither selected nor filtered on",
    (secret) => {
      for (const body of [{ select: [secret] }, { where: { [`${secret}__exists`]: true } }]) {
        const fault = refused({ source: "all", target: "sub_components", ...body });
        expect(fault.code).toBe("invalid_argument");
        expect(fault.message).toContain("is a secret");
        expect(fault.hint).toContain(`{${secret}}`);
      }
    },
  );
});

describe("hostile bodies", () => {
  it.each([
    [null, "a query is an object"],
    [[], "a query is an object"],
    ["all", "a query is an object"],
    [{}, "source is missing"],
    [{ source: "" }, "source must be"],
    [{ source: "x".repeat(201) }, "source must be"],
    [{ source: ["all"] }, "source must be"],
    [{ source: "all", target: "linksto" }, "unknown target"],
    [{ source: "all", target: ["component"] }, "unknown target"],
    [{ source: "all", where: [] }, "where must be an object"],
    [{ source: "all", select: [] }, "select must be"],
    [{ source: "all", select: [{}] }, "select must be"],
    [{ source: "all", select: ["__proto__"] }, "unknown field"],
    [{ source: "all", select: ["constructor"] }, "unknown field"],
    [{ source: "all", limit: 0 }, "limit must be"],
    [{ source: "all", limit: 1.5 }, "limit must be"],
    [{ source: "all", limit: "5" }, "limit must be"],
    [{ source: "all", dry_run: "yes" }, "dry_run must be"],
    [{ source: "all", command: "x".repeat(2001), dry_run: true }, "command must be"],
    [{ source: "all", command: "x", verify_delay: 61, dry_run: true }, "verify_delay must be"],
    [{ source: "all", on_failure: "x" }, "need a command"],
    [{ source: "all", sorce: "all" }, "unknown key"],
  ])("S22: %j is refused", (body, message) => {
    const fault = refused(body);
    expect(fault.code).toBe("invalid_argument");
    expect(fault.message).toContain(message);
    expect(fault.message.length).toBeLessThan(160);
  });

  it("S22: a deep value is refused without being walked", () => {
    const deep = JSON.parse(`${"[".repeat(5000)}1${"]".repeat(5000)}`) as unknown;
    for (const key of ["port", "port__in", "port__exists"]) {
      expect(refused({ source: "all", where: { [key]: deep } }).message).toContain(`where.${key} takes`);
    }
    expect(refused({ source: "all", select: deep }).code).toBe("invalid_argument");
    expect(refused({ source: "all", target: deep }).code).toBe("invalid_argument");
  });

  it("S22: no body whatever does anything but answer or refuse", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("all", "kafka", "type:cnpg", "__proto__", "links_to", "name__in"),
    );
    const body = fc.dictionary(
      fc.constantFrom("source", "target", "where", "select", "limit", "command", "dry_run", "cursor"),
      fc.oneof(word, fc.jsonValue(), fc.array(word), fc.dictionary(word, fc.jsonValue())),
    );
    fc.assert(
      fc.property(body, (hostile) => {
        try {
          engine.query(hostile);
        } catch (error) {
          expect(error).toBeInstanceOf(ToolFault);
        }
      }),
      { numRuns: 2000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
