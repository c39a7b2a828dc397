import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, newKey, ROOT, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import {
  readClaudeCode,
  readClaudeDesktop,
  readCursor,
  readRegistry,
  readVscode,
} from "../harness/client-files.ts";
import type { Machine, Reached } from "../harness/client-files.ts";

type Stdio = Extract<Reached, { kind: "stdio" }>;
type Http = Extract<Reached, { kind: "http" }>;

const STACKS = ["shop", "hello", "sre"] as const;
const work = workspace();
cpSync(join(ROOT, "stacks"), work.path("stacks"), { recursive: true });
const elsewhere = mkdtempSync(join(tmpdir(), "topogate-clients-"));

afterAll(() => {
  work.remove();
  rmSync(elsewhere, { recursive: true, force: true });
});

async function toolsOf(client: Client, transport: unknown): Promise<readonly string[]> {
  await client.connect(transport as never);
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

const newClient = (): Client => new Client({ name: "topogate-test", version: "1.0.0" });

/** Starts the process as the client would, in the folder that is open there. */
async function toolsOverStdio(
  { command, args, env, cwd }: Stdio,
  folder: string,
): Promise<readonly string[]> {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { PATH: process.env["PATH"] ?? "", ...env },
    cwd: cwd ?? folder,
    stderr: "ignore",
  });
  return await toolsOf(newClient(), transport);
}

/** Calls the URL as it stands, Host and path included; only its name is resolved to the server of the test. */
async function toolsOverHttp({ url, headers }: Http, server: BootedServer): Promise<readonly string[]> {
  const toServer = async (asked: string | URL, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search, host } = new URL(asked);
    const sent = new Headers(init.headers);
    sent.set("host", host);
    return await fetch(new URL(`${pathname}${search}`, server.url), { ...init, headers: sent });
  };
  return await toolsOf(
    newClient(),
    new StreamableHTTPClientTransport(url, { requestInit: { headers: { ...headers } }, fetch: toServer }),
  );
}

describe.each(STACKS)("S33: the client files of %s", (stack) => {
  const path = (file: string): string => work.path("out", stack, "clients", file);
  const text = (file: string): string => readFileSync(path(file), "utf8");
  const prefix = stack.toUpperCase();
  let server: BootedServer;
  let machine: Machine;
  let listed: readonly string[];
  let reading: readonly string[];

  beforeAll(async () => {
    if (!existsSync(work.path("out"))) work.generate();
    const lock = JSON.parse(readFileSync(work.path("out", stack, "server/surface.lock.json"), "utf8")) as {
      credentials: readonly string[];
      tools: readonly { name: string; access: string }[];
    };
    listed = lock.tools.map(({ name }) => name);
    reading = lock.tools.filter(({ access }) => access === "read").map(({ name }) => name);
    const hosts = ["vscode.json"].map(
      (file) => (JSON.parse(text(file)) as { servers: Record<string, { url: string }> }).servers[stack]?.url,
    );
    server = await bootServer(work.path("out", stack), {
      MCP_ALLOWED_HOSTS: hosts.map((url) => new URL(url ?? "").host).join(","),
      MCP_VALKEY_WRITE_ACCESS: stack === "hello" ? "" : "true",
    });
    const values = lock.credentials.map((name): [string, string] => [
      `${prefix}_${name}`,
      name === "MCP_API_KEY" ? server.key : newKey(),
    ]);
    machine = {
      folder: work.folder,
      variables: { ...Object.fromEntries(values), USER: "ada" },
      answers: Object.fromEntries(
        values.map(([name, value]) => [name.toLowerCase().replaceAll("_", "-"), value]),
      ),
    };
  });
  afterAll(async () => await server?.stop());

  it.each([
    [".mcp.json", readClaudeCode],
    ["cursor.json", readCursor],
    ["vscode.json", readVscode],
  ] as const)("%s: both entries list the tools", async (file, read) => {
    const servers = read(text(file), machine);
    expect([...servers.keys()]).toEqual([stack, `${stack}-local`]);
    const [http, stdio] = [...servers.values()];
    expect(http?.kind).toBe("http");
    expect(await toolsOverHttp(http as Http, server)).toEqual(listed);
    expect(stdio?.kind).toBe("stdio");
    expect(await toolsOverStdio(stdio as Stdio, work.folder)).toEqual(reading);
  });

  it("claude_desktop_config.json: starts from any folder once its paths are filled in", async () => {
    const file = join(elsewhere, `${stack}.env`);
    writeFileSync(file, "", { mode: 0o600 });
    const filled = text("claude_desktop_config.json")
      .replaceAll(`/absolute/path/to/${stack}.env`, file)
      .replaceAll("/absolute/path/to", work.folder);
    const servers = readClaudeDesktop(filled);
    expect([...servers.keys()]).toEqual([`${stack}-local`]);
    const stdio = servers.get(`${stack}-local`) as Stdio;
    expect(await toolsOverStdio(stdio, elsewhere)).toEqual(reading);
  });

  it("server.json: exists for a server behind a gateway, and describes that one", async () => {
    expect(existsSync(path("server.json"))).toBe(stack !== "hello");
    if (stack === "hello") return;
    const entry = readRegistry(text("server.json"), { api_key: server.key });
    expect(await toolsOverHttp(entry as Http, server)).toEqual(listed);
  });
});
