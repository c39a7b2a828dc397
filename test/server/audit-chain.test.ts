import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { verifyChain } from "../../generator/evidence/audit-chain.ts";
import type { ChainVerdict } from "../../generator/evidence/audit-chain.ts";
import { connectClient, newKey, topogate } from "../harness/emitted.ts";
import { ask, boot } from "./boot.ts";
import type { Booted } from "./boot.ts";
import { ADAPTERS, emitServer } from "./emitted.ts";

const folder = mkdtempSync(join(tmpdir(), "topogate-chain-"));
const keys = generateKeyPairSync("ed25519");
const others = generateKeyPairSync("ed25519");
const privateFile = join(folder, "audit.key");
const publicFile = join(folder, "audit.pub");
const otherFile = join(folder, "other.pub");
writeFileSync(privateFile, keys.privateKey.export({ type: "pkcs8", format: "pem" }));
writeFileSync(publicFile, keys.publicKey.export({ type: "spki", format: "pem" }));
writeFileSync(otherFile, others.publicKey.export({ type: "spki", format: "pem" }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WRITES = { MCP_NOTES_WRITE_ACCESS: "true", MCP_MEMO_WRITE_ACCESS: "true" };

/** Every kind of answer that the server gives, from a key that is wrong to a write that is done. */
async function allKinds(server: Booted): Promise<void> {
  await ask(server.port, { path: "/nowhere" });
  await ask(server.port, { method: "POST", body: "{}", headers: { authorization: "Bearer wrong" } });
  await server.rpc("tools/list");
  await server.call("notes_get", { name: "first" });
  await server.call("notes_get", { name: "none" });
  await server.call("notes_hidden");
  await server.call("notes_put", { book: "journal", name: "a", body: "b" });
  await server.call("notes_put", { book: "ledger", name: "a", body: "b" });
  await server.newRows();
}

function verified(file: string, ...options: string[]): { code: number | null; verdict: ChainVerdict } {
  const run = topogate(["audit", "verify", file, "--json", ...options]);
  expect(run.stderr).toBe("");
  return { code: run.status, verdict: JSON.parse(run.stdout) as ChainVerdict };
}

describe.each(ADAPTERS)("the chain of a booted server with %s", (adapter) => {
  const file = join(folder, `${adapter}.jsonl`);
  const environment = { ...WRITES, MCP_AUDIT_FILE: file, MCP_AUDIT_KEY_FILE: privateFile };
  let rows: readonly string[];
  beforeAll(async () => {
    for (const every of ["5", "1000"]) {
      const server = await boot(adapter, { ...environment, MCP_AUDIT_ANCHOR_EVERY: every });
      await allKinds(server);
      await server.close();
    }
    rows = readFileSync(file, "utf8").trimEnd().split("\n");
  });

  it("A22: holds for every request and decision, across a restart, and says so", () => {
    const { code, verdict } = verified(file, "--pub", publicFile);
    expect(verdict).toMatchObject({ ok: true, server: "test", first: 1, last: rows.length, findings: [] });
    expect(verdict.anchors).toBeGreaterThan(2);
    expect(code).toBe(0);
    const payloads = rows.map((row) => (JSON.parse(row) as { payload: Record<string, unknown> }).payload);
    expect(payloads.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1));
    const reasons = new Set(payloads.map(({ reason }) => reason));
    for (const reason of [
      "allowed",
      "no_such_route",
      "unauthenticated",
      "tool_not_allowed",
      "approval_required",
    ])
      expect(reasons).toContain(reason);
    expect(payloads.find(({ phase }) => phase === "attempt")).toMatchObject({
      action: "mcp.tool.notes.notes_put",
      server: "test",
      event: "mcp.request",
    });
    expect(verified(file, "--pub", otherFile).verdict.findings.map((each) => each.code)).toContain(
      "no_anchor",
    );
  });

  const changed = (change: (lines: string[]) => readonly string[]): ChainVerdict => {
    const text = `${change([...rows]).join("\n")}\n`;
    const anchor = { name: "anchor", text: readFileSync(`${file}.anchor`, "utf8") };
    return verifyChain({
      files: [{ name: "audit", text }],
      publicKey: keys.publicKey,
      anchor,
      partial: false,
    });
  };
  const found = (verdict: ChainVerdict): unknown =>
    verdict.findings.map(({ code, line, seq }) => [code, line, seq]);

  it("finds one byte that was edited, in the content and in the envelope, and where", () => {
    for (const [from, to] of [
      ['"ok":true', '"ok":null'],
      ['"timestamp":"2', '"timestamp":"3'],
      ['"source":"test"', '"source":"text"'],
      ['"decision":"allow"', '"decision":"deny"'],
      ['"payload":{', '"payload": {'],
      ['"payload":{', '"payload":{"ok":false},"payload":{'],
    ] as const) {
      const at = rows.findIndex((row, index) => index > 3 && row.includes(from));
      const verdict = changed((lines) => lines.with(at, lines[at]?.replace(from, to) ?? ""));
      expect(found(verdict), from).toEqual([["edited", at + 1, at + 1]]);
    }
    expect(found(changed((lines) => lines.with(4, "{}")))).toContainEqual(["not_a_record", 5, null]);
  });

  it("finds deletions, moves, copies, a cut head and a cut tail", () => {
    expect(found(changed((lines) => lines.toSpliced(3, 2)))).toEqual([["deleted", 4, 4]]);
    expect(found(changed((lines) => lines.slice(2)))).toEqual([["missing_head", 1, 1]]);
    const [a = "", b = ""] = rows.slice(5, 7);
    expect(found(changed((lines) => lines.toSpliced(5, 2, b, a)))).toEqual([["reordered", 7, 6]]);
    expect(found(changed((lines) => lines.toSpliced(6, 0, a)))).toEqual([["duplicate", 7, 6]]);
    expect(found(changed((lines) => lines.slice(0, -3)))).toEqual([["missing_tail", 1, rows.length - 2]]);
  });

  it("finds a history that was written anew with hashes of its own", async () => {
    const forged = join(folder, `${adapter}-forged.jsonl`);
    const server = await boot(adapter, { ...WRITES, MCP_AUDIT_FILE: forged });
    await allKinds(server);
    await allKinds(server);
    await server.close();
    copyFileSync(`${file}.anchor`, `${forged}.anchor`);
    expect(verified(forged).verdict.findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(rewritten|missing_tail)$/)]) as string[],
    );
    rmSync(`${forged}.anchor`);
    expect(verified(forged).code).toBe(0);
    expect(verified(forged, "--pub", publicFile).verdict.findings.map(({ code }) => code)).toContain(
      "no_anchor",
    );
  });

  const codesOf = (...args: Parameters<typeof verified>): readonly string[] => [
    ...new Set(verified(...args).verdict.findings.map(({ code }) => code)),
  ];
  const chainOf = async (
    name: string,
    more: Readonly<Record<string, string>>,
    stack = "test",
  ): Promise<string> => {
    const own = join(folder, `${adapter}-${name}.jsonl`);
    const server = await boot(adapter, { ...WRITES, MCP_AUDIT_FILE: own, ...more }, (registry) => ({
      ...registry,
      stack,
    }));
    await allKinds(server);
    await server.close();
    return own;
  };

  it("A22: finds rows of another server, and a chain that begins again in the middle", async () => {
    const [own, other, again] = [
      await chainOf("own", {}),
      await chainOf("other", {}, "elsewhere"),
      await chainOf("again", {}),
    ];
    const together = join(folder, `${adapter}-together.jsonl`);
    const concatenate = (a: string, b: string): void =>
      writeFileSync(together, readFileSync(a, "utf8") + readFileSync(b, "utf8"));
    concatenate(own, other);
    expect(codesOf(together)).toEqual(["foreign", "restarted"]);
    concatenate(own, again);
    expect(codesOf(together)).toEqual(["restarted"]);
    const first = readFileSync(own, "utf8").split("\n").length;
    expect(verified(together).verdict.findings).toMatchObject([{ line: first, seq: 1 }]);
  });

  it("A22: an anchor that is not signed, that another key signed, or that was kept wrongly does not count", async () => {
    expect(codesOf(await chainOf("unsigned", {}), "--pub", publicFile)).toEqual([
      "unsigned_anchor",
      "no_anchor",
    ]);
    const signed = await chainOf("signed", { MCP_AUDIT_KEY_FILE: privateFile });
    expect(verified(signed, "--pub", publicFile).code).toBe(0);
    expect(codesOf(signed, "--pub", otherFile)).toEqual(["bad_anchor", "no_anchor"]);
    const kept = join(folder, `${adapter}-kept.json`);
    writeFileSync(
      kept,
      readFileSync(`${signed}.anchor`, "utf8").replace('"phase":"anchor"', '"phase":"anchors"'),
    );
    expect(codesOf(signed, "--anchor", kept)).toEqual(["bad_anchor"]);
  });

  it("goes on in a new file when one is full, as one chain", async () => {
    const rotating = join(folder, `${adapter}-full.jsonl`);
    for (const turn of [1, 2]) {
      const server = await boot(adapter, {
        ...environment,
        MCP_AUDIT_FILE: rotating,
        MCP_AUDIT_MAX_BYTES: "4096",
      });
      for (let at = 0; at < 2 * turn; at += 1) await allKinds(server);
      await server.close();
    }
    const full = readdirSync(folder).filter((name) => name.startsWith(`${adapter}-full.jsonl.0`));
    expect(full.length).toBeGreaterThan(4);
    expect(verified(rotating, "--pub", publicFile)).toMatchObject({
      code: 0,
      verdict: { ok: true, first: 1 },
    });
    const [oldest = "", second = ""] = full.sort();
    rmSync(join(folder, oldest));
    expect(verified(rotating).verdict.findings.map(({ code }) => code)).toEqual(["missing_head"]);
    expect(verified(rotating, "--partial").code).toBe(0);
    rmSync(
      join(
        folder,
        second.replace(/\d+$/, (digits) => digits),
      ),
    );
    expect(verified(rotating, "--partial").code).toBe(0);
    rmSync(join(folder, full[3] ?? ""));
    expect(verified(rotating, "--partial").verdict.findings.map(({ code }) => code)).toEqual(["deleted"]);
  });
});

describe("a chain whose file is not what it was", () => {
  const start = async (file: string, more: Record<string, string> = {}): Promise<Booted> =>
    await boot("sdk", { ...WRITES, MCP_AUDIT_FILE: file, ...more });

  it("says that an interrupted write was taken away, and goes on", async () => {
    const file = join(folder, "torn.jsonl");
    await (await start(file)).close();
    const server = await start(file);
    await allKinds(server);
    await server.close();
    appendFileSync(file, '{"timestamp":"20');
    expect(verified(file).verdict.findings.map(({ code }) => code)).toEqual(["unterminated"]);
    await (await start(file)).close();
    expect(verified(file).code).toBe(0);
    expect(readFileSync(file, "utf8")).toContain('"torn":{"bytes":16,"sha256":"');
  });

  it("does not start when the tail is missing, or the last line is no record", async () => {
    const file = join(folder, "cut.jsonl");
    const server = await start(file);
    await allKinds(server);
    await server.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    writeFileSync(file, `${lines.slice(0, -2).join("\n")}\n`);
    await expect(start(file)).rejects.toThrow(/ends with record \d+, but its last anchor is record \d+/);
    writeFileSync(file, "hello\n");
    await expect(start(file)).rejects.toThrow("is no audit record");
  });

  it("P2: stops writes while somebody else changes the file, and goes on reading", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    for (const [name, change] of [
      ["longer", (file: string) => appendFileSync(file, "{}\n")],
      ["shorter", (file: string) => truncateSync(file, 0)],
      ["gone", (file: string) => rmSync(file)],
    ] as const) {
      const file = join(folder, `${name}.jsonl`);
      const server = await start(file);
      expect(await server.call("notes_clear")).not.toHaveProperty("isError");
      await ask(server.port, { path: "/nowhere" });
      change(file);
      expect(JSON.stringify(await server.call("notes_clear")), name).toContain("audit_unavailable");
      expect(await server.call("notes_list"), name).not.toHaveProperty("isError");
      expect(server.witness.ran, name).toEqual(["notes_clear", "notes_list 50"]);
      await server.close();
    }
    vi.restoreAllMocks();
  });
});

describe("a server that is killed", () => {
  it("P2: has recorded every write that it acknowledged, and the chain holds", async () => {
    const emitted = emitServer("sdk");
    const file = join(emitted.folder, "audit.jsonl");
    let acknowledged = 0;
    for (const turn of [1, 2, 3]) {
      const key = newKey();
      const child = spawn(process.execPath, [emitted.start], {
        env: {
          ...WRITES,
          PATH: process.env["PATH"],
          MCP_API_KEY: key,
          MCP_PORT: "0",
          MCP_AUDIT_FILE: file,
          MCP_RATE_LIMIT_WRITE_PER_MIN: "0",
        },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let log = "";
      child.stderr.on("data", (data: Buffer) => (log += String(data)));
      const port = await vi.waitFor(() => Number(/port (\d+)/.exec(log)?.[1] ?? expect.fail(log)), 20_000);
      const url = new URL(`http://127.0.0.1:${port}/mcp`);
      const client = await connectClient({ url, key });
      const killed = once(child, "exit");
      setTimeout(() => child.kill("SIGKILL"), 150 * turn);
      const write = async (): Promise<void> => {
        for (let body = 0; body < 1_000; body += 1) {
          const args = { book: "journal", name: "a", body: String(body) };
          const { isError } = await client.callTool({ name: "notes_put", arguments: args });
          if (isError !== true) acknowledged += 1;
        }
      };
      await Promise.allSettled([write(), write()]);
      await killed;
      await client.close().catch(() => undefined);
    }
    const { verdict } = verified(file);
    expect(verdict.findings.filter(({ code }) => code !== "unterminated")).toEqual([]);
    const attempts = readFileSync(file, "utf8").split('"phase":"attempt"').length - 1;
    expect(acknowledged).toBeGreaterThan(3);
    expect(attempts).toBeGreaterThanOrEqual(acknowledged);
    emitted.remove();
  });
});

describe("records that are forwarded", () => {
  it("R21: reach the ingest service with its key, and are counted when they do not", async () => {
    const got: { key: unknown; event: unknown }[] = [];
    let failing = false;
    const ingest = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => (text += String(chunk)));
      request.on("end", () => {
        if (failing) return void request.socket.destroy();
        const { event_type: event } = JSON.parse(text) as { event_type: string };
        got.push({ key: request.headers["x-api-key"], event: `${request.url} ${event}` });
        response.writeHead(202).end();
      });
    });
    await new Promise<void>((resolve) => ingest.listen(0, "127.0.0.1", resolve));
    const keyFile = join(folder, "ingest.key");
    writeFileSync(keyFile, "ingest-key\n");
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const file = join(folder, "forwarded.jsonl");
    const server = await boot("sdk", {
      ...WRITES,
      MCP_AUDIT_FILE: file,
      ANALYTICS_INGEST_URL: `http://127.0.0.1:${(ingest.address() as AddressInfo).port}/`,
      ANALYTICS_API_KEY_FILE: keyFile,
    });
    await allKinds(server);
    await vi.waitFor(() => expect(got.length).toBe(server.audit().length), 5_000);
    expect(got[0]).toEqual({ key: "ingest-key", event: "/events mcp.request" });
    failing = true;
    const started = performance.now();
    await server.call("notes_put", { book: "journal", name: "a", body: "b" });
    expect(performance.now() - started).toBeLessThan(500);
    await server.close();
    vi.restoreAllMocks();
    ingest.close();
    const last = readFileSync(file, "utf8").trimEnd().split("\n").at(-1) ?? "";
    const { payload } = JSON.parse(last) as { payload: { forward: { sent: number; lost: number } } };
    expect(payload.forward.sent).toBe(got.length);
    expect(verified(file).code).toBe(0);
  });
});
