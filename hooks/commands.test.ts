import { readFileSync } from "node:fs";
import type { CommandRules } from "#runtime/stack-agent/command/rules";
import { describe, expect, expectTypeOf, it } from "vitest";
import { parseCommand } from "#runtime/stack-agent/command/parse";
import { catalog, treeOf } from "../test/harness/in-process.ts";
import { drawnData } from "../test/harness/run-test.ts";
import type { CommandFacts } from "./commands.ts";

const SHOP = readFileSync(new URL("../stacks/shop.yaml", import.meta.url), "utf8");

async function emitted(stack: string): Promise<CommandRules> {
  const tree = await treeOf(stack, /^stack: (\w+)/m.exec(stack)?.[1]);
  return JSON.parse(tree.get("server/commands.json")?.text ?? "null") as CommandRules;
}

const STACK = `apiVersion: topology/v1
stack: stack
components:
  postgresql: {namespace: db, databases: [app, audit]}
  session_cache: {type: valkey, namespace: cache}
  valkey: {namespace: cache}
  prometheus: {namespace: monitoring}
links:
  mcp:
    stack_agent: read
    postgresql: {only: {app: write, audit: read}}
    session_cache: {access: write, tools: [session_cache_set]}
    valkey: {access: write, tools: [valkey_delete]}
`;

describe("what commands.json holds", () => {
  it("S21: is what the runtime reads", () => {
    expectTypeOf<CommandFacts>().toExtend<CommandRules>();
  });

  it("S11: the lists of linked types, and no other", async () => {
    const { executables, links } = await emitted(STACK);
    expect([...new Set(executables.map(({ name }) => name))]).toEqual([
      "psql",
      "pg_isready",
      "redis-cli",
      "valkey-cli",
    ]);
    expect(links.map(({ component }) => component)).toEqual(["postgresql", "session_cache", "valkey"]);
    const without = await emitted(STACK.replace(/ {4}postgresql: .*\n/, ""));
    expect(JSON.stringify(without.executables)).not.toContain("psql");
    expect(JSON.stringify(without.links)).not.toContain("POSTGRESQL");
  });

  it("S24: names every program of the catalog with its types, so that a missing link can be said", async () => {
    const { programs, gateways } = await emitted(STACK);
    expect(programs).toMatchObject({
      psql: ["cnpg", "postgresql"],
      kubectl: ["kubernetes"],
      "redis-cli": ["redis", "valkey"],
    });
    expect(gateways).toContain("apisix");
  });

  it("S23: the account of each database is the one that reads, and no value of a secret is there", async () => {
    const { links } = await emitted(STACK);
    expect(links[0]?.accounts).toEqual([
      {
        sub: "app",
        kind: "database",
        variables: {
          username: { name: "APP_USER", secret: false, value: "mcp_ro_app" },
          password: { name: "APP_PASSWORD", secret: true },
          host: { name: "HOST", secret: false },
          port: { name: "PORT", secret: false },
        },
      },
      expect.objectContaining({ sub: "audit" }),
    ]);
  });

  it("S8: a command that writes is tied to the tool that the link keeps, under the link's own prefix", async () => {
    const { links } = await emitted(STACK);
    expect(links.find(({ component }) => component === "session_cache")?.writes).toEqual({
      set: "session_cache_set",
    });
    expect(links.find(({ component }) => component === "valkey")?.writes).toEqual({});
    const shop = await emitted(SHOP);
    expect(shop.links.find(({ component }) => component === "valkey")?.writes).toEqual({ set: "valkey_set" });
  });

  it("S3: is the same for every run", async () => {
    expect(JSON.stringify(await emitted(SHOP))).toBe(JSON.stringify(await emitted(SHOP)));
  });
});

/** A stack with one component of a type, linked. */
function stackWith(type: string): string {
  return `apiVersion: topology/v1\nstack: stack\ncomponents:\n  ${type}: {}\nlinks:\n  mcp: {stack_agent: read, ${type}: read}\n`;
}

describe("the lists of the catalog", () => {
  const types = [...catalog.types.values()].filter(({ commands }) => commands !== undefined);

  it.each(types.map((type) => [type.type, type] as const))(
    "%s: every check passes its own list",
    async (name, { commands }) => {
      const { rules } = await drawnData(stackWith(name));
      expect(rules.executables.length).toBeGreaterThan(0);
      for (const check of commands?.checks ?? []) {
        // kubectl is another type's, and serves all.
        expect(parseCommand(check, rules).statements.length).toBeGreaterThan(0);
      }
      expect(commands?.checks.length).toBeGreaterThan(0);
    },
  );

  it.each(types.map((type) => [type.type, type] as const))(
    "%s: no flag is listed twice, and every pattern is anchored",
    (_name, { commands }) => {
      for (const { flags, forms, environment = {} } of commands?.executables ?? []) {
        const names = flags.flatMap((flag) => flag.names);
        expect(new Set(names).size).toBe(names.length);
        const values = [
          ...flags.map(({ value }) => value),
          ...forms.flatMap(({ operands }) => operands),
          ...Object.values(environment),
        ];
        for (const value of values) {
          if (value?.is === "text") expect(value.pattern).toMatch(/^\^.*\$$/s);
          if (value?.is === "written")
            expect(value.patterns.every((pattern) => /^\^.*\$$/s.test(pattern))).toBe(true);
        }
      }
    },
  );
});
