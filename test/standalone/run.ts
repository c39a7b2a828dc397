/**
 * Copies an emitted `server/` alone into an empty folder and starts it there with `npm ci && npm start`, on
 * Node 20, 22 and 24: without a key it must refuse and name it, with one it must list its tools.
 *
 * The package `node` brings the other versions of the program.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectClient, newKey, ROOT } from "../harness/emitted.ts";

const CACHE = join(ROOT, ".topogate-cache/nodes");
const VERSIONS = { "node-20": "20.20.2", "node-22": "22.23.3", "node-24": "24.9.0" };

/** Folders with a `node` of each version, by name. */
function installNodes(): ReadonlyMap<string, string> {
  mkdirSync(CACHE, { recursive: true });
  const found = new Map<string, string>();
  for (const [name, version] of Object.entries(VERSIONS)) {
    const folder = join(CACHE, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ private: true, dependencies: { node: version } }),
    );
    const run = spawnSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, encoding: "utf8" });
    const bin = join(folder, "node_modules/node/bin");
    const answer = spawnSync(join(bin, "node"), ["--version"], { encoding: "utf8" }).stdout?.trim();
    if (run.status !== 0 || answer !== `v${version}`)
      throw new Error(`${name} could not be installed: ${run.stderr}`);
    found.set(name, bin);
  }
  return found;
}

interface Started {
  readonly output: () => string;
  readonly port: Promise<number>;
  readonly ended: Promise<number | null>;
  stop(): void;
}

function start(folder: string, bin: string, environment: Readonly<Record<string, string>>): Started {
  const env = {
    HOME: process.env["HOME"],
    PATH: `${bin}:${process.env["PATH"]}`,
    MCP_PORT: "0",
    ...environment,
  };
  const child = spawn("npm", ["start", "--silent"], { cwd: folder, env, detached: true });
  let output = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const port = new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /listening on port (\d+)/.exec(output);
      if (found !== null) resolve(Number(found[1]));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    void ended.then((code) => reject(new Error(`npm start exited ${code}: ${output}`)));
  });
  port.catch(() => undefined);
  return {
    output: () => output,
    port,
    ended,
    stop: () => child.pid !== undefined && process.kill(-child.pid, "SIGTERM"),
  };
}

async function tryStack(stack: string, name: string, bin: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "topogate-standalone-"));
  try {
    cpSync(join(ROOT, "out", stack, "server"), folder, { recursive: true });
    const install = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
      cwd: folder,
      env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
      encoding: "utf8",
    });
    if (install.status !== 0) throw new Error(`npm ci failed: ${install.stderr}`);
    const refused = start(folder, bin, {});
    const code = await refused.ended;
    if (code === 0 || !refused.output().includes("MCP_API_KEY"))
      throw new Error(`started without a key: ${refused.output()}`);
    const key = newKey();
    const server = start(folder, bin, { MCP_API_KEY: key });
    const client = await connectClient({ url: new URL(`http://127.0.0.1:${await server.port}/mcp`), key });
    const { tools } = await client.listTools();
    await client.close();
    server.stop();
    await server.ended;
    console.log(`${stack} on ${name}: refused without a key, ${tools.length} tools with one`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [name, bin] of installNodes()) {
  for (const stack of ["shop", "hello"]) await tryStack(stack, name, bin);
}
