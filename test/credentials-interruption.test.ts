import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { refuseLeaks } from "../generator/credentials/leaks.ts";
import { Secret } from "../generator/credentials/secret.ts";
import { openSealed } from "../generator/seal/open.ts";
import type { FileTree } from "../generator/tree/file-tree.ts";
import { keyPair } from "./harness/sealing.ts";
import { newKey, ROOT, workspace } from "./harness/emitted.ts";

const KILLS = 200;
const FILES = { "credentials/cloud.sops.env": "dotenv", "k8s/secret.sops.yaml": "secret" } as const;

describe("a run that is killed while it seals", () => {
  const work = workspace();
  afterAll(work.remove);
  const trace = work.path("trace.jsonl");

  it("S5: leaves the old sealed file or the new one, and never wrote a value anywhere", async () => {
    const { identity, recipient } = await keyPair();
    work.draw(
      "stack",
      `apiVersion: topology/v1
stack: stack
components: {valkey: , mcp: {recipients: [${recipient}]}}
links: {mcp: {stack_agent: read, valkey: read}}
`,
    );
    const values: string[] = [];
    const start = (): ReturnType<typeof spawn> => {
      const value = newKey();
      values.push(value);
      return spawn(
        process.execPath,
        [
          "--require",
          join(ROOT, "test/harness/trace-writes.cjs"),
          join(ROOT, "dist/topogate.cjs"),
          "generate",
        ],
        {
          cwd: work.folder,
          env: { HOME: work.folder, SOPS_AGE_KEY: identity, MCP_VALKEY_PASSWORD: value, TRACE_FILE: trace },
          stdio: "ignore",
        },
      );
    };
    const ended = (child: ReturnType<typeof spawn>): Promise<number | null> =>
      new Promise((resolve) => child.once("exit", resolve));
    const began = performance.now();
    expect(await ended(start())).toBe(0);
    // From before the first byte is written to when the last one is, on whatever machine this is.
    const longest = 1.1 * (performance.now() - began);

    const opened = (): Promise<readonly unknown[]> =>
      Promise.all(
        Object.entries(FILES).map(async ([path, format]) => {
          const text = readFileSync(work.path("out/stack", path), "utf8");
          return (await openSealed(path, text, format, [identity])).entries;
        }),
      );
    let killed = 0;
    const outcomes = new Set<string>();
    for (let attempt = 0; killed < KILLS && attempt < 3 * KILLS; attempt++) {
      const child = start();
      const end = ended(child);
      await new Promise((resolve) => setTimeout(resolve, (attempt * 37) % longest));
      child.kill("SIGKILL");
      if ((await end) === null) killed++;
      for (const [path, format] of Object.entries(FILES)) {
        const place = work.path("out/stack", path);
        expect(statSync(place).mode & 0o777).toBe(0o644);
        const { entries } = await openSealed(path, readFileSync(place, "utf8"), format, [identity]);
        const password = entries.find(({ name }) => name === "MCP_VALKEY_PASSWORD")?.value ?? "";
        expect(values, path).toContain(password);
        outcomes.add(`${values.indexOf(password) === values.length - 1 ? "new" : "old"} ${path}`);
      }
      if (attempt % 20 === 19) {
        expect(await ended(start())).toBe(0);
        const [one, two] = await opened();
        expect(two).toEqual(one);
      }
    }
    expect(killed).toBe(KILLS);
    expect(outcomes.size).toBe(4);
    expect(await ended(start())).toBe(0);

    const rows = readFileSync(trace, "utf8").trimEnd().split("\n");
    const written = rows.map((row) => JSON.parse(row) as { path: string; data: string });
    expect(written.some(({ path }) => path.includes("/credentials/"))).toBe(true);
    const texts: FileTree = new Map(
      written.map(({ path, data }, index) => [
        `${index} ${path}`,
        { kind: "data", from: "trace", text: Buffer.from(data, "base64").toString() },
      ]),
    );
    expect([...texts.values()].filter(({ text }) => text.startsWith("TRACE: "))).toEqual([]);
    refuseLeaks(
      texts,
      [...values, identity].map((value, index) => ({ name: `value ${index}`, value: new Secret(value) })),
    );
    expect(existsSync(work.path("out/stack/.generated.lock"))).toBe(false);
    expect(existsSync(work.path("out/stack/.generated.next.json"))).toBe(false);
  }, 240_000);
});
