import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FAULT_CODES } from "#runtime/fault";
import type { PolicyDocument, PolicyGrant, PolicySession } from "#runtime/policy/document";
import { newKey, ROOT } from "../harness/emitted.ts";
import { ask, connectAs, INITIALIZE } from "./boot.ts";
import type { Json } from "./boot.ts";
import { emitServer } from "./emitted.ts";
import { faultOf, note, openStage, rowsOf, valkeySet } from "./governed.ts";
import type { Governed, SaidFault, Stage, Who } from "./governed.ts";
import { openTokenWays } from "./token-ways.ts";
import type { TokenWays } from "./token-ways.ts";

/** The words of the closed set, as its source lists them. */
function reasonsInSource(): readonly string[] {
  const source = readFileSync(join(ROOT, "templates/mcp-server/runtime/reason.ts"), "utf8");
  const words = [...source.matchAll(/"([a-z_-]+)"/g)].map(([, word]) => word ?? "");
  return [...new Set([...words, ...FAULT_CODES])].sort();
}

/** Of mcp-runtime (R22), and nothing here can come to them. */
const NOT_OURS: Readonly<Record<string, string>> = {
  untrusted_proxy: "no proxy is trusted by its address: whoever speaks for others has a key that says so",
  missing_verified_identity: "SPIFFE is out of scope (R25); an identity comes with a key",
  invalid_spiffe_identity: "SPIFFE is out of scope (R25)",
};
const OF_MCP_RUNTIME: readonly string[] = (
  "missing_identity missing_session session_not_found session_revoked session_expired " +
  "no_matching_grant tool_not_granted tool_denied tool_side_effect_unknown side_effect_not_allowed " +
  "grant_without_trust trust_too_low policy_unavailable rpc_inspection_failed missing_client_certificate " +
  "untrusted_proxy missing_verified_identity invalid_spiffe_identity"
).split(" ");

let stage: Stage;
/** For every request that needs no other settings. */
let shared: Governed;
let tokens: TokenWays;
beforeAll(async () => {
  stage = await openStage();
  shared = await stage.start();
  tokens = await openTokenWays();
});
afterAll(async () => {
  await tokens.close();
  await shared.process.stop();
  stage.remove();
});

/** What a request came to: its row of the audit, or, where none can be written, what the caller was told. */
type Reached = Json;
type Way = () => Promise<Reached>;

const READ = { name: "list_components", arguments: {} };
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const on = async (
  work: (governed: Governed) => Promise<unknown>,
  env?: Readonly<Record<string, string>>,
): Promise<Json> => {
  const thenRow = async (governed: Governed): Promise<Json> => {
    await work(governed);
    return await governed.lastRow();
  };
  return await (env === undefined ? thenRow(shared) : stage.run(env, thenRow));
};
/** A plain request with a key that is good, changed. */
const door = (question: Parameters<typeof ask>[1]): Way => {
  const headers = { ...HEADERS, authorization: `Bearer ${stage.keyOf("agent")}`, ...question.headers };
  return async () => await on(async ({ port }) => await ask(port, { method: "POST", ...question, headers }));
};
const call =
  (name: string, args: Json, env?: Readonly<Record<string, string>>): Way =>
  async () =>
    await on(
      async (governed) => await governed.as("agent").rpc("tools/call", { name, arguments: args }),
      env,
    );
const dashboard = (uid: string): Way => call("grafana_get_dashboard", { uid });

const GRANT: PolicyGrant = {
  name: "g",
  agent_id: "*",
  max_trust: "high",
  allowed_side_effects: ["read", "write", "destructive"],
};
const SESSION: PolicySession = { name: "g", agent_id: "*", consented_trust: "high" };
const REQUIRED = { session: { required: true } };
const ONE_TOOL: PolicyGrant = { ...GRANT, tool_rules: [{ name: "list_components", decision: "deny" }] };
const underPolicy =
  (change: Partial<PolicyDocument>, who: Who = "agent", headers: Record<string, string> = {}): Way =>
  async () => {
    stage.setPolicy(change);
    try {
      return await on(async (governed) => await governed.as(who, headers).rpc("tools/call", READ));
    } finally {
      stage.setPolicy();
    }
  };

let made = 0;
/** A new proposal of the agent. */
const propose = async (governed: Governed): Promise<SaidFault> => {
  made += 1;
  return faultOf(await governed.as("agent").call("grafana_create_annotation", note(`note ${made}`)));
};
/** What an approval route says about a proposal that is in some state. */
const decide =
  (who: Who, route: string, before: (governed: Governed, id: SaidFault) => Promise<unknown>): Way =>
  async () =>
    await on(async (governed) => {
      const { proposal_id, argsSha } = await propose(governed);
      const more = await before(governed, { code: "", proposal_id, argsSha });
      await governed.api(who, route, { proposal_id, argsSha, ...(more as Json | undefined) });
    });
const approve = async ({ api }: Governed, { proposal_id }: SaidFault): Promise<void> => {
  expect((await api("ada", "approve", { proposal_id })).status).toBe(200);
};
const nothing = async (): Promise<void> => undefined;

/** A proposal as it stands in the journal, and then as a crash or time would have left it. */
const fromJournal =
  (change: Json, route: string): Way =>
  async () => {
    const MCP_STATE_DIR = stage.path(`state-${route}-${String(change["state"])}`);
    mkdirSync(MCP_STATE_DIR);
    const { proposal_id, argsSha } = await stage.run({ MCP_STATE_DIR }, propose);
    const journal = join(MCP_STATE_DIR, "proposals.jsonl");
    const left = { ...(JSON.parse(readFileSync(journal, "utf8")) as Json), ...change };
    appendFileSync(journal, `${JSON.stringify(left)}\n`);
    const execute = async ({ api }: Governed): Promise<unknown> =>
      await api("ada", route, { proposal_id, argsSha });
    return await on(execute, { MCP_STATE_DIR });
  };

/** Arrives in full only after the server was told to stop. */
const whileStopping: Way = async () =>
  await stage.run({}, async ({ port, process, auditFile }) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const authorization = `Authorization: Bearer ${stage.keyOf("agent")}`;
    socket.write(`GET /config/status HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stopped = process.stop();
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.write("\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /);
    socket.destroy();
    await stopped;
    return { ...rowsOf(auditFile).at(-1) };
  });

/** Without a certificate where one is demanded. */
const withoutCertificate: Way = async () => {
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => stage.path(name)) as [string, string];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  spawnSync("openssl", [...args, "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert]);
  const environment = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CLIENT_CA_FILE: cert };
  return await on(async ({ port }) => {
    const authorization = `Bearer ${stage.keyOf("agent")}`;
    const options = { host: "127.0.0.1", port, path: "/config/status", rejectUnauthorized: false };
    const asked = httpsRequest({ ...options, headers: { authorization } }).end();
    const [response] = await once(asked, "response");
    (response as NodeJS.ReadableStream).resume();
  }, environment);
};

/** More at once than one link may have. */
const crowd: Way = async () => {
  const leave = Array.from({ length: 20 }, () => new AbortController());
  const client = shared.as("agent");
  await client.rpc("ping");
  const hang = { uid: "hang" };
  const waiting = leave.map(
    async ({ signal }, at) => await client.call("grafana_get_dashboard", hang, { id: 100 + at, signal }),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { code } = faultOf(await client.call("grafana_get_dashboard", hang));
  const row = await shared.lastRow();
  for (const each of leave) each.abort();
  await Promise.allSettled(waiting);
  expect(code).toBe("busy");
  return row;
};

const leaving: Way = async () =>
  await on(async (governed) => {
    const leave = new AbortController();
    setTimeout(() => leave.abort(), 300);
    const client = governed.as("agent");
    const asked = client.call("grafana_get_dashboard", { uid: "hang" }, { signal: leave.signal });
    await expect(asked).rejects.toThrow();
  });

/** A tool with a fault in its code: no emitted one is known to have any. */
const broken: Way = async () => {
  const emitted = emitServer("sdk");
  const file = join(emitted.folder, "audit.jsonl");
  const key = newKey();
  const env = { PATH: process.env["PATH"], MCP_API_KEY: key, MCP_PORT: "0", MCP_AUDIT_FILE: file };
  const child = spawn(process.execPath, [emitted.start], { env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (data: Buffer) => (log += String(data)));
  const port = await vi.waitFor(() => Number(/port (\d+)/.exec(log)?.[1] ?? expect.fail(log)), 20_000);
  await connectAs(port, key).call("notes_broken", { how: "error" });
  child.kill("SIGTERM");
  await once(child, "exit");
  const row = rowsOf(file).find(({ tool_name: tool }) => tool === "notes_broken");
  emitted.remove();
  return { ...row };
};

/** The audit is full, so that no row can say so. */
const unrecorded: Way = async () =>
  await stage.run({ MCP_AUDIT_FILE: "/dev/full" }, async (governed) => ({
    reason: faultOf(await governed.as("agent").call("valkey_set", valkeySet("a"))).code,
  }));

const switched =
  (line: string): Way =>
  async () =>
    await on(async ({ as }) => {
      const client = as("agent");
      await client.rpc("ping");
      writeFileSync(shared.switchesFile, `${line}\n`);
      await client.rpc("tools/call", READ);
      rmSync(shared.switchesFile);
    });

const withoutPolicy: Way = async () => {
  stage.setPolicy({ schema_version: "v0" });
  const row = await on(async ({ as }) => await as("agent").rpc("tools/call", READ), {});
  stage.setPolicy();
  return row;
};

const GATEWAY = { "x-mcp-team-id": "sre" };
const rateLimited: Way = async () =>
  await on(
    async ({ as }) => {
      const client = as("agent");
      for (let at = 0; at < 4; at += 1) await client.call("list_components");
    },
    { MCP_RATE_LIMIT_READ_PER_MIN: "1", MCP_RATE_LIMIT_BURST: "1" },
  );

const run = { source: "valkey", command: "redis-cli -h {host} -p {port} ping" };

/** One request for every word. */
const ways = (): Readonly<Record<string, Way>> => ({
  allowed: call("list_components", {}),
  // The front door
  body_too_large: door({ body: " ".repeat(1_048_577) }),
  host_not_allowed: door({ headers: { host: "evil.example" } }),
  method_not_allowed: door({ method: "PUT" }),
  missing_client_certificate: withoutCertificate,
  no_such_route: door({ path: "/admin" }),
  origin_not_allowed: door({ headers: { origin: "https://evil.example" } }),
  protocol_error: door({
    headers: { accept: "text/html" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE }),
  }),
  rpc_inspection_failed: door({ body: "{" }),
  shutting_down: whileStopping,
  unauthenticated: door({ headers: { authorization: "Bearer nobody" } }),
  ...tokens.ways,
  // Switches
  agent_dispatch_disabled: switched("MCP_AGENT_DISPATCH_ENABLED=false"),
  "feature-disabled": switched("MCP_GATEWAY_ENABLED=false"),
  // R22: the policy
  grant_without_trust: underPolicy({
    grants: [{ name: "g", agent_id: "*", allowed_side_effects: ["read"] }],
  }),
  missing_identity: underPolicy({}, "gateway", { "x-mcp-agent-session": "g" }),
  missing_session: underPolicy({ ...REQUIRED, grants: [GRANT] }, "gateway", GATEWAY),
  no_matching_grant: underPolicy({ grants: [] }),
  policy_unavailable: withoutPolicy,
  session_expired: underPolicy({
    ...REQUIRED,
    grants: [GRANT],
    sessions: [{ ...SESSION, expires_at: "2020-01-01T00:00:00Z" }],
  }),
  session_not_found: underPolicy({ ...REQUIRED, grants: [GRANT] }, "gateway", {
    ...GATEWAY,
    "x-mcp-agent-session": "another",
  }),
  session_revoked: underPolicy({
    ...REQUIRED,
    grants: [GRANT],
    sessions: [{ ...SESSION, revoked: true }],
  }),
  side_effect_not_allowed: underPolicy({ grants: [{ ...GRANT, allowed_side_effects: ["write"] }] }),
  tool_denied: underPolicy({ grants: [ONE_TOOL] }),
  tool_not_granted: underPolicy({
    grants: [{ ...GRANT, tool_rules: [{ name: "get_stack_structure", decision: "allow" }] }],
  }),
  tool_side_effect_unknown: underPolicy({ grants: [GRANT], tools: [] }),
  trust_too_low: underPolicy({
    grants: [
      { ...GRANT, max_trust: "low", tool_rules: [{ name: "list_components", required_trust: "high" }] },
    ],
  }),
  // What hides a tool
  rule_denied: call("grafana_list_folders", {}),
  tool_not_allowed: call("nothing", {}),
  write_disabled: call("valkey_set", valkeySet("a"), { MCP_VALKEY_WRITE_ACCESS: "false" }),
  // Approvals
  args_sha_mismatch: decide("ada", "execute", async () => ({ argsSha: "0".repeat(64) })),
  execution_unknown: fromJournal(
    { state: "executing", executing_since: "2020-01-01T00:00:00.000Z" },
    "execute",
  ),
  not_an_approver: decide("eve", "approve", nothing),
  not_approved: decide("ada", "execute", nothing),
  not_open: decide("ada", "approve", async (governed, proposed) => {
    await approve(governed, proposed);
    await governed.api("ben", "execute", { ...proposed });
  }),
  proposal_expired: fromJournal(
    { state: "approved", expires_at: new Date(Date.now() - 60_000).toISOString() },
    "execute",
  ),
  proposal_rejected: decide("ada", "approve", async ({ api }, { proposal_id }) => {
    await api("ada", "reject", { proposal_id });
  }),
  proposer_gone: async () => {
    const gone = decide("ben", "execute", async (governed, proposed) => {
      await approve(governed, proposed);
      stage.setKeys(["ada", "ben"]);
    });
    try {
      return await gone();
    } finally {
      stage.setKeys();
    }
  },
  role_not_allowed: decide("agent", "approve", nothing),
  stale_proposal: async () => {
    const stale = decide("ben", "execute", async (governed, proposed) => {
      await approve(governed, proposed);
      stage.setPolicy({ grants: [GRANT] });
    });
    try {
      return await stale();
    } finally {
      stage.setPolicy();
    }
  },
  two_person: async () =>
    await on(async ({ api }) => {
      const body = { provider: "grafana", tool: "grafana_create_annotation", args: note("mine") };
      const { proposal_id } = (await api("ada", "propose", body)).json;
      await api("ada", "approve", { proposal_id });
    }),
  unknown_proposal: decide("ada", "approve", async () => ({ proposal_id: "0000000000000000" })),
  unknown_tenant: async () => await on(async ({ api }) => await api("ada", "proposals?tenant=other")),
  // Codes of a call
  approval_required: call("grafana_create_annotation", note("proposed")),
  audit_unavailable: unrecorded,
  busy: crowd,
  cancelled: leaving,
  change_ref_required: call("valkey_set", valkeySet("chg:1")),
  command_mode_off: call("run_test", run, { MCP_AGENT_COMMAND_MODE: "off" }),
  denied: call("valkey_set", valkeySet("admin:root")),
  gitops_required: call("valkey_set", valkeySet("config")),
  internal: broken,
  invalid_argument: call("list_components", { evil: 1 }),
  not_found: dashboard("missing"),
  not_linked: call("run_test", { source: "valkey", command: "kubectl get pods -n {namespace}" }),
  outside_change_window: call("valkey_set", valkeySet("late:1")),
  rate_limited: rateLimited,
  timeout: dashboard("slow"),
  too_large: dashboard("large"),
  upstream_unavailable: call("valkey_set", valkeySet("a")),
});

describe("every reason code is reached by a request to an emitted server", () => {
  it("R22 D.12: there is a way to every word of the source, and to no other", () => {
    expect(Object.keys(ways()).sort()).toEqual(reasonsInSource());
  });

  it("R22: the words of mcp-runtime are all ours, but those that nothing here can come to", () => {
    expect(OF_MCP_RUNTIME.filter((word) => !reasonsInSource().includes(word))).toEqual(Object.keys(NOT_OURS));
  });

  it.each(reasonsInSource())("R22 D.12: %s", async (code) => {
    const row = await (ways()[code] ?? expect.fail(`no way to ${code}`))();
    // What a rule refused has the code as its reason; what was allowed and failed has it as its error.
    const said = row["decision"] === "allow" && code !== "allowed" ? row["error_class"] : row["reason"];
    expect(said, JSON.stringify(row)).toBe(code);
  });
});
