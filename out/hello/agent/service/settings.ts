import { integerSetting, listSetting } from "#runtime/server-settings";
import type { Environment } from "#runtime/settings";
import type { TopologyData } from "#runtime/stack-agent/topology-data";

/** What the operator can set about the agent. */
export interface AgentSettings {
  readonly bind: string;
  readonly port: number;
  /** Host headers that are accepted besides the loopback names, in lower case. */
  readonly allowedHosts: readonly string[];
  /** Nothing in a browser speaks to the agent. */
  readonly allowedOrigins: readonly string[];
}

/** `agent.ns.svc.cluster.local` is also called `agent.ns.svc`, `agent.ns` and, within its namespace, `agent`. */
function namesOf(host: string): readonly string[] {
  const [name, namespace, ...rest] = host.toLowerCase().split(".");
  if (name === undefined || namespace === undefined || rest[0] !== "svc") return [host.toLowerCase()];
  return [host.toLowerCase(), `${name}.${namespace}.svc`, `${name}.${namespace}`, name];
}

/** The agent answers under the names that the drawing gives it; `AGENT_ALLOWED_HOSTS` adds others. */
export function readAgentSettings(environment: Environment, data: TopologyData): AgentSettings {
  const drawn = data.components.find(({ type }) => type === "stack_agent")?.host ?? null;
  return {
    bind: environment["AGENT_BIND"] || "127.0.0.1",
    port: integerSetting(environment, "AGENT_PORT", { fallback: 8090, min: 0, max: 65_535 }),
    allowedHosts: [
      ...(drawn === null ? [] : namesOf(drawn)),
      ...listSetting(environment, "AGENT_ALLOWED_HOSTS"),
    ],
    allowedOrigins: [],
  };
}
