import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import type { Goal } from "./goal.ts";
import { median } from "./measure.ts";
import type { Figures } from "./measure.ts";
import type { Outcome, Suite } from "./suite.ts";
import { generate, workplace } from "./workplace.ts";

const ROUNDS = 41;
const WARM_UP = 6;
/** Calls one after the other, so that the time of one call is measured and not a queue. */
const CALLS = 60;

/** In the process itself: with a service behind it, the pipeline would be a smaller part of the call. */
const QUESTIONS: Readonly<Record<string, { readonly name: string; readonly arguments: object }>> = {
  "a small answer": { name: "get_environment_profile", arguments: {} },
  "fifty rows": {
    name: "query_topology",
    arguments: { source: "type:kafka", target: "sub_components", limit: 50 },
  },
};

const TOPICS = Array.from({ length: 60 }, (_, index) => `topic-${index}`).join(", ");
const DRAWING = `apiVersion: topology/v1
stack: pipeline
components:
  kafka: {topics: [${TOPICS}]}
  prometheus:
links:
  mcp: {stack_agent: read, prometheus: read}
access:
  limits: {perSession: 900000/min, perTool: 900000/min}
  grants:
    bench: {subject: {group: bench}, maxTrust: high}
`;

/** The list of stages, in place of which only the first and the last one stay. */
const STAGES = /return \[\n {4}noteCall[\s\S]*?\n {2}\];/;

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  readonly key: string;
  readonly agent: Agent;
  session: string;
}

async function boot(folder: string): Promise<Server> {
  const key = randomBytes(32).toString("base64url");
  const child = spawn(process.execPath, ["start.mjs"], {
    cwd: `${folder}/server`,
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"],
      MCP_PORT: "0",
      MCP_API_KEY: key,
      MCP_API_KEY_TEAM_ID: "bench",
      MCP_AUDIT_FILE: `${folder}/audit.jsonl`,
      MCP_RATE_LIMIT_READ_PER_MIN: "900000",
      MCP_RATE_LIMIT_GLOBAL_PER_MIN: "900000",
      MCP_RATE_LIMIT_BURST: "10000",
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += String(chunk);
      const found = /listening on port (\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once("exit", (code) => reject(new Error(`the server exited ${code}:\n${said}`)));
  });
  const server = { child, port, key, agent: new Agent({ keepAlive: true, maxSockets: 1 }), session: "" };
  const clientInfo = { name: "bench", version: "1.0.0" };
  await post(server, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  return server;
}

async function post(server: Server, method: string, params: object): Promise<string> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const { port, key, agent, session } = server;
  const headers = {
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": Buffer.byteLength(body),
    ...(session === "" ? {} : { "mcp-session-id": session }),
  };
  return await new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, method: "POST", path: "/mcp", agent, headers },
      (answer) => {
        const opened = answer.headers["mcp-session-id"];
        if (typeof opened === "string") server.session = opened;
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        answer.on("end", () =>
          answer.statusCode === 200
            ? resolve(text)
            : reject(new Error(`answered ${answer.statusCode}: ${text}`)),
        );
      },
    );
    asked.on("error", reject).end(body);
  });
}

/** Milliseconds for one call, over `CALLS` of them. */
async function slice(server: Server, question: object): Promise<number> {
  const start = performance.now();
  for (let call = 0; call < CALLS; call += 1) {
    const text = await post(server, "tools/call", question);
    if (!text.includes('"structuredContent"') || text.includes('"isError":true'))
      throw new Error(`the call was not answered: ${text.slice(0, 500)}`);
  }
  return (performance.now() - start) / CALLS;
}

interface Compared {
  readonly whole: readonly number[];
  readonly cut: readonly number[];
}

/** The two slices of a round stand side by side, and which comes first changes from round to round. */
async function compare(whole: Server, cut: Server, question: object): Promise<Compared> {
  const taken = { whole: [] as number[], cut: [] as number[] };
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    const order = (round % 2 === 0 ? ["whole", "cut"] : ["cut", "whole"]) as readonly ("whole" | "cut")[];
    for (const name of order) {
      const ms = await slice(name === "whole" ? whole : cut, question);
      if (round >= WARM_UP) taken[name].push(ms);
    }
  }
  return taken;
}

function figuresOf(name: string, values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    name,
    rounds: values.length,
    medianMs: median(values),
    minMs: sorted[0] ?? 0,
    p90Ms: sorted[Math.floor(sorted.length * 0.9)] ?? 0,
    cpuMs: 0,
    memoryMb: 0,
  };
}

async function measure(program: string): Promise<Outcome> {
  const place = workplace("pipeline");
  place.draw("pipeline", DRAWING);
  generate(program, place);
  const [emitted, bare] = [place.path("out/pipeline"), place.path("out/cut")];
  cpSync(emitted, bare, { recursive: true });
  const file = `${bare}/server/runtime/pipeline.ts`;
  const source = readFileSync(file, "utf8");
  if (!STAGES.test(source)) throw new Error("pipeline.ts has another shape: teach this suite how to cut it");
  writeFileSync(file, source.replace(STAGES, "return [requirePrincipal, execute(parts.redactor)];"));
  const servers: Server[] = [];
  try {
    for (const folder of [emitted, bare]) servers.push(await boot(folder));
    const [whole, cut] = servers as [Server, Server];
    const figures: Figures[] = [];
    const goals: Goal[] = [];
    for (const [name, question] of Object.entries(QUESTIONS)) {
      const taken = await compare(whole, cut, question);
      figures.push(figuresOf(`${name}, whole`, taken.whole), figuresOf(`${name}, cut`, taken.cut));
      const measured = median(taken.whole.map((ms, round) => ms / (taken.cut[round] ?? Number.NaN)));
      const what = `${name}: the whole pipeline against authentication alone`;
      goals.push({ id: "PIPE", what, measured, most: 1.25, unit: "times" });
    }
    return { figures, goals, facts: { "calls in a round": CALLS } };
  } finally {
    for (const { child, agent } of servers) {
      child.kill();
      agent.destroy();
    }
    place.remove();
  }
}

export const pipelineSuite: Suite = {
  name: "pipeline",
  about: "One read call over HTTP: an emitted server against itself with its pipeline cut to authentication.",
  run: measure,
};
