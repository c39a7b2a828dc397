import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import type { Principals } from "../../test/harness/principals.ts";
import { freePort, liveVersion } from "../../test/live/server.ts";
import { record, startFakeBridge } from "./fake-bridge.ts";
import type { FakeBridge } from "./fake-bridge.ts";
import { tools } from "./tools.ts";

const PASSWORD = "p w é;'\"#of-the-account";
const ACCOUNT = "mcp_kafka_bridge";

let fake: FakeBridge;
let principals: Principals;
let nginx: ChildProcess;
let port: number;
let module: OpenModule;

/** As the README says: the file of the account, and nginx with the emitted server on a free port. */
beforeAll(async () => {
  expect(liveVersion("kafka-bridge"), "run: bash templates/kafka-bridge/live.sh install").toMatch(
    /^nginx \d/,
  );
  fake = await startFakeBridge();
  for (const topic of ["shop.orders", "payments", "hidden"])
    fake.topics.set(topic, [[record(0, `of ${topic}`)]]);
  principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {kafka_bridge: {host: 127.0.0.1, port: ${fake.port}, topics: {orders: {topic: shop.orders}, payments: {}}}}
links: {mcp: {kafka_bridge: {only: {orders: write, payments: read}}}}
`);
  principals.apply("kafka_bridge", { MCP_KAFKA_BRIDGE_PASSWORD: PASSWORD });
  const { folder } = principals;
  port = await freePort();
  const conf = principals.text("kafka_bridge/nginx.conf");
  writeFileSync(
    join(folder, "account.conf"),
    conf.replace("listen 8081;", `listen 127.0.0.1:${port};`).replace(`${ACCOUNT}.htpasswd`, `${folder}/$&`),
  );
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp { access_log off; ${temporary.join(" ")} include ${folder}/account.conf; }\n`,
  );
  nginx = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder, "-e", "stderr"], {
    stdio: "ignore",
  });
  module = openModule(tools, {
    MCP_KAFKA_BRIDGE_URL: `http://127.0.0.1:${port}`,
    MCP_KAFKA_BRIDGE_USER: ACCOUNT,
    MCP_KAFKA_BRIDGE_PASSWORD: PASSWORD,
  });
  await vi.waitFor(async () => await module.call("kafka_list_topics"), { timeout: 20_000, interval: 100 });
});

afterAll(async () => {
  const ended = new Promise((resolve) => nginx.once("exit", resolve));
  nginx.kill("SIGTERM");
  await ended;
  await module.close();
  fake.stop();
  principals.remove();
});

const ask = async (
  method: string,
  path: string,
  login: string = `${ACCOUNT}:${PASSWORD}`,
): Promise<number> => {
  const headers = { authorization: `Basic ${Buffer.from(login).toString("base64")}` };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  await answer.arrayBuffer();
  return answer.status;
};

describe("the emitted account in front of a fake bridge", () => {
  it("every tool works through it", async () => {
    expect((await module.call("kafka_describe_topic", { topic: "orders" })).data).toMatchObject({
      partitions: 1,
    });
    for (const topic of ["orders", "payments"])
      expect((await module.call("kafka_peek", { topic })).page?.returned, topic).toBe(1);
    const sent = await module.call("kafka_produce", {
      topic: "orders",
      value: "x",
      reason: "a test of writes",
    });
    expect(sent.data).toEqual({ topic: "orders", partition: 0, offset: 1 });
    expect(fake.consumers.size).toBe(0);
  });

  it.each([
    ["POST", "/topics/payments"],
    ["GET", "/topics/hidden"],
    ["POST", "/topics/hidden"],
    ["GET", "/topics/shop-orders"],
    ["PUT", "/topics/shop.orders"],
    ["DELETE", "/topics/shop.orders"],
    ["GET", "/topics/hidden/partitions/0/offsets"],
    ["GET", "/topics/payments/../hidden"],
    ["GET", "/topics/payments/%2e%2e/hidden"],
    ["DELETE", "/topics"],
    ["POST", "/admin/topics"],
    ["POST", "/consumers/billing"],
    ["GET", "/consumers/billing/instances/1/records"],
    ["POST", "/consumers/mcp-peek-1/instances/1/offsets"],
    ["POST", "/consumers/mcp-peek-1/instances/1/subscription"],
    ["GET", "/consumers/mcp-peek-1/instances/1/subscription"],
    ["POST", "/consumers/mcp-peek-1/../billing"],
    ["GET", "/healthy"],
    ["GET", "/openapi"],
    ["GET", "/"],
  ])("%s %s is refused before the bridge", async (method, path) => {
    const before = fake.requests.length;
    expect(await ask(method, path)).toBe(403);
    expect(fake.requests.length).toBe(before);
  });

  it("nobody else comes in", async () => {
    expect(await ask("GET", "/topics", "mcp_kafka_bridge:wrong")).toBe(401);
    expect(await ask("GET", "/topics", "admin:admin")).toBe(401);
  });
});
