import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bootServer, connectClient } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { aiClient, Known } from "./ai-client.ts";
import type { AiClient, Argument } from "./ai-client.ts";
import { emitStack } from "./folder.ts";
import type { EmittedStack } from "./folder.ts";

let stack: EmittedStack;
let server: BootedServer;
let client: Client;
let ai: AiClient;

beforeAll(async () => {
  stack = await emitStack("shop");
  server = await bootServer(stack.folder);
  client = await connectClient(server);
});
afterAll(async () => {
  await client.close();
  await server.stop();
  stack.remove();
});
beforeEach(async () => {
  ai = await aiClient(client);
});

/** Arguments by the names of the tool's parameters, which are looked up in its schema. */
function args(
  tool: Known<string>,
  values: Readonly<Record<string, Argument>>,
): ReadonlyMap<Known<string>, Argument> {
  return new Map(Object.entries(values).map(([name, value]) => [ai.parameter(tool, name), value]));
}

const where = (field: Known<string>, value: Known): Argument => new Map([[field, value]]);

describe("a client that knows the guide and the tool list answers", () => {
  it("S26: which databases are there, and who uses them?", async () => {
    ai.hear("Which databases are there, and who uses them?");
    const list = ai.tool("list_components");
    const query = ai.tool("query_topology");
    const all = (await ai.call(list, args(list, {}))).rows();
    const inGroup = all.filter((row) => row.text("group").value === ai.fromQuestion("databases").value);
    const [group] = inGroup.map((row) => row.text("group"));
    expect(group).toBeDefined();
    const answer = await ai.call(
      query,
      args(query, {
        source: ai.join(ai.fromGuide("group:"), group as Known<string>),
        target: ai.choice(query, ai.parameter(query, "target"), "sub_components"),
        select: [ai.fromGuide("name"), ai.fromGuide("username"), ai.fromGuide("consumers")],
      }),
    );
    expect(answer.data).toEqual([
      { name: "app_db", username: "app_user", consumers: ["fastapi"] },
      { name: "keycloak_db", username: "keycloak", consumers: ["keycloak"] },
    ]);
  });

  it("S26: what is affected when kafka fails?", async () => {
    ai.hear("What is affected when kafka fails?");
    const links = ai.tool("get_component_links");
    const inbound = ai.choice(links, ai.parameter(links, "direction"), "inbound");
    const affected = new Set<string>();
    let next: readonly Known<string>[] = [ai.fromQuestion("kafka")];
    while (next.length > 0) {
      const found: Known<string>[] = [];
      for (const component of next) {
        const answer = await ai.call(links, args(links, { component, direction: inbound }));
        for (const row of answer.rows()) {
          const name = row.text("component");
          if (affected.has(name.value)) continue;
          affected.add(name.value);
          found.push(name);
        }
      }
      next = found;
    }
    expect([...affected].sort()).toEqual(["apisix", "fastapi", "grafana", "prometheus"]);
  });

  it("S26: under which addresses do users reach the stack?", async () => {
    ai.hear("Under which addresses do users reach the stack?");
    const query = ai.tool("query_topology");
    const target = ai.parameter(query, "target");
    const source = ai.fromGuide("all");
    const routed = await ai.call(
      query,
      args(query, {
        source,
        target: ai.choice(query, target, "links_to"),
        where: where(
          ai.join(ai.fromGuide("subdomain"), ai.fromGuide("__exists")),
          ai.choice(query, ai.parameter(query, "dry_run"), true),
        ),
        select: [ai.fromGuide("source"), ai.fromGuide("type")],
      }),
    );
    // Every link has a subdomain, drawn or implied; only a gateway gives its users one, and it is the one that was drawn.
    const gateways = new Map(routed.rows().map((row) => [row.text("source").value, row.text("source")]));
    const addresses: string[] = [];
    for (const gateway of gateways.values()) {
      const fields = await ai.call(
        ai.tool("get_available_fields"),
        args(ai.tool("get_available_fields"), { component: gateway }),
      );
      const links = fields.at("links_to").value as Readonly<Record<string, unknown>>;
      if (!Object.hasOwn(links, "auth") && !Object.hasOwn(links, "rate_limit")) continue;
      const answer = await ai.call(
        query,
        args(query, {
          source: gateway,
          target: ai.choice(query, target, "links_to"),
          select: [ai.fromGuide("name"), ai.fromGuide("subdomain"), ai.fromGuide("domain")],
        }),
      );
      for (const row of answer.rows())
        addresses.push(
          `${row.text("subdomain").value}.${row.text("domain").value} -> ${row.text("name").value}`,
        );
    }
    expect(addresses).toEqual([
      "api.stack-3.source-lab.io -> fastapi",
      "grafana.stack-3.source-lab.io -> grafana",
      "auth.stack-3.source-lab.io -> keycloak",
      "mcp.stack-3.source-lab.io -> mcp",
    ]);
  });

  it("S26: what may be changed here, and with which tools?", async () => {
    ai.hear("What may be changed here, and with which tools?");
    const profile = ai.tool("get_environment_profile");
    const whole = await ai.call(profile, args(profile, {}));
    const { tools } = await client.listTools();
    const writes = new Set(
      tools.filter(({ annotations }) => annotations?.readOnlyHint === false).map(({ name }) => name),
    );
    const categories = whole.at("categories").value as readonly {
      readonly components: readonly {
        readonly name: string;
        readonly ai: { readonly access: string } | null;
      }[];
    }[];
    const changeable = categories.flatMap(({ components }) =>
      components.flatMap((component) =>
        component.ai !== null && component.ai.access !== "read" ? [component.name] : [],
      ),
    );
    expect(changeable).toEqual(["valkey", "argo_cd", "rabbitmq"]);
    // The flag of the write tool is off, so that only a test could write, and it passes the same gate.
    expect([...writes]).toEqual(["run_test"]);
  });

  it("S26: which components belong to another stack, and where are they?", async () => {
    ai.hear("Which components belong to another stack, and where are they?");
    const query = ai.tool("query_topology");
    const answer = await ai.call(
      query,
      args(query, {
        source: ai.fromGuide("all"),
        target: ai.choice(query, ai.parameter(query, "target"), "attributes"),
        where: where(ai.fromGuide("is_external"), ai.choice(query, ai.parameter(query, "dry_run"), true)),
        select: [ai.fromGuide("name"), ai.fromGuide("host"), ai.fromGuide("port")],
      }),
    );
    expect(answer.data).toEqual([{ name: "sre_prometheus", host: "prometheus.sre.example.com", port: 9090 }]);
  });

  it("S25: how would one check that the databases answer?", async () => {
    ai.hear("How would one check that the databases answer?");
    const test = ai.tool("run_test");
    const list = ai.tool("list_components");
    const databases = (await ai.call(list, args(list, {})))
      .rows()
      .filter((row) => row.text("group").value === ai.fromQuestion("databases").value);
    const [database] = databases;
    const command = ai.fromGuide(
      'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
    );
    const answer = await ai.call(
      test,
      args(test, {
        source: ai.join(ai.fromGuide("type:"), database?.text("type") as Known<string>),
        target: ai.choice(test, ai.parameter(test, "target"), "sub_components"),
        command,
        dry_run: ai.choice(test, ai.parameter(test, "dry_run"), true),
      }),
    );
    expect(answer.at("status").value).toBe("dry_run");
    expect(answer.at("results", 0, "command").value).toMatch(
      /^PGPASSWORD=\*\*\* psql -h cluster-db-rw\.db\.svc\.cluster\.local -p 5432 -U \w+ -d app_db -c "SELECT 1"$/,
    );
  });
});

describe("the client refuses what nobody told it", () => {
  it("a literal, also in disguise", async () => {
    const query = ai.tool("query_topology");
    const source = ai.parameter(query, "source");
    await expect(ai.call(query, new Map([[source, "all" as never]]))).rejects.toThrow("sends a literal");
    const forged = new Known("all", "nowhere", Symbol("known"));
    await expect(ai.call(query, new Map([[source, forged]]))).rejects.toThrow("it was made up");
    expect(() => ai.join(forged)).toThrow("it was made up");
    await expect(ai.call(forged, new Map())).rejects.toThrow("it was made up");
  });

  it("names that no answer, schema, guide or question has", () => {
    ai.hear("What is affected when kafka fails?");
    const query = ai.tool("query_topology");
    expect(() => ai.fromQuestion("valkey")).toThrow("nobody said it");
    expect(() => ai.fromGuide("app_user")).toThrow("the guide does not say it");
    expect(() => ai.tool("kubectl")).toThrow("a tool kubectl");
    expect(() => ai.parameter(query, "namespace")).toThrow("a parameter namespace");
    expect(() => ai.choice(query, ai.parameter(query, "target"), "everything")).toThrow("everything");
  });
});
