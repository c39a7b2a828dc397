import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, drawnFlags, newKey, throwAwayCredentials, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import {
  readClaudeCode,
  readClaudeDesktop,
  readCursor,
  readRegistry,
  readVscode,
} from "../harness/client-files.ts";
import type { Machine, Reached } from "../harness/client-files.ts";
import { treeOf } from "../harness/in-process.ts";
import { looksSecret } from "../../generator/diagnostics/looks-secret.ts";

type Stdio = Extract<Reached, { kind: "stdio" }>;
type Http = Extract<Reached, { kind: "http" }>;

/** Where the drawn gateways lead; nothing leads to hello, so its clients come through a forwarded port. */
const HOSTS = { shop: "mcp.stack-3.source-lab.io", hello: "localhost", sre: "mcp.sre.example.com" } as const;
const STACKS = ["shop", "hello", "sre"] as const;
const work = workspace();
work.copyExamples();
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

/** `fetch` as for `asked`, Host and path included, with its name resolved to the server of the test. */
async function fetchFrom(server: BootedServer, asked: string | URL, init: RequestInit): Promise<Response> {
  const { pathname, search, host } = new URL(asked);
  // The host header of `fetch` itself cannot be chosen.
  const sent = request(new URL(`${pathname}${search}`, server.url), {
    method: init.method ?? "GET",
    headers: { ...Object.fromEntries(new Headers(init.headers)), host },
    ...(init.signal == null ? {} : { signal: init.signal }),
  });
  sent.end(init.body as string | undefined);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const { statusCode: status = 0 } = answer;
  const hasBody = status !== 202 && status !== 204;
  if (!hasBody) answer.resume();
  return new Response(hasBody ? (Readable.toWeb(answer) as ReadableStream) : null, {
    status,
    headers: answer.headers as Record<string, string>,
  });
}

async function toolsOverHttp({ url, headers }: Http, server: BootedServer): Promise<readonly string[]> {
  return await toolsOf(
    newClient(),
    new StreamableHTTPClientTransport(url, {
      requestInit: { headers: { ...headers } },
      fetch: async (asked, init = {}) => await fetchFrom(server, asked, init),
    }),
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
    server = await bootServer(work.path("out", stack), {
      MCP_ALLOWED_HOSTS: HOSTS[stack],
      ...drawnFlags(work.path("out", stack)),
    });
    const values = lock.credentials.map((name): [string, string] => [
      `${prefix}_${name}`,
      name === "MCP_API_KEY" ? server.key : newKey(),
    ]);
    machine = {
      folder: work.folder,
      variables: { ...Object.fromEntries(values), USER: "ada", [`${prefix}_MCP_STDIO_TEAM_ID`]: "sre" },
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
    const credentials = Object.entries(throwAwayCredentials(work.path("out", stack)));
    const lines = [...credentials, ["MCP_STDIO_TEAM_ID", "sre"]].map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(elsewhere, `${stack}.env`), lines.join(""), { mode: 0o600 });
    const command = /^ {4}(sed .*)$/m.exec(text("README.md"))?.[1] ?? "";
    const env = { PATH: process.env["PATH"], HOME: elsewhere };
    const filled = spawnSync("sh", ["-c", command], { cwd: work.folder, env, encoding: "utf8" }).stdout;
    expect(filled).not.toContain("/absolute/path");
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

  it("S16: a key that is not set is a refusal, not a broken file, and another Host is turned away", async () => {
    const nobody = { ...machine, variables: {} };
    const { [stack]: http, [`${stack}-local`]: stdio } = Object.fromEntries(
      readClaudeCode(text(".mcp.json"), nobody),
    );
    await expect(toolsOverHttp(http as Http, server)).rejects.toThrow("Unauthorised");
    await expect(toolsOverStdio(stdio as Stdio, work.folder)).rejects.toThrow("Connection closed");
    const { url, headers } = readClaudeCode(text(".mcp.json"), machine).get(stack) as Http;
    const foreign = {
      kind: "http",
      headers,
      url: new URL(url.pathname, "https://mcp.elsewhere.example"),
    } as const;
    await expect(toolsOverHttp(foreign, server)).rejects.toThrow("Forbidden");
  });

  it("S5: no file holds a secret", () => {
    for (const file of readdirSync(work.path("out", stack, "clients"))) {
      const found = text(file)
        .split(/[\s"`]+/)
        .filter((word) => looksSecret(word));
      expect(found, file).toEqual([]);
    }
  });
});

describe("S1: the client files follow the drawing", () => {
  const STACK = `apiVersion: topology/v1
stack: shop-front
description: ${"A description that is too long for a registry ".repeat(3)}
domain: example.com
components:
  valkey:
  apisix:
links:
  apisix: {mcp: {subdomain: ai, path: /shop, auth: key-auth}}
  mcp: {stack_agent: read, valkey: write}
`;
  const files = async (text: string): Promise<ReadonlyMap<string, string>> => {
    const tree = await treeOf(text, "shop-front");
    const own = [...tree].filter(([path]) => path.startsWith("clients/"));
    return new Map(own.map(([path, file]) => [path.slice("clients/".length), file.text]));
  };

  it("the drawn route is the address, everywhere", async () => {
    const drawn = await files(STACK);
    const entry = readRegistry(drawn.get("server.json") ?? "", { api_key: "k" });
    expect(entry).toMatchObject({
      url: new URL("https://ai.example.com/shop/mcp"),
      headers: { Authorization: "Bearer k" },
    });
    for (const file of [".mcp.json", "cursor.json", "vscode.json"])
      expect(drawn.get(file), file).toContain('"url": "https://ai.example.com/shop/mcp"');
  });

  it.each([
    ["without the route", (text: string) => text.replace(/^ {2}apisix: \{mcp.*\n/m, "")],
    ["with the route switched off", (text: string) => text.replace("subdomain: ai", "enabled: false")],
  ])("%s there is no entry for a registry, and clients come through a forwarded port", async (_, change) => {
    const drawn = await files(change(STACK));
    expect(drawn.has("server.json")).toBe(false);
    const read = readClaudeCode(drawn.get(".mcp.json") ?? "", { folder: "", variables: {}, answers: {} });
    expect(read.get("shop-front")).toMatchObject({ url: new URL("http://localhost:8080/mcp") });
    expect(drawn.get("README.md")).toContain(
      "kubectl -n shop-front port-forward deployment/shop-front-mcp 8080:8080",
    );
  });

  it("without a link its variables and credentials are in no file", async () => {
    const before = [...(await files(STACK))];
    const after = [...(await files(STACK.replace(", valkey: write", "")))];
    expect(before.filter(([, text]) => text.includes("MCP_VALKEY_"))).toHaveLength(5);
    expect(after.filter(([, text]) => text.includes("MCP_VALKEY_"))).toEqual([]);
  });

  it("S10: no file switches a write flag on", async () => {
    for (const [file, text] of await files(STACK)) expect(text, file).not.toContain("WRITE_ACCESS");
  });
});
