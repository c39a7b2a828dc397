import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type HostileFile,
  billionLaughs,
  fill,
  hostileFiles,
  lines,
  stack,
} from "../../test/harness/hostile-files.ts";

const kibi = 1024;
const mebi = 1024 * kibi;
const small = 512 * kibi;

interface Cap {
  readonly seconds: number;
  readonly megabytes: number;
}

const smallCap: Cap = { seconds: 2, megabytes: 300 };
const largeCap: Cap = { seconds: 15, megabytes: 1000 };

interface Report {
  readonly ok: boolean;
  readonly faults: readonly string[];
  readonly keys: number;
  readonly places: readonly string[];
  readonly cpuSeconds: number;
  readonly megabytes: number;
}

let folder = "";

/** Reads one file in a process of its own, asks for some positions when it can, and reports what that took. */
const probe = `
  import { readFileSync } from "node:fs";
  import { readSource } from "./source.ts";
  const read = await readSource("stack.yaml", readFileSync(process.argv[2]));
  const keys = read.ok ? Object.keys(read.source.value) : [];
  const last = keys.at(-1);
  const positions = read.ok ? await read.source.positionsOf([{ path: [last] }, { path: ["nowhere", 1] }]) : [];
  const faults = read.ok ? [] : read.diagnostics.map((d) => d.code + " " + d.at.line + ":" + d.at.column + " " + d.message);
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({
    ok: read.ok, faults: faults.slice(0, 200), keys: keys.length,
    places: positions.map((p) => p.line + ":" + p.column),
    cpuSeconds: (user + system) / 1e6, megabytes: process.resourceUsage().maxRSS / 1024,
  }));
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hostile-"));
  await build({
    stdin: { contents: probe, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    outExtension: { ".js": ".mjs" },
    outdir: folder,
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(bytes: string | Uint8Array): Promise<Report> {
  const file = join(folder, `${process.hrtime.bigint()}.yaml`);
  writeFileSync(file, bytes);
  const run = promisify(execFile)(process.execPath, [join(folder, "stdin.mjs"), file], { timeout: 60_000 });
  const { stdout, stderr } = await run;
  rmSync(file);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Report;
}

/** The processor time of all threads is the measure: other work on the machine does not change it. */
async function readWithin(cap: Cap, bytes: string | Uint8Array): Promise<Report> {
  const report = await read(bytes);
  expect(report.cpuSeconds).toBeLessThan(cap.seconds);
  expect(report.megabytes).toBeLessThan(cap.megabytes);
  return report;
}

function check(report: Report, { refuses }: HostileFile): void {
  const faults = report.faults.join("\n");
  expect(faults).not.toMatch(/\bat .*:\d+:\d+\)|node_modules/);
  if (refuses === undefined) expect(report.ok || /E-LIMIT/.test(faults), faults).toBe(true);
  else if (!report.ok) expect(faults).toMatch(refuses);
  else expect(refuses.source).toMatch(/^never/);
  expect(report.ok).toBe(report.faults.length === 0);
  expect(report.faults.length).toBeLessThanOrEqual(100);
}

describe("hostile files of 512 KiB stay within 2 s and 300 MB", () => {
  it.each(hostileFiles)("$name", async (hostile) => {
    check(await readWithin(smallCap, hostile.make(small)), hostile);
  });

  it("20 000 keys in one map, refused for a number at the end", async () => {
    const report = await readWithin(smallCap, `${lines(190_000, (index) => `k${index}:\n`)}z: 012\n`);
    expect(report.faults).toEqual([expect.stringMatching(/^E-YAML \d+:4 .*quote it/)]);
  });

  it("20 000 keys in one map, the last one twice", async () => {
    const keys = lines(190_000, (index) => `k${index}:\n`);
    const report = await readWithin(smallCap, `${keys}k7:\n`);
    expect(report.faults).toEqual([expect.stringMatching(/^E-DUP \d+:1 "k7"/)]);
  });

  it("a billion laughs", async () => {
    const report = await readWithin(smallCap, billionLaughs);
    expect(report.faults.join()).toMatch(/anchors/);
    expect(report.faults.join()).toMatch(/aliases/);
  });

  it("a thousand ordinary components with one thing that only the complete parser reads", async () => {
    const report = await readWithin(smallCap, `${stack(1000, 3000)}description: |\n  text\n  text\n`);
    expect(report).toMatchObject({ ok: true, keys: 5 });
    expect(report.places[0]).toMatch(/^\d+:1$/);
  });
});

describe("hostile files up to the limits stay within 15 s and 1 GB", () => {
  it.each(hostileFiles)("$name", async (hostile) => {
    check(await readWithin(largeCap, hostile.make(16 * mebi - 16)), hostile);
  });

  it.each(hostileFiles)("$name, as large as the complete parser takes", async (hostile) => {
    check(await readWithin(largeCap, hostile.make(4 * mebi - 16)), hostile);
  });

  it("20 000 components and 100 000 links", async () => {
    const report = await readWithin(largeCap, stack(20_000, 100_000));
    expect(report).toMatchObject({ ok: true, keys: 4 });
    expect(report.places).toEqual([expect.stringMatching(/^\d{6}:1$/), "1:1"]);
  });

  it("20 000 components and 100 000 links, unusual in the last line: says where and what to write", async () => {
    const text = `${stack(20_000, 100_000)}description: |\n  text\n`;
    const report = await readWithin(largeCap, text);
    expect(report.faults).toEqual([
      expect.stringMatching(/^E-LIMIT \d{6}:14 a file over 4 MiB must be plain YAML/),
    ]);
  });

  it("16 MiB of one key per line", async () => {
    const report = await readWithin(
      largeCap,
      lines(16 * mebi - 16, (index) => `k${index}: value\n`),
    );
    expect(report.ok).toBe(true);
  });

  it("more than 16 MiB", async () => {
    const report = await readWithin(largeCap, fill(17 * mebi, "#\n"));
    expect(report.faults).toEqual([expect.stringMatching(/^E-LIMIT 1:1 the file has \d+ bytes/)]);
  });
});
