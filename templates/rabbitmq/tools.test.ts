import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { globExpression } from "#runtime/rabbitmq/glob";
import { messageOf } from "#runtime/rabbitmq/message";
import { treeOf } from "../../test/harness/in-process.ts";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers in ways that no broker does. */
async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<OpenModule> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return moduleAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const moduleAt = (url: string): OpenModule =>
  openModule(tools, {
    MCP_RABBITMQ_URL: url,
    MCP_RABBITMQ_USER: "mcp_rabbitmq",
    MCP_RABBITMQ_PASSWORD: "geheim-geheim",
  });
const offline = moduleAt("http://127.0.0.1:1");

const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);
const reason = "a test of the tool";

describe("the tools as data", () => {
  it("S32: the names of the sources, eight reads before three writes", () => {
    const names =
      "overview list_queues queue_info list_exchanges list_bindings list_consumers list_connections node_health peek_messages publish purge_queue";
    expect(offline.names).toEqual(names.split(" ").map((name) => `rabbitmq_${name}`));
    expect(tools.tools.map(({ effect }) => effect)).toEqual([
      ...Array.from({ length: 8 }, () => "read"),
      "additive",
      "additive",
      "destructive",
    ]);
  });

  it("P7: every description says when to use the tool, and a tool stays small in the list", () => {
    for (const { name, title, description, inputSchema, outputSchema, annotations } of tools.tools) {
      expect(description).toMatch(/^Use /);
      const seen = { name, title, description, inputSchema, outputSchema, annotations };
      expect(JSON.stringify(seen).length, name).toBeLessThanOrEqual(1400);
    }
  });

  it("R5: no parameter names a host or a credential, and every write wants a reason", () => {
    for (const { inputSchema, effect } of tools.tools) {
      expect(JSON.stringify(inputSchema)).not.toMatch(/"(host|url|user|password|token)/i);
      expect(inputSchema).toMatchObject({ additionalProperties: false });
      const { required } = inputSchema as { required?: string[] };
      expect(required?.includes("reason") === true).toBe(effect !== "read");
    }
  });
});

describe("arguments", () => {
  const message = { queue: "emails", payload: "x", reason };
  it.each([
    ["rabbitmq_list_queues", { vhost: "other" }],
    ["rabbitmq_list_queues", { limit: 201 }],
    ["rabbitmq_list_queues", { sort: "name" }],
    ["rabbitmq_list_queues", { host: "elsewhere" }],
    ["rabbitmq_queue_info", {}],
    ["rabbitmq_queue_info", { queue: "billing.invoices" }],
    ["rabbitmq_queue_info", { queue: "../overview" }],
    ["rabbitmq_list_bindings", { exchange: "amq.direct" }],
    ["rabbitmq_peek_messages", { queue: "emails", count: 11, reason }],
    ["rabbitmq_peek_messages", { queue: "emails", truncate: 4097, reason }],
    ["rabbitmq_peek_messages", { queue: "emails" }],
    ["rabbitmq_peek_messages", { queue: "emails", ackmode: "ack_requeue_false", reason }],
    ["rabbitmq_publish", { ...message, payload: "x".repeat(65_537) }],
    ["rabbitmq_publish", { ...message, reason: "short" }],
    ["rabbitmq_publish", { ...message, exchange: "amq.topic" }],
    ["rabbitmq_publish", { ...message, properties: { reply_to: "elsewhere" } }],
    ["rabbitmq_publish", { ...message, properties: { user_id: "guest" } }],
    ["rabbitmq_publish", { ...message, properties: { headers: { CC: "invoices" } } }],
    ["rabbitmq_publish", { ...message, properties: { headers: { bcc: "invoices" } } }],
    ["rabbitmq_publish", { ...message, properties: { headers: { BCC: "invoices" } } }],
    ["rabbitmq_publish", { ...message, properties: { headers: { "x-death": "1" } } }],
    ["rabbitmq_publish", { ...message, properties: { headers: { list: ["invoices"] } } }],
    ["rabbitmq_publish", { ...message, properties: { expiration: "soon" } }],
    ["rabbitmq_publish", { ...message, properties: { delivery_mode: 3 } }],
    ["rabbitmq_purge_queue", { queue: "emails", reason }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(offline.call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it("what contradicts itself is refused before anything is asked", async () => {
    const refused = async (tool: string, args: Record<string, unknown>): Promise<unknown> =>
      await faultOf(offline.call(tool, args));
    const invalid = (message: string): object => ({ code: "invalid_argument", message });
    expect(await refused("rabbitmq_list_queues", {})).toMatchObject(
      invalid("several vhosts are drawn: name one in vhost"),
    );
    expect(await refused("rabbitmq_queue_info", { queue: "emails", vhost: "shop" })).toMatchObject(
      invalid("the queue is in another vhost"),
    );
    expect(await refused("rabbitmq_list_bindings", { queue: "emails", exchange: "events" })).toMatchObject(
      invalid("give queue or exchange, not both"),
    );
    expect(await refused("rabbitmq_publish", { payload: "x", reason })).toMatchObject(
      invalid("give either queue or exchange"),
    );
    expect(
      await refused("rabbitmq_publish", { payload: "x", reason, queue: "emails", exchange: "events" }),
    ).toMatchObject(invalid("give either queue or exchange"));
    expect(await refused("rabbitmq_publish", { ...message, routing_key: "invoices" })).toMatchObject(
      invalid("routing_key is for an exchange"),
    );
    expect(await refused("rabbitmq_publish", { ...message, payload: "é".repeat(40_000) })).toMatchObject(
      invalid("payload has more than 65536 bytes"),
    );
    expect(
      await refused("rabbitmq_purge_queue", { queue: "emails", confirm: "email", reason }),
    ).toMatchObject(invalid("confirm is not the name of the queue"));
    expect(await refused("rabbitmq_list_queues", { vhost: "/", pattern: "*a*b*c*d*e*f" })).toMatchObject(
      invalid("the pattern has more than 5 stars"),
    );
    expect(await refused("rabbitmq_list_queues", { vhost: "/", cursor: "x" })).toMatchObject(
      invalid("the cursor does not belong to this call"),
    );
  });
});

describe("only what was drawn is asked for", () => {
  it("S4: every path and body is fixed, names are escaped", async () => {
    const asked: string[] = [];
    const module = await upstream((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked.push(`${request.method ?? ""} ${(request.url ?? "").split("?")[0] ?? ""} ${body}`.trim());
        response.end(
          request.url?.includes("bindings") === true ? "[]" : '{"routed":true,"messages_ready":2}',
        );
      });
    });
    await module.call("rabbitmq_queue_info", { queue: "emails" });
    await module.call("rabbitmq_list_bindings", { exchange: "events" });
    await module.call("rabbitmq_publish", { queue: "invoices", payload: "x", reason });
    await module.call("rabbitmq_publish", { exchange: "events", routing_key: "a.b", payload: "x", reason });
    const properties = { headers: { kind: "greeting" } };
    await module.callApproved("rabbitmq_publish", { queue: "invoices", payload: "x", properties, reason });
    await module.call("rabbitmq_purge_queue", { queue: "invoices", confirm: "invoices", reason });
    expect(asked).toEqual([
      "GET /api/queues/%2F/emails",
      "GET /api/exchanges/%2F/events/bindings/source",
      'POST /api/exchanges/shop/amq.default/publish {"properties":{},"routing_key":"billing.invoices","payload":"x","payload_encoding":"string"}',
      'POST /api/exchanges/%2F/events/publish {"properties":{},"routing_key":"a.b","payload":"x","payload_encoding":"string"}',
      `POST /api/exchanges/shop/amq.default/publish {"properties":{"headers":{"kind":"greeting","x-mcp-marker":"mcp:${MARKER.argsSha} approved by key:ada"}},"routing_key":"billing.invoices","payload":"x","payload_encoding":"string"}`,
      "GET /api/queues/shop/billing.invoices",
      "DELETE /api/queues/shop/billing.invoices/contents",
    ]);
  });
});

it("S10: rabbitmq_purge_queue empties a queue that the broker has not counted yet", async () => {
  const module = await upstream((request, response) => {
    // Without any of the columns that it was asked for, the broker says `[]`.
    const columns = new URL(request.url ?? "", "http://broker").searchParams.get("columns") ?? "";
    response.end(columns.split(",").includes("name") ? '{"name":"emails"}' : "[]");
  });
  const { data } = await module.call("rabbitmq_purge_queue", { queue: "emails", confirm: "emails", reason });
  expect(data).toEqual({ queue: "emails", purged: true, ready_before: null });
});

describe("hostile upstream", () => {
  const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
    ["rabbitmq_overview", {}],
    ["rabbitmq_list_queues", { vhost: "/" }],
    ["rabbitmq_queue_info", { queue: "emails" }],
    ["rabbitmq_list_exchanges", { vhost: "/" }],
    ["rabbitmq_list_bindings", { vhost: "/" }],
    ["rabbitmq_list_consumers", { vhost: "/" }],
    ["rabbitmq_list_connections", { vhost: "/" }],
    ["rabbitmq_node_health", {}],
    ["rabbitmq_peek_messages", { queue: "emails", reason }],
    ["rabbitmq_publish", { queue: "emails", payload: "x", reason }],
    ["rabbitmq_purge_queue", { queue: "emails", confirm: "emails", reason }],
  ];

  it.each([
    ["no JSON", "<html>proxy</html>"],
    ["null", "null"],
    ["a number", "1"],
    ["rows of another type", '{"items":[1],"page_count":1,"filtered_count":1}'],
  ])("an answer with %s is upstream_unavailable, or has nothing in it", async (_what, body) => {
    const module = await upstream((_request, response) => response.end(body));
    for (const [tool, args] of CALLS) {
      const answer = await faultOf(module.call(tool, args));
      if (answer instanceof Error) expect(answer, tool).toMatchObject({ code: "upstream_unavailable" });
      else expect(JSON.stringify(answer).length, tool).toBeLessThan(1000);
    }
  });

  it("R5: a redirect is an error, and the credential goes nowhere", async () => {
    const module = await upstream((_request, response) =>
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    );
    for (const [tool, args] of CALLS)
      expect(await faultOf(module.call(tool, args)), tool).toMatchObject({ code: "upstream_unavailable" });
  });

  it("S5: a refusal names neither the account nor the broker", async () => {
    const refusal =
      "403 ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'mcp_rabbitmq'";
    const module = await upstream((_request, response) =>
      response.writeHead(400).end(JSON.stringify({ error: "bad_request", reason: refusal })),
    );
    const error = await faultOf(module.call("rabbitmq_publish", { queue: "emails", payload: "x", reason }));
    expect(error).toMatchObject({ code: "denied" });
    expect(String(error)).not.toMatch(/mcp_rabbitmq|geheim|127\.0\.0\.1/);
  });

  it("a 503 of something in front of the broker is no failed check", async () => {
    for (const body of ["<h1>down</h1>", '{"error":"down"}', "null", '"failed"']) {
      const module = await upstream((_request, response) => response.writeHead(503).end(body));
      expect(await faultOf(module.call("rabbitmq_node_health")), body).toMatchObject({
        code: "upstream_unavailable",
        message: expect.stringMatching(/^the service answered 503/),
      });
    }
  });

  it("R7: names and arguments of a megabyte are cut", async () => {
    const long = "n".repeat(1_000_000);
    const row = { name: long, arguments: { long }, policy: long, state: long };
    const module = await upstream((_request, response) => response.end(JSON.stringify(row)));
    const answer = await module.call("rabbitmq_queue_info", { queue: "emails" });
    expect(JSON.stringify(answer).length).toBeLessThan(3000);
  });
});

describe("what cannot be seen from outside", () => {
  it("a glob matches what it says and nothing else, whatever it holds", () => {
    const matches = (glob: string, name: string): boolean =>
      new RegExp(globExpression(glob), "su").test(name);
    expect(matches("orders.*", "orders.new")).toBe(true);
    expect(matches("orders.*", "ordersXnew")).toBe(false);
    expect(matches("*", "")).toBe(true);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab.*+?()[]{}|^$\\-/") }), (text) => {
        const name = text.replaceAll("*", "");
        const escaped = globExpression(name).slice(1, -1);
        expect(escaped.replace(/\\(.)/gsu, "$1")).toBe(name);
        expect(escaped.replace(/\\./gsu, "")).toMatch(/^\w*$/);
      }),
    );
  });

  it("a text that was cut inside of a character is text, bytes are not", () => {
    const cut = (bytes: Buffer): unknown =>
      messageOf(
        { payload: bytes.toString("base64"), payload_encoding: "base64", payload_bytes: 99, properties: [] },
        4,
      );
    expect(cut(Buffer.from("grüße").subarray(0, 3))).toMatchObject({ encoding: "text", payload: "gr" });
    expect(cut(Buffer.from([0xff, 0x00]))).toMatchObject({ encoding: "base64", payload: "/wA=" });
  });
});

describe("from the drawing", () => {
  const emitted = async (broker: string, link: string) =>
    await treeOf(`apiVersion: topology/v1
stack: stack
components: {rabbitmq: ${broker}}
links: {mcp: {rabbitmq: ${link}}}
`);
  const BROKER = "{queues: {a: {}, b: {queue: b.b, vhost: other}}, exchanges: {e: {}}}";
  const schemaOf = (tree: Awaited<ReturnType<typeof emitted>>, tool: string): unknown => {
    const lock = JSON.parse(tree.get("server/surface.lock.json")?.text ?? "{}") as {
      tools: { name: string; inputSchema: { properties: unknown } }[];
    };
    return lock.tools.find(({ name }) => name === tool)?.inputSchema.properties;
  };
  const commands = (tree: Awaited<ReturnType<typeof emitted>>): readonly string[] =>
    (tree.get("principals/rabbitmq/README.md")?.text ?? "")
      .split("\n")
      .filter((line) => line.includes("set_permissions"))
      .map((line) => line.trim().replace("rabbitmqctl -q set_permissions ", ""));

  it("S2: the lists hold what was drawn, and a write tool those drawn for writing", async () => {
    const tree = await emitted(BROKER, "{only: {a: write, b: read}}");
    expect(schemaOf(tree, "rabbitmq_queue_info")).toMatchObject({
      vhost: { enum: ["/", "other"] },
      queue: { enum: ["a", "b"] },
    });
    expect(schemaOf(tree, "rabbitmq_purge_queue")).toMatchObject({ queue: { enum: ["a"] } });
    expect(schemaOf(tree, "rabbitmq_publish")).toMatchObject({
      queue: { enum: ["a"] },
      exchange: { not: {} },
    });
    expect(commands(tree)).toEqual([
      "-p / mcp_rabbitmq '^$' '^(amq\\.default)$' '^(a)$'",
      "-p other mcp_rabbitmq '^$' '^$' '^$'",
    ]);
  });

  it("S10: a link that reads has an account that can do nothing", async () => {
    const tree = await emitted(BROKER, "read");
    expect(schemaOf(tree, "rabbitmq_publish")).toBeUndefined();
    expect(commands(tree)).toEqual([
      "-p / mcp_rabbitmq '^$' '^$' '^$'",
      "-p other mcp_rabbitmq '^$' '^$' '^$'",
    ]);
    expect(tree.get("server/tools/rabbitmq.ts")?.text).not.toMatch(/publish"|DELETE|requeue/);
  });

  it("each right follows from a tool that is kept", async () => {
    const publish = await emitted(BROKER, "{access: write, tools: [rabbitmq_publish]}");
    expect(commands(publish)[0]).toBe("-p / mcp_rabbitmq '^$' '^(e|amq\\.default)$' '^$'");
    const purge = await emitted(BROKER, "{access: write, tools: [rabbitmq_purge_queue]}");
    expect(commands(purge)).toEqual([
      "-p / mcp_rabbitmq '^$' '^$' '^(a)$'",
      "-p other mcp_rabbitmq '^$' '^$' '^(b\\.b)$'",
    ]);
    expect(publish.get("principals/rabbitmq/operator.yaml")?.text).toContain(
      'write: "^(e|amq\\\\.default)$"',
    );
  });
});
