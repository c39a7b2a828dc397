import { defineHook } from "#hook";
import type { Topology } from "#hook";

type Component = Topology["components"][number];

const ENV = "MCP_REPLICA_STATE";
export const STATE_PASSWORD = `${ENV}_PASSWORD`;

/** What the replicas of the server share, and where. */
export interface StateFacts {
  /** What rules and diagnostics call it; no link has this id. */
  readonly link: string;
  readonly component: Component;
  /** The server's own account there, which no link uses. */
  readonly account: string;
  /** What the names of all keys start with; no link may reach these. */
  readonly prefix: string;
  readonly database: number;
  /** Sorted by name. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
}

/** `null` where the server keeps its state to itself. */
export default defineHook({
  name: "state",
  derive: ({ components, environment, server, stack }): StateFacts | null => {
    const component = components.find(({ name }) => name === server.state);
    if (component === undefined) return null;
    // Environments may be drawn to the same address, and what one approved is not approved in another.
    const scope = environment === null ? stack : `${stack}.${environment}`;
    const account = `mcp_replica_state_${scope.replaceAll(/[-.]/g, "_")}`;
    const database = Number(component.attributes["db"] ?? 0);
    const values = {
      DB: database,
      HOST: component.host ?? "",
      PORT: component.port ?? "",
      TLS: component.attributes["tls"] === true,
      USER: account,
    };
    return {
      link: `mcp state ${component.name}`,
      component,
      account,
      prefix: `mcp-state:${scope}:`,
      database,
      settings: Object.entries(values).map(([name, value]) => ({
        name: `${ENV}_${name}`,
        value: String(value),
      })),
    };
  },
});
