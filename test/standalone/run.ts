/**
 * Copies an emitted `server/` alone into an empty folder and starts it there with `npm ci && npm start`, on
 * Node 20, 22 and 24: without a key it must refuse and name it, with one it must list its tools.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectClient, newKey, ROOT, throwAwayCredentials } from "../harness/emitted.ts";
import { installNodes } from "../harness/nodes.ts";

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
    const credentials = throwAwayCredentials(join(ROOT, "out", stack));
    const refused = start(folder, bin, credentials);
    const code = await refused.ended;
    if (code === 0 || !refused.output().includes("MCP_API_KEY"))
      throw new Error(`started without a key: ${refused.output()}`);
    const key = newKey();
    const server = start(folder, bin, { ...credentials, MCP_API_KEY: key, MCP_API_KEY_TEAM_ID: "sre" });
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
