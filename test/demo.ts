/**
 * The main job in one minute, on a machine with nothing but Node: generate a stack, open its credentials with
 * the examples' public key, start the emitted server and its agent, and ask a few things with a real MCP client.
 */
import { readFileSync } from "node:fs";
import { openSealed } from "../generator/seal/open.ts";
import { bootAgent } from "./agent/folder.ts";
import { bootServer, callTool, connectClient, ROOT, topogate } from "./harness/emitted.ts";

const SEALED = "out/shop/credentials/cloud.sops.env";
const KEY = "stacks/example-key.PUBLIC.txt";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function show(title: string, value: unknown): void {
  say(`\n${title}`);
  const lines = JSON.stringify(value, null, 2).split("\n");
  say(
    lines
      .slice(0, 24)
      .map((line) => `    ${line}`)
      .join("\n"),
  );
  if (lines.length > 24) say(`    ... ${lines.length - 24} more lines`);
}

/** As `sops decrypt` would, the code over all values verified. */
async function openCredentials(): Promise<Readonly<Record<string, string>>> {
  const identity = /^AGE-SECRET-KEY-.*$/m.exec(readFileSync(`${ROOT}${KEY}`, "utf8"))?.[0] ?? "";
  const text = readFileSync(`${ROOT}${SEALED}`, "utf8");
  const { entries } = await openSealed(SEALED, text, "dotenv", [identity]);
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

async function main(): Promise<void> {
  say("1. topogate generate stacks/shop.yaml");
  const run = topogate(["generate", "stacks/shop.yaml"]);
  if (run.status !== 0) throw new Error(run.stderr);
  say(run.stdout.trimEnd().replace(/^/gm, "    "));

  const credentials = await openCredentials();
  say(`\n2. open ${SEALED} with ${KEY}: ${Object.keys(credentials).join(", ")}`);
  say("   and start the stack agent and the emitted server on loopback with them");
  const agent = await bootAgent({ folder: `${ROOT}out/shop` }, credentials);
  const url = `http://127.0.0.1:${agent.port}`;
  const server = await bootServer(`${ROOT}out/shop`, {
    MCP_VALKEY_WRITE_ACCESS: "true",
    MCP_AGENT_URL: url,
    ...credentials,
  });
  say(`    ${url}/metadata/q answers the server's questions about the drawing`);
  try {
    const client = await connectClient(server);
    say(`    ${server.url.href} answers as ${JSON.stringify(client.getServerVersion())}`);

    const { tools } = await client.listTools();
    say(`\n3. tools/list: ${tools.length} tools, each from a drawn link`);
    say(`    ${tools.map((tool) => tool.name).join(", ")}`);

    show(
      "4. list_components: what exists",
      (await callTool(client, "list_components", { limit: 3 })).content["data"],
    );
    show(
      "5. query_topology: the databases of every cnpg, and who uses them",
      (
        await callTool(client, "query_topology", {
          source: "type:cnpg",
          target: "sub_components",
          select: ["database", "username", "consumers"],
        })
      ).content["data"],
    );
    show(
      "6. run_test with dry_run: variables are filled in, the password never is",
      (
        await callTool(client, "run_test", {
          source: "type:cnpg",
          target: "sub_components",
          command: 'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
          dry_run: true,
        })
      ).content["data"],
    );
    show(
      "7. valkey_get: drawn, but there is no Valkey on this machine",
      (await callTool(client, "valkey_get", { key: "cart:1" })).content,
    );
    await client.close();
  } finally {
    const codes = [await server.stop(), await agent.stop()];
    say(`\n8. SIGTERM: server and agent ended with exit codes ${codes.join(" and ")}`);
  }
}

await main();
