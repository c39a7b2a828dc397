import { once } from "node:events";
import { takeKey } from "#runtime/identity";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import { createFrontDoor } from "./front-door.ts";
import { readAgentSettings } from "./settings.ts";

export interface AgentOptions {
  readonly data: TopologyData;
  /** The token is removed from it as it is read. */
  readonly environment: Record<string, string | undefined>;
}

export interface RunningAgent {
  readonly port: number;
  /** Lets requests in flight end, within ten seconds. */
  close(): Promise<void>;
}

const DRAIN_MS = 10_000;

/** Rejects with a StartError, before anything listens, when the environment does not allow it. */
export async function startAgent({ data, environment }: AgentOptions): Promise<RunningAgent> {
  const settings = readAgentSettings(environment, data);
  const keys = [takeKey(environment, "MCP_AGENT_TOKEN", () => undefined)];
  let open = true;
  const server = createFrontDoor({ settings, keys, engine: createEngine(data), isOpen: () => open });
  server.listen(settings.port, settings.bind);
  await once(server, "listening");
  const address = server.address();
  const close = async (): Promise<void> => {
    open = false;
    const closed = once(server, "close");
    server.close();
    server.closeIdleConnections();
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(cut);
  };
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: async () => await (closing ??= close()),
  };
}
