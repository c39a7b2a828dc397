/**
 * Runs the official conformance suite against both adapters, each on a booted stack: every scenario either
 * passes or is listed below with the reason why it cannot.
 *
 * The suite needs a newer Node than this project, so both are installed into a cache folder first; the
 * package `node` brings the program itself.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { Server } from "node:http";
import { join } from "node:path";
import { bootServer, ROOT } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";

const CACHE = join(ROOT, ".topogate-cache/conformance");
const PACKAGES = { node: "22.23.3", "@modelcontextprotocol/conformance": "0.1.16" };
const NODE = join(CACHE, "node_modules/node/bin/node");
const SUITE = join(CACHE, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

const SPECIAL_TOOL = "calls a tool, prompt or resource that exists only in a test server";
const NO_CAPABILITY = "tests a capability that the server does not declare";

/** Scenarios that cannot pass, and why. One that passes after all fails the run, so the list stays honest. */
const CANNOT_PASS: Readonly<Record<string, string>> = {
  "completion-complete": `${NO_CAPABILITY}: there are no prompts with arguments yet`,
  "elicitation-sep1034-defaults": SPECIAL_TOOL,
  "elicitation-sep1330-enums": SPECIAL_TOOL,
  "json-schema-2020-12": SPECIAL_TOOL,
  "prompts-get-embedded-resource": SPECIAL_TOOL,
  "prompts-get-simple": SPECIAL_TOOL,
  "prompts-get-with-args": SPECIAL_TOOL,
  "prompts-get-with-image": SPECIAL_TOOL,
  "resources-read-binary": SPECIAL_TOOL,
  "resources-read-text": SPECIAL_TOOL,
  "resources-subscribe": `${NO_CAPABILITY}: no resource changes while the server runs`,
  "resources-templates-read": SPECIAL_TOOL,
  "resources-unsubscribe": `${NO_CAPABILITY}: no resource changes while the server runs`,
  "tools-call-audio": SPECIAL_TOOL,
  "tools-call-elicitation": SPECIAL_TOOL,
  "tools-call-embedded-resource": SPECIAL_TOOL,
  "tools-call-error": SPECIAL_TOOL,
  "tools-call-image": SPECIAL_TOOL,
  "tools-call-mixed-content": SPECIAL_TOOL,
  "tools-call-sampling": SPECIAL_TOOL,
  "tools-call-simple-text": SPECIAL_TOOL,
  "tools-call-with-logging": SPECIAL_TOOL,
  "tools-call-with-progress": SPECIAL_TOOL,
};

/** What holds for one adapter only, by stack. */
const ALSO_CANNOT_PASS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  shop: {
    "logging-set-level": `${NO_CAPABILITY}: logging is deprecated since 2026-07-28; audit and stderr replace it`,
  },
  hello: {},
};

function install(): void {
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, "package.json"), JSON.stringify({ private: true, dependencies: PACKAGES }));
  const run = spawnSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: CACHE, stdio: "inherit" });
  if (run.status !== 0) throw new Error("the conformance suite could not be installed");
}

/** The suite cannot send a key; everything else passes through as it is, the Host header included. */
async function withKey(server: BootedServer): Promise<{ readonly url: string; readonly proxy: Server }> {
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${server.key}` };
    const forwarded = request(
      {
        host: server.url.hostname,
        port: server.url.port,
        path: incoming.url,
        method: incoming.method,
        headers,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`, proxy };
}

function scenarios(): readonly string[] {
  const listing = spawnSync(NODE, [SUITE, "list"], { encoding: "utf8" }).stdout;
  const server = listing.slice(listing.indexOf("Server scenarios"), listing.indexOf("Client scenarios"));
  return [...server.matchAll(/^ {2}- (\S+)/gm)].map((match) => match[1] ?? "").sort();
}

async function passes(url: string, scenario: string): Promise<boolean> {
  const child = spawn(NODE, [SUITE, "server", "--url", url, "--scenario", scenario], {
    cwd: CACHE,
    stdio: "ignore",
  });
  const stop = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  clearTimeout(stop);
  return code === 0;
}

async function runStack(stack: string): Promise<readonly string[]> {
  const server = await bootServer(join(ROOT, "out", stack));
  const { url, proxy } = await withKey(server);
  const wrong: string[] = [];
  for (const scenario of scenarios()) {
    const passed = await passes(url, scenario);
    const reason = CANNOT_PASS[scenario] ?? ALSO_CANNOT_PASS[stack]?.[scenario];
    console.log(`${stack} ${scenario}: ${passed ? "passed" : (reason ?? "FAILED")}`);
    if (passed === (reason !== undefined)) wrong.push(`${stack} ${scenario}`);
  }
  proxy.close();
  proxy.closeAllConnections();
  await server.stop();
  return wrong;
}

install();
const wrong = [...(await runStack("shop")), ...(await runStack("hello"))];
console.log(wrong.length === 0 ? "every scenario passed or is listed" : `not as listed: ${wrong.join(", ")}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
