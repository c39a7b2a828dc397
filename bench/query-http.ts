/** The emitted agent's HTTP server beside a bare one, asked in turns by one client: prints how they compare. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";

const CONNECTIONS = 32;
const SLICE_MS = 300;
const ROUNDS = 21;
/** Enough for the compilers of both. */
const WARM_UP = 4;

const BODIES = {
  "one row": '{"source":"component-0000042"}',
  "fifty rows": '{"source":"type:type-3","limit":50}',
};

async function portOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      const port = /^port (\d+)$/m.exec(String(chunk))?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once("exit", (code) => reject(new Error(`a server exited ${code}`)));
  });
}

interface Target {
  readonly port: number;
  readonly token: string;
  readonly body: string;
}

async function askOnce({ port, token, body }: Target, agent: Agent): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  await new Promise<void>((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, method: "POST", path: "/metadata/q", agent, headers },
      (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`answered ${answer.statusCode}`));
        answer.on("end", resolve).resume();
      },
    );
    asked.on("error", reject).end(body);
  });
}

/** Requests in a second over all connections, each asking again as soon as it is answered. */
async function load(target: Target): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const started = performance.now();
  let answered = 0;
  const asking = async (): Promise<void> => {
    while (performance.now() - started < SLICE_MS) {
      await askOnce(target, agent);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, asking));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return answered / seconds;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The two slices of a round stand side by side, and which comes first changes from round to round. */
async function compare(bare: Target, agent: Target): Promise<{ perSecond: number; ratio: number }> {
  const counts: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const order = round % 2 === 0 ? [bare, agent] : [agent, bare];
    const measured = new Map<Target, number>();
    for (const target of order) measured.set(target, await load(target));
    if (round < WARM_UP) continue;
    counts.push(measured.get(agent) ?? 0);
    ratios.push((measured.get(agent) ?? 0) / (measured.get(bare) ?? 1));
  }
  return { perSecond: median(counts), ratio: median(ratios) };
}

async function main(): Promise<void> {
  const token = randomBytes(32).toString("base64url");
  const server = fileURLToPath(new URL("query-http-server.ts", import.meta.url));
  const start = (kind: string): ChildProcess =>
    spawn(process.execPath, ["--import", "tsx", server, kind], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, MCP_AGENT_TOKEN: token },
    });
  const children = [start("bare"), start("agent")] as const;
  const [bare, agent] = [await portOf(children[0]), await portOf(children[1])];
  const result: Record<string, unknown> = {};
  for (const [rows, body] of Object.entries(BODIES))
    result[rows] = await compare({ port: bare, token, body }, { port: agent, token, body });
  children.forEach((child) => child.kill());
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

await main();
