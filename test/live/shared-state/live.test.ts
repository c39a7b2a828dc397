import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { Server } from "node:http";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, newKey, topogate, workspace } from "../../harness/emitted.ts";
import type { BootedServer } from "../../harness/emitted.ts";
import { ask, connectAs } from "../../server/boot.ts";
import type { HttpAnswer, Json } from "../../server/boot.ts";
import { ACCEPT, INVALID, messageIn, proposalIn, stateIn, wireRound } from "../../server/wire-round.ts";
import { startLive } from "../server.ts";
import type { LiveServer } from "../server.ts";

const stack = (name: string): string => `apiVersion: topology/v1
stack: ${name}
components:
  valkey: {keyspaces: [notes]}
  mcp: {replicas: 3, state: valkey}
links:
  mcp: {valkey: propose}
`;
const PASSWORD = 'st4te "p/w" of+three & more';
const KEYS: Readonly<Record<string, string>> = Object.fromEntries(
  ["agent", "other", "ada", "ben"].map((name) => [name, newKey()]),
);

function keyTable(): string {
  const rows = Object.entries(KEYS).map(([id, key]) => ({
    id,
    sha256: createHash("sha256").update(key).digest("hex"),
    role: id === "ada" || id === "ben" ? "admin" : "operator",
    human_id: id,
  }));
  return JSON.stringify(rows);
}

/** One address for all replicas: each request goes to the next one, whoever opened its session. */
class Balancer {
  readonly targets: number[] = [];
  #turn = 0;
  readonly server: Server = createServer((incoming, outgoing) => {
    const port = this.targets[this.#turn++ % this.targets.length] ?? 0;
    const { method, url: path, headers } = incoming;
    const onward = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    incoming.pipe(onward);
  });

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }
}

const work = workspace();
const balancer = new Balancer();
let valkey: LiveServer;
let admin: Redis;
let replicas: BootedServer[] = [];
let started = 0;

const auditFile = (index: number): string => work.path(`audit/${index}.jsonl`);
const portOf = ({ url }: BootedServer): number => Number(url.port);

async function startOf(name: string, audit: string): Promise<BootedServer> {
  return await bootServer(work.path(`out/${name}`), {
    MCP_KEYS_FILE: work.path("keys.json"),
    MCP_AUDIT_FILE: audit,
    MCP_VALKEY_HOST: "127.0.0.1",
    MCP_VALKEY_PORT: String(valkey.port),
    MCP_VALKEY_USER: "mcp_valkey",
    MCP_VALKEY_PASSWORD: PASSWORD,
    MCP_VALKEY_WRITE_ACCESS: "true",
    MCP_REPLICA_STATE_HOST: "127.0.0.1",
    MCP_REPLICA_STATE_PORT: String(valkey.port),
    MCP_REPLICA_STATE_USER: `mcp_replica_state_${name}`,
    MCP_REPLICA_STATE_PASSWORD: PASSWORD,
    MCP_REPLICA_STATE: "shared",
    MCP_RATE_LIMIT_READ_PER_MIN: "6",
    MCP_RATE_LIMIT_BURST: "30",
  });
}
async function startReplica(): Promise<BootedServer> {
  started += 1;
  return await startOf("together", auditFile(started));
}

const api = async (who: string, path: string, body?: Json, port = balancer.port): Promise<HttpAnswer> =>
  await ask(port, {
    method: body === undefined ? "GET" : "POST",
    path: `/api/mcp/${path}`,
    headers: { authorization: `Bearer ${KEYS[who]}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const propose = async (key: string): Promise<{ proposal_id: string; argsSha: string }> => {
  const args = { key, value: key, ttl_s: 60, reason: "three replicas" };
  const { status, json, text } = await api("agent", "propose", {
    provider: "valkey",
    tool: "valkey_set",
    args,
  });
  expect(status, text).toBe(200);
  return { proposal_id: String(json["proposal_id"]), argsSha: String(json["argsSha"]) };
};
const round = async (args: Json, more?: Json, port = balancer.port, who = "agent"): Promise<Json> =>
  await wireRound({ port, key: KEYS[who] ?? "", tool: "valkey_set", args, ...(more && { more }) });
const goOn = (answer: Json): Json => ({ ...ACCEPT, requestState: stateIn(answer) });
/** A change as a call has it, and no other. */
const change = (key: string): Json => ({ key, value: key, ttl_s: 60, reason: "in rounds" });
/** What the server was told to set while something went on. */
async function setsDuring<T>(
  key: string,
  work: () => Promise<T>,
): Promise<{ done: T; sets: readonly string[][] }> {
  const monitor = await admin.monitor();
  const sets: string[][] = [];
  monitor.on("monitor", (_time: string, args: string[]) => {
    if (args[0]?.toLowerCase() === "set" && args[1] === key) sets.push(args);
  });
  const done = await work();
  await new Promise((resolve) => setTimeout(resolve, 200));
  monitor.disconnect();
  return { done, sets };
}
/** A row is written when the server sees the end of its response, a moment after the client does. */
const lastRowOf = (file: string): string | undefined =>
  readFileSync(file, "utf8").trimEnd().split("\n").at(-1);
const argsShaOf = async (id: string): Promise<unknown> => {
  const { json } = await api("ada", "proposals");
  return (json["proposals"] as readonly Json[]).find((each) => each["proposal_id"] === id)?.["argsSha"];
};
/** What an administrator reads from the shared state before looking at the files. */
const registeredHeads = async (): Promise<string> => {
  const file = work.path("heads.txt");
  writeFileSync(file, `${(await admin.hvals("mcp-state:together:audit")).join("\n")}\n`);
  return file;
};
/** The number of the last record that each chain registered. */
const registeredIn = (file: string): ReadonlyMap<string, number> =>
  new Map(
    [...readFileSync(file, "utf8").matchAll(/^\d+ (\S+) (\d+) /gm)].map(([, chain = "", seq]) => [
      chain,
      Number(seq),
    ]),
  );
const stateOf = async (id: string, port?: number): Promise<unknown> => {
  const { json } = await api("ada", "proposals", undefined, port);
  return (json["proposals"] as readonly Json[]).find((each) => each["proposal_id"] === id)?.["state"];
};

beforeAll(async () => {
  for (const name of ["together", "apart"]) work.draw(name, stack(name));
  work.generate();
  mkdirSync(work.path("audit"));
  writeFileSync(work.path("keys.json"), keyTable());
  valkey = await startLive("shared-state");
  admin = new Redis({ port: valkey.port, protocol: 2 });
  for (const [file, account] of [
    ["together/principals/valkey/valkey.acl", "mcp_valkey"],
    ["together/principals/valkey/state.acl", "mcp_replica_state_together"],
    ["apart/principals/valkey/state.acl", "mcp_replica_state_apart"],
  ] as const) {
    const text = readFileSync(work.path("out", file), "utf8");
    const [, , , ...rules] = text.trim().split("\n").at(-1)?.split(" ") ?? [];
    expect(await admin.call("ACL", "SETUSER", account, ...rules, `>${PASSWORD}`)).toBe("OK");
  }
  for (let index = 0; index < 3; index += 1) replicas.push(await startReplica());
  balancer.targets.push(...replicas.map(portOf));
  await new Promise<void>((resolve) => balancer.server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  balancer.server.closeAllConnections();
  balancer.server.close();
  await Promise.all(replicas.map(async (replica) => await replica.stop()));
  admin?.disconnect();
  await valkey?.stop();
  work.remove();
});

describe("three replicas behind one address share one state", () => {
  it("A10: 60 parallel calls draw from one bucket of 6, and another caller's are not touched", async () => {
    const clients = Array.from({ length: 6 }, () => connectAs(balancer.port, KEYS["agent"] ?? ""));
    await Promise.all(clients.map(async (client) => await client.rpc("tools/list")));
    const results = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 10 }, async () => await client.call("valkey_dbsize"))),
    );
    const texts = results.map((result) => JSON.stringify(result));
    const limited = texts.filter((text) => text.includes("rate_limited"));
    expect(texts.filter((text) => text.includes("keyspaces")).length + limited.length).toBe(60);
    expect(texts.length - limited.length).toBeGreaterThanOrEqual(6);
    // One more token comes every ten seconds.
    expect(texts.length - limited.length).toBeLessThanOrEqual(8);
    expect(limited.every((text) => /retry_after_ms\\?":\d+/.test(text))).toBe(true);
    const other = await connectAs(balancer.port, KEYS["other"] ?? "").call("valkey_dbsize");
    expect(JSON.stringify(other)).toContain("keyspaces");
  });

  it("A7: proposed, approved and executed on three different replicas", async () => {
    const { proposal_id, argsSha } = await propose("notes:steps");
    const [one = 0, two = 0, three = 0] = balancer.targets;
    for (const port of [one, two, three]) expect(await stateOf(proposal_id, port)).toBe("proposed");
    expect((await api("ada", "execute", { proposal_id, argsSha }, three)).json["error"]).toBe("not_approved");
    expect((await api("ada", "approve", { proposal_id }, two)).status).toBe(200);
    expect((await api("ben", "execute", { proposal_id, argsSha }, three)).json).toMatchObject({
      ok: true,
      replayed: false,
    });
    const again = await api("ben", "execute", { proposal_id, argsSha }, one);
    expect(again.json).toMatchObject({ ok: true, replayed: true });
    expect(await admin.get("notes:steps")).toBe("notes:steps");
  });

  it("A4: 32 parallel executions of one approval have one effect", async () => {
    const { proposal_id, argsSha } = await propose("notes:once");
    await api("ada", "approve", { proposal_id });
    const { done: answers, sets } = await setsDuring(
      "notes:once",
      async () =>
        await Promise.all(
          Array.from({ length: 32 }, async () => await api("ben", "execute", { proposal_id, argsSha })),
        ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 32 }, () => 200));
    expect(answers.filter(({ json }) => json["replayed"] === false)).toHaveLength(1);
    expect(sets).toHaveLength(1);
  });

  it("of an approval and a rejection at once, one holds on every replica", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { proposal_id } = await propose(`notes:race${round}`);
      const [one = 0, two = 0, three = 0] = balancer.targets;
      await Promise.all([
        api("ada", "approve", { proposal_id }, one),
        api("ben", "approve", { proposal_id }, two),
        api("ben", "reject", { proposal_id }, three),
      ]);
      const states = await Promise.all(
        [one, two, three].map(async (port) => await stateOf(proposal_id, port)),
      );
      expect(new Set(states).size).toBe(1);
      expect(["approved", "rejected"]).toContain(states[0]);
    }
  });

  it("A7: a round that one replica began goes on at the others, and has one effect", async () => {
    const args = change("notes:rounds");
    const [one = 0, two = 0, three = 0] = balancer.targets;
    const first = await round(args, undefined, one);
    expect(first).toMatchObject({ resultType: "input_required" });
    const proposal_id = proposalIn(first);
    const second = await round(args, goOn(first), two);
    expect([proposalIn(second), messageIn(second)]).toEqual([
      proposal_id,
      expect.stringContaining("waits for approval"),
    ]);
    // Whose call it is goes with the state to every replica.
    expect(await round(args, goOn(first), two, "other")).toMatchObject(INVALID);

    const execution = { proposal_id, argsSha: await argsShaOf(proposal_id) };
    const { done: answers, sets } = await setsDuring("notes:rounds", async () => {
      expect((await api("ada", "approve", { proposal_id }, two)).status).toBe(200);
      const approved = await round(args, goOn(second), three);
      expect(messageIn(approved)).toContain("is approved and waits to be executed");
      const ends = [one, two, three, one, two, three].flatMap((port) => [
        api("ben", "execute", execution, port),
        round(args, goOn(approved), port),
      ]);
      await Promise.all(ends);
      const retries = [two, three, one, two, three].flatMap((port) =>
        [first, second, approved].map(async (state) => await round(args, goOn(state), port)),
      );
      return await Promise.all(retries);
    });
    expect(sets).toHaveLength(1);
    expect(await admin.get("notes:rounds")).toBe("notes:rounds");
    expect(answers).toHaveLength(15);
    expect(new Set(answers.map((answer) => JSON.stringify(answer["structuredContent"]))).size).toBe(1);
    expect(answers[0]).toMatchObject({ structuredContent: { tool: "valkey_set", link: "mcp->valkey" } });
    // A round of another call is refused where it was not begun, as where it was.
    const other = await round(change("notes:otherwise"), goOn(first), two);
    expect(JSON.stringify(other)).toContain("the state of this request is that of another call");
    expect(await admin.exists("notes:otherwise")).toBe(0);
  });

  it("A7: a round outlives whoever began it, and a replica that begins later goes on with it", async () => {
    const args = change("notes:outlived");
    const victim = replicas[0] as BootedServer;
    const first = await round(args, undefined, portOf(victim));
    process.kill(victim.pid, "SIGKILL");
    await victim.stop();
    const fresh = await startReplica();
    replicas = replicas.map((each) => (each === victim ? fresh : each));
    balancer.targets.splice(0, 3, ...replicas.map(portOf));
    const second = await round(args, goOn(first), portOf(fresh));
    const proposal_id = proposalIn(first);
    expect(proposalIn(second)).toBe(proposal_id);
    await api("ada", "approve", { proposal_id });
    const { done, sets } = await setsDuring("notes:outlived", async () => {
      await api("ben", "execute", { proposal_id, argsSha: await argsShaOf(proposal_id) });
      return await round(args, goOn(second), portOf(fresh));
    });
    expect(done).toMatchObject({ structuredContent: { tool: "valkey_set" } });
    expect(sets).toHaveLength(1);
  });

  it("the state of a round is nothing to another stack on the same server, with the same callers", async () => {
    const apart = await startOf("apart", work.path("apart.jsonl"));
    try {
      const args = change("notes:apart");
      const [one = 0] = balancer.targets;
      const ours = await round(args, undefined, one);
      const theirs = await round(args, undefined, portOf(apart));
      for (const [port, state] of [
        [one, theirs],
        [portOf(apart), ours],
      ] as const)
        expect(await round(args, goOn(state), port)).toMatchObject(INVALID);
      await expect.poll(() => lastRowOf(work.path("apart.jsonl"))).toContain('"reason":"protocol_error"');
      // What is refused elsewhere is as good as before at home.
      expect(proposalIn(await round(args, goOn(theirs), portOf(apart)))).toBe(proposalIn(theirs));
      expect(await admin.exists("notes:apart")).toBe(0);
    } finally {
      await apart.stop();
    }
  });

  it("A7: what is no key seals nothing: the call waits without rounds", async () => {
    const key = "mcp-state:apart:sealing-key";
    const kept = await admin.getdel(key);
    await admin.set(key, "");
    const apart = await startOf("apart", work.path("keyless.jsonl"));
    try {
      const answer = await round(change("notes:keyless"), undefined, portOf(apart));
      expect(answer).not.toHaveProperty("requestState");
      expect(JSON.stringify(answer)).toContain("approval_required");
    } finally {
      await apart.stop();
      await (kept === null ? admin.del(key) : admin.set(key, kept));
    }
  });

  it("the emitted account reaches its own keys and nothing else, and no tool reaches them", async () => {
    const state = new Redis({
      port: valkey.port,
      username: "mcp_replica_state_together",
      password: PASSWORD,
      protocol: 2,
      enableReadyCheck: false,
    });
    for (const [command, ...args] of [
      ["get", "notes:once"],
      ["eval", "return redis.call('get', KEYS[1])", "1", "notes:once"],
      ["eval", "return redis.call('get', 'notes:once')", "0"],
      ["keys", "*"],
      ["flushall"],
      ["config", "get", "*"],
      ["acl", "list"],
      ["del", "mcp-state:together:proposals"],
    ] as const)
      await expect(state.call(command, ...args), command).rejects.toThrow(
        /NOPERM|no permission|can't access/i,
      );
    expect(await state.hlen("mcp-state:together:proposals").catch((error: Error) => error.message)).toMatch(
      /NOPERM/,
    );
    state.disconnect();
    const args = { key: "mcp-state:together:proposals", value: "x", ttl_s: 60, reason: "an attack" };
    const { json } = await api("agent", "propose", { provider: "valkey", tool: "valkey_set", args });
    const { proposal_id, argsSha } = json;
    await api("ada", "approve", { proposal_id });
    const { text } = await api("ben", "execute", { proposal_id, argsSha });
    expect(text).toContain("outside the keyspaces");
  });

  it("killing any one of them loses nothing that was acknowledged", async () => {
    const client = connectAs(balancer.port, KEYS["other"] ?? "");
    await client.rpc("tools/list");
    for (const index of [0, 1, 2]) {
      const victim = replicas[index] as BootedServer;
      const open = await propose(`notes:open${index}`);
      const approved = await propose(`notes:approved${index}`);
      const done = await propose(`notes:done${index}`);
      const port = portOf(victim);
      for (const { proposal_id } of [approved, done]) await api("ada", "approve", { proposal_id }, port);
      const first = await api("ben", "execute", done, port);
      expect(first.json).toMatchObject({ ok: true, replayed: false });
      process.kill(victim.pid, "SIGKILL");
      await victim.stop();
      balancer.targets.splice(0, 3, ...replicas.filter((each) => each !== victim).map(portOf));
      expect(await stateOf(open.proposal_id)).toBe("proposed");
      // The session outlives whoever opened it.
      expect(JSON.stringify(await client.rpc("tools/list"))).toContain("valkey_dbsize");
      expect((await api("ben", "execute", done)).json).toEqual({ ...first.json, replayed: true });
      expect((await api("ben", "execute", approved)).json).toMatchObject({ ok: true, replayed: false });
      const fresh = await startReplica();
      replicas = replicas.map((each) => (each === victim ? fresh : each));
      balancer.targets.splice(0, 3, ...replicas.map(portOf));
      expect(await stateOf(approved.proposal_id, portOf(fresh))).toBe("executed");
    }
  });

  it("R, A22: what was executed and acknowledged while one of them was killed is on record", async () => {
    const acknowledged = new Set<string>();
    for (const index of [0, 1, 2]) {
      const victim = replicas[index] as BootedServer;
      const proposals = await Promise.all(
        Array.from({ length: 24 }, async (_, at) => await propose(`notes:killed${index}x${at}`)),
      );
      await Promise.all(
        proposals.map(async ({ proposal_id }) => await api("ada", "approve", { proposal_id })),
      );
      let done = 0;
      const executions = proposals.map(async (proposal, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * 3));
        const { json } = await api("ben", "execute", proposal);
        if (json["ok"] === true) acknowledged.add(proposal.proposal_id);
        done += 1;
        // In the middle of the others.
        if (done === 8) process.kill(victim.pid, "SIGKILL");
      });
      await Promise.allSettled(executions);
      await victim.stop();
      const fresh = await startReplica();
      replicas = replicas.map((each) => (each === victim ? fresh : each));
      balancer.targets.splice(0, 3, ...replicas.map(portOf));
    }
    expect(acknowledged.size).toBeGreaterThan(24);
    const heads = await registeredHeads();
    const registered = registeredIn(heads);
    const attempted = readdirSync(work.path("audit"))
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => {
        const lines = readFileSync(work.path("audit", name), "utf8").trimEnd().split("\n");
        const rows = lines.map((line) => (JSON.parse(line) as { payload: Json }).payload);
        const known = registered.get(String(rows[0]?.["chain"])) ?? 0;
        return rows.filter(({ phase, seq }) => phase === "attempt" && Number(seq) <= known);
      })
      .map(({ proposal_id: id }) => String(id));
    // In a file, and no further back than the head that was registered before it was acknowledged.
    expect([...acknowledged].filter((id) => !attempted.includes(id))).toEqual([]);
    const run = topogate(["audit", "verify", work.path("audit"), "--heads", heads]);
    // Files that are still written to: what was registered last must be in them.
    expect([run.status, run.stdout + run.stderr]).toEqual([0, expect.stringContaining("intact")]);
  });

  it("A12: the audit of every process is a valid chain of its own", () => {
    for (let index = 1; index <= started; index += 1) {
      const run = topogate(["audit", "verify", auditFile(index)], { cwd: work.folder });
      expect(run.status, run.stdout + run.stderr).toBe(0);
    }
  });

  it("refuses calls while the state is away, and goes on when it is back", async () => {
    const { proposal_id, argsSha } = await propose("notes:away");
    await api("ada", "approve", { proposal_id });
    const args = change("notes:away-in-rounds");
    const first = await round(args, undefined, balancer.targets[1]);
    await admin.call("ACL", "SETUSER", "mcp_replica_state_together", "off");
    await admin.call("CLIENT", "KILL", "USER", "mcp_replica_state_together");
    const [one = 0] = balancer.targets;
    const ready = async (): Promise<readonly unknown[]> => {
      const { status, text } = await ask(one, { path: "/ready" });
      return [status, text];
    };
    await expect
      .poll(ready, { timeout: 5_000 })
      .toEqual([503, '{"status":"the shared state does not answer"}']);
    const refused = await api("ben", "execute", { proposal_id, argsSha }, one);
    expect([refused.status, refused.json["error"]]).toEqual([503, "upstream_unavailable"]);
    const read = await connectAs(one, KEYS["other"] ?? "").call("valkey_dbsize");
    expect(JSON.stringify(read)).toContain("upstream_unavailable");
    // The seal of a round cannot be looked at where its key was never needed: that is no fault of the client's.
    const later = await round(args, goOn(first), one);
    expect(JSON.stringify(later)).toContain("what the replicas of this server share does not answer");
    await expect.poll(() => lastRowOf(auditFile(started - 2))).toContain('"reason":"upstream_unavailable"');
    expect(await admin.exists("notes:away")).toBe(0);
    expect(replicas.map((replica) => replica.stderr()).join("")).not.toContain(PASSWORD);
    await admin.call("ACL", "SETUSER", "mcp_replica_state_together", "on");
    await expect
      .poll(async () => (await api("ben", "execute", { proposal_id, argsSha }, one)).status, {
        timeout: 10_000,
      })
      .toBe(200);
    await expect.poll(ready, { timeout: 5_000 }).toEqual([200, '{"status":"ready"}']);
    expect(proposalIn(await round(args, goOn(first), one))).toBe(proposalIn(first));
  });

  it("A22: all files together hold, and whichever is taken away or cut off is named", async () => {
    // Each has come further than its beginning, which is all that a registered head of 1 would speak of.
    for (const port of balancer.targets) {
      const { proposal_id, argsSha } = await propose(`notes:last${port}`);
      await api("ada", "approve", { proposal_id }, port);
      expect((await api("ben", "execute", { proposal_id, argsSha }, port)).status).toBe(200);
    }
    await Promise.all(replicas.map(async (replica) => await replica.stop()));
    replicas = [];
    const verify = (folder: string, ...more: string[]): { status: number | null; text: string } => {
      const { status, stdout, stderr } = topogate(["audit", "verify", folder, ...more]);
      return { status, text: stdout + stderr };
    };
    const whole = work.path("audit");
    const heads = await registeredHeads();
    for (const more of [[], ["--heads", heads]]) {
      const { status, text } = verify(whole, ...more);
      expect(status, text).toBe(0);
      expect(text).toContain(`${started} files of ${started} processes`);
    }
    const registered = registeredIn(heads);
    for (let index = 1; index <= started; index += 1) {
      const copy = work.path(`tampered-${index}`);
      cpSync(whole, copy, { recursive: true });
      const file = `${copy}/${index}.jsonl`;
      const text = readFileSync(file, "utf8");
      const [, chain = "no chain"] = /"chain":"([^"]+)"/.exec(text) ?? [];
      rmSync(`${file}.anchor`, { force: true });
      const rows = text.trimEnd().split("\n");
      writeFileSync(file, `${rows.slice(0, (registered.get(chain) ?? 0) - 1).join("\n")}\n`);
      // What somebody registers while everybody stops, nobody is left to record: only the state has it.
      const wasKilled = index <= started - 3;
      for (const more of wasKilled ? [[], ["--heads", heads]] : [["--heads", heads]]) {
        const cut = verify(copy, ...more);
        expect([cut.status, cut.text]).toEqual([1, expect.stringContaining(`${file}:1: missing_tail:`)]);
      }
      rmSync(file);
      const gone = verify(copy);
      expect([gone.status, gone.text]).toEqual([
        1,
        expect.stringContaining(`missing_chain: the chain ${chain} is in none of these files`),
      ]);
    }
  });
});
