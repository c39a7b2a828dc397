import { createHmac } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ask } from "./boot.ts";
import type { Json } from "./boot.ts";
import { faultOf, note, openStage } from "./governed.ts";
import type { Governed, SaidFault, Stage } from "./governed.ts";

interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let stage: Stage;
let heard: Heard[];
/** Answers that the listener gives before it takes anything. */
let refusals = 0;
const listener = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => (text += String(chunk)));
  request.on("end", () => {
    if (refusals > 0) {
      refusals -= 1;
      return void response.writeHead(500).end();
    }
    heard.push({ headers: request.headers, text });
    response.end();
  });
});
let url: string;
let secretFile: string;
beforeAll(async () => {
  stage = await openStage();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/hook`;
  secretFile = stage.path("webhook.secret");
});
afterAll(() => {
  listener.close();
  listener.closeAllConnections();
  stage.remove();
});

const propose = async (server: Governed, text: string): Promise<SaidFault> =>
  faultOf(await server.as("agent").call("grafana_create_annotation", note(text)));
const told = async (count: number): Promise<readonly Json[]> => {
  await vi.waitFor(() => expect(heard).toHaveLength(count), 10_000);
  return heard.map(({ text }) => JSON.parse(text) as Json);
};
/** A port that was free a moment ago. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

describe("P18: whoever is to approve is told", () => {
  it("of a new proposal and of its decision, in so many words, and signed", async () => {
    heard = [];
    writeFileSync(secretFile, "a secret of the webhook\n");
    const metrics = await freePort();
    const environment = {
      MCP_APPROVAL_WEBHOOK_URL: url,
      MCP_APPROVAL_WEBHOOK_SECRET_FILE: secretFile,
      MCP_APPROVAL_PAGE_URL: "https://approvals.example.com/",
      MCP_METRICS_PORT: String(metrics),
    };
    await stage.run(environment, async (server) => {
      const first = await propose(server, "confidential text");
      const again = await propose(server, "confidential text");
      expect(again.proposal_id).toBe(first.proposal_id);
      await server.api("ada", "approve", { proposal_id: first.proposal_id });
      await server.api("ben", "execute", { proposal_id: first.proposal_id, argsSha: first.argsSha });
      const second = await propose(server, "another");
      await server.api("ada", "reject", { proposal_id: second.proposal_id });

      const messages = await told(4);
      expect(messages[0]).toEqual({
        v: 1,
        event: "mcp.approval",
        stack: "governed",
        state: "proposed",
        proposal_id: first.proposal_id,
        provider: "grafana",
        tool: "grafana_create_annotation",
        expires_at: expect.stringMatching(/^20\d\d-/) as unknown,
        approval_url: "https://approvals.example.com/",
      });
      expect(messages.map(({ state, proposal_id: id }) => [state, id])).toEqual([
        ["proposed", first.proposal_id],
        ["approved", first.proposal_id],
        ["proposed", second.proposal_id],
        ["rejected", second.proposal_id],
      ]);
      for (const { headers, text } of heard) {
        const [, seconds = "", seal = ""] =
          /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["x-mcp-signature"])) ?? [];
        expect(Math.abs(Number(seconds) - Date.now() / 1_000)).toBeLessThan(60);
        const expected = createHmac("sha256", "a secret of the webhook").update(`${seconds}.${text}`);
        expect(seal).toBe(expected.digest("hex"));
        expect(text).not.toMatch(/confidential|argsSha|preview|ada|agent/);
      }
      const { text } = await ask(metrics, { path: "/metrics" });
      for (const line of [
        'mcp_approvals_total{state="proposed"} 2',
        'mcp_approvals_total{state="approved"} 1',
        'mcp_approvals_total{state="rejected"} 1',
        'mcp_approvals_total{state="executed"} 1',
        "mcp_approval_webhook_sent_total 4",
        "mcp_approval_webhook_lost_total 0",
      ])
        expect(text).toContain(line);
    });
  });

  it("again, when the first attempts fail, in the order in which it happened", async () => {
    heard = [];
    refusals = 2;
    await stage.run({ MCP_APPROVAL_WEBHOOK_URL: url }, async (server) => {
      const first = await propose(server, "one");
      const second = await propose(server, "two");
      const messages = await told(2);
      expect(messages.map(({ proposal_id: id }) => id)).toEqual([first.proposal_id, second.proposal_id]);
      expect(messages[0]).toMatchObject({ approval_url: null });
      expect(heard[0]?.headers["x-mcp-signature"]).toBeUndefined();
    });
  });

  it("never unsigned where it is to be signed, never at the cost of a call, and what is lost is counted and said", async () => {
    heard = [];
    rmSync(secretFile);
    const environment = {
      MCP_APPROVAL_WEBHOOK_URL: url,
      MCP_APPROVAL_WEBHOOK_SECRET_FILE: secretFile,
    };
    const server = await stage.start(environment);
    const started = performance.now();
    expect((await propose(server, "lost")).code).toBe("approval_required");
    expect(performance.now() - started).toBeLessThan(2_000);
    await server.process.stop();
    expect(heard).toEqual([]);
    expect(server.process.stderr()).toContain("approvals: 1 messages of the webhook could not be delivered");
  });

  it.each(["ftp://hook.example.com/", "not a url", "https://user:secret@hook.example.com/"])(
    "and %s is no address",
    async (wrong) => {
      for (const name of ["MCP_APPROVAL_WEBHOOK_URL", "MCP_APPROVAL_PAGE_URL"]) {
        const failure = await stage.run({ [name]: wrong }, async () => "started").catch(String);
        expect(failure).toContain(`${name} must be an http or https URL without a user in it`);
        expect(failure).not.toContain("user:secret");
      }
    },
  );
});
