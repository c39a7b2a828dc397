/** One of the two servers of `query-http.ts`: `agent`, as it is emitted, or `bare`, which only reads and answers. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startAgent } from "../templates/stack-agent/copy/service/agent.ts";
import { engineOf } from "./query-peers.ts";
import { manyComponentsData } from "./query-data.ts";

const SIZE = 10_000;
const data = manyComponentsData(SIZE);

/** What Node itself needs to read a body and to send what the agent would send. */
async function startBare(): Promise<number> {
  const engine = engineOf(data);
  const fifty = engine.ofType("type-3");
  const one = engine.componentText("component-0000042");
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = chunks.some((chunk) => chunk.includes("type:")) ? fifty : one;
      response.writeHead(200, {
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-length": Buffer.byteLength(text),
      });
      response.end(text);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function startReal(): Promise<number> {
  const commands = join(tmpdir(), `topogate-bench-commands-${process.pid}.json`);
  writeFileSync(commands, JSON.stringify({ executables: [], programs: {}, checks: [], links: [] }));
  const environment = { AGENT_PORT: "0", MCP_AGENT_TOKEN: process.env["MCP_AGENT_TOKEN"] };
  return (await startAgent({ data, commands: pathToFileURL(commands), environment })).port;
}

const port = process.argv[2] === "agent" ? await startReal() : await startBare();
process.stdout.write(`port ${port}\n`);
