import { existsSync } from "node:fs";
import { ToolFault } from "#runtime/fault";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENVIRONMENT, leakIn } from "../../test/harness/canaries.ts";
import { createObserver, rememberProcesses, strayProcesses } from "../../test/harness/observer.ts";
import type { Observer } from "../../test/harness/observer.ts";
import { drawnData, runTestOn } from "../../test/harness/run-test.ts";
import type { RunTest } from "../../test/harness/run-test.ts";
import { ABUSE } from "./abuse/all.ts";
import type { Row } from "./abuse/case.ts";

const STACK = `apiVersion: topology/v1
stack: stack
domain: shop.example.com
components:
  cnpg: {namespace: db, databases: {app_db: {username: app_user}, keycloak_db: {username: keycloak}}}
  valkey: {namespace: cache}
  prometheus: {namespace: monitoring}
  fastapi: {namespace: app}
  grafana: {namespace: monitoring}
  kafka: {namespace: kafka, topics: [orders]}
  clickhouse: {namespace: analytics, databases: [events]}
  kubernetes: {}
  apisix: {namespace: ingress}
links:
  apisix: {fastapi: {subdomain: api}}
  fastapi: {cnpg/app_db: readwrite}
  mcp:
    stack_agent: read
    cnpg: {only: [app_db]}
    valkey: read
    prometheus: read
    fastapi: read
    kafka: read
    clickhouse: read
    kubernetes: read
`;

const ROWS: Readonly<Record<Row, object>> = {
  database: { source: "cnpg", target: "sub_components", where: { name: "app_db" } },
  "unlinked database": { source: "cnpg", target: "sub_components", where: { name: "keycloak_db" } },
  cache: { source: "valkey" },
  metrics: { source: "prometheus" },
  api: { source: "fastapi" },
  kafka: { source: "kafka" },
  warehouse: { source: "clickhouse", target: "sub_components" },
  grafana: { source: "grafana" },
  route: { source: "apisix", target: "links_to" },
  "user of the database": { source: "fastapi", target: "links_to" },
};

let observer: Observer;
let tests: RunTest;

beforeAll(async () => {
  rememberProcesses();
  observer = createObserver();
  tests = runTestOn(await drawnData(STACK), { environment: ENVIRONMENT, folders: [observer.folder] });
});

afterAll(() => {
  expect(strayProcesses()).toEqual([]);
  expect(existsSync(observer.marker)).toBe(false);
  observer.remove();
});

interface Told {
  readonly reason: unknown;
  /** All that the caller reads. */
  readonly text: string;
}

/** What the caller learns, whether the whole call was refused or the row. */
async function tell(body: Readonly<Record<string, unknown>>): Promise<Told> {
  try {
    const { data, warnings } = await tests.run(body);
    const { results } = data as { results: readonly Readonly<Record<string, unknown>>[] };
    return {
      reason: results[0]?.["reason"] ?? results[0]?.["status"],
      text: JSON.stringify({ data, warnings }),
    };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    const reason: unknown = Reflect.get(error, "reason") ?? error.code;
    return { reason, text: JSON.stringify([error.message, error.hint]) };
  }
}

describe("S4: a command that may not run is refused before anything is started", () => {
  it("there are at least 150 of them, no two the same", () => {
    const texts = new Set(ABUSE.map(({ command, row }) => `${row}: ${command}`));
    expect(texts.size).toBe(ABUSE.length);
    expect(ABUSE.length).toBeGreaterThanOrEqual(150);
  });

  it.each(ABUSE)("$row: $command", async ({ command, row, reason }) => {
    const started = performance.now();
    const told = await tell({ ...ROWS[row], command: command.replaceAll("MARKER", observer.marker) });
    expect(observer.started(), command).toEqual([]);
    expect(told.reason, told.text).toBe(reason);
    expect(leakIn(told.text)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
