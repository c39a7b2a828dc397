import { once } from "node:events";
import { takeKey } from "#runtime/identity/identity";
import { settingsOf } from "#runtime/settings";
import { testerAt } from "#runtime/stack-agent/command/open";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import { createFrontDoor } from "./front-door.ts";
import { readAgentSettings } from "./settings.ts";
import { createTests } from "./tests.ts";

export interface AgentOptions {
  readonly data: TopologyData;
  /** The generated `commands.json`. */
  readonly commands: URL;
  /** The token is removed from it as it is read. */
  readonly environment: Record<string, string | undefined>;
}

export interface RunningAgent {
  readonly port: number;
  /** Lets requests in flight end, within ten seconds. */
  close(): Promise<void>;
}

const DRAIN_MS = 10_000;
const FLUSH_MS = 1_000;
/** Prefix of the agent's own variables, as the server has them. */
const ENV = "MCP_AGENT";

/** Rejects with a StartError, before anything listens, when the environment does not allow it. */
export async function startAgent({ data, commands, environment }: AgentOptions): Promise<RunningAgent> {
  const settings = readAgentSettings(environment, data);
  const keys = [takeKey(environment, "MCP_AGENT_TOKEN", () => undefined)];
  const tester = testerAt(
    commands,
    settingsOf({ env: ENV }, environment, () => undefined),
    ENV,
  );
  const engine = createEngine(data);
  const stop = new AbortController();
  let open = true;
  const server = createFrontDoor({
    settings,
    keys,
    engine,
    tests: createTests(engine, tester),
    stop: stop.signal,
    isOpen: () => open,
  });
  server.listen(settings.port, settings.bind);
  await once(server, "listening");
  const address = server.address();
  const close = async (): Promise<void> => {
    open = false;
    const closed = once(server, "close");
    server.close();
    server.closeIdleConnections();
    const last = setTimeout(() => stop.abort(), DRAIN_MS);
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS + FLUSH_MS);
    await closed;
    clearTimeout(last);
    clearTimeout(cut);
  };
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: async () => await (closing ??= close()),
  };
}
