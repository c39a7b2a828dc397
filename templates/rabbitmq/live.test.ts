import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { liveVersion } from "../../test/live/server.ts";
import { FORBIDDEN, HIDDEN, put, ready, seed, startBroker } from "./live.ts";
import type { Broker } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const PASSWORD = "p w:é;'\"#of-the-account";
const FLOOD = 2000;
const reason = "a test of the tool";

let broker: Broker;
let rabbitmq: OpenModule;
const clients: ChildProcess[] = [];

/** As the emitted README says, on a node of the broker. */
async function applyAccount(name: string, link: string): Promise<void> {
  const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components:
  ${name}:
    type: rabbitmq
    queues: {emails: {}, invoices: {queue: billing.invoices, vhost: shop}}
    exchanges: {events: {kind: topic}}
links: {mcp: {${name}: ${link}}}
`);
  const variable = `MCP_${name.toUpperCase()}_PASSWORD`;
  try {
    principals.apply(name, { ...broker.environment, [variable]: PASSWORD });
  } finally {
    principals.remove();
  }
}

const moduleOf = (user: string, password = PASSWORD): OpenModule =>
  openModule(tools, {
    MCP_RABBITMQ_URL: `http://127.0.0.1:${broker.port}`,
    MCP_RABBITMQ_USER: user,
    MCP_RABBITMQ_PASSWORD: password,
  });

async function sendAs(user: string, method: string, path: string, body?: object): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${broker.port}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString("base64")}`,
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Twice what is promised, for machines that do other things as well. */
const call = async (tool: string, args: Record<string, unknown> = {}, withinMs = 4000) => {
  const started = performance.now();
  const result = await rabbitmq.call(tool, args);
  expect(performance.now() - started, tool).toBeLessThan(withinMs);
  expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
  return result;
};

beforeAll(async () => {
  expect(liveVersion("rabbitmq"), "run: bash templates/rabbitmq/live.sh install").toMatch(/^\d+\.\d+/);
  broker = await startBroker();
  await seed(broker);
  // Twice, because applying it again must bring back the same rights.
  await applyAccount("rabbitmq", "write");
  await applyAccount("rabbitmq", "write");
  rabbitmq = moduleOf("mcp_rabbitmq");
  clients.push(broker.consume("/", "undrawn"), broker.consume(HIDDEN, "secret"));
  await vi.waitFor(
    async () => expect((await call("rabbitmq_list_consumers", { vhost: "/" })).page?.total).toBe(1),
    { timeout: 20_000, interval: 300 },
  );
});

afterAll(async () => {
  for (const client of clients) client.kill();
  await rabbitmq?.close();
  await broker?.stop();
});

describe("every tool with data", () => {
  it("S32: rabbitmq_overview says version, totals and alarms, and no name of a host", async () => {
    const { data } = await call("rabbitmq_overview");
    expect(data).toMatchObject({
      alarms: [],
      version: expect.stringMatching(/^3\./),
      totals: { queues: expect.any(Number), connections: expect.any(Number) },
      rates: { publish: expect.any(Number) },
    });
    expect(JSON.stringify(data)).not.toMatch(/localhost|topogate|@/);
  });

  it("rabbitmq_list_queues sorts, filters and knows the drawn names", async () => {
    await put(broker, "/", "emails", "one");
    await vi.waitFor(
      async () => {
        const { data, page } = await call("rabbitmq_list_queues", { vhost: "/" });
        expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
        expect(data).toMatchObject({
          queues: [
            { name: "emails", drawn: "emails", messages: 1, ready: 1, consumers: 0, state: "running" },
            { name: "undrawn", drawn: null, consumers: 1 },
          ],
        });
      },
      { timeout: 10_000, interval: 300 },
    );
    const { data } = await call("rabbitmq_list_queues", { vhost: "shop", pattern: "*.inv*" });
    expect(data).toMatchObject({ queues: [{ name: "billing.invoices", drawn: "invoices", type: "quorum" }] });
    const byConsumers = await call("rabbitmq_list_queues", { vhost: "/", sort: "consumers" });
    expect(byConsumers.data).toMatchObject({ queues: [{ name: "undrawn" }, { name: "emails" }] });
    expect((await call("rabbitmq_list_queues", { vhost: "/", pattern: "undra" })).page?.total).toBe(0);
  });

  it("rabbitmq_queue_info describes a classic and a quorum queue", async () => {
    const emails = await call("rabbitmq_queue_info", { queue: "emails" });
    expect(emails.data).toMatchObject({
      name: "emails",
      durable: true,
      arguments: '{"x-dead-letter-exchange":"events"}',
      memory_bytes: expect.any(Number),
    });
    const invoices = await call("rabbitmq_queue_info", { queue: "invoices", vhost: "shop" });
    expect(invoices.data).toMatchObject({ type: "quorum", members: 1, online: 1 });
  });

  it("rabbitmq_list_exchanges and rabbitmq_list_bindings show where messages go", async () => {
    const exchanges = await call("rabbitmq_list_exchanges", { vhost: "/", pattern: "e*" });
    expect(exchanges.data).toMatchObject({ exchanges: [{ name: "events", drawn: "events", type: "topic" }] });
    const all = await call("rabbitmq_list_exchanges", { vhost: "/", limit: 3 });
    expect(all.page).toMatchObject({ returned: 3, next_cursor: expect.any(String) });
    expect(all.truncation).toMatchObject({ by: "rows", limit: 3 });
    const of = async (args: object) => (await call("rabbitmq_list_bindings", { ...args })).data;
    expect(await of({ queue: "emails" })).toMatchObject({
      bindings: [{ source: "" }, { source: "events", routing_key: "mail.*", to: "queue" }],
    });
    expect(await of({ exchange: "events" })).toMatchObject({
      bindings: [{ destination: "emails" }, { destination: "undrawn" }],
    });
    expect((await call("rabbitmq_list_bindings", { vhost: "/" })).page?.total).toBe(4);
  });

  it("rabbitmq_list_consumers and rabbitmq_list_connections say who is there, not from where", async () => {
    const consumers = await call("rabbitmq_list_consumers", { vhost: "/" });
    expect(consumers.data).toMatchObject({
      consumers: [{ queue: "undrawn", user: "guest", prefetch: 7, active: true, ack_required: true }],
    });
    const connections = await call("rabbitmq_list_connections", { vhost: "/" });
    expect(connections.data).toMatchObject({
      connections: [{ user: "guest", state: "running", channels: 1, protocol: "AMQP 0-9-1", tls: false }],
    });
    expect(JSON.stringify([consumers, connections])).not.toMatch(/127\.0\.0\.1|rabbitmq-c/);
    expect((await call("rabbitmq_list_connections", { vhost: "shop" })).page?.total).toBe(0);
  });

  it("rabbitmq_node_health: all well, then an alarm that the broker itself raises", async () => {
    const well = await call("rabbitmq_node_health");
    expect(well.data).toMatchObject({
      healthy: true,
      checks: [
        { check: "alarms", ok: true },
        { check: "local-alarms", ok: true },
        { check: "virtual-hosts", ok: true },
      ],
      nodes: [{ node: 1, running: true, mem_alarm: false, mem_limit: expect.any(Number) }],
    });
    broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
    await vi.waitFor(
      async () => {
        const { data } = await call("rabbitmq_node_health");
        expect(data).toMatchObject({
          healthy: false,
          checks: [{ ok: false, reason: expect.stringContaining("alarms"), about: ["memory"] }, {}, {}],
          nodes: [{ mem_alarm: true }],
        });
        expect(JSON.stringify(data)).not.toMatch(/localhost|topogate/);
      },
      { timeout: 20_000, interval: 300 },
    );
    expect((await call("rabbitmq_overview")).data).toMatchObject({ alarms: ["memory"] });
    broker.ctl("set_vm_memory_high_watermark", "0.8");
    await vi.waitFor(
      async () => expect((await call("rabbitmq_node_health")).data).toMatchObject({ healthy: true }),
      { timeout: 20_000, interval: 300 },
    );
  });

  it("S10: rabbitmq_peek_messages puts back what it looked at", async () => {
    await put(broker, "/", "emails", "grüße und mehr", {
      content_type: "text/plain",
      headers: { trace: "abc" },
      timestamp: 1_700_000_000,
    });
    const before = ready(broker, "/")["emails"];
    const peeked = await call("rabbitmq_peek_messages", { queue: "emails", count: 10, truncate: 3, reason });
    expect(peeked.data).toMatchObject({
      messages: [
        { payload: "one", bytes: 3, exchange: "", routing_key: "emails" },
        {
          payload: "gr",
          bytes: 16,
          encoding: "text",
          properties: { content_type: "text/plain", timestamp: 1_700_000_000 },
          headers: '{"trace":"abc"}',
        },
      ],
      behind: 0,
    });
    expect(peeked.truncation).toEqual({ by: "cells", limit: 3 });
    expect(ready(broker, "/")["emails"]).toBe(before);
    const again = await call("rabbitmq_peek_messages", { queue: "emails", reason });
    expect(again.data).toMatchObject({ messages: [{ redelivered: true }], behind: 1 });
    const quorum = await call("rabbitmq_peek_messages", { queue: "invoices", reason });
    expect(quorum.data).toEqual({ queue: "invoices", messages: [], behind: 0 });
  });

  it("rabbitmq_publish reaches drawn queues and exchanges, and says when nobody listens", async () => {
    const send = async (args: object) =>
      await call("rabbitmq_publish", { payload: "héllo", reason, ...args });
    expect((await send({ queue: "invoices" })).data).toEqual({ routed: true });
    expect((await send({ exchange: "events", routing_key: "mail.new" })).data).toEqual({ routed: true });
    const lost = await send({ exchange: "events", routing_key: "nobody" });
    expect(lost).toMatchObject({ data: { routed: false }, warnings: [expect.stringContaining("gone")] });
    const properties = { content_type: "text/plain", delivery_mode: 2, headers: { attempt: 2, final: true } };
    await send({ queue: "invoices", properties });
    const { data } = await call("rabbitmq_peek_messages", { queue: "invoices", count: 2, reason });
    expect(data).toMatchObject({
      messages: [
        { payload: "héllo" },
        {
          properties: { content_type: "text/plain" },
          headers: expect.stringContaining('"attempt":2,"final":true'),
        },
      ],
    });
  });

  it("A3 A8: what was approved carries its marker", async () => {
    await rabbitmq.callApproved("rabbitmq_publish", { queue: "emails", payload: "approved", reason });
    const { data } = await call("rabbitmq_peek_messages", { queue: "emails", count: 10, reason });
    const marker = `"x-mcp-marker":"mcp:${MARKER.argsSha} approved by key:ada"`;
    expect((data as { messages: readonly object[] }).messages).toContainEqual(
      expect.objectContaining({
        payload: "approved",
        headers: expect.stringContaining(marker) as unknown,
      }),
    );
  });

  it("rabbitmq_purge_queue empties one queue and leaves the others", async () => {
    await put(broker, "/", "undrawn", "stays");
    const purged = await call("rabbitmq_purge_queue", { queue: "emails", confirm: "emails", reason });
    expect(purged.data).toMatchObject({ queue: "emails", purged: true });
    expect(ready(broker, "/")).toMatchObject({ emails: 0 });
    const invoices = await call("rabbitmq_peek_messages", { queue: "invoices", reason });
    expect(invoices.data).toMatchObject({ messages: [{ payload: "héllo" }] });
  });
});

describe("the account on the broker", () => {
  it("S4: refuses what the tools never do, whoever holds the password", async () => {
    for (const [method, path, body] of FORBIDDEN) {
      const status = await sendAs("mcp_rabbitmq", method, path, body);
      // The broker answers 400 with ACCESS_REFUSED where it found out through the other protocol.
      expect([400, 401, 403, 404, 405].includes(status), `${method} ${path}: ${status}`).toBe(true);
    }
    expect(ready(broker, "/")).toMatchObject({ emails: expect.any(Number), undrawn: expect.any(Number) });
    expect((await call("rabbitmq_list_bindings", { vhost: "/" })).page?.total).toBe(4);
    const permissions = await broker.admin("GET", "users/mcp_rabbitmq/permissions");
    expect(permissions).toEqual([
      expect.objectContaining({
        vhost: "/",
        configure: "^$",
        write: "^(events|amq\\.default)$",
        read: "^(emails)$",
      }),
      expect.objectContaining({
        vhost: "shop",
        configure: "^$",
        write: "^(amq\\.default)$",
        read: "^(billing\\.invoices)$",
      }),
    ]);
  });

  it("cannot close the connections that it sees", async () => {
    const name = async (): Promise<string> => {
      const [first] = (await broker.admin("GET", "vhosts/%2F/connections")) as { name: string }[];
      return first?.name ?? "";
    };
    const before = await name();
    expect(before).not.toBe("");
    await sendAs("mcp_rabbitmq", "DELETE", `connections/${encodeURIComponent(before)}`);
    await sendAs("mcp_rabbitmq", "DELETE", "connections/username/guest");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await name()).toBe(before);
  });

  it("S10: without write tools it takes and sends nothing, and reads everything", async () => {
    await applyAccount("reader", "read");
    const reader = moduleOf("mcp_reader");
    for (const tool of tools.tools.filter(({ effect }) => effect === "read")) {
      const needs = (tool.inputSchema as { required?: string[] }).required ?? [];
      const takesVhost = Object.hasOwn((tool.inputSchema as { properties: object }).properties, "vhost");
      const args = needs.includes("queue") ? { queue: "emails" } : takesVhost ? { vhost: "/" } : {};
      expect(await reader.call(tool.name, args), tool.name).toBeDefined();
    }
    for (const [tool, args] of [
      ["rabbitmq_peek_messages", { queue: "emails", reason }],
      ["rabbitmq_publish", { queue: "emails", payload: "x", reason }],
      ["rabbitmq_publish", { exchange: "events", payload: "x", reason }],
      ["rabbitmq_purge_queue", { queue: "emails", confirm: "emails", reason }],
    ] as const)
      await expect(reader.call(tool, args), tool).rejects.toMatchObject({ code: "denied" });
  });

  it("the tag management, which a broker calls enough, hides consumers and connections", async () => {
    broker.ctl("set_user_tags", "mcp_reader", "management");
    const reader = moduleOf("mcp_reader");
    expect((await reader.call("rabbitmq_list_consumers", { vhost: "/" })).page?.total).toBe(0);
    expect((await reader.call("rabbitmq_list_connections", { vhost: "/" })).page?.total).toBe(0);
  });

  it("a carbon copy leads to another queue, which is why the tools take no such header", async () => {
    const message = { routing_key: "emails", payload: "copied", payload_encoding: "string" };
    const copied = { ...message, properties: { headers: { CC: ["undrawn"] } } };
    expect(await sendAs("mcp_rabbitmq", "POST", "exchanges/%2F/amq.default/publish", copied)).toBe(200);
    const counted = broker.ctl("-q", "list_queues", "name", "messages");
    expect(counted).toMatch(/undrawn\s+[2-9]/);
  });

  it("S5: a wrong password is denied and neither the user nor the password is in the answer", async () => {
    const failure: unknown = await moduleOf("mcp_rabbitmq", "not-this-one")
      .call("rabbitmq_overview")
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp_rabbitmq/);
  });
});

describe("what is not there", () => {
  it("a drawn queue that the broker does not have is not_found", async () => {
    await broker.admin("DELETE", "queues/shop/billing.invoices");
    for (const [tool, args] of [
      ["rabbitmq_queue_info", {}],
      ["rabbitmq_peek_messages", { reason }],
      ["rabbitmq_purge_queue", { confirm: "invoices", reason }],
    ] as const)
      await expect(rabbitmq.call(tool, { queue: "invoices", ...args }), tool).rejects.toMatchObject({
        code: "not_found",
      });
    const lost = await rabbitmq.call("rabbitmq_publish", { queue: "invoices", payload: "x", reason });
    expect(lost.data).toEqual({ routed: false });
  });
});

describe("floods", () => {
  beforeAll(async () => {
    const names = Array.from({ length: FLOOD }, (_, index) => `flood.${String(index).padStart(5, "0")}`);
    await broker.admin("POST", "definitions", {
      queues: names.map((name) => ({ name, vhost: "/", durable: false, auto_delete: false, arguments: {} })),
      bindings: names.map((name) => ({
        source: "events",
        vhost: "/",
        destination: name,
        destination_type: "queue",
        routing_key: name,
        arguments: {},
      })),
    });
    // The broker counts what is new in its own time, and the first sorted page makes it sort.
    await vi.waitFor(
      async () =>
        expect((await rabbitmq.call("rabbitmq_list_queues", { vhost: "/" })).page?.total).toBe(FLOOD + 2),
      { timeout: 60_000, interval: 1000 },
    );
  });

  it("2000 queues: pages hold every queue once, in any size", async () => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    let pages = 0;
    do {
      const args = { vhost: "/", pattern: "flood.*", limit: 199, ...(cursor === null ? {} : { cursor }) };
      const { data, page } = await call("rabbitmq_list_queues", args);
      expect(page?.total).toBe(FLOOD);
      for (const { name } of (data as { queues: { name: string }[] }).queues) {
        expect(seen.has(name), name).toBe(false);
        seen.add(name);
      }
      cursor = page?.next_cursor ?? null;
      pages += 1;
    } while (cursor !== null);
    expect(seen.size).toBe(FLOOD);
    expect(pages).toBeGreaterThan(10);
  });

  it("2000 queues: the largest come first, and a page behind the end is empty", async () => {
    await put(broker, "/", "flood.01321", "x".repeat(1000));
    await vi.waitFor(
      async () => {
        const { data } = await call("rabbitmq_list_queues", { vhost: "/", pattern: "flood*", limit: 1 });
        expect(data).toMatchObject({ queues: [{ name: "flood.01321", messages: 1 }] });
      },
      { timeout: 20_000, interval: 500 },
    );
    const first = await call("rabbitmq_list_queues", { vhost: "/", pattern: "flood.0199*", limit: 9 });
    expect(first.page).toMatchObject({ returned: 9, total: 10 });
    for (let index = 1990; index < 2000; index += 1)
      await broker.admin("DELETE", `queues/%2F/flood.0${index}`);
    const gone = await call("rabbitmq_list_queues", {
      vhost: "/",
      pattern: "flood.0199*",
      limit: 9,
      cursor: first.page?.next_cursor,
    });
    expect(gone.page).toMatchObject({ returned: 0, next_cursor: null });
  });

  it("2000 bindings: a page at once, and the total", async () => {
    const of = await call("rabbitmq_list_bindings", { exchange: "events", limit: 200 });
    expect(of.page).toMatchObject({ returned: 200, total: FLOOD - 10 + 2, next_cursor: expect.any(String) });
    expect(of.truncation).toMatchObject({ by: "rows", limit: 200 });
  });

  it("ten messages of 10 MB: the start of each", async () => {
    for (let index = 0; index < 10; index += 1) broker.publish("emails", "é".repeat(5_000_000));
    const { data, truncation } = await call("rabbitmq_peek_messages", { queue: "emails", count: 10, reason });
    const { messages } = data as { messages: { bytes: number; payload: string }[] };
    expect(messages.at(-1)).toMatchObject({ bytes: 10_000_000 });
    expect(messages.at(-1)?.payload).toMatch(/^é{2048}$/);
    expect(truncation).toBeDefined();
    await call("rabbitmq_purge_queue", { queue: "emails", confirm: "emails", reason });
  });
});

describe("cancellation", () => {
  it("ends the call at once while the broker does not answer", async () => {
    const controller = new AbortController();
    broker.signal("SIGSTOP");
    const started = performance.now();
    const waiting = rabbitmq.call("rabbitmq_overview", {}, controller.signal);
    setTimeout(() => controller.abort(new Error("caller went away")), 300);
    await expect(waiting).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(1000);
    broker.signal("SIGCONT");
    expect((await rabbitmq.call("rabbitmq_overview")).data).toMatchObject({ alarms: [] });
  });
});
