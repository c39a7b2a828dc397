import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openChain } from "#runtime/audit/chain";
import type { Chain } from "#runtime/audit/chain";
import { openHeads } from "#runtime/audit/heads";
import { fileSink } from "#runtime/audit/sink";
import type { SetVerdict } from "../../generator/evidence/audit-set.ts";
import { topogate } from "../harness/emitted.ts";
import { boot } from "./boot.ts";
import type { Booted } from "./boot.ts";
import { sharedFake } from "./shared-state.ts";

const folder = mkdtempSync(join(tmpdir(), "topogate-replicas-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WRITES = { MCP_NOTES_WRITE_ACCESS: "true", MCP_MEMO_WRITE_ACCESS: "true" };

function verified(...args: string[]): { code: number | null; verdict: SetVerdict } {
  const run = topogate(["audit", "verify", "--json", ...args]);
  expect(run.stderr).toBe("");
  return { code: run.status, verdict: JSON.parse(run.stdout) as SetVerdict };
}
const codesOf = ({ chains, findings }: SetVerdict): readonly string[] =>
  [...findings, ...chains.flatMap((chain) => chain.findings)].map(({ code }) => code);

interface Line {
  readonly payload: Readonly<Record<string, unknown>>;
}
const linesOf = (file: string): readonly Line[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

describe("the audit of three replicas", () => {
  const shared = sharedFake();
  const whole = join(folder, "whole");
  const names = ["one.jsonl", "two.jsonl", "three.jsonl"];
  let heads: string;
  let turn = 0;

  beforeAll(async () => {
    mkdirSync(whole);
    const servers: Booted[] = [];
    for (const name of names)
      servers.push(
        await boot("sdk", { ...WRITES, MCP_AUDIT_FILE: join(whole, name) }, (registry) => ({
          ...registry,
          state: shared.open,
        })),
      );
    for (const server of [...servers, ...servers]) {
      const args = { book: "journal", name: "a", body: "b" };
      expect(await server.call("notes_put", args)).not.toHaveProperty("isError");
      await server.call("notes_list");
    }
    heads = shared.text();
    for (const server of servers) await server.close();
    writeFileSync(join(folder, "heads.txt"), `${heads}7\n`);
  });
  /** A copy of the folder, changed by whoever has something to hide. */
  const tampered = (change: (file: (name: string) => string) => void): string => {
    turn += 1;
    const copy = join(folder, `copy-${turn}`);
    cpSync(whole, copy, { recursive: true });
    change((name) => join(copy, name));
    return copy;
  };
  const cut = (file: string, keep: number): void =>
    writeFileSync(file, readFileSync(file, "utf8").split("\n").slice(0, keep).join("\n").concat("\n"));

  it("A22, R: is one set of chains, each tied to the others", () => {
    for (const args of [[whole], names.map((name) => join(whole, name))]) {
      const { code, verdict } = verified(...args);
      expect(verdict).toMatchObject({ ok: true, opened: 3, registered: 3, absent: [], findings: [] });
      expect(code).toBe(0);
    }
    expect(verified(whole, "--heads", join(folder, "heads.txt")).code).toBe(0);
    for (const name of names) {
      const rows = linesOf(join(whole, name)).map(({ payload }) => payload);
      expect(rows[0]).toMatchObject({ event: "mcp.audit.opened", seq: 1 });
      expect(rows.filter(({ event }) => event === "mcp.audit.heads").length).toBeGreaterThan(0);
    }
  });

  it("A22: each file is still a chain of its own", () => {
    for (const name of names) {
      const run = topogate(["audit", "verify", join(whole, name)]);
      expect([run.status, run.stdout]).toEqual([0, expect.stringContaining("intact")]);
    }
  });

  it("A22: a file that was taken away is named by the others, with or without its anchor", () => {
    for (const name of names) {
      const [{ payload } = { payload: {} }] = linesOf(join(whole, name));
      const copy = tampered((file) => rmSync(file(name)));
      expect(codesOf(verified(copy).verdict)).toEqual(
        expect.arrayContaining(["missing_chain", "missing_tail"]),
      );
      rmSync(join(copy, `${name}.anchor`));
      const { code, verdict } = verified(copy);
      expect(code).toBe(1);
      expect(codesOf(verdict)).toEqual(["missing_chain"]);
      expect(verdict.findings[0]?.message).toContain(String(payload["chain"]));
      expect(verified(copy, "--partial")).toMatchObject({ code: 0, verdict: { absent: [payload["chain"]] } });
    }
  });

  it("A22: a tail that was cut off with its anchor is missed by the others", () => {
    for (const name of names) {
      const copy = tampered((file) => {
        cut(file(name), 3);
        rmSync(file(`${name}.anchor`));
      });
      for (const more of [[], ["--partial"]]) {
        const { code, verdict } = verified(copy, ...more);
        expect([code, codesOf(verdict)]).toEqual([1, ["missing_tail"]]);
        expect(verdict.findings[0]).toMatchObject({ file: join(copy, name), seq: 4 });
      }
    }
  });

  it("an emptied file is said to be empty", () => {
    const copy = tampered((file) => {
      truncateSync(file("two.jsonl"), 0);
      rmSync(file("two.jsonl.anchor"));
    });
    const { verdict } = verified(copy);
    expect(codesOf(verdict)).toEqual(["missing_chain"]);
    expect(verdict.findings[0]?.message).toContain(join(copy, "two.jsonl"));
  });

  it("what the shared state has convicts two files that were cut together", () => {
    const copy = tampered((file) => {
      for (const name of names) {
        cut(file(name), 2);
        rmSync(file(`${name}.anchor`));
      }
    });
    const { code, verdict } = verified(copy, "--heads", join(folder, "heads.txt"));
    expect(code).toBe(1);
    expect(codesOf(verdict)).toEqual(["missing_tail", "missing_tail", "missing_tail"]);
  });

  it("a history that was written anew is not the one that was registered", async () => {
    const copy = tampered(() => undefined);
    const rows = linesOf(join(whole, "one.jsonl"));
    const [{ payload: first } = { payload: {} }] = rows;
    const forged = join(copy, "one.jsonl");
    for (const name of ["one.jsonl", "one.jsonl.anchor"]) rmSync(join(copy, name));
    const chain = openChain("test", fileSink(forged, 1e6), { key: undefined, anchorEvery: 1_000 }, undefined);
    chain.note("mcp.audit.opened", { phase: "opened", chain: first["chain"] }, true);
    for (const { payload } of rows.slice(1))
      chain.append("mcp.request", { request: "x", trace: "x" }, { reason: payload["reason"] ?? "" }, false);
    chain.close();
    const { code, verdict } = verified(copy);
    expect(code).toBe(1);
    expect(codesOf(verdict)).toContain("rewritten");
  });

  it("refuses a list of heads that is none, and an anchor for many files", () => {
    const bad = join(folder, "bad.txt");
    writeFileSync(bad, "something else\n");
    expect(codesOf(verified(whole, "--heads", bad).verdict)).toEqual(["not_a_record"]);
    const run = topogate(["audit", "verify", whole, "--anchor", bad]);
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining("--anchor is of one file")]);
  });
});

describe("a replica whose registry is away", () => {
  afterEach(() => void vi.restoreAllMocks());

  it("A22: executes no write, goes on reading, and writes again when it is back", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const shared = sharedFake();
    const server = await boot("sdk", WRITES, (registry) => ({ ...registry, state: shared.open }));
    shared.isAway = true;
    expect(JSON.stringify(await server.call("notes_clear"))).toContain("audit_unavailable");
    expect(await server.call("notes_list")).not.toHaveProperty("isError");
    expect(server.witness.ran).toEqual(["notes_list 50"]);
    shared.isAway = false;
    expect(await server.call("notes_clear")).not.toHaveProperty("isError");
    expect(server.witness.ran).toEqual(["notes_list 50", "notes_clear"]);
    await server.close();
  });

  it("asks nobody for a read call", async () => {
    const shared = sharedFake();
    const server = await boot("sdk", WRITES, (registry) => ({ ...registry, state: shared.open }));
    await server.call("notes_list");
    const before = shared.asked;
    for (let at = 0; at < 50; at += 1) await server.call("notes_list");
    expect(shared.asked).toBeLessThanOrEqual(before + 1);
    await server.close();
  });
});

describe("the head of a chain", () => {
  const open = (
    name: string,
    registry: Parameters<typeof openHeads>[0],
  ): { chain: Chain; file: string } & ReturnType<typeof openHeads> => {
    const file = join(folder, `${name}.jsonl`);
    const chain = openChain("test", fileSink(file, 1e6), { key: undefined, anchorEvery: 1_000 }, undefined);
    return { chain, file, ...openHeads(registry, chain) };
  };
  const append = ({ chain }: { chain: Chain }): void =>
    chain.append("mcp.request", { request: "r", trace: "r" }, {}, true);

  it("is registered once for writes that come together", async () => {
    const shared = sharedFake();
    const replica = open("together", shared);
    append(replica);
    await replica.reach();
    const before = shared.asked;
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        append(replica);
        await replica.reach();
      }),
    );
    expect(shared.asked - before).toBeLessThanOrEqual(2);
    await replica.close();
    replica.chain.close();
  });

  it("is passed on between idle replicas once, and then nobody writes", async () => {
    vi.useFakeTimers({ toFake: ["setInterval"] });
    const shared = sharedFake();
    const replicas = ["idle-a", "idle-b", "idle-c"].map((name) => open(name, shared));
    for (const replica of replicas) {
      append(replica);
      await replica.reach();
    }
    const settle = async (): Promise<readonly number[]> => {
      for (let turn = 0; turn < 4; turn += 1) {
        await vi.advanceTimersByTimeAsync(5_000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return replicas.map(({ chain }) => chain.head().seq);
    };
    const settled = await settle();
    expect(await settle()).toEqual(settled);
    const last = linesOf(join(folder, "idle-a.jsonl")).at(-1)?.payload;
    expect(last).toMatchObject({ event: "mcp.audit.heads" });
    vi.useRealTimers();
    for (const replica of replicas) {
      await replica.close();
      replica.chain.close();
    }
  });

  it("A22: of a file that goes on after a restart, each process is tied in on its own", async () => {
    const shared = sharedFake();
    const other = open("beside", shared);
    for (let boot = 0; boot < 2; boot += 1) {
      const replica = open("restarted", shared);
      append(replica);
      await replica.reach();
      append(other);
      await other.reach();
      await replica.close();
      replica.chain.close();
    }
    await other.close();
    other.chain.close();
    const restarted = join(folder, "restarted.jsonl");
    expect(verified(restarted, other.file)).toMatchObject({ code: 0, verdict: { opened: 3 } });
    const lines = readFileSync(restarted, "utf8").split("\n");
    const second = lines.findLastIndex((line) => line.includes("mcp.audit.opened"));
    writeFileSync(restarted, `${lines.slice(0, second).join("\n")}\n`);
    rmSync(`${restarted}.anchor`);
    expect(codesOf(verified(restarted, other.file).verdict)).toEqual(["missing_chain"]);
  });

  it("says that the registry was lost, and learns the others anew", async () => {
    const shared = sharedFake();
    const [a, b] = [open("lost-a", shared), open("lost-b", shared)];
    for (const replica of [a, b, a, b]) {
      append(replica);
      await replica.reach();
    }
    shared.forget();
    append(a);
    await a.reach();
    append(b);
    await b.reach();
    append(a);
    await a.reach();
    for (const replica of [a, b]) {
      await replica.close();
      replica.chain.close();
    }
    const heads = linesOf(a.file).filter(({ payload }) => payload["event"] === "mcp.audit.heads");
    expect(heads.some(({ payload }) => payload["registry"] === "lost")).toBe(true);
    expect(verified(a.file, b.file).code).toBe(0);
    expect(readdirSync(folder)).toContain("lost-a.jsonl.anchor");
  });
});
