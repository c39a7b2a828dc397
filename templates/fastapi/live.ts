/** The live suite's chain: real FastAPI, the emitted nginx in front of it, and the emitted server as its own process. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { bootServer, connectClient, workspace } from "../../test/harness/emitted.ts";
import type { BootedServer } from "../../test/harness/emitted.ts";
import { freePort } from "../../test/live/server.ts";

const NAME = "shop";

/** What the tools may write, by the names that AI sees. */
export const WRITES = ["fastapi_create_item", "fastapi_delete_item"] as const;

interface Emitted {
  readonly conf: string;
  readonly folder: string;
  remove(): void;
}

/** Draws the service with the document that it serves itself, and generates. */
export async function emitFor(service: number, link: string): Promise<Emitted> {
  const answer = await fetch(`http://127.0.0.1:${service}/openapi.json`);
  const work = workspace();
  mkdirSync(work.path("stacks/openapi"));
  writeFileSync(work.path("stacks/openapi/shop.json"), await answer.text());
  work.draw(
    NAME,
    `apiVersion: topology/v1
stack: ${NAME}
components:
  fastapi: {host: 127.0.0.1, port: ${service}, openapi: openapi/shop.json}
links: {mcp: {fastapi: ${link}}}
`,
  );
  work.generate();
  const folder = work.path("out", NAME);
  return {
    conf: readFileSync(`${folder}/principals/fastapi/nginx.conf`, "utf8"),
    folder,
    remove: work.remove,
  };
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** The emitted file in an nginx on a free port. */
export async function startProxy({ conf, folder }: Emitted): Promise<Proxy> {
  const port = await freePort();
  if (!conf.includes("listen 9091;")) throw new Error("the emitted file does not listen");
  writeFileSync(`${folder}/account.conf`, conf.replace("listen 9091;", `listen 127.0.0.1:${port};`));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    `${folder}/nginx.conf`,
    `daemon off; user root; pid ${folder}/pid; error_log stderr;
events {}
http { access_log off; ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")} include ${folder}/account.conf; }
`,
  );
  const child = spawn("nginx", ["-c", `${folder}/nginx.conf`, "-p", folder, "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export async function bootFor(
  { folder }: Emitted,
  proxy: Proxy,
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly server: BootedServer; readonly client: Awaited<ReturnType<typeof connectClient>> }> {
  const server = await bootServer(folder, {
    MCP_FASTAPI_URL: `http://127.0.0.1:${proxy.port}`,
    ...environment,
  });
  return { server, client: await connectClient(server) };
}
