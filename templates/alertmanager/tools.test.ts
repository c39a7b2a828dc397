import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { filterOf } from "#runtime/alertmanager/matcher";
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

/** Answers in ways that no Alertmanager does. */
async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<OpenModule> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return moduleAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const moduleAt = (url: string): OpenModule =>
  openModule(tools, { MCP_ALERTMANAGER_URL: url, MCP_ALERTMANAGER_TOKEN: "geheim-geheim" });
const offline = moduleAt("http://127.0.0.1:1");

const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);
const reason = "a test of the tool";
const ID = "19fe8749-c5bb-4f17-aa51-4996e47827a8";
const named = [{ name: "alertname", op: "=", value: "Down" }];

describe("the tools as data", () => {
  it("S32: five reads before two writes", () => {
    expect(tools.tools.map(({ name, effect }) => `${name} ${effect}`)).toEqual([
      "am_list_alerts read",
      "am_alert_groups read",
      "am_list_silences read",
      "am_status read",
      "am_list_receivers read",
      "am_create_silence additive",
      "am_expire_silence destructive",
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
      expect(JSON.stringify(inputSchema)).not.toMatch(/"(host|url|user|password|token|createdBy)/i);
      const { required } = inputSchema as { required?: string[] };
      expect(required?.includes("reason") === true).toBe(effect !== "read");
    }
  });
});

describe("arguments", () => {
  const six = Array.from({ length: 6 }, () => named[0]);
  it.each([
    ["am_list_alerts", { limit: 101 }],
    ["am_list_alerts", { matchers: six }],
    ["am_list_alerts", { matchers: [{ name: "a b", op: "=", value: "x" }] }],
    ["am_list_alerts", { matchers: [{ name: "a", op: "==", value: "x" }] }],
    ["am_list_alerts", { url: "http://elsewhere" }],
    ["am_alert_groups", { limit: 21 }],
    ["am_list_silences", { state: "ended" }],
    ["am_create_silence", { matchers: [], reason }],
    ["am_create_silence", { matchers: six, reason }],
    ["am_create_silence", { matchers: named }],
    ["am_create_silence", { matchers: named, reason: "short" }],
    ["am_create_silence", { matchers: named, reason, createdBy: "somebody" }],
    ["am_create_silence", { matchers: named, reason, id: ID }],
    ["am_expire_silence", { id: "../../alerts", reason }],
    ["am_expire_silence", { id: ID.toUpperCase(), reason }],
    ["am_expire_silence", { id: ID }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(offline.call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it("a silence for everything is refused before anything is asked", async () => {
    const subjects: readonly (readonly [string, string, string])[] = [
      ["severity", "=", "critical"],
      ["alertname", "=~", ".+"],
      ["alertname", "!=", "Down"],
      ["alertname", "=", ""],
      ["namespace", "=", "kube-system"],
      ["namespace", "=~", "shop"],
      ["namespace", "!=", "shop"],
      ["team", "=", "shop"],
    ];
    for (const [name, op, value] of subjects) {
      const call = offline.call("am_create_silence", { matchers: [{ name, op, value }], reason });
      expect(await faultOf(call), `${name}${op}${value}`).toMatchObject({
        code: "denied",
        message: "a silence for everything is not made",
      });
    }
  });

  it.each(["4m", "25h", "0s", "1", "-1h", "tomorrow", "1e9h"])(
    "a duration of %s is refused",
    async (duration) => {
      const call = offline.call("am_create_silence", { matchers: named, duration, reason });
      expect(await faultOf(call)).toMatchObject({
        code: "invalid_argument",
        message: "duration must be within 5m and 24h",
      });
    },
  );

  it("nothing in the value of a matcher can end it", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a"\\\n,={}') }), (value) => {
        const written = /^x="((?:[^"\\\n]|\\[\\"n])*)"$/.exec(filterOf({ name: "x", op: "=", value }))?.[1];
        expect(written).toBeDefined();
        const read = written?.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
        expect(read).toBe(value);
      }),
    );
  });
});

describe("only the fixed paths", () => {
  it("S4: what is asked for, and with what", async () => {
    const asked: string[] = [];
    const silence = { id: ID, status: { state: "active" }, matchers: [], startsAt: "", endsAt: "" };
    const module = await upstream((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked.push(`${request.method ?? ""} ${decodeURIComponent(request.url ?? "")} ${body}`.trim());
        if (request.url?.includes("/silence/") === true) response.end(JSON.stringify(silence));
        else response.end(request.method === "POST" ? `{"silenceID":"${ID}"}` : "[]");
      });
    });
    await module.call("am_list_alerts", { receiver: "team.*", matchers: named });
    await module.call("am_create_silence", { matchers: named, reason });
    await module.call("am_expire_silence", { id: ID, reason });
    expect(asked).toEqual([
      'GET /api/v2/alerts?active=true&silenced=false&inhibited=false&unprocessed=true&filter=alertname="Down"&receiver=team\\.\\*',
      'GET /api/v2/alerts?filter=alertname="Down"',
      `GET /api/v2/silence/${ID}`,
    ]);
    asked.length = 0;
    await module.call("am_create_silence", { matchers: named, duration: "2h", dry_run: false, reason });
    await module.call("am_expire_silence", { id: ID, dry_run: false, reason });
    expect(asked.map((each) => each.split(" ").slice(0, 2).join(" "))).toEqual([
      'GET /api/v2/alerts?filter=alertname="Down"',
      "POST /api/v2/silences",
      `GET /api/v2/silence/${ID}`,
      `DELETE /api/v2/silence/${ID}`,
    ]);
    expect(asked[1]).toContain(`"createdBy":"mcp->alertmanager","comment":"${reason}"`);
    await module.callApproved("am_create_silence", { matchers: named, dry_run: false, reason });
    expect(asked.at(-1)).toContain(`"comment":"${reason}\\n\\napproved by key:ada ${MARKER.text}"`);
  });
});

describe("hostile upstream", () => {
  const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
    ["am_list_alerts", {}],
    ["am_alert_groups", {}],
    ["am_list_silences", {}],
    ["am_status", {}],
    ["am_list_receivers", {}],
    ["am_create_silence", { matchers: named, dry_run: false, reason }],
    ["am_expire_silence", { id: ID, dry_run: false, reason }],
  ];

  it.each([
    ["no JSON", "<html>proxy</html>"],
    ["null", "null"],
    ["a number", "1"],
    ["a text", '"x"'],
    ["an object", '{"status":"success"}'],
    ["rows of another type", "[1]"],
    ["a metric of something else", "up 1\n"],
  ])("an answer with %s is upstream_unavailable for every tool", async (_what, body) => {
    const module = await upstream((_request, response) => response.end(body));
    for (const [tool, args] of CALLS) {
      // That many alerts match is all that is asked for of the one before it writes.
      const answer = await faultOf(module.call(tool, args));
      expect(answer, tool).toMatchObject({ code: "upstream_unavailable" });
    }
  });

  it("R5: a redirect is an error, and the credential goes nowhere", async () => {
    const module = await upstream((_request, response) =>
      response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
    );
    for (const [tool, args] of CALLS)
      expect(await faultOf(module.call(tool, args)), tool).toMatchObject({ code: "upstream_unavailable" });
  });

  it.each([
    [400, '"bad matcher format: x"', "invalid_argument", "bad matcher format: x"],
    [400, "<h1>secret backend</h1>", "invalid_argument", "the service answered 400"],
    [401, '"no"', "denied", "refused the account"],
    [422, '{"code":602,"message":"comment in body is required"}', "invalid_argument", "comment in body"],
    [500, '"silence not found"', "not_found", "there is no such silence"],
    [500, '"secret backend"', "upstream_unavailable", "the service answered 500"],
  ])("S5: status %i with %s is %s", async (status, body, code, message) => {
    const module = await upstream((_request, response) => response.writeHead(status).end(body));
    const error = await faultOf(module.call("am_expire_silence", { id: ID, reason }));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/secret|geheim|127\.0\.0\.1/);
  });

  it("R7: labels without number and texts without end are cut", async () => {
    const long = "x".repeat(10_000);
    const labels = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`l${index}`, "v"]));
    const alert = {
      labels: { ...labels, alertname: long },
      annotations: { summary: long },
      startsAt: long,
      receivers: Array.from({ length: 50 }, () => ({ name: long })),
      status: { state: "active", silencedBy: Array.from({ length: 500 }, () => long), inhibitedBy: [] },
    };
    const module = await upstream((_request, response) => response.end(JSON.stringify([alert])));
    expect(JSON.stringify(await module.call("am_list_alerts")).length).toBeLessThan(6000);
  });
});

describe("cancellation", () => {
  it("ends the call at once, and the connection with it", async () => {
    let closed = false;
    const module = await upstream((_request, response) => {
      response.on("close", () => (closed = true));
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(module.call("am_list_alerts", {}, controller.signal)).rejects.toThrow("enough");
    await expect.poll(() => closed).toBe(true);
  });
});

describe("from the drawing", () => {
  const confOf = async (link: string): Promise<string> => {
    const tree = await treeOf(`apiVersion: topology/v1
stack: stack
components: {alertmanager: {namespace: monitoring}, shop: {type: worker, namespace: shop}}
links: {mcp: {alertmanager: ${link}}}
`);
    expect(tree.get("server/tools/alertmanager.ts")?.text).toMatch(
      /drawnNames: readonly string\[\] = \[[^\]]*"monitoring",\s*"shop"/,
    );
    return tree.get("principals/alertmanager/nginx.conf")?.text ?? "";
  };
  const methodsOf = (conf: string): readonly string[] =>
    [...conf.matchAll(/limit_except ([A-Z ]+) \{/g)].map(([, methods]) => methods ?? "");

  it("S10: each right follows from a tool that is kept", async () => {
    expect(methodsOf(await confOf("read"))).toEqual(["GET", "GET", "GET"]);
    expect(methodsOf(await confOf("write"))).toEqual(["GET", "GET POST", "GET DELETE"]);
    expect(methodsOf(await confOf("{access: write, tools: [am_expire_silence]}"))).toEqual([
      "GET",
      "GET",
      "GET DELETE",
    ]);
  });

  it("P9: the status, which shows the configuration, is in no path", async () => {
    const conf = await confOf("write");
    expect(conf).not.toContain("status");
  });
});
