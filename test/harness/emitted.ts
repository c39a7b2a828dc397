import { spawn, spawnSync } from "node:child_process";
import type { SpawnSyncReturns } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

export const ROOT = new URL("../..", import.meta.url).pathname;
const CLI = join(ROOT, "dist/topogate.cjs");

/** Runs the built command line, as a user would: that of the folder, where it has one of its own. */
export function topogate(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): SpawnSyncReturns<string> {
  const cwd = options.cwd ?? ROOT;
  const own = join(cwd, "dist/topogate.cjs");
  return spawnSync(process.execPath, [existsSync(own) ? own : CLI, ...args], {
    cwd,
    env: options.env ?? process.env,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** A folder with `stacks/`, inside the repository so that emitted servers find its node_modules. */
export interface Workspace {
  readonly folder: string;
  /** Writes `stacks/<name>.yaml`. */
  draw(name: string, text: string): void;
  /** Generates every stack and fails with the tool's own words when that does not work. */
  generate(...args: string[]): string;
  /** The stacks of this project, and the program beside them: only so are they its examples. */
  copyExamples(): void;
  path(...segments: string[]): string;
  remove(): void;
}

export function workspace(): Workspace {
  mkdirSync(join(ROOT, ".topogate-cache"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, ".topogate-cache", "work-"));
  mkdirSync(join(folder, "stacks"));
  const path = (...segments: string[]): string => join(folder, ...segments);
  return {
    folder,
    path,
    draw: (name, text) => writeFileSync(path("stacks", `${name}.yaml`), text),
    generate: (...args) => {
      const run = topogate(["generate", ...args], { cwd: folder });
      if (run.status !== 0) throw new Error(`generate exited ${run.status}:\n${run.stdout}${run.stderr}`);
      return run.stdout;
    },
    copyExamples: () => {
      for (const name of ["stacks", "dist"]) cpSync(join(ROOT, name), path(name), { recursive: true });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface BootedServer {
  readonly url: URL;
  readonly key: string;
  readonly pid: number;
  stderr(): string;
  /** Sends SIGTERM and waits; the exit code. */
  stop(): Promise<number | null>;
}

/** A key as an operator would make one: 32 random bytes. */
export function newKey(): string {
  return randomBytes(32).toString("base64url");
}

/** A throw-away value for each credential that the server demands, as nothing it could reach is there. */
export function throwAwayCredentials(folder: string): Readonly<Record<string, string>> {
  const registry = readFileSync(join(folder, "server", "registry.ts"), "utf8");
  const [, block = ""] = /^  credentials: \{([^}]*)\}/m.exec(registry) ?? [];
  return Object.fromEntries([...block.matchAll(/\b(MCP_\w+)"?:/g)].map(([, name]) => [name, newKey()]));
}

/** The write flags as the ConfigMap has them. */
export function drawnFlags(folder: string): Readonly<Record<string, string>> {
  const { flags } = JSON.parse(readFileSync(join(folder, "server/surface.lock.json"), "utf8")) as {
    flags: Readonly<Record<string, boolean>>;
  };
  return Object.fromEntries(Object.entries(flags).map(([flag, on]) => [flag, String(on)]));
}

/** Starts `<folder>/server` as its own process on a free port of loopback. */
export async function bootServer(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<BootedServer> {
  const key = newKey();
  const child = spawn(process.execPath, ["start.mjs"], {
    cwd: join(folder, "server"),
    env: {
      PATH: process.env["PATH"],
      MCP_PORT: "0",
      MCP_API_KEY: key,
      // The examples grant everything to this team; where nothing is granted, it says nothing.
      MCP_API_KEY_TEAM_ID: "sre",
      // Suites call faster than any client should.
      MCP_RATE_LIMIT_READ_PER_MIN: "0",
      MCP_RATE_LIMIT_WRITE_PER_MIN: "0",
      MCP_RATE_LIMIT_GLOBAL_PER_MIN: "0",
      // There is no Valkey on this machine that several of them could share.
      MCP_REPLICA_STATE: "alone",
      ...throwAwayCredentials(folder),
      ...environment,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const port = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      const found = /listening on port (\d+)/.exec(stderr);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    void ended.then((code) => reject(new Error(`the server exited ${code}:\n${stderr}`)));
  });
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    key: environment["MCP_API_KEY"] ?? key,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    stop: async () => {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

/** The official 1.x client: what most MCP clients of the 2025 era are built on. */
export async function connectClient(server: Pick<BootedServer, "url" | "key">): Promise<Client> {
  const client = new Client({ name: "topogate-test", version: "1.0.0" });
  const headers = { Authorization: `Bearer ${server.key}` };
  await client.connect(new StreamableHTTPClientTransport(server.url, { requestInit: { headers } }) as never);
  return client;
}

export interface ToolAnswer {
  readonly isError: boolean;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Calls a tool and returns its structured content; an error's content is the JSON of its text. */
export async function callTool(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<ToolAnswer> {
  const result = await client.callTool({ name, arguments: args });
  const structured = result.structuredContent as Record<string, unknown> | undefined;
  const [first] = result.content as { type: string; text: string }[];
  return {
    isError: result.isError === true,
    content: structured ?? (JSON.parse(first?.text ?? "{}") as Record<string, unknown>),
  };
}
